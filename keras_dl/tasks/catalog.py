"""The tasks that are known by name."""

from keras_dl.tasks.task import Task

_SPLITS = {"train": "train", "validation": "dev", "test": "test"}
_MNLI_SPLITS = {
    "train": "train",
    **{
        f"{split}_{part}": f"{stem}_{part}"
        for split, stem in (("validation", "dev"), ("test", "test"))
        for part in ("matched", "mismatched")
    },
}
_ENTITIES = ("PER", "ORG", "LOC", "MISC")


def _glue(name, texts, labels, splits=_SPLITS, **facts):
    return Task(
        name=f"glue/{name}",
        kind="classification" if labels else "regression",
        files={
            split: (f"{stem}.tsv", f"{stem}.jsonl")
            for split, stem in splits.items()
        },
        texts=texts,
        labels=labels,
        tfds={split: split for split in splits},
        **facts,
    )


def _squad(version, null_threshold):
    stems = {"train": "train", "validation": "dev"}
    return Task(
        name=f"squad/{version}",
        kind="spans",
        files={
            split: (f"{stem}-{version}.json",) for split, stem in stems.items()
        },
        null_threshold=null_threshold,
        metrics=("exact_match",),
        max_length=384,
        tfds={split: split for split in stems},
    )


_PAIR = ("sentence1", "sentence2")
_ENTAILS = ("entailment", "not_entailment")
_COLA_COLUMNS = ("source", "is_acceptable", "original", "sentence")
_ALL = (
    _glue(
        "cola",
        ("sentence",),
        ("unacceptable", "acceptable"),
        label=("is_acceptable", "label"),
        metrics=("matthews",),
        headers={"train": _COLA_COLUMNS, "validation": _COLA_COLUMNS},
    ),
    _glue("sst2", ("sentence",), ("negative", "positive")),
    _glue(
        "mrpc",
        (("#1 String", "sentence1"), ("#2 String", "sentence2")),
        ("not_equivalent", "equivalent"),
        label=("Quality", "label"),
        metrics=("accuracy", "f1"),
    ),
    _glue(
        "stsb",
        _PAIR,
        (),
        label=("score", "label"),
        limits=(0.0, 5.0),
        metrics=("pearson", "spearman"),
    ),
    _glue(
        "qqp",
        ("question1", "question2"),
        ("not_duplicate", "duplicate"),
        label=("is_duplicate", "label"),
        metrics=("accuracy", "f1"),
    ),
    _glue(
        "mnli",
        (("sentence1", "premise"), ("sentence2", "hypothesis")),
        ("entailment", "neutral", "contradiction"),
        splits=_MNLI_SPLITS,
        label=("gold_label", "label"),
    ),
    _glue("qnli", ("question", "sentence"), _ENTAILS),
    _glue("rte", _PAIR, _ENTAILS),
    _glue("wnli", _PAIR, _ENTAILS[::-1]),
    Task(
        name="swag",
        kind="choice",
        files={
            split: (f"{stem}.csv", f"{stem}.jsonl")
            for split, stem in {**_SPLITS, "validation": "val"}.items()
        },
        texts=("sent1", "sent2"),
        choices=("ending0", "ending1", "ending2", "ending3"),
        labels=("0", "1", "2", "3"),
    ),
    _squad("v1.1", None),
    _squad("v2.0", 0.0),
    Task(
        name="conll2003",
        kind="tags",
        texts=("tokens",),
        label="ner",
        files={
            "train": ("train.txt", "eng.train"),
            "validation": ("valid.txt", "eng.testa"),
            "test": ("test.txt", "eng.testb"),
        },
        labels=("O", *(f"{b}-{e}" for e in _ENTITIES for b in "BI")),
        metrics=("entity_f1",),
        tfds={"train": "train", "validation": "dev", "test": "test"},
    ),
)
TASKS = {task.name: task for task in _ALL}


def names():
    """Names of the tasks that `load` knows.

    Returns:
        A tuple of strings.

    Example:

    >>> keras_dl.tasks.names()
    ('glue/cola', 'glue/sst2', 'glue/mrpc', 'glue/stsb', 'glue/qqp',
     'glue/mnli', 'glue/qnli', 'glue/rte', 'glue/wnli', 'swag', 'squad/v1.1',
     'squad/v2.0', 'conll2003')
    """
    return tuple(TASKS)
