"""What a task is, as a table says it."""

import dataclasses
import math

import keras

from keras_dl.checks import check_choice
from keras_dl.metrics import (
    BinaryF1,
    EntityF1,
    ExactMatch,
    MatthewsCorrelation,
    PearsonCorrelation,
    SpearmanCorrelation,
)
from keras_dl.tasks.labels import label_names

KINDS = ("classification", "regression", "choice", "spans", "tags")
_METRICS = {
    "accuracy": lambda task: keras.metrics.SparseCategoricalAccuracy(
        name="accuracy"
    ),
    "f1": lambda task: BinaryF1(name="f1"),
    "matthews": lambda task: MatthewsCorrelation(
        len(task.labels), name="matthews"
    ),
    "pearson": lambda task: PearsonCorrelation(name="pearson"),
    "spearman": lambda task: SpearmanCorrelation(name="spearman"),
    "exact_match": lambda task: ExactMatch(name="exact_match"),
    "entity_f1": lambda task: EntityF1(task.labels, name="entity_f1"),
}


@dataclasses.dataclass(frozen=True)
class Task:
    """What a task is: columns, labels, metrics, and where its data lies.

    `keras_dl.tasks.load` has one for each name that it knows, and takes one of
    your own in place of a name.

    | `kind`             | an example is                    | a label is     |
    |--------------------|----------------------------------|----------------|
    | `"classification"` | a text, or a pair of texts       | a class        |
    | `"regression"`     | a text, or a pair of texts       | a number       |
    | `"choice"`         | texts, and several ways to go on | the right one  |
    | `"spans"`          | a question, and a text (context) | a part of it   |
    | `"tags"`           | words                            | a tag for each |

    **Files.** The end of a file's name tells how it is read: `.tsv` (columns
    between tabs, quotation marks are text), `.csv` (columns between commas,
    quoted where necessary) and `.jsonl` (a dictionary in each line) for the
    first three kinds; lines end with a line feed. Spans are in files as SQuAD
    has them (see `keras_dl.text.read_squad`), tags in files as CoNLL-2003 has
    them (see `keras_dl.text.read_conll`).

    Attributes:
        name: Its name; in TensorFlow Datasets too, if it is there.
        kind: See above.
        files: Dict by split of the names that its file may have in a folder.
        texts: Names of the columns with the one or two texts. In place of a
            name may stand a tuple of names of which a file has one.
        label: Name, or names, of the column with the label.
        labels: Names of the labels in the order of their indices, each a
            string or a whole number. In the data stands either a name, or its
            index; where one of the names looks like a number, numbers are
            names: of labels from 1 to 5, the number 1 is the first.
        limits: The smallest and the largest number of a regression.
        choices: Names of the columns with the choices. Each is put behind the
            second text, if there is one.
        null_threshold: `None` if each question has an answer, else how much
            better "no answer" must score than the best one.
        metrics: Names of metrics: `"accuracy"`, `"f1"` (of the second of two
            classes), `"matthews"`, `"pearson"`, `"spearman"`,
            `"exact_match"`, `"entity_f1"`.
        max_length: Number of tokens that a row has at most, if `load` is not
            told otherwise.
        headers: Dict by split of names of columns, for files whose first line
            does not hold them.
        tfds: Dict of the splits in TensorFlow Datasets by split, or `None`.
        comments: How comments begin in files of tags, see
            `keras_dl.text.read_conll`.
        language: What answers are written in, `"en"` or `"zh"`, for their
            scores: see `keras_dl.metrics.squad_scores`.

    Splits whose name begins with `"test"` may be without labels, and spans be
    without answers in all splits but `"train"`.

    Raises:
        ValueError: If the kind, a metric or the language is unknown, or labels,
            columns of texts or of choices do not fit the kind.

    Example:

    >>> task = Task(
    ...     "reviews",
    ...     "classification",
    ...     files={"train": ("train.csv",)},
    ...     texts=("review",),
    ...     label="stars",
    ...     labels=("1", "2", "3", "4", "5"),
    ... )
    >>> with open("train.csv", "w") as file:
    ...     for row in ("review,stars", "very good,5"):
    ...         print(row, file=file)
    >>> words = keras_dl.text.WordVocabulary(["very", "good"])
    >>> keras_dl.tasks.load(task, words, files=".")["train"].targets
    array([4], dtype=int32)
    """

    name: str
    kind: str
    files: dict
    texts: tuple = ()
    label: str | tuple = "label"
    labels: tuple = ()
    limits: tuple = (-math.inf, math.inf)
    choices: tuple = ()
    null_threshold: float | None = None
    metrics: tuple = ("accuracy",)
    max_length: int = 128
    headers: dict = dataclasses.field(default_factory=dict)
    tfds: dict | None = None
    language: str = "en"
    comments: str | None = "auto"

    def __post_init__(self):
        check_choice("kind", self.kind, KINDS)
        check_choice("language", self.language, ("en", "zh"))
        for metric in self.metrics:
            check_choice("metrics", metric, tuple(_METRICS))
        # It is frozen for all others.
        object.__setattr__(self, "labels", label_names(self.labels))
        named = self.kind in ("classification", "choice", "tags")
        if len(self.labels) < 2 * named:
            raise ValueError(
                "`labels` must be at least 2 for the kind "
                f"{self.kind!r}. Received: labels={self.labels!r}."
            )
        rows = self.kind in ("classification", "regression", "choice")
        if rows and len(self.texts) not in (1, 2):
            raise ValueError(
                "`texts` must be the names of one or two columns for the kind "
                f"{self.kind!r}. Received: texts={self.texts!r}."
            )
        if self.kind == "choice" and len(self.choices) != len(self.labels):
            raise ValueError(
                "`choices` must be as many columns as there are labels. "
                f"Received: choices={self.choices!r}, labels={self.labels!r}."
            )


def metrics_of(task):
    """New metrics of a task, as `compile(weighted_metrics=...)` takes them."""
    return [_METRICS[name](task) for name in task.metrics]
