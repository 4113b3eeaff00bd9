"""The heads of BERT's family in Hugging Face's files."""

import dataclasses

from keras_dl import heads
from keras_dl.applications.bert import hugging_face_labels
from keras_dl.applications.bert.hugging_face import (
    CLASSES,
    Tensor,
    layer_tensors,
)

# Dense, normalization and bias of the masked tokens, and their copies.
_MASKED = {
    "bert": (
        "cls.predictions.transform.dense",
        "cls.predictions.transform.LayerNorm",
        "cls.predictions.bias",
        "cls.predictions.decoder.",
    ),
    "roberta": (
        "lm_head.dense",
        "lm_head.layer_norm",
        "lm_head.bias",
        "lm_head.decoder.",
    ),
    "albert": (
        "predictions.dense",
        "predictions.LayerNorm",
        "predictions.bias",
        "predictions.decoder.",
    ),
    "distilbert": (
        "vocab_transform",
        "vocab_layer_norm",
        "vocab_projector.bias",
        "vocab_projector.weight",
    ),
}
_SENTENCES = {
    "bert": "cls.seq_relationship",
    "albert": "sop_classifier.classifier",
}


@dataclasses.dataclass(frozen=True)
class Task:
    """A kind of model with a head.

    Attributes:
        suffix: End of the name of its class.
        make: Configuration, of which it reads the labels, to head, or to dict
            of heads.
        pooler: Name of the pooler by family, where it is part of the head,
            and its activation.
        logits: Name of the last layer by family, where it is another one.
    """

    suffix: str
    make: object
    pooler: dict = dataclasses.field(default_factory=dict)
    logits: dict = dataclasses.field(default_factory=dict)
    is_pooled: bool = True


def _pretraining(config):
    return {
        "masked_tokens": heads.MaskedLM(),
        "next_sentence": heads.Classification(2, dropout=0.0),
    }


_PRE_CLASSIFIER = {"distilbert": ("pre_classifier", "relu")}
TASKS = (
    Task("ForMaskedLM", lambda config: heads.MaskedLM(), is_pooled=False),
    Task("ForPreTraining", _pretraining, logits=_SENTENCES),
    Task(
        "ForSequenceClassification",
        hugging_face_labels.classifier,
        pooler={**_PRE_CLASSIFIER, "roberta": ("classifier.dense", "tanh")},
        logits={"roberta": "classifier.out_proj"},
    ),
    Task(
        "ForMultipleChoice",
        lambda config: heads.MultipleChoice(),
        pooler=_PRE_CLASSIFIER,
    ),
    Task("ForTokenClassification", hugging_face_labels.tagger, is_pooled=False),
    Task(
        "ForQuestionAnswering",
        lambda config: heads.ExtractiveQA(),
        is_pooled=False,
    ),
    Task(
        "ForNextSentencePrediction",
        lambda config: heads.Classification(2, dropout=0.0),
        logits=_SENTENCES,
    ),
)


def task_of(config):
    """The task of a configuration, by the class that wrote it."""
    names = config.get("architectures") or [""]
    for task in TASKS:
        if names[0].endswith(task.suffix):
            return task
    raise ValueError(
        "`architectures` of config.json must name a model that ends in one of "
        f"{[task.suffix for task in TASKS]}; an encoder alone is read by "
        f"BERT.from_hugging_face. Received: architectures={names}."
    )


def task_for(made, family, suffix=None):
    """The task whose head, or heads, are of the same kinds."""
    for task in TASKS:
        if suffix not in (None, task.suffix):
            continue
        if not task.logits or task.suffix == "ForSequenceClassification":
            known = True
        else:
            known = family.name in task.logits
        if known and _kinds(task.make(labels(made))) == _kinds(made):
            return task
    raise ValueError(
        f"Hugging Face's {family.name} has no model with such heads. "
        f"Received: heads={made}, task={suffix!r}."
    )


def architecture(task, family):
    """The name of the class there."""
    return CLASSES[family.name] + task.suffix


def labels(made):
    """What a configuration says of the labels of a head."""
    return hugging_face_labels.written(made)


def head_tensors(made, task, family):
    """The tensors of a head, or of a dict of heads."""
    several = made.values() if isinstance(made, dict) else [made]
    return [tensor for h in several for tensor in _of_head(h, task, family)]


def _of_head(head, task, family):
    if isinstance(head, heads.MaskedLM):
        dense, norm, bias, _ = _MASKED[family.name]
        return [
            *layer_tensors(dense, head.dense),
            *layer_tensors(norm, head.norm),
            Tensor(bias, head.bias),
        ]
    name = (
        "qa_outputs" if isinstance(head, heads.ExtractiveQA) else "classifier"
    )
    return layer_tensors(task.logits.get(family.name, name), head.logits)


def copies(family):
    """Prefixes of tensors that repeat others: tied weights."""
    return (_MASKED[family.name][3],)


def _kinds(made):
    if isinstance(made, dict):
        return sorted(type(head).__name__ for head in made.values())
    return type(made)
