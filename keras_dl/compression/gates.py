"""Gates that training closes: which heads, or units, a model can do without."""

import re

import keras
from keras import ops

from keras_dl.checks import check_choice
from keras_dl.compression.structures import heads_of, reading_kernel, units_of
from keras_dl.models import WeightReading, sublayer, variables_by_path

KINDS = {"heads": heads_of, "units": units_of}


@keras.saving.register_keras_serializable("keras_dl")
class LearnedGates(WeightReading):
    """A gate for each head, or unit, that is learned with the weights.

        z'_h = g_h z_h,  0 <= g_h <= 1,  loss + penalty sum_h g_h

    Gates begin at 1. They are read where the outputs of heads are, by the rows
    of the next layer's kernel, so no layer is wrapped. What training closed, or
    closed most, is then removed for good:

        gates = reading.gates()
        model = trainer.finish()  # Multiplies the gates into the weights.
        remove_heads(model, lowest(gates, share=0.5))

    Args:
        of: `"heads"` or `"units"`: see `head_importance`, `unit_importance`.
        penalty: Weight of the sum of the gates in the loss.
        paths: Regular expressions for the paths of attentions, or of layers
            with units. By default all.
        **kwargs: Arguments of `keras.Layer`.

    Raises:
        ValueError: If an argument is not allowed; by `attach`, if there are no
            such structures.

    Example:

    >>> encoder = keras_dl.applications.BERT(30, 2, 8, 2, 16)
    >>> head = keras_dl.heads.Classification(2)
    >>> model = keras_dl.applications.TaskModel(encoder, head)
    >>> gates = LearnedGates("heads", penalty=0.1)
    >>> trainer = keras_dl.training.SupervisedTrainer(model, readings=gates)
    >>> trainer.compile("sgd")
    >>> x, y = np.array([[2, 5, 3], [2, 7, 3]]), np.array([0, 1])
    >>> history = trainer.fit(x, y, verbose=0)
    >>> list(gates.gates())
    ['encoder/blocks/0/attention', 'encoder/blocks/1/attention']

    Reference:
        Michel, Levy and Neubig, 2019, and Voita et al., "Analyzing multi-head
        self-attention", 2019, who let gates be random, with a penalty on how
        many are open; here they are numbers with an L1 penalty, as in Liu et
        al., "Learning efficient convolutional networks through network
        slimming", 2017.
    """

    def __init__(self, of="heads", penalty=0.0, paths=None, **kwargs):
        super().__init__(paths, **kwargs)
        self.of = check_choice("of", of, KINDS)
        self.penalty = float(penalty)
        self.gate_variables = {}

    def attach(self, model):
        every = variables_by_path(model)
        of_kernel = {}
        for path, group in self._chosen(KINDS[self.of](model)).items():
            kernel = reading_kernel(sublayer(model, group.reader))
            name = next(n for n, v in every.items() if v is kernel)
            of_kernel[name] = group
            if path not in self.gate_variables:
                self.gate_variables[path] = self.add_weight(
                    shape=(group.number,),
                    initializer="ones",
                    regularizer=keras.regularizers.L1(self.penalty),
                    name=f"gates_{len(self.gate_variables)}",
                )
        self._held.variables = {name: every[name] for name in of_kernel}
        self._held.groups = of_kernel

    def _chosen(self, found):
        chosen = {
            path: group
            for path, group in found.items()
            if self.paths is None
            or any(re.fullmatch(pattern, path) for pattern in self.paths)
        }
        if not chosen:
            raise ValueError(
                f"`paths` must match {self.of} of the model. Received: "
                f"{self.paths}, which match none of {list(found)}."
            )
        return chosen

    def read(self, path, value):
        group = self._held.groups[path]
        gates = ops.cast(self.gate_variables[group.path], value.dtype)
        return value * ops.take(gates, group.of_rows(), axis=0)[:, None]

    def after_update(self):
        for variable in self.gate_variables.values():
            variable.assign(ops.clip(variable, 0.0, 1.0))
        super().after_update()

    def gates(self):
        """Arrays of the gates by the paths of what has them."""
        return {
            path: ops.convert_to_numpy(variable)
            for path, variable in self.gate_variables.items()
        }

    def get_config(self):
        return super().get_config() | {"of": self.of, "penalty": self.penalty}
