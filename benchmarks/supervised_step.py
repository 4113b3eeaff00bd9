"""What a `keras_dl.Trainer` costs beside Keras' own training step.

The same network, from the same weights, on the same batches in the same
order, is trained twice: by `keras.Model.compile(loss=..., optimizer="adam")`,
and by a `Trainer` whose `training_step` minimizes the same loss. Both run
under `fit`, in turns. Before the timing, the losses of the two must agree.

The networks: a perceptron and a small convolutional network, as in first
courses; and tiny perceptrons whose step is all overhead, the worst case; on
PyTorch it is there that recorded steps and fused updates count.
The rows "bare" leave out what `fit` itself costs both: they time the compiled
`train_step` alone.

    KERAS_BACKEND=jax python -m benchmarks.supervised_step [--quick]
"""

import keras
import numpy as np

import keras_dl
from benchmarks._models import BACKEND, Batches, bare_step, under_fit
from benchmarks._timing import arguments, interleave, print_header

TARGET = 1.03
# Where Keras runs its own step in Python, small ones take half the time.
TARGETS = {"MLP 16-32-32-1": 0.5} if BACKEND == "torch" else {}


class Supervised(keras_dl.Trainer):
    """One network, one loss, written as a training step."""

    def __init__(self, network, loss_fn):
        super().__init__(network)
        self.loss_fn = loss_fn

    def training_step(self, data):
        x, y = data
        return {
            "loss": self.minimize(
                lambda: self.loss_fn(y, self.network(x, training=True))
            )
        }


def mlp():
    """784-512-512-10, batch 128."""
    dense = keras.layers.Dense
    layers = [dense(512, "relu"), dense(512, "relu"), dense(10)]
    return _network((784,), layers), _batches((128, 784), classes=10)


def cnn():
    """A convolutional network on 28x28 images, batch 64."""
    layers = [
        keras.layers.Conv2D(32, 3, activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Conv2D(64, 3, activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Flatten(),
        keras.layers.Dense(10),
    ]
    return _network((28, 28, 1), layers), _batches((64, 28, 28, 1), classes=10)


def tiny():
    """16-32-1, batch 32: next to no work in a step."""
    layers = [keras.layers.Dense(32, "relu"), keras.layers.Dense(1)]
    return _network((16,), layers), _batches((32, 16))


def small():
    """16-32-32-1, batch 32, as in tables of a few columns."""
    dense = keras.layers.Dense
    layers = [dense(32, "relu"), dense(32, "relu"), dense(1)]
    return _network((16,), layers), _batches((32, 16))


# Name: the network with its data, steps in a block, blocks.
CASES = {
    "MLP 784-512-512-10": (mlp, 40, 12),
    "CNN 28x28": (cnn, 10, 10),
    "tiny MLP 16-32-1": (tiny, 200, 12),
    "MLP 16-32-32-1": (small, 200, 12),
}


def main():
    quick = arguments(__doc__).quick
    print_header()
    for name, (case, steps, blocks) in CASES.items():
        if quick:
            steps, blocks = 2, 2
        compare(name, case, steps, blocks)


def compare(name, case, steps, blocks):
    """Checks that both learn alike, then times them."""
    keras.utils.set_random_seed(0)
    network, batches = case()
    peer, ours = keras_model(network), trainer(network)
    runs = under_fit(ours, batches), under_fit(peer, batches)
    check_losses(*runs)
    target = TARGETS.get(name, TARGET)
    interleave(name, BACKEND, *runs, blocks, steps, target)
    runs = bare_step(ours, batches), bare_step(peer, batches)
    interleave(f"{name}, bare", BACKEND, *runs, blocks, steps, target)


def keras_model(network):
    """The network as a user of Keras would compile it."""
    model = keras.models.clone_model(network)
    model.set_weights(network.get_weights())
    model.compile(loss=_loss(network), optimizer="adam")
    return model


def trainer(network):
    """The same network in a `Trainer`."""
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    model = Supervised(copy, _loss(network))
    model.compile(optimizer="adam")
    return model


def check_losses(ours, peer, epochs=3, steps=8):
    """Trains both for a few short epochs; the losses must agree."""
    for epoch in range(epochs):
        np.testing.assert_allclose(
            ours(steps)["loss"],
            peer(steps)["loss"],
            atol=1e-4,
            err_msg=f"The two do not learn alike in epoch {epoch}.",
        )


def _loss(network):
    if network.output_shape[-1] == 1:
        return keras.losses.MeanSquaredError()
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def _network(shape, layers):
    return keras.Sequential([keras.Input(shape), *layers])


def _batches(shape, classes=None, count=32):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(count, *shape)).astype("float32")
    if classes is None:
        y = x.mean(-1, keepdims=True)
    else:
        y = rng.integers(classes, size=(count, shape[0])).astype("int32")
    return Batches(x, y)


if __name__ == "__main__":
    main()
