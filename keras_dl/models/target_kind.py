"""What the targets of outputs are, and which losses and metrics take them."""

import dataclasses

import keras
import numpy as np

from keras_dl.checks import check_choice

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
_MEANS = {
    "classes": "one class each: indices, or probabilities such as one-hot ones",
    "labels": "0 or 1 for each label",
    "numbers": "numbers",
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


@dataclasses.dataclass(frozen=True)
class TargetKind:
    """What the targets of a model's outputs are.

    A model says it by `target_kind()`, see `keras_dl.models.SupervisedModel`,
    so that a loss, metrics and targets that do not fit each other end in an
    error and not in a number.

    | `kind`      | outputs        | targets                                   |
    |-------------|----------------|-------------------------------------------|
    | `"classes"` | `(..., V)`     | one class each: indices, `(...)`, or      |
    |             |                | probabilities, `(..., V)`                 |
    | `"labels"`  | `(..., V)`     | 0 or 1 for each label, `(..., V)`         |
    | `"numbers"` | `(..., V)`     | numbers, `(..., V)`                       |

    With V = 1 the last axis of targets may be missing.

    Attributes:
        kind: See above.
        num_axes: Of classes the number of axes of indices: 1 for a class of
            an example, 2 for one of each token.
        num_classes: Number of classes or labels; `None` if it is unknown.
        label_names: Their names, or `None`.

    Raises:
        ValueError: If `kind` is unknown.

    Example:

    >>> encoder = keras_dl.applications.BERT.of_size("bert_tiny")
    >>> head = keras_dl.heads.Classification(2, label_names=["no", "yes"])
    >>> keras_dl.applications.TaskModel(encoder, head).target_kind()
    TargetKind(kind='classes', num_axes=1, num_classes=2,
               label_names=('no', 'yes'))
    """

    kind: str
    num_axes: int = 1
    num_classes: int | None = None
    label_names: tuple | None = None

    def __post_init__(self):
        check_choice("kind", self.kind, tuple(_MEANS))


def check_arrays_of_targets(kinds, y):
    """Refuses arrays of probabilities, or of labels, that cannot be such.

    Args:
        kinds: A `TargetKind`, a dict of them by output, or `None`.
        y: Targets, of which only arrays are looked at.
    """
    several = kinds if isinstance(kinds, dict) else {"": kinds}
    for name, kind in several.items():
        one = y.get(name) if name and isinstance(y, dict) else y
        if kind is None or not isinstance(one, np.ndarray) or not one.size:
            continue
        where = f" of {name!r}" if name else ""
        if kind.kind == "labels" and not (0 <= one.min() <= one.max() <= 1):
            raise ValueError(
                f"Targets{where} must be {_MEANS['labels']}, from 0 to 1. "
                f"Received: numbers from {one.min()} to {one.max()}."
            )
        full = one.ndim == kind.num_axes + 1 and one.shape[-1] > 1
        if kind.kind == "classes" and full:
            _check_probabilities(one, where)


def _check_probabilities(array, where):
    """Each row is a distribution, or has no target: all are 0."""
    total = array.sum(-1, dtype="float64")
    sound = (np.abs(total - 1) < 0.01) | ~array.any(-1)
    wrong = array[~(sound & (array >= 0).all(-1))]
    if len(wrong):
        raise ValueError(
            f"Targets{where} must be {_MEANS['classes']}; these do not sum to "
            "1. Several labels at once are for "
            "keras_dl.heads.MultilabelClassification. Received: "
            f"{wrong[0].tolist()}."
        )


class TargetFit:
    """Whether a loss, metrics and targets fit what a model gives.

    Args:
        kinds: A `TargetKind`, a dict of them by output, or `None`.
        loss: Loss as `compile` takes it.
        *metrics: Metrics likewise.

    Raises:
        ValueError: If a loss or a metric is for targets of another kind.
    """

    def __init__(self, kinds, loss=None, *metrics):
        self._kinds = kinds if isinstance(kinds, dict) else {"": kinds}
        self._judges = {}
        self._seen = set()
        for name, kind in self._kinds.items():
            if kind is not None:
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
            if hasattr(one, "shape") and hasattr(output, "shape"):
                shapes = tuple(one.shape), tuple(output.shape)
                # Of eager steps, all but the first few of an epoch pass here.
                if (name, shapes) not in self._seen:
                    self._check(name, judges, *shapes)
                    self._seen.add((name, shapes))

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


def _of_output(given, name):
    """Of the argument of `compile`, what is about an output."""
    if isinstance(given, dict) and name:
        return given.get(name)
    # A list for several outputs is by their order: Keras' own errors do.
    return None if name else given


def _judges(place, given, kind):
    """Known losses or metrics: their place, name, and forms of targets."""
    for judge in keras.tree.flatten(given):
        if judge in ("accuracy", "acc", "crossentropy", "ce"):
            # Keras chooses by the shapes: of labels, as if they were classes.
            kinds = ("classes",)
            forms = (_INDICES, _FULL)
            if kind.kind == "labels" and kind.num_classes == 1:
                kinds, forms = ("labels",), (_FULL,)
        else:
            kinds, forms = _known(judge)
        if kinds is None:
            continue
        if kind.kind not in kinds:
            raise ValueError(
                f"`{place}` must fit targets that are {_MEANS[kind.kind]}. "
                f"Allowed are {_ADVICE[kind.kind]}. Received: "
                f"{place}={_called(judge)}."
            )
        yield place, _called(judge), forms


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


def _called(judge):
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
    if kind.kind != "classes" or not found:
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
