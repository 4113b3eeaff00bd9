"""What an encoder is called with: names, checks, and masks."""

import numpy as np
from keras import ops

from keras_dl.layers import attention_pattern_mask, combine_masks
from keras_dl.layers.attention.attention_patterns import ATTENTION_PATTERNS
from keras_dl.layers.lookup import in_range, nan_unless
from keras_dl.models.encoder import check_length
from keras_dl.models.ranges import check_ids

INPUTS = (
    "token_ids",
    "segment_ids",
    "padding_mask",
    "attention_mask",
    "attention_pattern",
    "entity_ids",
)
_SEQ2SEQ = ATTENTION_PATTERNS.index("seq2seq")


def read(encoder, inputs):
    """The inputs as a dict, of names that there are, with the mask."""
    inputs = _named(encoder, inputs)
    real = inputs.get("padding_mask")
    if real is None:
        real = ops.not_equal(inputs["token_ids"], encoder.pad_id)
    return {**inputs, "padding_mask": ops.cast(real, "bool")}


def seen(x, inputs):
    """What tokens may see, beside the padding mask: a mask, or `None`.

    Args:
        x: What goes into the first block.
        inputs: What `read` returned.

    Returns:
        `x`, with NaN in rows of a pattern that there is not, and the mask.
    """
    mask, pattern = map(inputs.get, ("attention_mask", "attention_pattern"))
    if pattern is None:
        return x, combine_masks(mask)
    segments = inputs.get("segment_ids")
    target = None if segments is None else ops.equal(segments % 2, 1)
    of_pattern = attention_pattern_mask(pattern, ops.shape(x)[1], target)
    known = in_range(ops.reshape(pattern, (-1, 1)), len(ATTENTION_PATTERNS))
    return nan_unless(known, x), combine_masks(mask, of_pattern)


def check_arrays(encoder, inputs):
    """Refuses arrays with ids that do not exist, and texts too long."""
    inputs = _named(encoder, inputs)
    stream = encoder.entity_stream
    for name, lowest, size in (
        ("token_ids", 0, encoder.vocabulary_size),
        ("segment_ids", 0, encoder.num_segments),
        ("attention_pattern", 0, len(ATTENTION_PATTERNS)),
        ("entity_ids", -1, stream.num_entities if stream else 0),
    ):
        ids = inputs.get(name)
        if not isinstance(ids, np.ndarray) or not ids.size:
            continue
        check_ids(name, ids, lowest, size)
        if name != "attention_pattern":
            check_length(name, ids, encoder.max_sequence_length)
    _check_target(inputs)


def _check_target(inputs):
    pattern, segments = map(inputs.get, ("attention_pattern", "segment_ids"))
    if segments is not None or not isinstance(pattern, np.ndarray):
        return
    if (pattern == _SEQ2SEQ).any():
        raise ValueError(
            "`segment_ids` must be given where `attention_pattern` is "
            f"{_SEQ2SEQ}, sequence to sequence: odd ones are the target. "
            f"Received: {sorted(inputs)}."
        )


def _named(encoder, inputs):
    """The inputs as a dict, if the model has a part for each of them."""
    if not isinstance(inputs, dict):
        inputs = {"token_ids": inputs}
    if "token_ids" not in inputs or not set(inputs) <= set(INPUTS):
        raise ValueError(
            "`inputs` must be token ids, or a dict with 'token_ids' and "
            f"any of {list(INPUTS[1:])}. Received: {sorted(inputs)}."
        )
    for name, part, parts in (
        ("segment_ids", encoder.num_segments, "segments (num_segments=0)"),
        ("entity_ids", encoder.entity_stream, "entities (entity_stream=None)"),
    ):
        if inputs.get(name) is not None and not part:
            raise ValueError(
                f"`{name}` must be left out for a model without {parts}. "
                f"Received: {name}."
            )
    return inputs
