"""The tensors of heads, by the names of Hugging Face's files."""

import dataclasses

from keras_dl import heads
from keras_dl.applications.bert.hugging_face import Tensor, layer_tensors
from keras_dl.applications.bert.hugging_face_config import ties_embeddings
from keras_dl.applications.bert.hugging_face_heads import by_name


@dataclasses.dataclass(frozen=True)
class MaskedNames:
    """What the parts of a head that predicts tokens are called.

    Attributes:
        dense: The dense layer.
        norm: The normalization.
        decoder: The matrix of the logits, which is tied as a rule.
        biases: Those of the logits, the one that counts first.
    """

    dense: str
    norm: str
    decoder: str
    biases: tuple


_MASKED = {
    "bert": MaskedNames(
        "cls.predictions.transform.dense",
        "cls.predictions.transform.LayerNorm",
        "cls.predictions.decoder.weight",
        ("cls.predictions.decoder.bias", "cls.predictions.bias"),
    ),
    "roberta": MaskedNames(
        "lm_head.dense",
        "lm_head.layer_norm",
        "lm_head.decoder.weight",
        ("lm_head.decoder.bias", "lm_head.bias"),
    ),
    "albert": MaskedNames(
        "predictions.dense",
        "predictions.LayerNorm",
        "predictions.decoder.weight",
        ("predictions.decoder.bias", "predictions.bias"),
    ),
    "distilbert": MaskedNames(
        "vocab_transform",
        "vocab_layer_norm",
        "vocab_projector.weight",
        ("vocab_projector.bias",),
    ),
    "electra": MaskedNames(
        "generator_predictions.dense",
        "generator_predictions.LayerNorm",
        "generator_lm_head.weight",
        ("generator_lm_head.bias",),
    ),
}


def head_shapes(made, task, family, hidden_dim):
    """Shapes of what is as large as there are labels."""
    numbers = [head.num_labels for _, head in by_name(made)]
    name = task.logits.get(family.prefix, "classifier")
    return [(f"{name}.weight", (n, hidden_dim)) for n in numbers if n]


def head_tensors(made, task, family, writes=False):
    """The tensors of a head, or of a dict of heads.

    Args:
        made: The heads.
        task: A `Task`.
        family: A `Family`.
        writes: Whether what is in files twice is there twice.
    """
    return [
        tensor
        for _, head in by_name(made)
        for tensor in _of_head(head, task, family, writes)
    ]


def _of_head(head, task, family, writes):
    if isinstance(head, heads.MaskedLM):
        return _of_masked(head, _MASKED[family.prefix], writes)
    if isinstance(head, heads.ReplacedTokenDetection):
        return [
            *layer_tensors("discriminator_predictions.dense", head.dense),
            *layer_tensors(task.logits[family.prefix], head.logits),
        ]
    name = (
        "qa_outputs" if isinstance(head, heads.ExtractiveQA) else "classifier"
    )
    return layer_tensors(task.logits.get(family.prefix, name), head.logits)


def _of_masked(head, names, writes):
    first, *others = names.biases
    found = [
        *layer_tensors(names.dense, head.dense),
        *layer_tensors(names.norm, head.norm),
    ]
    if head.tie_weights and writes:
        # Of tied ones, transformers writes the last alone.
        return [*found, Tensor(names.biases[-1], head.bias)]
    idle = () if head.tie_weights else tuple(others)
    found.append(Tensor(first, head.bias, tuple(others), idle))
    if not head.tie_weights:
        found.append(Tensor(names.decoder, head.embeddings))
        if writes:
            found += [Tensor(name, head.bias) for name in others]
    return found


def decoder(family):
    """Name of the matrix that is tied to the token embedding."""
    return _MASKED[family.prefix].decoder


def ties(file, task=None):
    """Whether the decoder of a file is its embedding.

    The configuration may say so where the file holds two that differ.
    """
    family = file.family
    embedding = f"{family.prefix}.embeddings.word_embeddings.weight"
    return ties_embeddings(file.config) and file.are_equal(
        embedding, decoder(family)
    )
