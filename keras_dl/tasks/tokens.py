"""Tasks that say something of tokens: spans that answer, and tags."""

import keras
import numpy as np

from keras_dl.heads import ExtractiveQA, TokenClassification
from keras_dl.metrics import EntityF1, squad_scores
from keras_dl.tasks.splits import TaskSplit
from keras_dl.text import (
    Questions,
    SpanWindows,
    TaggedWords,
    read_conll,
    read_squad,
)


class SpanSplit(TaskSplit):
    """Questions with the texts that answer them.

    Attributes:
        asked: `keras_dl.text.Questions`; their answers are `None` where they
            are not known.
        windows: `keras_dl.text.SpanWindows`: `inputs`, `targets` and logits
            are by window.
    """

    options = ("damaged", "segments", "separators", "stride", "max_question")

    @staticmethod
    def read(task, split, path, encoding):
        """The questions of a file."""
        asked = read_squad(path, encoding)
        if asked.answers is None and split == "train":
            raise ValueError(
                f"{path} must have answers to train on. Received: questions "
                "without 'answers'."
            )
        return asked

    @staticmethod
    def convert(task, split, examples):
        """The questions of dictionaries."""
        names = ("id", "question", "context")
        columns = [tuple(one[name] for one in examples) for name in names]
        answers = (one["answers"] for one in examples)
        return Questions(
            *columns,
            tuple(
                list(zip(given["text"], given["answer_start"], strict=True))
                for given in answers
            ),
        )

    def __init__(
        self,
        task,
        asked,
        vocabulary,
        max_length,
        damaged="error",
        **options,
    ):
        _check_answered(task, asked)
        self.asked = asked
        self.windows = SpanWindows(
            asked.questions,
            asked.contexts,
            vocabulary,
            asked.answers,
            length=max_length,
            misplaced=damaged,
            **options,
        )
        inputs = self.windows.inputs
        left_out = (asked.ids[i] for i in self.windows.left_out)
        super().__init__(task, inputs, self.windows.spans, left_out)

    def answers(self, logits, n_best=20, max_answer_length=30):
        """The best answers to each question.

        Args:
            logits: Array `(windows, 2, length)`: starts and ends.
            n_best: See `keras_dl.text.SpanWindows.decode`.
            max_answer_length: Likewise.

        Returns:
            A dict of `keras_dl.text.AnswerCandidates` by the questions' ids.
        """
        logits = keras.ops.convert_to_numpy(logits)
        found = self.windows.decode(
            logits[:, 0], logits[:, 1], n_best, max_answer_length
        )
        return dict(zip(self.asked.ids, found, strict=True))

    def predictions(self, logits):
        threshold = self.task.null_threshold
        found = self.answers(logits)
        return {id: answers.best(threshold) for id, answers in found.items()}

    def scores(self, logits):
        found = self.answers(logits)
        best = {id: answers.best() for id, answers in found.items()}
        references = self.asked.references
        language = self.task.language
        if self.task.null_threshold is None:
            return squad_scores(
                best, references, version="1.1", language=language
            )
        differences = {
            id: answers.null_difference for id, answers in found.items()
        }
        return squad_scores(
            best,
            references,
            differences,
            self.task.null_threshold,
            version="2.0",
            language=language,
        )

    @staticmethod
    def head(task, **kwargs):
        """The head that the task needs."""
        return ExtractiveQA(**kwargs)


class TagSplit(TaskSplit):
    """Sentences whose words have a tag each.

    Attributes:
        tagged: `keras_dl.text.TaggedWords`. Words from the first that does not
            fit in as a whole are cut off, unless a `stride` makes windows.
        tags: The true tags of all words, a list for each sentence.
    """

    options = ("stride",)

    @staticmethod
    def read(task, split, path, encoding):
        """The sentences of a file, and their tags."""
        return read_conll(
            path,
            encoding=encoding,
            comments=task.comments,
            tag_names=task.labels,
        )

    @staticmethod
    def convert(task, split, examples):
        """The sentences of dictionaries, and their tags."""
        (text,) = task.texts
        examples = [one for one in examples if one[text]]
        return tuple([one[k] for one in examples] for k in (text, task.label))

    def __init__(self, task, sentences, vocabulary, max_length, stride=None):
        words, self.tags = sentences
        self.tagged = TaggedWords(
            words,
            self.tags,
            vocabulary,
            max_length,
            task.labels,
            truncate="end" if stride is None else "windows",
            stride=stride,
        )
        super().__init__(task, self.tagged.inputs, self.tagged.tags)

    def predictions(self, logits):
        return self.tagged.words_of(logits)

    def scores(self, logits):
        metric = EntityF1(self.task.labels)
        longest = max(map(len, self.tags))
        true, predicted = (
            self._indices(tags, longest)
            for tags in (self.tags, self.predictions(logits))
        )
        metric.update_state(true, predicted)
        return {name: float(value) for name, value in metric.scores().items()}

    def _indices(self, tags, longest):
        """Tags as an array of indices, filled up with what does not count."""
        indices = np.full((len(tags), longest), -1, "int32")
        index = {label: i for i, label in enumerate(self.task.labels)}
        for row, names in zip(indices, tags, strict=True):
            row[: len(names)] = [index[name] for name in names]
        return indices

    @staticmethod
    def head(task, **kwargs):
        """The head that the task needs."""
        kwargs = {"label_names": task.labels, **kwargs}
        return TokenClassification(len(task.labels), **kwargs)


def _check_answered(task, asked):
    """Refuses questions without an answer where each must have one."""
    if asked.answers is None:
        return
    for id, answers in zip(asked.ids, asked.answers, strict=True):
        if not answers and task.null_threshold is None:
            raise ValueError(
                f"Each question of {task.name!r} must have an answer. "
                f"Received: none for the question {id!r}."
            )
