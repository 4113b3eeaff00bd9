"""Tasks by name: data, head and metrics."""

from keras_dl.checks import check_choice
from keras_dl.tasks.catalog import TASKS
from keras_dl.tasks.labels import in_order_of
from keras_dl.tasks.sources import FromDatasets, check_splits, file_paths
from keras_dl.tasks.task import Task, metrics_of
from keras_dl.tasks.texts import ChoiceSplit, TextSplit
from keras_dl.tasks.tokens import SpanSplit, TagSplit
from keras_dl.text import as_vocabulary

_KINDS = {
    "classification": TextSplit,
    "regression": TextSplit,
    "choice": ChoiceSplit,
    "spans": SpanSplit,
    "tags": TagSplit,
}


class TaskData:
    """A task's data, ready to train on, with its head and its metrics.

    `data[split]` is a `TaskSplit`. See `load`.

    Attributes:
        task: The `Task`.
        labels: Tuple of the names of labels, in the order of their indices.
        splits: Dict of `TaskSplit` by name.
    """

    def __init__(self, task, splits):
        self.task = task
        self.labels = tuple(task.labels)
        self.splits = splits

    def __getitem__(self, split):
        return self.splits[check_choice("split", split, tuple(self.splits))]

    def head(self, **kwargs):
        """A new head for the task.

        Args:
            **kwargs: Arguments of the head, such as `dropout`.

        Returns:
            A `keras_dl.heads.Head`.
        """
        return _KINDS[self.task.kind].head(self.task, **kwargs)

    def metrics(self):
        """New metrics, for `compile(weighted_metrics=...)`.

        Of spans these are the shares of windows with both ends right; the
        scores of SQuAD are those of `TaskSplit.scores`.

        Returns:
            A list of `keras.metrics.Metric`.
        """
        return metrics_of(self.task)


def load(
    task,
    vocabulary,
    max_length=None,
    files=None,
    splits=None,
    data_dir=None,
    download=False,
    labels=None,
    encoding=None,
    **options,
):
    """Loads a task by name: batches to fine-tune on, a head, and metrics.

    | name                       | an example              | metrics           |
    |----------------------------|-------------------------|-------------------|
    | `glue/cola`                | text                    | Matthews          |
    | `glue/sst2`                | text                    | accuracy          |
    | `glue/mrpc`, `glue/qqp`    | pair                    | accuracy, F1      |
    | `glue/stsb`                | pair, number 0 to 5     | Pearson, Spearman |
    | `glue/mnli`                | pair, 3 classes         | accuracy          |
    | `glue/qnli`, `glue/rte`,   | pair                    | accuracy          |
    | `glue/wnli`                |                         |                   |
    | `swag`                     | text, 4 ways to go on   | accuracy          |
    | `squad/v1.1`, `squad/v2.0` | question, text, answer  | exact match, F1   |
    | `conll2003`                | words, a tag each       | F1 of entities    |

    All are read from TensorFlow Datasets by name, `swag` excepted, which it
    does not have; or from `files`, as they are published:

    | name      | files                                                       |
    |-----------|-------------------------------------------------------------|
    | `glue/`   | `train.tsv`, `dev.tsv`, `test.tsv`; of MNLI `train.tsv`,    |
    |           | `dev_matched.tsv`, `dev_mismatched.tsv` and so on; or the   |
    |           | same with `.jsonl`                                          |
    | `swag`    | `train.csv`, `val.csv`, `test.csv`, or with `.jsonl`        |
    | `squad/`  | `train-v1.1.json`, `dev-v1.1.json`; of 2.0 with `v2.0`      |
    | `conll`   | `train.txt`, `valid.txt`, `test.txt`; or `eng.train`,       |
    | `2003`    | `eng.testa`, `eng.testb`                                    |

    All files are read before anything is returned. Splits are named `"train"`,
    `"validation"` and `"test"`; those of MNLI `"validation_matched"` and so
    on. Where labels of test splits are hidden, `targets` are `None`.

    **Too long texts.** Of a pair, the longer text is cut, token by token, or
    the one that `truncation` says (see `keras_dl.text.encode_pairs`); contexts
    of questions are cut into windows that overlap (see
    `keras_dl.text.SpanWindows`); of sentences with tags, the last words are
    cut off, or, with a `stride`, they are cut into windows (see
    `keras_dl.text.TaggedWords`).

    Args:
        task: One of `names()`, or a `Task`.
        vocabulary: `keras_dl.text.Vocabulary`, or what
            `keras_dl.text.as_vocabulary` takes, such as the folder of a model
            of Hugging Face. The encoder's `pad_id` must be the vocabulary's.
        max_length: Number of tokens in a row. `None`: 128, for questions 384.
        files: Folder with the files, or a dict of files by split. `None`:
            TensorFlow Datasets.
        splits: Names of the splits to load. `None`: all.
        data_dir: Folder of TensorFlow Datasets; `None`: its default.
        download: Whether TensorFlow Datasets may download and prepare what it
            does not find in `data_dir`.
        labels: The labels of classes or tags in the order of a model that was
            trained on them elsewhere: its `label_names`. `None`: the task's.
        encoding: How `files` are written. `None`: `"utf-8"`.
        **options: Further arguments of the task's kind:
            `segments` and `separators` (not of tags) say whether there are
            `"segment_ids"`, and how many end tokens stand between the texts of
            a pair; by default that is the vocabulary's: none and two where it
            is RoBERTa's (see `keras_dl.text.encode_pairs`). `truncation` (of
            texts and choices) says which text of a pair is cut. `stride` and
            `max_question` (of spans) are those of `SpanWindows`, `stride` (of
            tags) that of `TaggedWords`.
            `damaged="leave_out"` (not of tags) leaves out lines with a wrong
            number of columns, and answers that do not stand where it is said.

    Returns:
        `TaskData`.

    Raises:
        ValueError: If the task, a split or an option is unknown, a column or a
            label is missing or unknown, or a file is damaged.
        FileNotFoundError: If a file is missing, or TensorFlow Datasets has not
            prepared the data and `download` is `False`.
        ImportError: If TensorFlow Datasets is needed and not installed.

    Example: files as GLUE has them, with one line each. For an encoder with
    the weights of a model of Hugging Face, give its folder in place of the
    vocabulary, and to `BERT.from_hugging_face`.

    >>> row = '{"sentence1": "a", "sentence2": "b", "label": 0}'
    >>> for name in ("train.jsonl", "dev.jsonl"):
    ...     with open(name, "w") as file:
    ...         print(row, file=file)
    >>> words = keras_dl.text.WordVocabulary(["a", "b"])
    >>> splits = ["train", "validation"]
    >>> data = load("glue/mrpc", words, 16, files=".", splits=splits)
    >>> encoder = keras_dl.applications.BERT(words.size, 1, 16, 2, 32)
    >>> model = keras_dl.applications.TaskModel(encoder, data.head())
    >>> model.compile(
    ...     keras.optimizers.AdamW(3e-5), weighted_metrics=data.metrics()
    ... )
    >>> history = model.fit(
    ...     data["train"].batches(32, shuffle=True),
    ...     validation_data=data["validation"].batches(32),
    ...     verbose=0,
    ... )

    Reference:
        Wang et al., "GLUE: A Multi-Task Benchmark and Analysis Platform for
        Natural Language Understanding", 2019; Zellers et al., "SWAG", 2018;
        Rajpurkar et al., "SQuAD", 2016 and 2018; Tjong Kim Sang and De
        Meulder, "Introduction to the CoNLL-2003 Shared Task", 2003.
    """
    if not isinstance(task, Task):
        task = TASKS[check_choice("task", task, tuple(TASKS))]
    kind, ordered = _KINDS[task.kind], in_order_of(task, labels)
    for option in options:
        check_choice(f"options of {task.name}", option, kind.options)
    vocabulary = as_vocabulary(vocabulary)
    splits = check_splits(task, splits, files)
    if files is None:
        paths = {}
        _refuse_encoding(encoding)
        source = FromDatasets(task, data_dir, download)
        records = {
            split: kind.convert(task, split, source.examples(split))
            for split in splits
        }
    else:
        _refuse_tfds_arguments(data_dir, download)
        paths = file_paths(task, splits, files)
        records = {
            s: kind.read(task, s, paths[s], encoding or "utf-8") for s in splits
        }
    length = task.max_length if max_length is None else max_length
    made = {}
    for split in splits:
        try:
            found = kind.relabel(records.pop(split), task, ordered)
            made[split] = kind(ordered, found, vocabulary, length, **options)
        except ValueError as error:
            place = f", from {paths[split]}" if paths else ""
            error.add_note(f"This is about the split {split!r}{place}.")
            raise
    return TaskData(ordered, made)


def _refuse_encoding(encoding):
    if encoding is not None:
        raise ValueError(
            "`encoding` is for `files`, and none were given. Received: "
            f"encoding={encoding!r}."
        )


def _refuse_tfds_arguments(data_dir, download):
    if data_dir is not None or download:
        raise ValueError(
            "`data_dir` and `download` are for TensorFlow Datasets, and "
            "`files` were given. Received: "
            f"data_dir={data_dir!r}, download={download!r}."
        )
