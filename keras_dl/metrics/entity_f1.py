"""F1 of named entities, as conlleval and seqeval count them."""

import re

import keras
import numpy as np
from keras import ops

from keras_dl import tokens
from keras_dl.checks import check_choice
from keras_dl.metrics._parts import rows
from keras_dl.metrics._parts.sums import Sums

_LETTERS = {"bio": "BI", "iob1": "BI", "bioes": "BIES"}
_SCORES = ("f1", "precision", "recall")


@keras.saving.register_keras_serializable("keras_dl")
class EntityF1(Sums):
    """F1 of entities, right if their type and both ends are right.

        precision = c / p,  recall = c / t,  F1 = 2 c / (p + t)

    with t entities in the targets, p in the predictions and c in both, over
    all sentences since the last reset and over all types (micro average). It
    is the metric of CoNLL-2003.

    **Reading of tags.** As conlleval reads them, and seqeval unless it is told
    to be strict: an entity goes on from B or I to I or E of the same type; all
    else that is not O begins one. So I after O, or of another type, begins an
    entity, and no sequence is invalid. `"bio"` and `"iob1"` are read alike.

    **Shapes and units.** `y_true` holds indices into `tags`, of shape
    `(batch, T)`. `y_pred` holds indices of the same shape, or logits or
    probabilities `(batch, T, tags)`, whose largest entry is taken. The result
    lies in [0, 1], and is 0 as long as it is not defined.

    **Masking.** A token does not count if its target is `ignore_class`, if the
    mask that Keras attaches to `y_pred` says so, or if its own `sample_weight`
    is 0. It is skipped as if it were not there: an entity goes on over it, as
    over the later pieces of a word of which only the first has a tag. An index
    that is no tag, and not `ignore_class`, makes the result NaN.

    **Weights.** `sample_weight` of shape `(batch,)` or `(batch, 1)` weighs the
    sentences; of the shape of `y_true` it only says which tokens are real.

    Args:
        tags: The tags in the order of their indices, such as
            `["O", "B-PER", "I-PER"]`. A tag without a type, such as `"B"`, has
            the type `"_"`.
        scheme: `"bio"` or `"iob1"`, with B and I, or `"bioes"`, with E at the
            end of an entity and S for one of a single token.
        score: What `result` gives: `"f1"`, `"precision"` or `"recall"`.
        ignore_class: Index whose positions do not count, several in a tuple,
            or `None`.
        name: Name of the metric; `"entity_"` and the score by default.
        dtype: Dtype of the metric, as `keras.metrics.Metric` takes it.

    Raises:
        ValueError: If an argument is not allowed, or the shapes do not fit.

    Example:

    >>> metric = EntityF1(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"])
    >>> metric.update_state([[1, 2, 0, 3, -1]], [[1, 2, 0, 1, 0]])
    >>> metric.result()
    0.5

    Reference:
        Tjong Kim Sang and De Meulder, "Introduction to the CoNLL-2003 Shared
        Task: Language-Independent Named Entity Recognition", 2003. Ramshaw and
        Marcus, "Text Chunking using Transformation-Based Learning", 1995.
    """

    _direction = "up"  # Read by callbacks with mode="auto".

    def __init__(
        self,
        tags,
        scheme="bio",
        score="f1",
        ignore_class=(-1, -100),
        name=None,
        dtype=None,
    ):
        self.score = check_choice("score", score, _SCORES)
        super().__init__((3,), name=name or f"entity_{score}", dtype=dtype)
        self.scheme = check_choice("scheme", scheme, tuple(_LETTERS))
        self.ignore_class = tokens.check_ignore_class(ignore_class)
        parts = [_split(tag, _LETTERS[scheme]) for tag in _distinct(tags)]
        self.tags = list(tags)
        # One more tag stands for what does not count.
        parts.append(("O", ""))
        types = sorted({kind for _, kind in parts})
        self._type = np.array([types.index(kind) for _, kind in parts])
        self._inside = np.array([letter != "O" for letter, _ in parts])
        self._goes_on = np.array(
            [[_goes_on(before, tag) for tag in parts] for before in parts]
        )

    @property
    def label_names(self):
        """The tags, which a model of the same tags is compared with."""
        return tuple(self.tags)

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true = ops.cast(ops.convert_to_tensor(y_true), "int32")
        if not hasattr(y_pred, "shape"):
            y_pred = ops.convert_to_tensor(y_pred)
        self._check_shapes(y_true, y_pred)
        weights, real = rows.split_weights(sample_weight, y_true)
        real = tokens.token_weights(y_true, y_pred, real, self.ignore_class)
        real = ops.ones_like(y_true) if real is None else real
        real = ops.not_equal(real, 0)
        weights = rows.weights_of_rows(real, weights)
        y_pred = rows.predicted_indices(y_pred, 2)
        known = self._is_tag(y_true) & self._is_tag(y_pred)
        known = ops.all(known | ops.logical_not(real), axis=1)
        counts = self._counts(*self._without_gaps(real, y_true, y_pred))
        counts = ops.where(known, ops.cast(counts, "float32"), float("nan"))
        # A sentence that does not count adds nothing, not even NaN.
        counts = ops.where(ops.equal(weights, 0.0), 0.0, weights * counts)
        self.add_to_sums(ops.sum(counts, axis=1))

    def _check_shapes(self, y_true, y_pred):
        rows.check_shapes(y_true, y_pred)
        true, pred = tuple(y_true.shape), tuple(y_pred.shape)
        number = len(self.tags)
        if len(true) != 2 or (len(pred) == 3 and pred[2] not in (None, number)):
            raise ValueError(
                "`y_true` must have the shape `(batch, T)`, and `y_pred` that "
                f"shape or `(batch, T, {number})`, with the number of tags. "
                f"Received: y_true.shape={true}, y_pred.shape={pred}."
            )

    def _is_tag(self, indices):
        return (indices >= 0) & (indices < len(self.tags))

    def _without_gaps(self, real, *sequences):
        """Moves the real tokens of each row to its front, in their order."""
        number = len(self.tags)
        positions = ops.arange(ops.shape(real)[1], dtype="int32")[None]
        behind = positions + ops.shape(real)[1]
        order = ops.argsort(ops.where(real, positions, behind), axis=1)
        for indices in sequences:
            indices = ops.where(real, ops.clip(indices, 0, number - 1), number)
            yield ops.take_along_axis(indices, order, axis=1)

    def _counts(self, y_true, y_pred):
        """Entities in both, in the predictions and in the targets, by row."""
        begins, type_, end = self._entities(y_true)
        predicted_begins, predicted_type, predicted_end = self._entities(y_pred)
        same = ops.equal(type_, predicted_type) & ops.equal(end, predicted_end)
        both = begins & predicted_begins & same
        found = ops.stack([both, predicted_begins, begins])
        return ops.sum(ops.cast(found, "int32"), axis=2)

    def _entities(self, indices):
        """Where entities begin; and the type there, and where they end."""
        outside = len(self.tags)
        before = ops.pad(
            indices[:, :-1], ((0, 0), (1, 0)), constant_values=outside
        )
        after = ops.pad(
            indices[:, 1:], ((0, 0), (0, 1)), constant_values=outside
        )
        inside = _look_up(self._inside, indices)
        goes_on = _look_up(self._goes_on, before * (outside + 1) + indices)
        is_last = ~_look_up(self._goes_on, indices * (outside + 1) + after)
        end = _next(inside & is_last)
        return inside & ~goes_on, _look_up(self._type, indices), end

    def scores(self):
        """A dictionary of `"f1"`, `"precision"` and `"recall"` so far."""
        both, predicted, true = ops.unstack(ops.convert_to_tensor(self.sums))
        return {
            "f1": ops.divide_no_nan(2.0 * both, predicted + true),
            "precision": ops.divide_no_nan(both, predicted),
            "recall": ops.divide_no_nan(both, true),
        }

    def result(self):
        return self.scores()[self.score]

    def get_config(self):
        return {
            **super().get_config(),
            "tags": self.tags,
            "scheme": self.scheme,
            "score": self.score,
            "ignore_class": self.ignore_class,
        }


def tag_chunks(tags):
    """The entities in the tags of one sentence.

    Tags are read as by `EntityF1`, of every scheme: I after O, or of another
    type, begins an entity.

    Args:
        tags: A list of tags such as `"O"`, `"B-PER"`, `"I-PER"`, `"E-PER"`,
            `"S-PER"`, or without a type, which is then `"_"`.

    Returns:
        A list of tuples of the type, and the positions of the first and the
        last token.

    Raises:
        ValueError: If a tag is none of these.

    Example:

    >>> tag_chunks(["B-PER", "I-PER", "O", "I-LOC"])
    [('PER', 0, 1), ('LOC', 3, 3)]
    """
    found, before = [], ("O", "")
    for i, tag in enumerate(_list_of_tags(tags)):
        tag = _split(tag, "BIES")
        if _goes_on(before, tag):
            found[-1] = (*found[-1][:2], i)
        elif tag[0] != "O":
            found.append((tag[1], i, i))
        before = tag
    return found


def _split(tag, letters):
    """A tag's letter and type."""
    match = re.fullmatch(f"(O)|([{letters}])(?:-(.+))?", tag)
    if not match:
        raise ValueError(
            f"`tags` must be 'O', or one of {', '.join(letters)} with '-' and "
            f"a type. Received: {tag!r}."
        )
    return ("O", "") if match[1] else (match[2], match[3] or "_")


def _goes_on(before, tag):
    """Whether an entity goes on from one letter and type to the next."""
    return before[0] in "BI" and tag[0] in "IE" and before[1] == tag[1]


def _list_of_tags(tags):
    one = isinstance(tags, str) or not hasattr(tags, "__iter__")
    tags = tags if one else list(tags)
    if one or not all(isinstance(tag, str) for tag in tags):
        raise ValueError(
            f"`tags` must be a list of strings. Received: tags={tags!r}."
        )
    return tags


def _distinct(tags):
    tags = _list_of_tags(tags)
    if not tags or len(set(tags)) < len(tags):
        raise ValueError(
            "`tags` must be a list of different tags, at least one. "
            f"Received: tags={tags}."
        )
    return tags


def _look_up(table, indices):
    return ops.take(ops.convert_to_tensor(table.reshape(-1)), indices)


def _next(events):
    """For each position the next event, from there on, if there is one."""
    events = ops.cast(events, "int32")
    length = ops.shape(events)[1]
    positions = ops.arange(length, dtype="int32")[None]
    in_order = ops.sort(ops.where(events > 0, positions, length), axis=1)
    passed = ops.cumsum(events, axis=1) - events
    return ops.take_along_axis(in_order, passed, axis=1)
