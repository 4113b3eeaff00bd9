"""What the targets of a model's outputs are."""

import dataclasses

from keras_dl.checks import check_choice

KINDS = {
    "classes": "one class each: indices, or probabilities such as one-hot ones",
    "labels": "0 or 1 for each label",
    "numbers": "numbers",
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
        check_choice("kind", self.kind, tuple(KINDS))
