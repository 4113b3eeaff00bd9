"""`FakeQuantization`: weights and activations on a grid while training."""

import keras
from keras import ops

from keras_dl.checks import check_choice, check_fraction, check_integer
from keras_dl.compression.grid import (
    MULTIPLYING,
    fake_quantize,
    input_axes,
    observed,
    value_range,
    weight_axes,
)
from keras_dl.compression.quantization import quantize
from keras_dl.models import WeightReading, sublayer

ACTIVATIONS = (None, "dynamic", "moving_average")


@keras.saving.register_keras_serializable("keras_dl")
class FakeQuantization(WeightReading):
    """Quantization-aware training: weights read as rounded to few integers.

        symmetric   w' = round(s w) / s,  s = (2^(bits-1) - 1) / max |w|
        else        w' = (round(s w) + z - z) / s,  s = (2^bits - 1) / range

    for each channel: an output of a kernel, a row of an embedding. The gradient
    is that of the identity (straight-through). A reading of weights for
    `keras_dl.training.SupervisedTrainer`; `finish()` leaves weights on the
    grid, which is that of Keras: `convert` then makes integers of them, and
    nothing is lost. Weights that are 0, as they were pruned, stay 0.

    **Activations**, if asked for, are what goes into the dense layers whose
    kernels are read, which are those that Keras makes integers of; the gradient
    is 0 outside of the range.

    | `activations`      | the range is                                       |
    |--------------------|----------------------------------------------------|
    | `"dynamic"`        | that of each vector, as Keras' int8 layers take it |
    | `"moving_average"` | one for each layer: the average of the least and   |
    |                    | the largest value of the batches in training,      |
    |                    | corrected for its start; in evaluation it stays.   |
    |                    | Padding counts. Within a recurrence it is dynamic  |

    Args:
        bits: Number of bits of a weight, 2 to 8.
        per_channel: Whether each channel has a scale of its own. With one for
            the whole matrix, 2 and 3 bits are of little use.
        symmetric: Whether ranges are symmetric around 0, as those of Keras'
            integers, of weights and activations.
        activations: `None`, `"dynamic"` or `"moving_average"`.
        activation_bits: Number of bits of an activation, 2 to 8.
        momentum: Factor of the moving averages, in [0, 1).
        paths: Regular expressions: which variables. By default all kernels;
            `".*(kernel|embeddings)"` are embeddings, too.
        **kwargs: Arguments of `keras.Layer`.

    Raises:
        ValueError: If an argument is not allowed; by `attach`, if a path
            matches nothing, or integers.

    Example: 4 bits, trained and converted.

    >>> model = keras_dl.applications.MLP((8,), num_outputs=3)
    >>> model.build((None, 4))
    >>> reading = FakeQuantization(4, activations="moving_average")
    >>> trainer = keras_dl.training.SupervisedTrainer(model, readings=reading)
    >>> trainer.compile("adam")
    >>> x, y = np.ones((6, 4), "float32"), np.array([0, 1, 2] * 2)
    >>> history = trainer.fit(x, y, verbose=0)
    >>> model = reading.convert(trainer.finish())
    >>> model.head.quantization_mode
    'int4'

    Reference:
        Jacob et al., "Quantization and training of neural networks for
        efficient integer-arithmetic-only inference", 2018. There ranges are
        not symmetric, weights have one for a whole layer, and activations are
        left as they are at first.
    """

    def __init__(
        self,
        bits=8,
        per_channel=True,
        symmetric=True,
        activations=None,
        activation_bits=8,
        momentum=0.999,
        paths=None,
        **kwargs,
    ):
        super().__init__(paths, **kwargs)
        self.bits = check_integer("bits", bits, 2, 8)
        self.per_channel = bool(per_channel)
        self.symmetric = bool(symmetric)
        if activations not in ACTIVATIONS:
            check_choice("activations", activations, ACTIVATIONS[1:])
        self.activations = activations
        self.activation_bits = check_integer(
            "activation_bits", activation_bits, 2, 8
        )
        self.momentum = check_fraction(
            "momentum", momentum, "the share of the average that is kept"
        )
        self._places = _Places()
        self.averages = {}

    def attach(self, model):
        super().attach(model)
        places = {p: p.rpartition("/")[0] for p in self.of_variables}
        layers = {p: sublayer(model, place) for p, place in places.items()}
        for path, variable in self.of_variables.items():
            if not keras.backend.is_float_dtype(variable.dtype):
                raise ValueError(
                    "`paths` must match weights that are floating point "
                    f"numbers. Received: {path!r} of dtype {variable.dtype}."
                )
        self._places.axes = {
            path: self._axes(layers[path], variable)
            for path, variable in self.of_variables.items()
        }
        self._places.inputs = {}
        if self.activations is not None:
            self._attach_inputs(
                {places[p]: layers[p] for p in places}, observed(model)
            )

    def _axes(self, layer, variable):
        if self.per_channel:
            return weight_axes(layer, variable)
        return tuple(range(len(variable.shape)))

    def _attach_inputs(self, layers, observed):
        self._places.inputs = inputs = {
            path: layer
            for path, layer in layers.items()
            if isinstance(layer, MULTIPLYING)
        }
        if not inputs:
            raise ValueError(
                "`activations` are what goes into dense layers, and `paths` "
                f"must match kernels of some. Received: "
                f"activations={self.activations!r}, and they match "
                f"{list(self.of_variables)}."
            )
        if self.activations == "moving_average":
            for i, path in enumerate(inputs):
                if path in observed and path not in self.averages:
                    self.averages[path] = self._average(i)

    def _average(self, i):
        """Weighted sums of the least and the largest values, and of weights."""
        return self.add_weight(
            shape=(3,),
            initializer="zeros",
            dtype="float32",
            trainable=False,
            autocast=False,
            name=f"average_{i}",
        )

    def read(self, path, value):
        low, high = value_range(value, self._places.axes[path], self.symmetric)
        return fake_quantize(
            value, low, high, self.bits, self.symmetric, covers=True
        )

    def around_calls(self, training):
        def around(path, layer):
            def look(call, *args, **kwargs):
                if args:
                    x, *others = args
                    x = self._read_input(path, layer, x, training)
                    return call(x, *others, **kwargs)
                name, x = next(iter(kwargs.items()))
                x = self._read_input(path, layer, x, training)
                return call(**{**kwargs, name: x})

            return look

        inputs = self._places.inputs
        return [(layer, around(path, layer)) for path, layer in inputs.items()]

    def _read_input(self, path, layer, x, training):
        if not keras.backend.is_float_dtype(x.dtype):
            return x  # Ids, which an embedding looks up.
        if path not in self.averages:
            low, high = value_range(x, input_axes(layer, x), self.symmetric)
            return self._on_grid(x, low, high, covers=True)
        average = self.averages[path]
        if training:
            self._observe(average, x)
        low, high, share = ops.unstack(ops.convert_to_tensor(average), 3)
        # Nothing is known before the first batch.
        known = ops.maximum(share, 1e-7)
        found = self._on_grid(x, low / known, high / known)
        return found if training else ops.where(share > 0, found, x)

    def _on_grid(self, x, low, high, covers=False):
        bits = self.activation_bits
        return fake_quantize(x, low, high, bits, self.symmetric, covers)

    def _observe(self, average, x):
        x = ops.cast(ops.stop_gradient(x), "float32")
        low, high = value_range(x, None, self.symmetric, keepdims=False)
        new = ops.stack([low, high, ops.ones_like(low)])
        average.assign(self.momentum * average + (1.0 - self.momentum) * new)

    def ranges(self):
        """The ranges of activations that training has found.

        Returns:
            Dict of pairs of the least and the largest value by the path of
            the layer that they go into: what `quantize` takes.
        """
        found = {}
        for path, average in self.averages.items():
            low, high, share = map(float, ops.convert_to_numpy(average))
            if share > 0:
                found[path] = (low / share, high / share)
        return found

    def convert(self, model):
        """Makes integers of the weights of a model that `finish` returned.

        The layers that Keras quantizes are as they were trained, to rounding:
        outputs change by less than 1e-4 of what the trainer predicted. What it
        does not quantize, such as convolutions, stays on the grid.

        Args:
            model: The finished model; it is changed in place.

        Returns:
            The model.

        Raises:
            ValueError: If ranges are not symmetric, or not by channel: Keras'
                integers are both.
        """
        if not (self.symmetric and self.per_channel):
            raise ValueError(
                "Keras' integers are symmetric and by channel: `convert` "
                "needs symmetric=True and per_channel=True. Received: "
                f"symmetric={self.symmetric}, per_channel={self.per_channel}."
            )
        ranges = self.activations
        if ranges == "moving_average":
            ranges = self.ranges()
        return quantize(
            model,
            self.bits,
            ranges,
            self.activation_bits,
            paths=self.paths or r"(?!.*(embeddings|bias)$).*",
        )

    def get_config(self):
        return {
            **super().get_config(),
            "bits": self.bits,
            "per_channel": self.per_channel,
            "symmetric": self.symmetric,
            "activations": self.activations,
            "activation_bits": self.activation_bits,
            "momentum": self.momentum,
        }


class _Places:
    """Layers of another model, which Keras shall not take for ours."""

    axes, inputs = {}, {}
