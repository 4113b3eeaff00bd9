"""`keras_dl.layers.LSTM` beside Keras' own, and beside hand-written torch.nn.

First a language model: embedding of 1000 words, two LSTMs of 128 units, a
dense output, batch 32, 64 steps, trained by Adam; the same network with our
layers and loss and with Keras', from the same weights, as the compiled step
that `fit` runs. On PyTorch also beside the network in torch.nn. Then the same
of the size that people use: 10,000 words, 650 units, batch 20, 35 steps.

Then a grid of single layers: batch x steps x units (as many features as
units), the value ("predict") and the gradient of its sum of squares by inputs
and weights ("gradient"), each compiled as Keras compiles on that backend.

    KERAS_BACKEND=jax python -m benchmarks.recurrent_step [--quick]
"""

import itertools

import keras
import numpy as np
from keras import ops

import keras_dl
from benchmarks._models import (
    BACKEND,
    Batches,
    bare_step,
    compiled,
    hand_loop,
)
from benchmarks._timing import arguments, interleave, print_header
from keras_dl import layers

# Words, units, batch, steps.
SMALL, LARGE = (1000, 128, 32, 64), (10_000, 650, 20, 35)
TARGETS = {"jax": 0.9, "tensorflow": 1.0, "torch": 1.0}
GRID = list(itertools.product((1, 32, 128), (16, 128), (64, 512)))


def main():
    quick = arguments(__doc__).quick
    print_header()
    language_model("LSTM language model", SMALL, quick)
    language_model("LSTM language model, 2 x 650", LARGE, quick)
    for shape in GRID[:2] if quick else GRID:
        for kind in ("LSTM",) if quick else ("LSTM", "GRU"):
            single_layer(kind, *shape, quick)


def language_model(name, sizes, quick):
    """The training step of the language model."""
    words, _, batch, length = sizes
    keras.utils.set_random_seed(0)
    peer, ours = network(keras.layers, sizes), network(layers, sizes)
    ours.set_weights(peer.get_weights())
    rng = np.random.default_rng(0)
    ids = rng.integers(words, size=(16, batch, length + 1)).astype("int32")
    batches = Batches(ids[..., :-1], ids[..., 1:])
    theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for model, loss in (
        (ours, keras_dl.losses.LabelSmoothedCrossentropy(0.0)),
        (peer, theirs),
    ):
        model.compile("adam", loss)
        data = batches.for_fit(1)
        model.fit(**data, verbose=0)
    blocks, steps = (10, 10) if sizes == SMALL else (10, 2)
    blocks, steps = (2, 1) if quick else (blocks, steps)
    if BACKEND == "torch":
        from benchmarks.hand_written.lstm_torch import LanguageModel

        weights = peer.get_weights()
        by_hand = LanguageModel(weights, rate=0.001)
        interleave(
            f"{name} beside torch.nn",
            BACKEND,
            bare_step(ours, batches),
            hand_loop(by_hand, batches),
            blocks,
            steps,
            1.1 if sizes == SMALL else 1.0,
        )
    interleave(
        f"{name} beside Keras",
        BACKEND,
        bare_step(ours, batches),
        bare_step(peer, batches),
        blocks,
        steps,
        TARGETS[BACKEND],
    )


def network(room, sizes):
    """The language model, of our layers or of Keras'."""
    words, units, _, length = sizes
    return keras.Sequential(
        [
            keras.Input((length,), dtype="int32"),
            keras.layers.Embedding(words, units),
            room.LSTM(units, return_sequences=True),
            room.LSTM(units, return_sequences=True),
            room.Dense(words),
        ]
    )


def single_layer(kind, batch, steps, units, quick):
    """One layer, forward alone and with its gradient."""
    x = np.random.default_rng(0).normal(size=(batch, steps, units))
    x = ops.convert_to_tensor(x.astype("float32"))
    pair = [
        getattr(module, kind)(units, return_sequences=True)
        for module in (layers, keras.layers)
    ]
    for layer in pair:
        layer.build(x.shape)
    pair[0].set_weights(pair[1].get_weights())
    repeats = max(1, int(5e5 / (batch * steps * units)))
    blocks = 2 if quick else 5
    for what, make in (("predict", predict), ("gradient", gradient)):
        ours, peer = (repeated(make(layer), x) for layer in pair)
        interleave(
            f"{kind} {batch} x {steps} x {units}, {what}",
            BACKEND,
            ours,
            peer,
            blocks,
            1 if quick else min(repeats, 50),
            1.0,
        )


def predict(layer):
    """The layer, compiled."""
    return compiled(layer, lambda x: ops.sum(layer(x)))


def gradient(layer):
    """The compiled gradient by inputs and weights."""

    def loss(x):
        return ops.sum(ops.square(layer(x)))

    def by_weights_and_inputs(x):
        weights = layer.trainable_variables
        values = [w.value for w in weights]

        def of_all(x, *values):
            with keras_dl.substitute(weights, values):
                return loss(x)

        argnums = tuple(range(1 + len(values)))
        slopes = keras_dl.grad(of_all, argnums)(x, *values)
        return sum(ops.sum(s) for s in slopes)

    return compiled(layer, by_weights_and_inputs)


def repeated(function, x):
    """Runs `function(x)` many times, to the end."""

    def run(steps):
        for _ in range(steps):
            result = function(x)
        return float(ops.convert_to_numpy(result))

    return run


if __name__ == "__main__":
    main()
