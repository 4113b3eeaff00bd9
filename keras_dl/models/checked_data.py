"""Data of `fit`, looked at before a model sees it, wherever it comes from."""

import contextlib
import inspect
import threading
import types

import keras
import numpy as np
from keras import tree

from keras_dl.backend import foreign_data

_local = threading.local()


def run_checked(check, run, *args, **kwargs):
    """Runs Keras' `fit`, `evaluate` or `predict` over data that is looked at.

    Arrays are looked at before, whole; what comes batch by batch (a
    `PyDataset`, a generator, a `tf.data.Dataset`, PyTorch's `DataLoader`) when
    it comes: no step has seen such a batch when the error is raised. That of
    `validation_data` too.

    Args:
        check: A function of `x`, `y` and `sample_weight`, structures with
            NumPy arrays in the place of tensors, that raises an error where
            they hold what cannot be.
        run: The method.
        *args: Its arguments.
        **kwargs: Likewise.

    Returns:
        What `run` returns.
    """
    given = inspect.signature(run).bind(*args, **kwargs)
    look = _Look(check)
    parts = given.arguments
    if "y" in parts:
        parts["y"] = _as_targets(parts["y"])
    x, rest = parts.get("x"), [parts.get("y"), parts.get("sample_weight")]
    if not run.__name__.endswith("_on_batch"):
        _check_weights(parts)
    if not any(x is known for known in _known()):
        parts["x"] = look.data(x, *rest)
        if parts.get("validation_data") is not None:
            parts["validation_data"] = look.validation(parts["validation_data"])
    with look.telling(parts.get("validation_data")):
        return run(*given.args, **given.kwargs)


def _as_targets(y):
    """Targets that Keras knows: lists and categories as arrays."""
    numbers = (str, bytes, bool, int, float, np.generic)
    listed = isinstance(y, (list, tuple)) and len(y) > 0
    if listed and all(isinstance(one, numbers) for one in y):
        return np.asarray(y)
    categories = str(getattr(y, "dtype", "")) == "category"
    return np.asarray(y) if categories else y


def _check_weights(parts):
    """Refuses weights of targets that there are not: Keras leaves them out."""
    if parts.get("y") is not None or _gives_batches(parts.get("x")):
        return
    for name in ("sample_weight", "class_weight"):
        if parts.get(name) is not None:
            raise ValueError(
                f"`{name}` weighs targets, and there are none. Received: "
                f"{name} with y=None."
            )


def _gives_batches(x):
    return (
        isinstance(x, (keras.utils.PyDataset, types.GeneratorType))
        or foreign_data.kind_of(x) is not None
    )


def _known():
    """Data that a `fit` which runs now has seen to."""
    return getattr(_local, "known", ())


class _Look:
    """Looks at data for one run."""

    def __init__(self, check):
        self._check = check
        self._error = None

    def data(self, x, y, sample_weight):
        """`x`; if it gives batches, one that shows them first."""
        if isinstance(x, keras.utils.PyDataset):
            return _WatchedDataset(x, self._at_batch)
        if isinstance(x, types.GeneratorType):
            return self._watched(x)
        found = foreign_data.watched(x, self._at_batch)
        if found is None:
            self._at(x, y, sample_weight)
            return x
        return found

    def validation(self, data):
        if not isinstance(data, (tuple, list)):
            return self.data(data, None, None)
        x, *rest = keras.utils.unpack_x_y_sample_weight(data)
        return (self.data(x, *rest), *data[1:])

    @contextlib.contextmanager
    def telling(self, validation):
        """Raises what was found, whatever a framework makes of it.

        `fit` evaluates on data that it has seen to.
        """
        x = validation[0] if isinstance(validation, tuple) else validation
        before = _known()
        _local.known = before if x is None else (*before, x)
        try:
            yield
        except Exception as error:  # What frameworks make of ours.
            if self._error is None or error is self._error:
                raise
            raise self._error from None
        finally:
            _local.known = before

    def _watched(self, batches):
        for number, batch in enumerate(batches):
            self._at_batch(batch, number)
            # Keras takes nothing but tuples of generators.
            batch = _without_lists(batch)
            yield batch if isinstance(batch, tuple) else (batch,)

    def _at_batch(self, batch, number=None):
        if isinstance(batch, (tuple, list)) and len(batch) > 3:
            return  # Of a step that takes data of another form.
        parts = keras.utils.unpack_x_y_sample_weight(batch)
        self._at(*parts, place="" if number is None else f" In batch {number}.")

    def _at(self, x, y, sample_weight, place=""):
        try:
            self._check(*tree.map_structure(_as_array, (x, y, sample_weight)))
        except (TypeError, ValueError) as error:
            self._error = error
            if place:
                self._error = type(error)(f"{error}{place}")
                raise self._error from None
            raise


class _WatchedDataset(keras.utils.PyDataset):
    """A dataset whose batches are looked at."""

    def __init__(self, dataset, look):
        super().__init__(
            workers=dataset.workers,
            use_multiprocessing=dataset.use_multiprocessing,
            max_queue_size=dataset.max_queue_size,
        )
        self._dataset, self._look = dataset, look

    @property
    def num_batches(self):
        return self._dataset.num_batches

    def __len__(self):
        return len(self._dataset)

    def __getitem__(self, index):
        batch = self._dataset[index]
        self._look(batch, index)
        return _without_lists(batch)

    def on_epoch_begin(self):
        self._dataset.on_epoch_begin()

    def on_epoch_end(self):
        self._dataset.on_epoch_end()


def _without_lists(batch):
    """With tuples in their place: TensorFlow reads no lists of tensors."""
    if isinstance(batch, (tuple, list)):
        return tuple(_without_lists(part) for part in batch)
    return batch


def _as_array(leaf):
    if isinstance(leaf, np.ndarray) or not hasattr(leaf, "shape"):
        return leaf
    if keras.ops.is_tensor(leaf):
        return keras.ops.convert_to_numpy(leaf)
    return np.asarray(leaf)
