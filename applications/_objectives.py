"""The objectives of pre-training by name: heads, targets and metrics."""

from keras_dl import heads
from keras_dl.checks import check_choice
from keras_dl.heads.head import NO_TARGET
from keras_dl.heads.tied_head import TiedHead
from keras_dl.metrics import Perplexity

_PAIRS = {"num_classes": 2, "dropout": 0.0}
# The head of each objective, its arguments, and what batches call its targets.
_OBJECTIVES = {
    "masked_tokens": (heads.MaskedLM, {}, "masked_tokens"),
    "next_sentence": (heads.Classification, _PAIRS, "next_sentence"),
    "sentence_order": (heads.Classification, _PAIRS, "next_sentence"),
    "span_boundary": (heads.SpanBoundary, {}, "masked_tokens"),
    "fragment": (heads.TransformerDecoder, {}, "fragment"),
    "entities": (heads.EntityAlignment, {}, "entities"),
}


def make_heads(given):
    """The head of an objective, or a dict of several."""
    if isinstance(given, (list, tuple)):
        return {name: make_heads(name) for name in given}
    if not isinstance(given, str):
        return given
    kind, arguments, _ = _OBJECTIVES[check_choice("heads", given, _OBJECTIVES)]
    return kind(**arguments)


def target(name, head):
    """What batches call the targets of an objective, or of a head alone."""
    for objective, (kind, _, target) in _OBJECTIVES.items():
        if name == objective or (not name and isinstance(head, kind)):
            return target
    return name


def metrics(head):
    """The metrics of a head, and the perplexity of the tokens it predicts."""
    found = head.default_metrics()
    has_one = any(isinstance(metric, Perplexity) for metric in found)
    if isinstance(head, TiedHead) and not has_one:
        found.append(Perplexity(ignore_class=NO_TARGET))
    return found
