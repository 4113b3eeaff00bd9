"""Prompts as they come, checked, and as the model takes them."""

import keras
import numpy as np

from keras_dl.generation.models import length_limit
from keras_dl.text import as_vocabulary


def read_prompts(model, prompts, vocabulary, max_new_tokens):
    """Checks prompts, and turns them into ids."""
    own, new = vocabulary, vocabulary
    if isinstance(vocabulary, (list, tuple)):
        own, new = vocabulary
    own = None if own is None else as_vocabulary(own)
    new = None if new is None else as_vocabulary(new)
    if keras.ops.is_tensor(prompts):
        prompts = keras.ops.convert_to_numpy(prompts)
    if not isinstance(prompts, (str, list, tuple, np.ndarray)):
        raise ValueError(
            "`prompts` must be a string, a list of ids, or a list of these. "
            f"Received: prompts={prompts!r}."
        )
    single = isinstance(prompts, str) or _is_ids(prompts)
    rows = [prompts] if single else list(prompts)
    if not rows:
        raise ValueError(
            "`prompts` must hold at least one prompt. Received: prompts=[]."
        )
    text = isinstance(rows[0], str)
    if text and own is None:
        raise ValueError(
            "`vocabulary` is needed to read prompts that are strings. "
            f"Received: prompts={prompts!r}, vocabulary=None."
        )
    ids = [_as_ids(own.encode(row) if text else row) for row in rows]
    for row, given in zip(ids, rows, strict=True):
        _check(row, given, model, max_new_tokens)
    return Prompts(ids, single, text, new)


class Prompts:
    """Prompts as rows of ids.

    Args:
        ids: List of integer arrays, one for each prompt.
        single: Whether a single prompt was given, not a list.
        text: Whether prompts were strings.
        vocabulary: Vocabulary of what is generated, or `None`.
    """

    def __init__(self, ids, single, text, vocabulary):
        self.ids, self.single, self.text = ids, single, text
        self.vocabulary = vocabulary

    def padded(self, limit=None):
        """Ids and mask, padded on the left to a rounded length."""
        width = rounded(max(map(len, self.ids)))
        width = min(width, limit or width)
        ids = np.zeros((len(self.ids), width), "int32")
        mask = np.zeros(ids.shape, bool)
        for row, one in enumerate(self.ids):
            ids[row, width - len(one) :] = one
            mask[row, width - len(one) :] = True
        return ids, mask

    def answers(self, results):
        """What was generated for each, in the form of the prompts."""
        if not self.text:
            return results
        return [self.vocabulary.decode(row) for row in results]

    def answer(self, results):
        """Likewise; alone for a single prompt."""
        answers = self.answers(results)
        return answers[0] if self.single else answers


def rounded(length):
    """The next multiple of 16, so that few lengths are compiled."""
    return -(-length // 16) * 16


def _is_ids(prompts):
    return (
        len(prompts) > 0
        and not isinstance(prompts[0], (str, list, tuple))
        and np.ndim(prompts[0]) == 0
    )


def _as_ids(row):
    """An array of ids, or of what is none."""
    try:
        return np.asarray(row)
    except ValueError:  # Lists of several lengths are in it.
        return np.asarray([None])


def _check(ids, given, model, max_new_tokens):
    if ids.size == 0:
        raise ValueError(
            "`prompts` must not be empty: a model needs a token to begin "
            f"with. Received: {given!r} among the prompts."
        )
    if ids.ndim != 1 or not np.issubdtype(ids.dtype, np.integer):
        raise ValueError(
            "`prompts` must be strings or lists of integer ids. Received: "
            f"{given!r} among the prompts."
        )
    size = getattr(model, "vocabulary_size", None)
    if getattr(model, "reads_source", False):
        size = model.input_sizes[0]
    if ids.min() < 0 or (size is not None and ids.max() >= size):
        raise ValueError(
            "`prompts` hold ids that are not in the model's vocabulary: ids "
            f"from 0 to {'any' if size is None else size - 1} are allowed. "
            f"Received: ids from {ids.min()} to {ids.max()}."
        )
    limit = length_limit(model)
    if limit is None:
        return
    if getattr(model, "reads_source", False):
        needed = max(len(ids), max_new_tokens)
    else:
        needed = len(ids) + max_new_tokens - 1
    if needed > limit:
        raise ValueError(
            f"The model has {limit} positions (`max_sequence_length`), too few "
            f"for a prompt of {len(ids)} tokens and "
            f"max_new_tokens={max_new_tokens}."
        )
