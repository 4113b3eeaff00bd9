"""Tutorial 1, from nothing: what learns in deep learning, and how.

We build the parts of a network from `keras.ops`, let `keras_dl` take the
gradients, and write the six classical ways to go downhill in a few lines each.
Nothing has to be believed: the parts are compared with those of Keras, the
gradients with finite differences, and the paths downhill with the paths of
Keras' own optimizers, point by point. Where one differs, the script says so
and exits with status 1.

    python tutorials/01_from_nothing.py --out out/from_nothing

It works offline and on any backend (set `KERAS_BACKEND` to "jax", "tensorflow"
or "torch"), and leaves five pictures:

    1_activations.png     four activations and their derivatives
    2_gradient_check.png  how good a finite difference is, for each step size
    3_learning_curve.png  a network learns to read digits
    4_trajectories.png    six ways downhill, ours laid over Keras'
    5_batches.png         mini-batches against the full batch

Read it from top to bottom: sections 1 to 4 are the lesson, in the order of
what is printed; pictures and printing come last.
"""

import argparse
import functools
import importlib.util
import itertools
import pathlib
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

import keras_dl

# How far two float32 results may be apart that ought to be the same.
LIMIT = 1e-5


# 1. The parts ----------------------------------------------------------------
#
# A network is a chain of simple functions of tensors. Shapes: `n` examples,
# `d` inputs, `k` outputs or classes.


def affine(x, weights, bias):
    """The linear (affine) layer, `y = x W + b`: `(n, d)` to `(n, k)`."""
    return ops.matmul(x, weights) + bias


def relu(x):
    """`max(x, 0)`; the derivative at 0 is taken to be 0."""
    return ops.where(x > 0, x, 0.0)


def sigmoid(x):
    """`1 / (1 + e^-x)`, safe for large `|x|`.

    `e^-x` overflows at x = -89 in float32. Numerator and denominator may both
    be multiplied by `e^(x - m)`, whatever `m` is; with `m = max(x, 0)` no
    exponent is positive. As `m` cancels out, it needs no gradient.
    """
    m = ops.stop_gradient(ops.maximum(x, 0.0))
    return ops.exp(x - m) / (ops.exp(x - m) + ops.exp(-m))


def tanh(x):
    """`(e^x - e^-x) / (e^x + e^-x)`: a sigmoid, stretched to (-1, 1)."""
    return 2.0 * sigmoid(2.0 * x) - 1.0


def log_softmax(x):
    """`x - log(sum(e^x))` over the last axis.

    The largest entry is subtracted first, for the same reason as in `sigmoid`.
    """
    x = x - ops.stop_gradient(ops.max(x, axis=-1, keepdims=True))
    return x - ops.log(ops.sum(ops.exp(x), axis=-1, keepdims=True))


def softmax(x):
    """`e^x_i / sum_j e^x_j`: positive, and 1 in total over the last axis."""
    return ops.exp(log_softmax(x))


def mean_squared_error(targets, predictions):
    """`mean((p - y)^2)` over everything: the loss of a regression."""
    return ops.mean(ops.square(predictions - targets))


def softmax_cross_entropy(labels, logits):
    """Softmax with cross-entropy: the mean of `-log softmax(logits)[label]`.

    One function, not two: `softmax` rounds a class that is far behind to 0,
    and the logarithm of that is `-inf`.

    Args:
        labels: Integer tensor of shape `(n,)`, the true classes.
        logits: Tensor of shape `(n, k)`.
    """
    truth = ops.one_hot(labels, logits.shape[-1])
    return -ops.mean(ops.sum(truth * log_softmax(logits), axis=-1))


ACTIVATIONS = {
    "sigmoid": (sigmoid, keras.activations.sigmoid),
    "tanh": (tanh, keras.activations.tanh),
    "ReLU": (relu, keras.activations.relu),
    "softmax": (softmax, keras.activations.softmax),
}


def compare_parts():
    """The largest difference of each part from that of Keras, by name."""
    random = np.random.default_rng(1)
    x, y = (tensor(random.normal(0, 2, size=(64, 10))) for _ in range(2))
    labels = ops.array(random.integers(0, 10, size=64))
    dense = keras.layers.Dense(10, bias_initializer="random_normal")
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    squares = keras.losses.MeanSquaredError()

    theirs = {"affine layer": dense(x)}  # Builds the layer's variables.
    ours = {"affine layer": affine(x, dense.kernel, dense.bias)}
    for name, (our_function, their_function) in ACTIVATIONS.items():
        ours[name], theirs[name] = our_function(x), their_function(x)
    ours["softmax with cross-entropy"] = softmax_cross_entropy(labels, x)
    theirs["softmax with cross-entropy"] = cross_entropy(labels, x)
    ours["mean squared error"] = mean_squared_error(y, x)
    theirs["mean squared error"] = squares(y, x)
    return {name: difference(ours[name], theirs[name]) for name in ours}


# 2. Gradients ----------------------------------------------------------------
#
# The gradient of a loss by the parameters says how much the loss rises when a
# parameter is nudged. `keras_dl.grad(f)` is the function that returns it,
# computed backwards through `f` by the chain rule ("backpropagation"). A list
# of tensors is welcome: its gradient is a list of tensors.


def network(parameters, x, activation=relu):
    """Affine layers with an activation in between: `(n, d)` to `(n, k)`.

    Args:
        parameters: A flat list of tensors, `[W1, b1, W2, b2, ...]`.
    """
    *hidden, last = zip(parameters[::2], parameters[1::2], strict=True)
    for layer in hidden:
        x = activation(affine(x, *layer))
    return affine(x, *last)


def network_loss(parameters, x, labels, activation=relu):
    """Softmax with cross-entropy of the network's outputs."""
    return softmax_cross_entropy(labels, network(parameters, x, activation))


def initial_parameters(sizes, seed=0):
    """Random weights of variance `2 / inputs`, and biases of 0.

    With this variance signals neither die out nor explode on their way through
    ReLU layers (He et al. 2015, arXiv:1502.01852).
    """
    random = np.random.default_rng(seed)
    parameters = []
    for inputs, outputs in itertools.pairwise(sizes):
        spread = (2 / inputs) ** 0.5
        parameters += [
            tensor(random.normal(0, spread, size=(inputs, outputs))),
            tensor(np.zeros(outputs)),
        ]
    return parameters


def finite_difference(fn, parameters, direction, h):
    """`(fn(p + h d) - fn(p - h d)) / 2h`: the slope of `fn` along `d`."""
    ahead, behind = (
        fn([p + s * d for p, d in zip(parameters, direction, strict=True)])
        for s in (h, -h)
    )
    return (float(ahead) - float(behind)) / (2 * h)


def length(step):
    """The length of a step in the space of all parameters."""
    return sum(float(ops.sum(ops.square(part))) for part in step) ** 0.5


def gradient_check(step_sizes, directions=5, seed=0):
    """Compares the gradient of a small network with finite differences.

    A gradient `g` promises that the slope along a direction `d` is the inner
    product of the two, `sum(g d)`. It is held to that along itself, where the
    slope is steepest, and along random directions.

    Returns:
        For each step size, the largest difference of the slopes over these
        directions, as a fraction of the steepest slope.
    """
    random = np.random.default_rng(seed)
    x = tensor(random.normal(size=(64, 10)))
    labels = ops.array(random.integers(0, 10, size=64))
    # tanh has no kinks, so that only the step size matters.
    loss = functools.partial(network_loss, x=x, labels=labels, activation=tanh)
    parameters = initial_parameters((10, 10, 10), seed)
    gradient = keras_dl.grad(loss)(parameters)

    steps = [gradient]
    for _ in range(directions - 1):
        steps.append([tensor(random.normal(size=p.shape)) for p in parameters])
    errors = np.zeros((directions, len(step_sizes)))
    for row, step in zip(errors, steps, strict=True):
        d = [part / length(step) for part in step]
        slope = sum(
            float(ops.sum(g * part))
            for g, part in zip(gradient, d, strict=True)
        )
        row[:] = [
            abs(finite_difference(loss, parameters, d, h) - slope)
            for h in step_sizes
        ]
    return errors.max(axis=0) / length(gradient)


def softmax_identity():
    """Difference of the gradient by the logits from its known formula.

    For softmax with cross-entropy the chain rule collapses to
    `(softmax(x) - truth) / n`: what the network said, minus what is true.
    """
    random = np.random.default_rng(2)
    logits = tensor(random.normal(size=(64, 10)))
    labels = ops.array(random.integers(0, 10, size=64))
    gradient = keras_dl.grad(softmax_cross_entropy, argnums=1)(labels, logits)
    formula = (softmax(logits) - ops.one_hot(labels, 10)) / 64
    return difference(gradient, formula)


# 3. Learning -----------------------------------------------------------------
#
# To learn is to go downhill: again and again, take the gradient of the loss on
# a batch of examples and move the parameters a little against it. How exactly,
# says a rule: a pure function, called once for each parameter tensor,
#
#     delta, state = rule(gradient, state, step, ...)
#
# The parameter moves by `delta`. `state` is a tuple of what the rule wants to
# remember, None at first; `step` counts 1, 2, 3, ...


def descent(gradient, state, step, learning_rate=0.01):
    """Steepest descent: `delta = -lr g`.

    With the gradient of the loss over all examples this is full-batch descent
    (Cauchy 1847). With that over a random few it is stochastic gradient
    descent, SGD (Robbins and Monro 1951, "A Stochastic Approximation Method"):
    the same rule, fed with cheaper, noisier gradients.
    """
    return -learning_rate * gradient, state


def descend(loss, parameters, batches, rule, **settings):
    """Goes downhill: one update of all parameters for each batch.

    Args:
        loss: A function `(parameters, *batch) -> scalar`.
        parameters: A list of tensors to start from.
        batches: An iterable of tuples of tensors.
        rule: What makes a move of a gradient; `settings` are passed to it.

    Yields:
        The parameters after each update, and the loss on the batch before it.
    """
    loss_and_gradient = keras_dl.value_and_grad(loss)
    states = [None] * len(parameters)
    for step, batch in enumerate(batches, start=1):
        value, gradients = loss_and_gradient(parameters, *batch)
        moves = [
            rule(gradient, state, step, **settings)
            for gradient, state in zip(gradients, states, strict=True)
        ]
        deltas, states = zip(*moves, strict=True)
        parameters = [
            parameter + delta
            for parameter, delta in zip(parameters, deltas, strict=True)
        ]
        yield parameters, float(value)


def draw_batches(x, y, batch_size, updates, seed=0):
    """Yields `updates` random batches; no example twice in one epoch."""
    random = np.random.default_rng(seed)
    order = []
    for _ in range(updates):
        if len(order) < batch_size:
            order = random.permutation(len(x))
        chosen, order = order[:batch_size], order[batch_size:]
        yield ops.array(x[chosen]), ops.array(y[chosen])


def digits():
    """Handwritten digits, 8 x 8 gray levels from 0 to 1: training and test."""
    data = keras_dl.datasets.load("digits", validation=0, test=0.25)
    return (data.train.x / 16, data.train.y), (data.test.x / 16, data.test.y)


class Run(NamedTuple):
    """What happened while a network learned.

    Attributes:
        batch_size, examples: Digits in a batch, and in the training set.
        batch_loss: For each update, the loss on its batch before it.
        updates: After how many updates the other three were measured.
        train_loss, test_loss: Loss on all training digits, all test digits.
        accuracy: Fraction of the test digits that are read correctly.
    """

    batch_size: int
    examples: int
    batch_loss: list
    updates: tuple
    train_loss: tuple
    test_loss: tuple
    accuracy: tuple


def measure(parameters, train, test):
    """Loss on the training digits and on the test digits; test accuracy."""
    x, labels = test
    logits = network(parameters, x)
    guesses = np.argmax(ops.convert_to_numpy(logits), axis=-1)
    return (
        float(network_loss(parameters, *train)),
        float(softmax_cross_entropy(labels, logits)),
        float(np.mean(guesses == labels)),
    )


def learn_digits(updates, batch_size=None, learning_rate=0.3, every=10):
    """A network with one hidden layer learns by plain `descent`.

    Args:
        updates: Number of updates.
        batch_size: Digits in a batch; None: all of them.
        every: The number of updates between two measurements.

    Returns:
        A `Run`.
    """
    train, test = digits()
    examples = len(train[0])
    batch_size = batch_size or examples
    parameters = initial_parameters((64, 32, 10))
    path = descend(
        network_loss,
        parameters,
        draw_batches(*train, batch_size, updates),
        descent,
        learning_rate=learning_rate,
    )
    batch_loss = []
    measured = [(0, *measure(parameters, train, test))]
    for update, (moved, loss) in enumerate(path, start=1):
        batch_loss.append(loss)
        if update % every == 0 or update == updates:
            measured.append((update, *measure(moved, train, test)))
    columns = zip(*measured, strict=True)
    return Run(batch_size, examples, batch_loss, *columns)


# 4. Six ways downhill --------------------------------------------------------
#
# Plain descent zigzags in a narrow valley. Four remedies follow, each a rule
# like `descent`. In the formulas g is the gradient, lr the learning rate; all
# is elementwise. Where the papers leave room (the place of epsilon, the start
# of Adagrad) we do as Keras does, and say so.


def momentum(gradient, state, step, learning_rate=0.01, momentum=0.9):
    """A heavy ball: `v = mu v - lr g`, `delta = v`.

    Polyak 1964, "Some methods of speeding up the convergence of iteration
    methods". Moves that agree add up; moves that alternate cancel.
    """
    (v,) = state or (0.0,)
    v = momentum * v - learning_rate * gradient
    return v, (v,)


def adagrad(
    gradient,
    state,
    step,
    learning_rate=0.001,
    initial_accumulator_value=0.1,
    epsilon=1e-7,
):
    """A rate for each weight: `s = s + g^2`, `delta = -lr g / sqrt(s + eps)`.

    Duchi, Hazan and Singer 2011, "Adaptive Subgradient Methods", JMLR 12. The
    paper adds its small constant outside of the root and starts at s = 0; Keras
    adds epsilon inside and starts at s = 0.1, which tames the first steps.
    """
    (s,) = state or (initial_accumulator_value,)
    s = s + ops.square(gradient)
    return -learning_rate * gradient / ops.sqrt(s + epsilon), (s,)


def rmsprop(gradient, state, step, learning_rate=0.001, rho=0.9, epsilon=1e-7):
    """Adagrad that forgets: `s = rho s + (1 - rho) g^2`, same `delta`.

    Tieleman and Hinton 2012, "Lecture 6.5: rmsprop", Coursera. A sum only
    grows, so Adagrad slows down for good; a moving average does not. Epsilon
    stands inside of the root, as in Keras.
    """
    (s,) = state or (0.0,)
    s = rho * s + (1 - rho) * ops.square(gradient)
    return -learning_rate * gradient / ops.sqrt(s + epsilon), (s,)


def adam(
    gradient,
    state,
    step,
    learning_rate=0.001,
    beta_1=0.9,
    beta_2=0.999,
    epsilon=1e-7,
):
    """Momentum and RMSprop in one, without the bias of a start at zero.

        m = b1 m + (1 - b1) g
        s = b2 s + (1 - b2) g^2
        delta = -lr sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(s) + eps)

    Kingma and Ba 2015, arXiv:1412.6980. This is the form at the end of their
    section 2, which Keras uses too. Their algorithm 1 corrects `m` and `s` one
    by one, before epsilon is added: the same with `eps sqrt(1 - b2^t)` here.

    The powers are taken in the gradient's precision, as in Keras: `1 - b2^t`
    is small at first, and in float32 a hundred-thousandth off. With exact
    powers the two paths would part by about that much.
    """
    m, s = state or (0.0, 0.0)
    m = beta_1 * m + (1 - beta_1) * gradient
    s = beta_2 * s + (1 - beta_2) * ops.square(gradient)
    t = ops.cast(step, gradient.dtype)
    bias_m = 1 - ops.power(ops.cast(beta_1, gradient.dtype), t)
    bias_s = 1 - ops.power(ops.cast(beta_2, gradient.dtype), t)
    rate = learning_rate * ops.sqrt(bias_s) / bias_m
    return -rate * m / (ops.sqrt(s) + epsilon), (m, s)


class Method(NamedTuple):
    """A way downhill: our rule, and what it is called in Keras.

    Attributes:
        name: For people.
        rule: One of the rules above.
        optimizer: The Keras optimizer that ought to do the same.
        settings: Hyper-parameters, passed to both under the same names.
        batch_size: Number of examples in a batch; None: all of them.
    """

    name: str
    rule: Callable
    optimizer: type
    settings: dict
    batch_size: int | None = None


def list_methods():
    """The six methods, with hyper-parameters that suit the iris petals."""
    sgd = keras.optimizers.SGD
    ball = {"learning_rate": 0.1, "momentum": 0.9}
    return [
        Method("full-batch descent", descent, sgd, {"learning_rate": 0.6}),
        Method("mini-batch SGD", descent, sgd, {"learning_rate": 0.6}, 8),
        Method("momentum", momentum, sgd, ball),
        Method(
            "Adagrad", adagrad, keras.optimizers.Adagrad, {"learning_rate": 0.6}
        ),
        Method(
            "RMSprop",
            rmsprop,
            keras.optimizers.RMSprop,
            {"learning_rate": 0.05},
        ),
        Method("Adam", adam, keras.optimizers.Adam, {"learning_rate": 0.2}),
    ]


METHODS = list_methods()


def descend_with_keras(loss, parameters, batches, optimizer):
    """As `descend`, but a Keras optimizer moves Keras variables."""
    variables = [keras.Variable(parameter) for parameter in parameters]
    for batch in batches:
        value, gradients = keras_dl.variable_gradients(
            functools.partial(loss, variables, *batch), variables
        )
        optimizer.apply(gradients, variables)
        # Copies: some backends overwrite a variable in place.
        moved = [ops.convert_to_numpy(v.value).copy() for v in variables]
        yield moved, float(value)


def petals():
    """Iris petals: `(length / longest, 1)` for each, and its width in cm."""
    flowers = keras_dl.datasets.load("iris", validation=0, test=0).train.x
    length, width = flowers[:, 2], flowers[:, 3]
    x = np.stack([length / length.max(), np.ones_like(length)], axis=-1)
    return x, width


def line_loss(parameters, x, y):
    """Mean squared error of the line `slope length + intercept`.

    As a function of `parameters = [(slope, intercept)]` it is an elongated
    bowl, curved 26 times as much across as along, and it can be drawn.
    """
    (line,) = parameters
    return mean_squared_error(y, ops.matmul(x, line))


def excess_loss(lines, x, y):
    """How much worse `lines`, shape `(..., 2)`, are than the best line."""
    x, y = x.astype("float64"), y.astype("float64")
    best = np.linalg.lstsq(x, y)[0]
    # Above its minimum, a quadratic function is its quadratic part.
    return np.mean(((lines - best) @ x.T) ** 2, axis=-1)


def trajectories(method, x, y, start, steps):
    """Our path and that of Keras: two arrays of shape `(steps + 1, 2)`.

    Both see the same batches and start at the same point.
    """
    parameters = [tensor(start)]
    size = method.batch_size or len(x)
    ours = descend(
        line_loss,
        parameters,
        draw_batches(x, y, size, steps),
        method.rule,
        **method.settings,
    )
    theirs = descend_with_keras(
        line_loss,
        parameters,
        draw_batches(x, y, size, steps),
        method.optimizer(**method.settings),
    )
    return tuple(
        np.array([start, *(ops.convert_to_numpy(p) for (p,), _ in path)])
        for path in (ours, theirs)
    )


def largest_distance(ours, theirs):
    """How far apart two paths ever are, point by point."""
    return float(np.linalg.norm(ours - theirs, axis=-1).max())


# Small helpers ---------------------------------------------------------------


def tensor(array):
    """A float32 tensor."""
    return ops.convert_to_tensor(np.asarray(array, dtype="float32"))


def difference(ours, theirs):
    """The largest difference between two tensors."""
    ours, theirs = map(ops.convert_to_numpy, (ours, theirs))
    return float(np.abs(ours - theirs).max())


# Pictures --------------------------------------------------------------------

OURS = {"color": "#ffc48a", "linewidth": 6.5, "solid_capstyle": "round"}
THEIRS = {"color": "#12355b", "linewidth": 1.3, "linestyle": (0, (3, 2))}


def new_figure(width, height):
    """A figure that is drawn into files only, whatever the display."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=120, layout="constrained")


def draw_activations(path):
    """Four activations, and their derivatives by `keras_dl.grad`."""
    x = ops.linspace(-6.0, 6.0, 241)
    functions = {name: ours for name, (ours, _) in ACTIVATIONS.items()}
    # A softmax is about several numbers. Here x has one rival, fixed at 2.
    del functions["softmax"]
    functions["softmax of (x, 2), first entry"] = lambda x: softmax(
        ops.stack([x, 2 * ops.ones_like(x)], axis=-1)
    )[..., 0]
    figure = new_figure(12, 3.3)
    all_axes = figure.subplots(1, len(functions))
    for axes, (name, function) in zip(all_axes, functions.items(), strict=True):
        slope = keras_dl.grad(lambda x, f=function: ops.sum(f(x)))(x)
        where = ops.convert_to_numpy(x)
        axes.plot(where, ops.convert_to_numpy(function(x)), label="f(x)")
        axes.plot(where, ops.convert_to_numpy(slope), "--", label="f'(x)")
        axes.set(title=name, xlabel="x")
        axes.grid(alpha=0.3)
    all_axes[0].set_ylabel("value, slope")
    all_axes[0].legend(loc="upper left")
    all_axes[2].set_ylim(-0.3, 3)
    figure.savefig(path)


def draw_gradient_check(path, step_sizes, errors):
    """Error of the finite difference against its step size."""
    h, best = np.array(step_sizes), int(np.argmin(errors))
    fine, coarse = h[: best + 1], h[best:]
    # Rounding errors scatter: the line through all of them, not one.
    rounding = np.exp(np.log(errors[: best + 1] * fine).mean())
    figure = new_figure(6.5, 4.2)
    axes = figure.subplots()
    axes.loglog(h, errors, "o-", label="measured")
    axes.loglog(
        coarse,
        errors[-1] * (coarse / h[-1]) ** 2,
        "--",
        label="like $h^2$: the loss is curved",
    )
    axes.loglog(
        fine,
        rounding / fine,
        ":",
        label="like $1/h$: float32 is rounded",
    )
    axes.set(
        title="Finite differences against the gradient",
        xlabel="step size h",
        ylabel="largest difference of slopes,\nas a fraction of the steepest",
    )
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path)


def draw_learning_curve(path, run):
    """Losses and accuracy of a run."""
    figure = new_figure(9.5, 3.8)
    left, right = figure.subplots(1, 2)
    left.plot(run.updates, run.train_loss, label="training digits")
    left.plot(run.updates, run.test_loss, "--", label="test digits")
    left.set(xlabel="updates", ylabel="cross-entropy", title="Loss")
    left.set_ylim(bottom=0)
    right.plot(run.updates, run.accuracy, "C1--", label="test digits")
    right.set(xlabel="updates", ylabel="fraction read correctly")
    right.set(title="Accuracy", ylim=(0, 1.02))
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path)


def draw_trajectories(path, paths, x, y):
    """Six panels of paths over contours, and a panel of loss against step."""
    limits = square_around(np.concatenate(list(paths.values()), axis=None))
    figure = new_figure(12.5, 12)
    figure.get_layout_engine().set(wspace=0.04, hspace=0.03)
    grid = figure.add_gridspec(3, 3, height_ratios=(1, 1, 0.75))
    below = figure.add_subplot(grid[2, :])
    for index, method in enumerate(METHODS):
        axes = figure.add_subplot(grid[index // 3, index % 3])
        draw_panel(axes, method, *paths[method.name], limits, x, y)
        ours, _ = paths[method.name]
        below.semilogy(excess_loss(ours, x, y), label=method.name)
    below.set(
        title="Loss over all flowers, for our six rules",
        xlabel="step",
        ylabel="loss above that of the best line",
    )
    below.grid(alpha=0.3)
    below.legend(loc="lower left", ncols=2)
    figure.savefig(path)


def square_around(coordinates, margin=0.3):
    """Limits `((left, right), (bottom, top))` of a square that holds them."""
    points = coordinates.reshape(-1, 2)
    low, high = points.min(axis=0), points.max(axis=0)
    center, half = (low + high) / 2, (high - low).max() / 2 + margin
    return tuple((c - half, c + half) for c in center)


def draw_panel(axes, method, ours, theirs, limits, x, y):
    """One method: our path, that of Keras on top, the loss underneath."""
    across, up = (np.linspace(*ends, 120) for ends in limits)
    loss = excess_loss(np.stack(np.meshgrid(across, up), axis=-1), x, y)
    levels = np.geomspace(1e-3, loss.max(), 12)
    axes.contour(across, up, loss, levels, colors="0.75", linewidths=0.8)
    keras_name = f"keras.optimizers.{method.optimizer.__name__}"
    axes.plot(*ours.T, **OURS, label=f"our {method.rule.__name__}")
    axes.plot(*theirs.T, **THEIRS, label=keras_name)
    axes.plot(*ours[0], "o", color="black", label="start")
    axes.plot(*ours[-1], "*", color="black", markersize=11, label="end")
    settings = ", ".join(f"{k}={v}" for k, v in method.settings.items())
    if method.batch_size:
        settings += f", batches of {method.batch_size}"
    axes.set(
        title=f"{method.name}\n{settings}",
        xlabel="slope",
        ylabel="intercept",
        xlim=limits[0],
        ylim=limits[1],
        aspect="equal",
    )
    axes.legend(loc="upper right", fontsize="small")


def draw_comparison(path, mini, full):
    """The loss that each update sees, and what the progress costs."""
    figure = new_figure(11, 4.2)
    left, right = figure.subplots(1, 2, sharey=True)
    for run, name, color, width in (
        (mini, "mini-batches", "C0", 0.9),
        (full, "full batch", "C1", 2.5),
    ):
        label = f"{name} of {run.batch_size}"
        left.plot(run.batch_loss, color, linewidth=width, label=label)
        # A logarithmic axis has no 0: the first measurement is left out.
        passes = np.array(run.updates[1:]) * run.batch_size / run.examples
        right.plot(passes, run.train_loss[1:], f"{color}o-", ms=3, label=label)
    left.set(
        title="The loss that each update sees",
        xlabel="updates",
        ylabel="cross-entropy",
        yscale="log",
    )
    right.set(
        title="What it costs: loss on all training digits",
        xlabel="passes through the training digits",
        xscale="log",
    )
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path)


# The story -------------------------------------------------------------------


def verdict(name, distance, limit):
    """Prints one comparison; returns whether it is within the limit."""
    agrees = distance <= limit  # False for NaN.
    word = "ok" if agrees else "TOO FAR"
    print(f"    {name:<28}{distance:9.1e}   limit {limit:.0e}   {word}")
    return agrees


def tell_parts(out):
    print("\n1. Parts from keras.ops. Largest difference from Keras' own:")
    fine = [
        verdict(name, distance, LIMIT)
        for name, distance in compare_parts().items()
    ]
    draw_activations(out / "1_activations.png")
    return all(fine)


def tell_gradients(out):
    print("\n2. Gradients by keras_dl.grad, against what we know of them:")
    step_sizes = [10.0 ** (e / 2) for e in range(-8, 1)]
    errors = gradient_check(step_sizes)
    best = int(np.argmin(errors))
    fine = [
        verdict("softmax(x) - truth, over n", softmax_identity(), LIMIT),
        verdict("finite differences, h = 0.01", errors[4], 1e-3),
    ]
    print(
        f"   The best finite difference, h = {step_sizes[best]:.3f}, is off by "
        f"{errors[best]:.0e} of the\n   steepest slope: smaller steps drown in "
        "rounding, larger ones see the loss\n   bend. The gradient has neither "
        "trouble."
    )
    draw_gradient_check(out / "2_gradient_check.png", step_sizes, errors)
    return all(fine)


def tell_learning(out, updates):
    run = learn_digits(updates)
    print(
        "\n3. A network of 64-32-10 units learns to read digits, from all "
        f"{run.examples} at once.\n"
        "    updates   training loss   test loss   test digits read correctly"
    )
    for i in sorted({0, len(run.updates) // 2, len(run.updates) - 1}):
        print(
            f"    {run.updates[i]:7d}{run.train_loss[i]:16.3f}"
            f"{run.test_loss[i]:12.3f}{run.accuracy[i]:13.1%}"
        )
    draw_learning_curve(out / "3_learning_curve.png", run)
    return run


def tell_trajectories(out, steps):
    print(
        "\n4. Six ways downhill: a line through iris petals, slope and "
        f"intercept.\n   Largest distance of our path from Keras', {steps} "
        "steps:"
    )
    x, y = petals()
    paths = {
        method.name: trajectories(method, x, y, (0.0, 2.6), steps)
        for method in METHODS
    }
    fine = [
        verdict(name, largest_distance(*pair), LIMIT)
        for name, pair in paths.items()
    ]
    print("   Loss above that of the best line, at the start and at the end:")
    for name, (ours, _) in paths.items():
        first, last = excess_loss(ours[[0, -1]], x, y)
        print(f"    {name:<28}{first:9.1e}{last:12.1e}")
    draw_trajectories(out / "4_trajectories.png", paths, x, y)
    return all(fine)


def tell_batches(out, full, updates):
    print("\n5. The same network and rule, 32 digits at a time:")
    mini = learn_digits(updates, batch_size=32)
    for name, run in (("full batch", full), ("mini-batches", mini)):
        passes = updates * run.batch_size / run.examples
        print(
            f"    {name:<14}{updates} updates, {passes:5.1f} passes through "
            f"the digits: loss {run.train_loss[-1]:.3f}"
        )
    draw_comparison(out / "5_batches.png", mini, full)


def require_packages():
    """Stops with a clear message if an optional package is missing."""
    for package, extra in (("sklearn", "datasets"), ("matplotlib", "plots")):
        if importlib.util.find_spec(package) is None:
            sys.exit(
                f"This tutorial needs {package}, which is not installed: "
                f'pip install "keras_dl[{extra}]".'
            )


def main(arguments=None):
    """Runs the tutorial; returns 0 if everything agreed, else 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="out/from_nothing", help="folder")
    parser.add_argument(
        "--steps", type=int, default=100, help="of each of the six ways"
    )
    parser.add_argument(
        "--updates", type=int, default=200, help="of the network"
    )
    options = parser.parse_args(arguments)
    require_packages()
    out = pathlib.Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    begin = time.perf_counter()

    print(f"Deep learning from nothing, on {keras.backend.backend()}.")
    fine = [tell_parts(out), tell_gradients(out)]
    full = tell_learning(out, options.updates)
    fine.append(tell_trajectories(out, options.steps))
    tell_batches(out, full, options.updates)

    seconds = time.perf_counter() - begin
    print(f"\nFive pictures are in {out}, made in {seconds:.0f} seconds.")
    if not all(fine):
        print("But something above is TOO FAR from what it should be.")
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
