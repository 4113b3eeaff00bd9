"""Passes of models within a step: symbolic, constant, without a trace."""

import contextlib

import keras
from keras import ops, tree

from keras_dl import backend
from keras_dl.autodiff import substitute
from keras_dl.models import taps
from keras_dl.models.embedded import vectors_in_place
from keras_dl.models.features import OUTPUTS
from keras_dl.training.supervised.batch import Glimpse


class Symbolic(keras.Operation):
    """A function run on symbolic tensors, for what it builds."""

    def __init__(self, function):
        super().__init__(name="look")
        self._function, self._error = function, None

    def call(self, *args):
        try:
            return self._function(*args)
        except Exception as error:  # A term's own, before Keras wraps it.
            self._error = error
            raise

    def run(self, *args):
        """Runs it; what the function says is wrong is all that is said."""
        try:
            self(*args)
        except Exception as error:
            # With its place in the function, and without Keras' wrapping.
            raise (self._error or error) from None


def glimpse_of(model, x, paths, training, shift=None):
    """One pass of a model, as a `Glimpse`.

    Args:
        model: A Keras layer or model.
        x: Its inputs.
        paths: Paths of features.
        training: Whether dropout and the like are active.
        shift: What to add to the vectors of tokens, or `None`.
    """
    with contextlib.ExitStack() as stack:
        if shift is not None:
            shift = shift if isinstance(shift, list) else [shift]
            stack.enter_context(vectors_in_place(model, shift, added=True))
        inside = [path for path in paths if not is_output(path)]
        found = stack.enter_context(taps(model, inside)) if inside else {}
        outputs = backend.run_network(model, x, training=training)
    features = {path: in_full(found[path]) for path in inside}
    for path in filter(is_output, paths):
        features[path] = in_full(output_at(outputs, path))
    return Glimpse(outputs, features)


def untouched(model, more=()):
    """A context after which statistics and seeds are what they were."""
    state = [*model.non_trainable_variables, *more]
    if not state:
        return contextlib.nullcontext()
    return substitute(state, map(ops.convert_to_tensor, state))


def constant(structure):
    return tree.map_structure(
        lambda t: None if t is None else ops.stop_gradient(t), structure
    )


def in_full(structure):
    """Tensors of half precision in float32."""

    def cast(x):
        kind = keras.backend.standardize_dtype(x.dtype)
        return ops.cast(x, "float32") if kind in _HALVES else x

    return tree.map_structure(cast, structure)


_HALVES = ("float16", "bfloat16")


def is_output(path):
    return path.split("/")[0] == OUTPUTS


def output_at(outputs, path):
    """Of outputs, those that a path `"outputs"` or `"outputs/name"` means."""
    for name in path.split("/")[1:]:
        if isinstance(outputs, (list, tuple)) and name.isdigit():
            outputs = outputs[int(name)]
        elif isinstance(outputs, dict) and name in outputs:
            outputs = outputs[name]
        else:
            there = list(outputs) if isinstance(outputs, dict) else "one tensor"
            raise ValueError(
                f"There is no output {path!r}. The outputs are: {there}."
            )
    return outputs


def value_of(term, batch):
    """The mean of a term over the batch, with the weights of examples.

    Weights are those of examples, of tokens, or of several outputs.
    """
    value = term.loss(batch)
    if value is None:
        raise ValueError(
            f"`loss` of the term {term.name!r} must return a scalar or losses "
            "of examples. Received: None."
        )
    value = _gated(term, ops.convert_to_tensor(value), batch)
    first = tree.flatten(batch.x)[0]
    size, rows = first.shape[0], value.shape[0] if len(value.shape) else None
    unlike = None not in (size, rows) and rows % size
    if len(value.shape) > 1 or unlike:
        raise ValueError(
            f"The term {term.name!r} must return a scalar or losses of "
            f"examples, {(size,)}. Received: shape {tuple(value.shape)}."
        )
    weights = example_weights(batch.sample_weight, value.dtype)
    if not len(value.shape) or weights is None:
        return ops.mean(value)
    size = ops.shape(weights)[0]
    # Of several texts of an example, such as choices, one after the other.
    return ops.mean(ops.mean(ops.reshape(value, (size, -1)), axis=1) * weights)


def _gated(term, value, batch):
    """What a term is where its gate is open."""
    if term.gate is None:
        return value
    if len(value.shape) != 1:
        raise ValueError(
            f"`gate` of {term.name!r} must be None: the term returns no loss "
            f"for each example. Received: gate={term.gate!r}."
        )
    return value * ops.cast(term.gate(batch), value.dtype)


def example_weights(sample_weight, dtype):
    """Weights of the examples: of those of tokens the mean, of several outputs
    the largest; `None` if there are none.
    """
    weights = [w for w in tree.flatten(sample_weight) if w is not None]
    if not weights:
        return None
    size = ops.shape(weights[0])[0]
    of_examples = [
        ops.mean(ops.reshape(ops.cast(w, dtype), (size, -1)), axis=1)
        for w in weights
    ]
    return ops.max(ops.stack(of_examples), axis=0)


def spec_of(value):
    if value is None:
        return None
    dtype = keras.backend.standardize_dtype(value.dtype)
    return keras.KerasTensor(tuple(value.shape), dtype)


def described(specs):
    """Symbolic tensors as a config has them."""

    def one(spec):
        if spec is None:
            return None
        return {"shape": list(spec.shape), "dtype": spec.dtype}

    return tree.map_structure(one, specs)


def specs_from(config):
    """Symbolic tensors from what `described` made of them."""
    if config is None:
        return None
    if isinstance(config, dict) and set(config) == {"shape", "dtype"}:
        return keras.KerasTensor(tuple(config["shape"]), config["dtype"])
    if isinstance(config, dict):
        return {name: specs_from(part) for name, part in config.items()}
    return tuple(map(specs_from, config))


def first_batch(iterator):
    for _, _, data in iterator:
        return data[0] if isinstance(data, (list, tuple)) else next(data)
