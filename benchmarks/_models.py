"""Two ways to run a Keras model's training step, on any backend.

`under_fit` is what a user writes. `bare_step` is what `fit` runs for each
batch, without its loop, callbacks and data adapters: the compiled
`train_step`. It serves for steps so short that `fit` itself would dominate.
"""

import itertools

import keras

from keras_dl import backend

BACKEND = keras.backend.backend()


def as_tensors(arrays):
    """The arrays of one batch as tensors: one alone, or a tuple of them."""
    tensors = tuple(keras.ops.convert_to_tensor(a) for a in arrays)
    return tensors if len(tensors) > 1 else tensors[0]


class Batches:
    """Batches in memory, handed to `fit` as cheaply as a backend allows.

    Args:
        arrays: NumPy arrays of the shape (steps, batch, ...).
    """

    def __init__(self, *arrays):
        self.arrays = arrays
        self.tensors = [
            as_tensors(batch) for batch in zip(*arrays, strict=True)
        ]

    def for_fit(self, steps):
        """The data arguments of `fit` for one epoch of `steps` steps."""
        if BACKEND == "tensorflow":
            return {"x": self._tf_dataset(steps)}
        if BACKEND == "torch":
            from torch.utils.data import DataLoader

            return {"x": DataLoader(self.first(steps), batch_size=None)}
        # Keras wants tuples from a generator, also of one part.
        batches = (_tuple(batch) for batch in itertools.cycle(self.tensors))
        return {"x": batches, "steps_per_epoch": steps}

    def first(self, steps):
        """`steps` batches, from the start again as often as needed."""
        count = len(self.tensors)
        return [self.tensors[i % count] for i in range(steps)]

    def _tf_dataset(self, steps):
        import tensorflow as tf

        arrays = self.arrays if len(self.arrays) > 1 else self.arrays[0]
        dataset = tf.data.Dataset.from_tensor_slices(arrays)
        options = tf.data.Options()
        # Its thread sleeps twice as long each time, and `fit` waits for it:
        # epochs would take 0.01 (2^n - 1) seconds.
        options.autotune.enabled = False
        return dataset.repeat().take(steps).with_options(options)


def _tuple(batch):
    return batch if isinstance(batch, tuple) else (batch,)


def under_fit(model, batches):
    """A function that trains `model` by `fit` for that many steps."""
    datasets = {}

    def run(steps):
        if BACKEND != "tensorflow":
            return _fit(model, batches.for_fit(steps))
        if steps not in datasets:
            datasets[steps] = batches.for_fit(steps)
        return _fit(model, datasets[steps])

    return run


def bare_step(model, batches):
    """A function that runs `model`'s compiled step that many times.

    The model must have been fitted before, so that everything is built.
    """
    step = {"jax": _jax_step, "tensorflow": _tf_step, "torch": _torch_step}[
        BACKEND
    ](model)

    def run(steps):
        for batch in batches.first(steps):
            logs = step(batch)
        return {k: keras.ops.convert_to_numpy(v) for k, v in logs.items()}

    return run


def jit_compile(xla):
    """Arguments of `compile`: on TensorFlow XLA is chosen, not left open.

    Keras' "auto" means XLA there only where it finds an accelerator.
    """
    return {"jit_compile": xla} if BACKEND == "tensorflow" else {}


def predict(model, batches):
    """A function that runs the compiled forward pass that many times."""
    forward = compiled(model, lambda x: model(x, training=False))

    def run(steps):
        for x, _ in batches.first(steps):
            result = forward(x)
        return keras.ops.convert_to_numpy(result)

    return run


def hand_loop(peer, batches):
    """A function that runs a hand-written `peer.step` that many times."""

    def run(steps):
        for batch in batches.first(steps):
            losses = peer.step(batch)
        peer.wait()
        return [float(loss) for loss in losses]

    return run


def _fit(model, data):
    history = model.fit(**data, epochs=1, shuffle=False, verbose=0).history
    return {name: values[-1] for name, values in history.items()}


def _jax_step(model):
    import jax

    step = jax.jit(model.train_step, donate_argnums=0)
    groups = (
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
        model.metrics_variables,
    )
    # Copies: the step is given its state to keep.
    state = tuple([v.value.copy() for v in group] for group in groups)

    def run(batch):
        nonlocal state
        logs, state = step(state, batch)
        return logs

    return run


def _tf_step(model):
    import tensorflow as tf

    return tf.function(model.train_step, jit_compile=model.jit_compile)


def _torch_step(model):
    model.train()
    model.make_train_function()
    return lambda batch: model.train_function([batch])


def compiled(layer, function):
    """As Keras compiles on this backend: PyTorch runs it as it stands."""
    if BACKEND == "torch":
        import torch

        return torch.no_grad()(function)
    return backend.compiled(function, layer.variables)
