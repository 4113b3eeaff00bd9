"""Tasks that say one thing of a text, of a pair of texts, or of choices."""

import keras
import numpy as np

from keras_dl.checks import check_choice
from keras_dl.datasets import BucketedBatches
from keras_dl.heads import Classification, MultipleChoice, Regression
from keras_dl.tasks.rows import Row, columns_of, read_rows
from keras_dl.tasks.splits import TaskSplit
from keras_dl.tasks.task import metrics_of
from keras_dl.text import encode_pairs


class _RowSplit(TaskSplit):
    """A split whose examples are rows of columns."""

    options = ("damaged", "segments", "separators", "truncation")

    @staticmethod
    def read(task, split, path, encoding):
        """The examples of a file."""
        rows = read_rows(path, task.headers.get(split), encoding)
        return columns_of(task, rows, _may_hide(split))

    @staticmethod
    def convert(task, split, examples):
        """The examples of dictionaries."""
        places = (f"Example {i} of {split!r}" for i in range(len(examples)))
        rows = map(Row, examples, places)
        return columns_of(task, rows, _may_hide(split))

    def __init__(
        self,
        task,
        columns,
        vocabulary,
        max_length,
        damaged="error",
        segments=None,
        separators=None,
        truncation="longest_first",
    ):
        texts, labels, broken = columns
        _check_damaged(broken, damaged)
        targets = _targets(task, labels)
        firsts, seconds = self._pairs(task, texts)
        encoded = encode_pairs(
            firsts,
            seconds,
            vocabulary,
            max_length,
            separators=separators,
            truncation=truncation,
            segments=segments,
        )
        self._pads = {
            "token_ids": vocabulary.special_id("pad"),
            "segment_ids": 0,
        }
        left_out = (row.place for row in broken)
        super().__init__(task, self._inputs(task, encoded), targets, left_out)

    def predictions(self, logits):
        best = self._checked(logits).argmax(axis=1)
        return [self.task.labels[i] for i in best.tolist()]

    def scores(self, logits):
        logits = self._checked(logits)
        if self.targets is None:
            raise ValueError(
                "`scores` needs labels, and those of this split of "
                f"{self.task.name!r} are hidden."
            )
        found = {}
        for metric in metrics_of(self.task):
            metric.update_state(self.targets, logits)
            found[metric.name] = float(metric.result())
        return found

    def _checked(self, logits):
        width = len(self.task.labels) or 1
        logits = np.asarray(keras.ops.convert_to_numpy(logits))
        if logits.shape != (len(self), width):
            raise ValueError(
                "`logits` must have a row for each example, of the shape "
                f"{(len(self), width)}. Received: {logits.shape}."
            )
        return logits


class TextSplit(_RowSplit):
    """Texts, or pairs of them, with a class or a number each."""

    def batches(self, batch_size=32, **options):
        return BucketedBatches(
            self.inputs,
            self.targets,
            batch_size,
            x_pad={name: self._pads[name] for name in self.inputs},
            **options,
        )

    def predictions(self, logits):
        if self.task.kind == "regression":
            return self._checked(logits)[:, 0].tolist()
        return super().predictions(logits)

    @staticmethod
    def head(task, **kwargs):
        """The head that the task needs."""
        if task.kind == "regression":
            return Regression(**kwargs)
        kwargs = {"label_names": task.labels, **kwargs}
        return Classification(len(task.labels), **kwargs)

    @staticmethod
    def relabel(records, old, new):
        if old.labels == new.labels:
            return records
        texts, labels, broken = records
        index = {i: new.labels.index(name) for i, name in enumerate(old.labels)}
        return texts, [index.get(label) for label in labels], broken

    def _in_order(self, found, batches):
        places = map(batches.examples, range(len(batches)))
        ordered = np.empty_like(found)
        ordered[np.concatenate(list(places))] = found
        return ordered

    @staticmethod
    def _pairs(task, texts):
        columns = [list(column) for column in zip(*texts, strict=True)]
        return columns if len(task.texts) > 1 else (*columns, None)

    def _inputs(self, task, encoded):
        return encoded


class ChoiceSplit(_RowSplit):
    """Texts with several ways to go on, of which one is right."""

    @staticmethod
    def head(task, **kwargs):
        """The head that the task needs."""
        return MultipleChoice(**kwargs)

    @staticmethod
    def _pairs(task, texts):
        places = range(len(task.texts), len(task.texts) + len(task.choices))
        between = slice(1, len(task.texts))
        firsts = [row[0] for row in texts for _ in places]
        seconds = [
            " ".join([*row[between], row[place]])
            for row in texts
            for place in places
        ]
        return firsts, seconds

    def _inputs(self, task, encoded):
        """Arrays `(examples, choices, time)`, filled up."""
        choices = len(task.choices)
        arrays = {}
        for name, rows in encoded.items():
            longest = max(map(len, rows))
            array = np.full((len(rows), longest), self._pads[name], "int32")
            for target, row in zip(array, rows, strict=True):
                target[: len(row)] = row
            arrays[name] = array.reshape(-1, choices, longest)
        return arrays


def _may_hide(split):
    """Whether a split may be without labels."""
    return split.startswith("test")


def _check_damaged(rows, damaged):
    check_choice("damaged", damaged, ("error", "leave_out"))
    if rows and damaged == "error":
        raise ValueError(
            f"{rows[0].place} is damaged: {rows[0].why}. "
            'damaged="leave_out" leaves such lines out.'
        )


def _targets(task, labels):
    """An array of labels, or `None` if all of them are hidden."""
    missing = labels.count(None)
    if missing not in (0, len(labels)) or not labels:
        raise ValueError(
            "There must be examples, and labels for all of them or for none. "
            f"Received: {len(labels)} examples, {missing} without a label."
        )
    if missing:
        return None
    kind = "float32" if task.kind == "regression" else "int32"
    return np.array(labels, kind)
