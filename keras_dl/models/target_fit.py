"""Which losses and metrics take which targets, and in which forms."""

import keras
import numpy as np
from keras import ops

from keras_dl.models.ranges import check_classes
from keras_dl.models.target_kind import KINDS

# What Keras' losses and metrics take: targets of which kinds, in which forms.
_INDICES, _FULL = "indices", "full"
_FAMILIES = (
    (
        "SparseCategoricalCrossentropy SparseCategoricalAccuracy "
        "SparseTopKCategoricalAccuracy",
        ("classes",),
        (_INDICES,),
    ),
    (
        "CategoricalCrossentropy CategoricalFocalCrossentropy "
        "CategoricalAccuracy TopKCategoricalAccuracy CategoricalHinge",
        ("classes",),
        (_FULL,),
    ),
    (
        "BinaryCrossentropy BinaryFocalCrossentropy BinaryAccuracy bce",
        ("labels",),
        (_FULL,),
    ),
    (
        "AUC Precision Recall F1Score FBetaScore TruePositives TrueNegatives "
        "FalsePositives FalseNegatives SensitivitySpecificityBase",
        ("classes", "labels"),
        (_FULL,),
    ),
    (
        "MeanSquaredError MeanAbsoluteError MeanAbsolutePercentageError "
        "MeanSquaredLogarithmicError RootMeanSquaredError Huber LogCosh "
        "Poisson mse mae mape msle",
        ("classes", "labels", "numbers"),
        (_FULL,),
    ),
    # Ours say so by `_target_kind`.
    ("classes", ("classes",), (_INDICES, _FULL)),
)


def _plain(name):
    return name.replace("_", "").lower()


_BY_NAME = {
    _plain(name): (kinds, forms)
    for names, kinds, forms in _FAMILIES
    for name in names.split()
}
_ADVICE = {
    "classes": "the default, SparseCategoricalCrossentropy(from_logits=True) "
    "or CategoricalCrossentropy(from_logits=True), and accuracies of these "
    "names",
    "labels": "the default or BinaryCrossentropy(from_logits=True), and "
    "BinaryAccuracy, F1Score, AUC, Precision or Recall; 'accuracy' would be "
    "that of one class each",
    "numbers": "the default, or others of numbers, such as MeanAbsoluteError",
}


class TargetFit:
    """Whether a loss, metrics and targets fit what a model gives.

    Args:
        kinds: A `TargetKind`, a dict of them by output, or `None`: then the
            loss and the metrics alone say what they take.
        loss: Loss as `compile` takes it.
        *metrics: Metrics likewise.

    Raises:
        ValueError: If a loss or a metric is for targets of another kind.
    """

    def __init__(self, kinds, loss=None, *metrics):
        self._kinds = kinds if isinstance(kinds, dict) else {"": kinds}
        self._judges = {}
        # Outputs whose loss has a value for each position.
        self._by_position = {
            name
            for name in self._kinds
            if _known(_of_output(loss, name))[0] is not None
        }
        self._seen = set()
        # Of outputs `(batch, width)`, which a step saw: TensorFlow forgets
        # shapes when it traces a step for several.
        self._widths = {}
        # Whether the loss of a model that says nothing takes class indices.
        forms = _known(loss)[1] if kinds is None else None
        self._indices = forms == (_INDICES,)
        ignored = getattr(loss, "ignore_class", None)
        self._ignored = () if ignored is None else (ignored,)
        for name, kind in self._kinds.items():
            if kind is not None or not isinstance(kinds, dict):
                judges = [("loss", loss), *(("metrics", m) for m in metrics)]
                self._judges[name] = [
                    found
                    for place, given in judges
                    for found in _judges(place, _of_output(given, name), kind)
                ]

    def check(self, y, outputs):
        """Refuses targets that a loss or a metric would misread."""
        for name, judges in self._judges.items():
            one = y.get(name) if name and isinstance(y, dict) else y
            output = outputs[name] if name else outputs
            shapes = _known_shape(one), _known_shape(output)
            if shapes[1] is not None and len(shapes[1]) == 2 and shapes[1][1]:
                self._widths[name] = shapes[1][1]
            # Of eager steps, all but the first few of an epoch were seen.
            if None not in shapes and (name, shapes) not in self._seen:
                self._check(name, judges, *shapes)
                self._seen.add((name, shapes))

    def weights(self, sample_weight, outputs):
        """Weights of whole examples, so that they weigh rows.

        Keras multiplies them with losses of positions, `(batch, time)`, along
        the last axis, wherever that happens to be as long.
        """
        if isinstance(sample_weight, dict):
            return {
                name: self._of_rows(name, weight, outputs.get(name))
                for name, weight in sample_weight.items()
            }
        return self._of_rows("", sample_weight, outputs)

    def _of_rows(self, name, weight, outputs):
        shapes = _known_shape(weight), _known_shape(outputs)
        if name not in self._by_position or None in shapes:
            return weight
        given, rank = shapes[0], len(shapes[1]) - 1
        if len(given) == 2 and given[1] == 1:
            given = given[:1]
        if len(given) != 1 or rank < 2:
            return weight
        return ops.reshape(weight, (-1, *[1] * (rank - 1)))

    def check_arrays(self, y, num_classes=None):
        """Refuses arrays of targets that cannot be such.

        Where no loss or metric is known, anything may be a target.

        Args:
            y: The targets.
            num_classes: Number of classes of a model that says nothing of its
                targets, if it is known.
        """
        if self._indices and isinstance(y, np.ndarray):
            size = num_classes or np.iinfo("int32").max
            check_classes("y", y, size, others=self._ignored)
        for name, judges in self._judges.items():
            one = y.get(name) if name and isinstance(y, dict) else y
            if name in self._widths and hasattr(one, "shape") and len(one):
                outputs = len(one), self._widths[name]
                self._check(name, judges, tuple(one.shape), outputs)
            known = judges and self._kinds[name] is not None
            if known and isinstance(one, np.ndarray) and one.size:
                where = f" of {name!r}" if name else ""
                _check_values(one, self._kinds[name], where)

    def _check(self, name, judges, true, outputs):
        found = _forms(true, outputs)
        for place, called, forms in judges:
            if not found & set(forms):
                where = f" of {name!r}" if name else ""
                what = " or ".join(_form(form, outputs) for form in forms)
                raise ValueError(
                    f"Targets{where} must be {what}, for {place}={called}. "
                    f"Received: targets of shape {true}, for outputs of shape "
                    f"{outputs}.{_hint(self._kinds[name], found, outputs)}"
                )


def _check_values(array, kind, where):
    """Refuses labels beyond 0 and 1, and probabilities that are none."""
    if kind.kind == "labels" and not (0 <= array.min() <= array.max() <= 1):
        raise ValueError(
            f"Targets{where} must be {KINDS['labels']}, from 0 to 1. "
            f"Received: numbers from {array.min()} to {array.max()}."
        )
    full = array.ndim == kind.num_axes + 1 and array.shape[-1] > 1
    if kind.kind == "classes" and full:
        _check_probabilities(array, where)


def _check_probabilities(array, where):
    """Each row is a distribution, or has no target: all are 0."""
    total = array.sum(-1, dtype="float64")
    sound = (np.abs(total - 1) < 0.01) | ~array.any(-1)
    wrong = array[~(sound & (array >= 0).all(-1))]
    if len(wrong):
        raise ValueError(
            f"Targets{where} must be {KINDS['classes']}; these do not sum to "
            "1. Several labels at once are for "
            "keras_dl.heads.MultilabelClassification. Received: "
            f"{wrong[0].tolist()}."
        )


def _known_shape(tensor):
    """The shape, or `None` where it, or even its rank, is not known."""
    try:
        return tuple(tensor.shape)
    except (AttributeError, ValueError):
        return None


def _of_output(given, name):
    """Of the argument of `compile`, what is about an output."""
    if isinstance(given, dict) and name:
        return given.get(name)
    # A list for several outputs is by their order: Keras' own errors do.
    return None if name else given


def _judges(place, given, kind):
    """Known losses or metrics: their place, name, and forms of targets."""
    for judge in keras.tree.flatten(given):
        if kind is not None:
            _check_names(place, judge, kind)
        if judge in ("accuracy", "acc", "crossentropy", "ce"):
            # Keras chooses by the shapes: of labels, as if they were classes.
            kinds = ("classes",)
            forms = (_INDICES, _FULL)
            if kind is None:
                continue  # Keras chooses by the shapes: any fit.
            if kind.kind == "labels" and kind.num_classes == 1:
                kinds, forms = ("labels",), (_FULL,)
        else:
            kinds, forms = _known(judge)
        if kinds is None:
            continue
        if kind is not None and kind.kind not in kinds:
            raise ValueError(
                f"`{place}` must fit targets that are {KINDS[kind.kind]}. "
                f"Allowed are {_ADVICE[kind.kind]}. Received: "
                f"{place}={_title(judge)}. A model says by `target_kind` what "
                "its targets are."
            )
        yield place, _title(judge), forms


def _check_names(place, judge, kind):
    """Refuses a metric that has the labels under other indices."""
    names = getattr(judge, "label_names", None)
    if names and kind.label_names and tuple(names) != kind.label_names:
        raise ValueError(
            f"`{place}` must have the labels of the model in their order, "
            f"{kind.label_names}. Received: {_title(judge)} of {tuple(names)}."
        )


def _known(judge):
    """Kinds and forms of the targets that a loss or a metric takes."""
    if isinstance(judge, str):
        return _BY_NAME.get(_plain(judge), (None, None))
    ours = getattr(judge, "_target_kind", None)
    if ours is not None:
        return _BY_NAME[ours]
    kinds = type(judge).__mro__ if isinstance(judge, _OBJECTS) else [judge]
    for one in kinds:
        if getattr(one, "__module__", "").startswith("keras."):
            found = _BY_NAME.get(_plain(one.__name__))
            if found is not None:
                return found
    return None, None


_OBJECTS = (keras.losses.Loss, keras.metrics.Metric)


def _title(judge):
    if isinstance(judge, _OBJECTS):
        return type(judge).__name__
    return getattr(judge, "__name__", repr(judge))


def _forms(true, outputs):
    """The forms that targets of a shape are in."""
    found = set()
    if _same(true, outputs):
        found.add(_FULL)
    if outputs and _same(true, outputs[:-1]):
        found |= {_INDICES, _FULL} if outputs[-1] == 1 else {_INDICES}
    if true and true[-1] == 1 and _same(true[:-1], outputs[:-1]):
        found.add(_INDICES)
    return found


def _same(one, other):
    """Whether shapes are the same, as far as they are known."""
    pairs = zip(one, other, strict=False)
    return len(one) == len(other) and all(
        a == b or a is None or b is None for a, b in pairs
    )


def _form(form, outputs):
    if form == _INDICES:
        return f"class indices of shape {outputs[:-1]}"
    return f"of shape {outputs}"


def _hint(kind, found, outputs):
    if kind is None or kind.kind != "classes" or not found:
        return ""
    if _FULL in found:
        return (
            " For one-hot targets take the default loss, or "
            "CategoricalCrossentropy(from_logits=True), and "
            "CategoricalAccuracy."
        )
    return (
        " For class indices take the default loss, or "
        "SparseCategoricalCrossentropy(from_logits=True), and "
        f"SparseCategoricalAccuracy; or keras.ops.one_hot(y, {outputs[-1]})."
    )
