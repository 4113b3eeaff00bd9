"""What a decoder reads and writes of a fragment that is hidden."""

import numpy as np

from keras_dl.text.examples.batch_parts import BatchPart
from keras_dl.text.masking.masking import check_vocabulary


class FragmentDecoding(BatchPart):
    """Lets a decoder write what is hidden from the encoder (MASS).

    For a hidden fragment `s ... e` of the tokens `x` the decoder is to predict
    `x_s ... x_e`, each from the token before it, which it reads at its place
    in the text:

        decoder_ids       = x_{s-1}, x_s, ..., x_{e-1}
        decoder_positions = s - 1,   s,   ..., e - 1
        fragment          = x_s, x_{s+1}, ..., x_e

    A part of `MaskedBatches` with `FragmentMasking`, for the head
    `keras_dl.heads.TransformerDecoder`. It adds arrays:

    | name                | shape           | what                          |
    |---------------------|-----------------|-------------------------------|
    | **x**               |                 |                               |
    | `decoder_ids`       | `(rows, limit)` | as above, then padding        |
    | `decoder_positions` | `(rows, limit)` | as above, then 0              |
    | `memory_mask`       | `(rows, time)`  | false where a `[MASK]` stands |
    | **y**               |                 |                               |
    | `fragment`          | `(rows, limit)` | as above, then padding        |

    `int32`, and booleans. With another masking, the tokens before and after
    what is visible are the same, piece by piece; a fragment of one token is
    told from the encoder alone, as a masked token is.

    Args:
        vocabulary: The `Vocabulary` of the ids.
        hides_masks: Whether there is a `memory_mask`, by which the decoder
            does not see the encoder's outputs where a `[MASK]` stands.
        masked_tokens: Whether `masked_positions` and `masked_tokens` stay, for
            a `keras_dl.heads.MaskedLM` beside the decoder.

    Raises:
        ValueError: If the vocabulary has no mask or padding token, or a row
            does not begin with a special token: nothing would be before it.

    Example:

    >>> words = keras_dl.text.WordVocabulary(list("abc"), ["[MASK]"])
    >>> batches = keras_dl.text.MaskedBatches(
    ...     np.array([[2, 5, 6, 7, 6, 3]]),
    ...     keras_dl.text.FragmentMasking(words, mask=1.0, random=0.0),
    ...     words,
    ...     extras=[FragmentDecoding(words)],
    ... )
    >>> x, y = batches[0]
    >>> x["token_ids"].tolist(), x["decoder_ids"].tolist()
    ([[2, 4, 4, 7, 6, 3]], [[2, 5, 0]])
    >>> y["fragment"].tolist()
    [[5, 6, 0]]

    Reference:
        Song et al., "MASS: Masked Sequence to Sequence Pre-training for
        Language Generation", 2019, and its code for translation; that for
        summaries has no `memory_mask`. In the paper the first token that the
        decoder reads is a `[MASK]`; here, as in both codes, it is the one
        before the fragment, which the encoder sees.
    """

    def __init__(self, vocabulary, hides_masks=True, masked_tokens=False):
        check_vocabulary(vocabulary)
        self.hides_masks = hides_masks
        self.masked_tokens = masked_tokens
        self._pad_id = vocabulary.special_id("pad")
        self._mask_id = vocabulary.special_id("mask")
        self._special_ids = vocabulary.special_ids

    def check(self, packed):
        first = packed.token_ids[:, 0]
        (wrong,) = np.nonzero(~np.isin(first, self._special_ids))
        if wrong.size:
            raise ValueError(
                "`packed` must have a special token, such as [START], at the "
                f"beginning of each row. Received: row {wrong[0]}, which "
                f"begins with {first[wrong[0]]}."
            )

    def __call__(self, x, y, rows, generator):
        masked, positions = x["token_ids"], x["masked_positions"]
        hidden = y["masked_tokens"]
        used = hidden != -1
        ids = masked.copy()
        ids[np.nonzero(used)[0], positions[used]] = hidden[used]
        before = np.where(used, positions - 1, np.int32(0))
        read = np.take_along_axis(ids, before, axis=1)
        pad = np.int32(self._pad_id)
        x = {
            **x,
            "decoder_ids": np.where(used, read, pad),
            "decoder_positions": before,
        }
        y = {**y, "fragment": np.where(used, hidden, pad)}
        if self.hides_masks:
            x["memory_mask"] = masked != self._mask_id
        if not self.masked_tokens:
            del x["masked_positions"], y["masked_tokens"]
        return x, y
