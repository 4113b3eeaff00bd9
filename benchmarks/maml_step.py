"""A MAML step beside the same step written by hand.

Four sinusoid tasks, ten points to learn from and ten to judge by; a network
1-40-40-1 with ReLU; one inner step of gradient descent at rate 0.01, second
order, the same network from the same weights; Adam outside. Ours is a
`keras_dl.Trainer` with `variable_gradients` and `substitute`, written once;
the peers, in `hand_written/`, use `jax.grad`, nested tapes and
`torch.autograd.grad(create_graph=True)`. All loop over the tasks in Python.

Before the timing, the losses of the first three steps must agree.

The step is so short that the loop of `fit` costs more than the step on JAX:
so "bare" rows time the compiled step alone, and the others all of `fit`
beside a bare loop of the peer. On TensorFlow either both run without XLA
(what `fit` chooses on a CPU) or both with it.

    KERAS_BACKEND=jax python -m benchmarks.maml_step [--quick]
"""

import importlib

import keras
import numpy as np
from keras import layers, ops

import keras_dl
from benchmarks._models import (
    BACKEND,
    Batches,
    bare_step,
    hand_loop,
    jit_compile,
    under_fit,
)
from benchmarks._timing import arguments, interleave, print_header

TASKS, POINTS, INNER_RATE = 4, 10, 0.01


class MAML(keras_dl.Trainer):
    """Learns weights from which one step of descent solves a task."""

    def training_step(self, data):
        def mean_loss():
            losses = [
                self.loss_after(*[part[task] for part in data])
                for task in range(TASKS)
            ]
            return ops.mean(ops.stack(losses))

        return {"loss": self.minimize(mean_loss)}

    def loss_after(self, x, y, x_query, y_query):
        """The loss on the queries after one step on the support."""
        weights = self.network.trainable_variables
        _, gradients = keras_dl.variable_gradients(
            lambda: self.squared_error(x, y), weights
        )
        fast = [
            w - INNER_RATE * g for w, g in zip(weights, gradients, strict=True)
        ]
        with keras_dl.substitute(weights, fast):
            return self.squared_error(x_query, y_query)

    def squared_error(self, x, y):
        return ops.mean(ops.square(self.network(x, training=True) - y))


def maml(xla=False):
    """Ours, compiled."""
    network = keras.Sequential(
        [
            keras.Input((1,)),
            layers.Dense(40, "relu"),
            layers.Dense(40, "relu"),
            layers.Dense(1),
        ]
    )
    trainer = MAML(network)
    trainer.compile(optimizer=keras.optimizers.Adam(1e-3), **jit_compile(xla))
    return trainer


def by_hand(trainer, **arguments):
    """The peer for this backend, with `trainer`'s weights."""
    module = importlib.import_module(f"benchmarks.hand_written.maml_{BACKEND}")
    return module.MAML(trainer.network.get_weights(), **arguments)


def sinusoids(count=32):
    """Batches of tasks: amplitude and phase differ, as in the paper."""
    rng = np.random.default_rng(0)
    amplitude = rng.uniform(0.1, 5.0, size=(count, TASKS, 1, 1))
    phase = rng.uniform(0, np.pi, size=(count, TASKS, 1, 1))
    parts = []
    for _ in ("support", "query"):
        x = rng.uniform(-5, 5, size=(count, TASKS, POINTS, 1))
        parts += [x, amplitude * np.sin(x - phase)]
    return Batches(*[part.astype("float32") for part in parts])


def check_peer(batches, steps=3):
    """From the same weights both must have the same losses."""
    trainer = maml()
    peer = by_hand(trainer)
    run = hand_loop(peer, batches)
    for _ in range(steps):
        ours = under_fit(trainer, batches)(1)["loss"]
        np.testing.assert_allclose(ours, run(1)[0], rtol=1e-4)


def compare(what, batches, quick, xla=False):
    """Times ours beside the peer, under `fit` and as a bare step."""
    steps, blocks = (2, 2) if quick else (50, 20)
    trainer = maml(xla)
    arguments_of_peer = {"jit_compile": True} if xla else {}
    peer = hand_loop(by_hand(trainer, **arguments_of_peer), batches)
    ours = under_fit(trainer, batches)
    interleave(what, BACKEND, ours, peer, blocks, steps)
    ours = bare_step(trainer, batches)
    interleave(f"{what}, bare", BACKEND, ours, peer, blocks, steps)


def main():
    quick = arguments(__doc__).quick
    print_header()
    keras.utils.set_random_seed(0)
    batches = sinusoids()
    check_peer(batches)
    compare("MAML", batches, quick)
    if BACKEND == "tensorflow":
        compare("MAML, both with XLA", batches, quick, xla=True)


if __name__ == "__main__":
    main()
