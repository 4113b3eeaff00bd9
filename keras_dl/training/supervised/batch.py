"""What a term of the loss sees of a step."""

import collections.abc
import dataclasses


class _AskedFeatures(dict):
    """The features of a model by path; others are refused by name."""

    def __missing__(self, path):
        raise ValueError(
            f"No term asked for the feature {path!r}: name it in "
            "`student_features` or `teacher_features`. Asked for were: "
            f"{list(self)}."
        )


@dataclasses.dataclass
class Glimpse:
    """What one forward pass of a model left.

    Attributes:
        outputs: What the model returned.
        features: Mapping of the paths that terms asked for and tensors, in
            float32 where they were computed in half precision.
    """

    outputs: object
    features: collections.abc.Mapping

    def __post_init__(self):
        self.features = _AskedFeatures(self.features)


@dataclasses.dataclass
class SupervisedBatch:
    """What a term of the loss sees of a step.

    Attributes:
        x, y, sample_weight: The data; `None` where there is none.
        student: `Glimpse` of the model that trains: `outputs`, `features`.
        teachers: `Glimpse`s of the teachers, constants.
        mask: Boolean `(batch, time)`, true for real tokens, or `None`.
        training: Whether this is a step of training.
    """

    x: object
    y: object
    sample_weight: object
    student: Glimpse
    teachers: list
    mask: object
    training: bool

    @property
    def teacher(self):
        """The first teacher's `Glimpse`."""
        return self.teachers[0]
