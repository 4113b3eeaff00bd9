"""The heads of BERT's family in Hugging Face's files.

Tables go by the prefix of a family, which families of one layout share.
"""

import dataclasses

from keras_dl import heads
from keras_dl.applications.bert import hugging_face_labels
from keras_dl.applications.bert.hugging_face_config import (
    same_activation,
)
from keras_dl.checks import check_choice

_SENTENCES = {
    "bert": "cls.seq_relationship",
    "albert": "sop_classifier.classifier",
}
# Where the dropout of a head stands, with its default; if that is `None`, the
# encoder's.
_CLASSIFIER = ("classifier_dropout", None)
_ALBERT = ("classifier_dropout_prob", 0.1)
_DISTILBERT = ("seq_classif_dropout", 0.2)


@dataclasses.dataclass(frozen=True)
class Task:
    """A kind of model with a head.

    Attributes:
        suffix: End of the name of its class.
        make: Configuration, of which it reads the labels, to head, or to dict
            of heads.
        kinds: Names of the classes of heads that it can have, or, if it
            `is_joint`, has.
        families: Prefixes of the families that have it; empty: all.
        pooler: Name of the pooler by family, where it is part of the head,
            and its activation.
        logits: Name of the last layer by family, where it is another one.
        dropout: Where the head's dropout stands, by family.
        head_name: Name that tells its head from others of its class.
        num_classes: Number of classes of a `Classification`, if it is fixed.
        is_pooled: Whether its encoder has a pooler.
        is_joint: Whether it has several heads.
    """

    suffix: str
    make: object
    kinds: tuple
    families: tuple = ()
    pooler: dict = dataclasses.field(default_factory=dict)
    logits: dict = dataclasses.field(default_factory=dict)
    dropout: dict = dataclasses.field(default_factory=dict)
    head_name: str | None = None
    num_classes: int | None = None
    is_pooled: bool = True
    is_joint: bool = False

    def is_of(self, family):
        """Whether a family has it."""
        return not self.families or family.prefix in self.families

    def fits(self, heads, checks_name=True):
        """Whether it has such heads, a dict by name."""
        kinds = sorted(type(head).__name__ for head in heads.values())
        if self.is_joint:
            right = kinds == list(self.kinds)
        else:
            right = len(kinds) == 1 and kinds[0] in self.kinds
        if checks_name and self.head_name is not None:
            right = right and self.head_name in heads
        number = self.num_classes
        return right and all(
            number in (None, getattr(head, "num_classes", number))
            for head in heads.values()
        )

    def pooler_of(self, family):
        """Name and activation of the pooler, or a pair of `None`."""
        if not self.is_pooled:
            return None, None
        if family.prefix in self.pooler:
            return self.pooler[family.prefix]
        return f"{family.prefix}.{family.pooler}", "tanh"


def _pretraining(config):
    return {
        "masked_tokens": heads.MaskedLM(),
        "next_sentence": heads.Classification(2, dropout=0.0),
    }


def _next_sentence(config):
    # By its name it is told from other classes of texts.
    return heads.Classification(2, dropout=0.0, name="next_sentence")


_PRE_CLASSIFIER = {"distilbert": ("pre_classifier", "relu")}
_DROPOUT = {"bert": _CLASSIFIER, "roberta": _CLASSIFIER, "albert": _ALBERT}
TASKS = (
    Task(
        "ForMaskedLM",
        lambda config: heads.MaskedLM(),
        ("MaskedLM",),
        is_pooled=False,
    ),
    Task(
        "ForPreTraining",
        _pretraining,
        ("Classification", "MaskedLM"),
        families=("bert", "albert"),
        logits=_SENTENCES,
        dropout={"albert": _ALBERT},
        num_classes=2,
        is_joint=True,
    ),
    Task(
        "ForNextSentencePrediction",
        _next_sentence,
        ("Classification",),
        families=("bert",),
        logits=_SENTENCES,
        head_name="next_sentence",
        num_classes=2,
    ),
    Task(
        "ForPreTraining",
        lambda config: heads.ReplacedTokenDetection(),
        ("ReplacedTokenDetection",),
        families=("electra",),
        logits={"electra": "discriminator_predictions.dense_prediction"},
        is_pooled=False,
    ),
    Task(
        "ForSequenceClassification",
        hugging_face_labels.classifier,
        ("Classification", "MultilabelClassification", "Regression"),
        pooler={
            **_PRE_CLASSIFIER,
            "roberta": ("classifier.dense", "tanh"),
            "electra": ("classifier.dense", "gelu"),
        },
        logits=dict.fromkeys(("roberta", "electra"), "classifier.out_proj"),
        dropout={
            **_DROPOUT,
            "distilbert": _DISTILBERT,
            "electra": _CLASSIFIER,
        },
    ),
    Task(
        "ForMultipleChoice",
        lambda config: heads.MultipleChoice(),
        ("MultipleChoice",),
        pooler={
            **_PRE_CLASSIFIER,
            "electra": ("sequence_summary.summary", "gelu"),
        },
        dropout={
            **_DROPOUT,
            "distilbert": _DISTILBERT,
            "electra": ("summary_last_dropout", 0.1),
        },
    ),
    Task(
        "ForTokenClassification",
        hugging_face_labels.tagger,
        ("TokenClassification",),
        dropout={
            **_DROPOUT,
            "distilbert": ("dropout", 0.1),
            "electra": _CLASSIFIER,
        },
        is_pooled=False,
    ),
    Task(
        "ForQuestionAnswering",
        lambda config: heads.ExtractiveQA(),
        ("ExtractiveQA",),
        dropout={"distilbert": ("qa_dropout", 0.1)},
        is_pooled=False,
    ),
)
# What else a class reads of its configuration: nothing else is supported.
_ALWAYS = {
    ("ForMultipleChoice", "electra"): {
        "summary_type": "first",
        "summary_use_proj": True,
        "summary_activation": "gelu",
    }
}


def task_of(config, family, suffix=None):
    """The task of a configuration, by the class that wrote it.

    Args:
        config: The configuration.
        family: Its `Family`.
        suffix: End of the name of the class to read it as; by default that of
            its `architectures`.
    """
    tasks = [task for task in TASKS if task.is_of(family)]
    known = [task.suffix for task in tasks]
    if suffix is not None:
        check_choice("task", suffix, known)
        name = suffix
    else:
        names = config.get("architectures") or [""]
        name = names[0] if isinstance(names, list) else names
    for task in tasks:
        if isinstance(name, str) and name.endswith(task.suffix):
            _check_always(config, task, family)
            return task
    raise ValueError(
        "`architectures` of config.json must name a model that ends in one of "
        f"{known}, or the argument `task` must be one of them; an encoder "
        "alone is read by BERT.from_hugging_face. Received: "
        f"architectures={config.get('architectures')!r}."
    )


def _check_always(config, task, family):
    always = _ALWAYS.get((task.suffix, family.prefix), {})
    for key, allowed in always.items():
        if config.get(key, allowed) != allowed:
            raise ValueError(
                f"`{key}` of the configuration must be {allowed!r}: nothing "
                f"else is supported. Received: {key}={config[key]!r}."
            )


def task_for(made, family, suffix=None):
    """The task whose head, or heads, are of the same kinds.

    Of two with a `Classification`, the one that is named "next_sentence" is
    `ForNextSentencePrediction`, where the family has it.
    """
    for task in TASKS:
        if suffix not in (None, task.suffix) or not task.is_of(family):
            continue
        if task.fits(dict(by_name(made)), checks_name=suffix is None):
            return task
    raise ValueError(
        f"Hugging Face's {family.name} has no model with such heads. "
        f"Received: heads={made}, task={suffix!r}."
    )


def architecture(task, family):
    """The name of the class there."""
    return family.title + task.suffix


def labels(made):
    """What a configuration says of the labels of a head."""
    return hugging_face_labels.written(made)


def make_heads(task, family, config, encoder, ties):
    """The heads of a task, as the file's class computes them.

    Args:
        task: A `Task`.
        family: A `Family`.
        config: The configuration.
        encoder: A `BERT`.
        ties: Whether the decoder of tokens is the embedding.

    Returns:
        A head, or a dict of heads.
    """
    found = task.make(config)
    changes = {"dropout": _dropout(task, family, config, encoder)}
    masked = {"tie_weights": ties}
    fixed = family.language_model_activation
    if fixed and not same_activation(fixed, encoder.activation):
        masked["activation"] = fixed
    if not isinstance(found, dict):
        return _changed(found, {**changes, **masked})
    return {
        name: _changed(head, {**changes, **masked})
        for name, head in found.items()
    }


def _changed(head, changes):
    """A head of other arguments, of those that it has."""
    config = head.get_config()
    changes = {name: x for name, x in changes.items() if name in config}
    return type(head).from_config({**config, **changes})


def _dropout(task, family, config, encoder):
    key, default = task.dropout.get(family.prefix, (None, 0.0))
    found = config.get(key, default)
    if found is None:
        return encoder.dropout
    if not isinstance(found, (int, float)):
        raise ValueError(
            f"`{key}` of the configuration must be a number. Received: "
            f"{key}={found!r}."
        )
    return found


def head_config(made, task, family):
    """What a configuration says of heads beside their labels."""
    config = {}
    key, _ = task.dropout.get(family.prefix, (None, None))
    for _, head in by_name(made):
        if isinstance(head, heads.MaskedLM):
            config["tie_word_embeddings"] = head.tie_weights
        elif key not in (None, "dropout"):
            config[key] = head.dropout
    return config


def check_heads(made, task, family, encoder):
    """Refuses what the class there would compute in another way."""
    _, pooler = task.pooler_of(family)
    if pooler and not same_activation(pooler, encoder.pooler):
        raise ValueError(
            f"A {architecture(task, family)} of Hugging Face has "
            f"pooler={pooler!r}. Received: pooler={encoder.pooler!r}."
        )
    allowed = family.language_model_activation or encoder.activation
    for _, head in by_name(made):
        if not isinstance(head, heads.MaskedLM):
            continue
        if not same_activation(allowed, head.dense.activation):
            raise ValueError(
                f"A {architecture(task, family)} of Hugging Face has a head "
                f"with activation={allowed!r}. Received: {head.name!r} with "
                f"activation={head.dense.activation!r}."
            )


def alone(made):
    """The head, if it is the only one of a dict; else what was given."""
    several = list(made.values()) if isinstance(made, dict) else []
    return several[0] if len(several) == 1 else made


def by_name(made):
    """Pairs of name and head; alone, a head has its own name."""
    return made.items() if isinstance(made, dict) else [(made.name, made)]
