"""Readings of weights: how variables read while a model trains."""

import contextlib
import re

import keras
import numpy as np
from keras import ops

from keras_dl.autodiff import substitute
from keras_dl.models.paths import sublayers
from keras_dl.models.taps import tapped


def variables_by_path(model):
    """The variables of a model by path.

    Args:
        model: A built Keras layer or model.

    Returns:
        Dict of variables by the path of their layer (see
        `keras_dl.models.sublayers`) and their own name, such as
        `"blocks/0/widen/kernel"`.

    Example:

    >>> model = keras_dl.applications.MLP((4,), num_outputs=3)
    >>> model.build((None, 2))
    >>> list(keras_dl.models.variables_by_path(model))[:2]
    ['hidden/0/kernel', 'hidden/0/bias']
    """
    found, seen = {}, set()
    layers = [*sublayers(model).items(), ("", model)]
    # The deepest first: a layer lists the variables of its parts, too.
    for path, layer in sorted(layers, key=lambda x: -x[0].count("/")):
        for variable in layer.weights:
            if id(variable) not in seen and _holds(layer, variable):
                seen.add(id(variable))
                name = f"{path}/{variable.name}".lstrip("/")
                found[_free(name, found)] = variable
    order = {id(v): i for i, v in enumerate(model.weights)}
    return dict(sorted(found.items(), key=lambda x: order[id(x[1])]))


def _holds(layer, variable):
    """Whether no part of a layer holds the variable."""
    return not any(
        any(variable is v for v in part.weights)
        for part in sublayers(layer).values()
    )


def _free(name, taken):
    number, free = 2, name
    while free in taken:
        free, number = f"{name}_{number}", number + 1
    return free


class WeightReading(keras.Layer):
    """How some weights of a model read, instead of as they are.

        w' = read(w)    in the loss, in evaluation, in `predict`
        after_update()  after each step of the optimizer
        w := read(w)    for good, by `finish()`

    Masks of pruning, scores of movement pruning and fake quantization are
    readings. They belong to the training: what is shipped is the model, into
    which `finish` bakes them. Readings stack: the next one reads what the one
    before made. Gradients go through `read` to the weights, and to variables
    that the reading has itself.

    A subclass writes `read`, and if need be `attach`, `after_update`, `settle`,
    and `around_calls`, where what goes into layers is read otherwise, too. One
    that keeps weights, by `settle`, as they are to read says so by the
    attribute `keeps_weights`: a training step may leave it out.

    Args:
        paths: Regular expressions: the variables whose path (see
            `keras_dl.models.variables_by_path`) matches one of them in full
            are read so. By default all kernels, that is trainable variables
            of two axes or more, but for embeddings.
        **kwargs: Arguments of `keras.Layer`.

    Raises:
        ValueError: By `attach`, if an expression matches nothing.

    Example: weights that read as rounded to tenths, with the gradient of the
    identity.

    >>> class Rounded(keras_dl.models.WeightReading):
    ...     def read(self, path, value):
    ...         rounded = ops.round(10.0 * value) / 10.0
    ...         return value + ops.stop_gradient(rounded - value)
    >>> model = keras_dl.applications.MLP((), num_outputs=3)
    >>> model.build((None, 2))
    >>> rounded = Rounded()
    >>> rounded.attach(model)
    >>> with keras_dl.models.weights_read([rounded]):
    ...     outputs = model(np.ones((1, 2)))
    """

    keeps_weights = False

    def __init__(self, paths=None, **kwargs):
        super().__init__(**kwargs)
        paths = [paths] if isinstance(paths, str) else paths
        self.paths = None if paths is None else tuple(paths)
        self._held = _Held()
        self.built = True

    def attach(self, model):
        """Chooses the variables of a built model, and makes its own."""
        every = variables_by_path(model)
        self._held.variables = {
            path: variable
            for path, variable in every.items()
            if self._chooses(path, variable)
        }
        for pattern in self.paths or [".*"]:
            if not any(re.fullmatch(pattern, p) for p in every):
                raise ValueError(
                    "`paths` must match variables of the model. Received: "
                    f"{pattern!r}, which matches none of {list(every)}."
                )

    def _chooses(self, path, variable):
        if self.paths is not None:
            return any(re.fullmatch(p, path) for p in self.paths)
        return (
            variable.trainable
            and len(variable.shape) > 1
            and not path.endswith(("embeddings", "bias"))
        )

    @property
    def of_variables(self):
        """The variables that read otherwise, by path."""
        return self._held.variables

    def read(self, path, value):
        """What a variable reads as.

        Args:
            path: Its path.
            value: What it reads as so far, a tensor.

        Returns:
            A tensor of the same shape.
        """
        raise NotImplementedError

    def around_calls(self, training):
        """What goes round the calls of layers while weights are read.

        Args:
            training: Whether this is a pass of a training step, of which
                statistics may be taken.

        Returns:
            Pairs of a layer and a function `around(call, *args, **kwargs)`
            that returns what the layer is to return.
        """
        return ()

    def after_update(self):
        """Called after each step of the optimizer."""
        self.settle()

    def settle(self, twin=lambda variable: variable):
        """Brings weights to what they are kept at, such as pruned ones to 0.

        Args:
            twin: Function that gives for a variable what is to be changed: the
                variable itself, its moving average, or `None`.
        """

    def get_config(self):
        paths = None if self.paths is None else list(self.paths)
        return {**super().get_config(), "paths": paths}


class _Held:
    """Variables of another model, which Keras shall not take for ours."""

    variables = {}


@contextlib.contextmanager
def weights_read(readings, training=False):
    """A context in which weights read as readings say, one after the other.

    Args:
        readings: List of attached `WeightReading`s.
        training: Whether this is a pass of a training step.
    """
    values, pairs = {}, []
    for reading in readings:
        for path, variable in reading.of_variables.items():
            _, now = values.get(id(variable), (None, None))
            now = ops.convert_to_tensor(variable) if now is None else now
            values[id(variable)] = variable, reading.read(path, now)
        pairs += reading.around_calls(training)
    with contextlib.ExitStack() as stack:
        if values:
            read = zip(*values.values(), strict=True)
            stack.enter_context(substitute(*read))
        if pairs:
            stack.enter_context(tapped(pairs))
        yield


def finish(readings):
    """Bakes readings into the weights that they read: `w := read(w)`."""
    done = []
    for reading in readings:
        for path, variable in reading.of_variables.items():
            value = reading.read(path, ops.convert_to_tensor(variable))
            done.append((variable, ops.convert_to_numpy(value)))
        for variable, value in done:
            variable.assign(value)
        done.clear()


@keras.saving.register_keras_serializable("keras_dl")
class WeightMask(WeightReading):
    """Weights of which some read as 0: those that are pruned.

        w' = m w,  m of zeros and ones

    The masks are variables, so they are saved with the training, and methods
    of pruning may assign to them. As soon as the model trains, and after each
    update, the weights themselves are masked too, whatever momentum and decay
    make of them, and so are their moving averages (`use_ema`).

    Args:
        masks: Dict of arrays of zeros and ones by the path of a variable; with
            `None` all are ones.
        **kwargs: Arguments of `WeightReading`.

    Raises:
        ValueError: By `attach`, if a path is unknown or a shape another.

    Example:

    >>> model = keras_dl.applications.MLP((), num_outputs=2)
    >>> model.build((None, 2))
    >>> trainer = keras_dl.training.SupervisedTrainer(
    ...     model, readings=[WeightMask({"head/kernel": [[1, 0], [1, 1]]})]
    ... )
    >>> trainer.compile("sgd")
    >>> history = trainer.fit(np.ones((4, 2)), np.ones((4,)), verbose=0)
    >>> ops.convert_to_numpy(trainer.finish().head.kernel == 0)
    array([[False,  True],
           [False, False]])
    """

    keeps_weights = True

    def __init__(self, masks=None, **kwargs):
        if masks is not None:
            if kwargs.get("paths") is not None:
                raise ValueError(
                    "Give `masks` or `paths`: masks are of their own paths. "
                    f"Received: paths={kwargs['paths']!r}."
                )
            kwargs["paths"] = [re.escape(path) for path in masks]
            for path, mask in masks.items():
                if not np.isin(np.array(mask), (0, 1)).all():
                    raise ValueError(
                        "`masks` must hold zeros and ones. Received for "
                        f"{path!r}: {np.unique(mask)}."
                    )
        super().__init__(**kwargs)
        self._given = _Held()
        self._given.variables = {
            path: np.array(mask) for path, mask in (masks or {}).items()
        }
        self.masks = {}

    def attach(self, model):
        super().attach(model)
        for i, (path, variable) in enumerate(self.of_variables.items()):
            mask = self._given.variables.get(path, np.ones(variable.shape))
            if mask.shape != tuple(variable.shape):
                raise ValueError(
                    f"`masks` must have the shape {tuple(variable.shape)} for "
                    f"{path!r}. Received: {mask.shape}."
                )
            if path not in self.masks:
                self.masks[path] = self.add_weight(
                    shape=mask.shape,
                    initializer=lambda shape, dtype=None, mask=mask: (
                        ops.convert_to_tensor(mask, dtype)
                    ),
                    trainable=False,
                    name=f"mask_{i}",
                )

            elif self.masks[path].shape != variable.shape:
                raise ValueError(
                    f"The mask of {path!r} has the shape "
                    f"{tuple(self.masks[path].shape)}, and its weights now "
                    f"{tuple(variable.shape)}: `finish()` a trainer before "
                    "layers are replaced, and make another one."
                )

    def read(self, path, value):
        return value * ops.cast(self.masks[path], value.dtype)

    def settle(self, twin=lambda variable: variable):
        for path, variable in self.of_variables.items():
            found = twin(variable)
            if found is not None:
                mask = ops.cast(self.masks[path], found.dtype)
                found.assign(found * mask)

    def get_config(self):
        config = super().get_config()
        masks = {p: m.tolist() for p, m in self._given.variables.items()}
        return config | ({"masks": masks, "paths": None} if masks else {})
