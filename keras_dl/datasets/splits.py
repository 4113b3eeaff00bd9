"""What `load` returns: three splits, and what they mean."""

import dataclasses
from typing import Any

import keras

from keras_dl.datasets.arrays import as_arrays, check_aligned
from keras_dl.datasets.batches import Batches


@dataclasses.dataclass(frozen=True)
class Info:
    """What a dataset is.

    Attributes:
        name: The name that `load` takes.
        task: `"binary"`, `"multiclass"`, `"regression"`, `"images"`, `"text"`,
            or `None` where the files do not say.
        num_classes: Number of classes, or `None`.
        class_names: Their names, in the order of the labels.
        feature_names: Names of the columns of `x`, or of its dict entries.
        source: Where the data comes from, in one line.
    """

    name: str
    task: str | None
    num_classes: int | None = None
    class_names: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()
    source: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """Examples and their targets, as NumPy arrays in memory.

    Attributes:
        x: Array with the examples along the first axis, or a dict of such;
            given in any form that `Batches` takes.
        y: Array of targets, or `None`.
    """

    x: Any
    y: Any = None

    def __post_init__(self):
        x = as_arrays("x", self.x)
        y = None if self.y is None else as_arrays("y", self.y)
        check_aligned(x=x, y=y)
        object.__setattr__(self, "x", x)
        object.__setattr__(self, "y", y)

    def __len__(self):
        return len(keras.tree.flatten(self.x)[0])

    def take(self, positions):
        """The examples at `positions` (an integer array), as a `Split`."""
        x = keras.tree.map_structure(lambda array: array[positions], self.x)
        y = self.y
        if y is not None:
            y = keras.tree.map_structure(lambda array: array[positions], y)
        return Split(x, y)

    def batches(
        self, batch_size=32, shuffle=False, seed=0, drop_remainder=False
    ):
        """Batches for `fit`, `evaluate` and `predict`; see `Batches`.

        Args:
            batch_size: Integer of at least 1.
            shuffle: Whether to permute the examples anew in each epoch.
            seed: Where the permutations come from.
            drop_remainder: Whether to leave out a last, smaller batch.

        Returns:
            A `keras_dl.datasets.Batches`.
        """
        return Batches(
            self.x, self.y, batch_size, shuffle, seed, drop_remainder
        )

    @property
    def text(self):
        """All documents of a text split as one string, a blank line between.

        Raises:
            TypeError: If the examples are not strings.
        """
        if not all(isinstance(document, str) for document in self.x):
            raise TypeError(
                "`text` needs a split whose examples are strings. Received: "
                f"examples of type {type(next(iter(self.x))).__name__}."
            )
        return "\n\n".join(self.x)


@dataclasses.dataclass(frozen=True, eq=False)
class Splits:
    """A dataset in three splits.

    Attributes:
        train: The `Split` to learn from.
        validation: The `Split` to choose settings on.
        test: The `Split` to look at once, at the end.
        info: The `Info`: task, classes, names, source.
    """

    train: Split
    validation: Split
    test: Split
    info: Info
