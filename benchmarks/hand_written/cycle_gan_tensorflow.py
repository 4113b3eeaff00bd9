"""The CycleGAN step by hand in TensorFlow: tf.Module, tapes, tf.function."""

import tensorflow as tf

from benchmarks.hand_written.adam_tensorflow import Adam

CYCLE, IDENTITY = 10.0, 5.0
POOL, SLOPE, EPSILON = 50, 0.2, 1e-5


class CycleGAN:
    """Four networks and two optimizers; `step((a, b))` trains all.

    Args:
        forth, back, judge_of_b, judge_of_a: Lists of arrays, as Keras'
            `get_weights()` of the networks gives them.
    """

    def __init__(self, forth, back, judge_of_b, judge_of_a):
        self.generators = Generator(forth), Generator(back)
        self.judges = Judge(judge_of_b), Judge(judge_of_a)
        self.g_optimizer, self.d_optimizer = (
            Adam(
                [v for one in pair for v in one.trainable_variables],
                rate=2e-4,
                beta_1=0.5,
            )
            for pair in (self.generators, self.judges)
        )
        self.pools = None
        self._compiled = tf.function(self._step)

    def parameter_count(self):
        return sum(
            tf.size(v).numpy()
            for optimizer in (self.g_optimizer, self.d_optimizer)
            for v in optimizer.variables
        )

    def wait(self):
        self.d_optimizer.variables[-1].numpy()

    def step(self, images):
        if self.pools is None:
            self.pools = [Pool(x.shape[1:]) for x in images]
        return self._compiled(*images)

    def _step(self, a, b):
        forth, back = self.generators
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self.g_optimizer.variables)
            fakes = forth(a), back(b)
            fooling = tf.add_n(
                [
                    tf.reduce_mean((judge(fake) - 1) ** 2)
                    for judge, fake in zip(self.judges, fakes, strict=True)
                ]
            )
            cycle = _distance(back(fakes[0]), a) + _distance(forth(fakes[1]), b)
            identity = _distance(back(a), a) + _distance(forth(b), b)
            g_loss = fooling + CYCLE * cycle + IDENTITY * identity
        self._descend(tape, g_loss, self.g_optimizer)
        fakes = [
            pool(fake) for pool, fake in zip(self.pools, fakes, strict=True)
        ]
        with tf.GradientTape() as tape:
            d_loss = 0.0
            for judge, real, fake in zip(
                self.judges, (b, a), fakes, strict=True
            ):
                d_loss += tf.reduce_mean((judge(real) - 1) ** 2)
                d_loss += tf.reduce_mean(judge(fake) ** 2)
            d_loss *= 0.5
        self._descend(tape, d_loss, self.d_optimizer)
        return d_loss, g_loss

    def _descend(self, tape, loss, optimizer):
        optimizer.apply(tape.gradient(loss, optimizer.variables))


class Pool(tf.Module):
    """Older images, for the discriminator; one at a time."""

    def __init__(self, shape):
        super().__init__()
        self.images = tf.Variable(tf.zeros((POOL, *shape)), trainable=False)
        self.count = tf.Variable(0, trainable=False)

    def __call__(self, fake):
        if self.count < POOL:
            self.images[self.count].assign(fake[0])
            self.count.assign_add(1)
            result = fake
        elif tf.random.uniform(()) < 0.5:
            slot = tf.random.uniform((), 0, POOL, tf.int32)
            result = tf.gather(self.images, slot)[None]
            self.images[slot].assign(fake[0])
        else:
            result = fake
        return result


class Convolutions(tf.Module):
    """Pairs of a kernel and a bias."""

    def __init__(self, weights):
        super().__init__()
        variables = [tf.Variable(w) for w in weights]
        self.pairs = list(zip(variables[::2], variables[1::2], strict=True))


class Generator(Convolutions):
    """Images to images, through residual blocks."""

    def __call__(self, x):
        first, down_1, down_2, *blocks, up_1, up_2, last = self.pairs
        x = tf.nn.relu(_norm(_conv(_reflected(x, 3), first)))
        for pair in (down_1, down_2):
            x = tf.nn.relu(_norm(_conv(x, pair, 2, [1, 0])))
        for one, other in zip(blocks[::2], blocks[1::2], strict=True):
            y = tf.nn.relu(_norm(_conv(_reflected(x, 1), one)))
            x += _norm(_conv(_reflected(y, 1), other))
        for pair in (up_1, up_2):
            x = tf.nn.relu(_norm(_transposed(x, pair)))
        return tf.tanh(_conv(_reflected(x, 3), last))


class Judge(Convolutions):
    """Images to logits of patches."""

    def __call__(self, x):
        first, *middle, narrow, last = self.pairs
        x = tf.nn.leaky_relu(_conv(x, first, 2, [1, 1]), SLOPE)
        for pair in middle:
            x = tf.nn.leaky_relu(_norm(_conv(x, pair, 2, [1, 1])), SLOPE)
        x = tf.nn.leaky_relu(_norm(_conv(x, narrow, 1, [1, 1])), SLOPE)
        return _conv(x, last, 1, [1, 1])


def _conv(x, pair, stride=1, sides=(0, 0)):
    kernel, bias = pair
    padding = [[0, 0], list(sides), list(sides), [0, 0]]
    return tf.nn.bias_add(tf.nn.conv2d(x, kernel, stride, padding), bias)


def _transposed(x, pair):
    kernel, bias = pair
    shape = (len(x), 2 * x.shape[1], 2 * x.shape[2], kernel.shape[2])
    padding = [[0, 0], [1, 0], [1, 0], [0, 0]]
    x = tf.nn.conv2d_transpose(x, kernel, shape, 2, padding)
    return tf.nn.bias_add(x, bias)


def _reflected(x, size):
    sides = [size, size]
    return tf.pad(x, [[0, 0], sides, sides, [0, 0]], "REFLECT")


def _norm(x):
    mean, variance = tf.nn.moments(x, [1, 2], keepdims=True)
    return (x - mean) * tf.math.rsqrt(variance + EPSILON)


def _distance(x, y):
    return tf.reduce_mean(tf.abs(x - y))
