"""F1 of named entities, as conlleval and seqeval count them."""

import keras
import numpy as np
from keras import ops

from keras_dl import tokens
from keras_dl.checks import check_choice
from keras_dl.metrics._parts import rows
from keras_dl.metrics._parts.sums import Sums
from keras_dl.metrics.tag_chunks import (
    LAST,
    check_reading,
    distinct_tags,
    goes_on,
    split_tag,
)

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
    entity, and no sequence is invalid. `"bio"` and `"iob1"` are read alike, and
    `"bilou"` as `"bioes"`, with L for E and U for S.

    By `strict=True`, an entity counts only if it is whole, as in seqeval's
    `mode="strict"`: it begins with B (IOB2), and of `"bioes"` it begins with B
    and ends with E, or is an S.

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
        scheme: `"bio"` or `"iob1"`, with B and I, `"bioes"`, with E at the
            end of an entity and S for one of a single token, or `"bilou"`,
            with L and U for these.
        strict: Whether only whole entities count; not of `"iob1"`.
        suffix: Whether the letter stands behind the type, as in `"PER-B"`.
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
    >>> metric.report()["PER"]
    {'f1': 0.667, 'precision': 0.5, 'recall': 1.0, 'support': 1.0}

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
        strict=False,
        suffix=False,
    ):
        self.score = check_choice("score", score, _SCORES)
        check_reading(scheme, strict, suffix)
        self.scheme, self.strict, self.suffix = scheme, strict, suffix
        parts = [split_tag(tag, scheme, suffix) for tag in distinct_tags(tags)]
        # Types, that of O last; one more tag stands for what does not count.
        parts.append(("O", ""))
        types = sorted({kind for _, kind in parts} - {""})
        self._types = types = (*types, "")
        super().__init__(
            (3, len(types)), name=name or f"entity_{score}", dtype=dtype
        )
        self.ignore_class = tokens.check_ignore_class(ignore_class)
        self.tags = list(tags)
        self._type = np.array([types.index(kind) for _, kind in parts])
        self._first = np.array([letter in "BS" for letter, _ in parts])
        last = LAST[scheme] if strict else ""
        self._last = np.array([letter in last for letter, _ in parts])
        self._inside = np.array([letter != "O" for letter, _ in parts])
        self._goes_on = np.array(
            [[goes_on(before, tag) for tag in parts] for before in parts]
        )

    @property
    def label_names(self):
        """The tags, which a model of the same tags is compared with."""
        return tuple(self.tags)

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true = tokens.as_indices(y_true)
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
        known, weights = known[:, None], weights[:, None]
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
        """Entities in both, the predictions, the targets, by row and type."""
        begins, type_, end = self._entities(y_true)
        predicted_begins, predicted_type, predicted_end = self._entities(y_pred)
        same = ops.equal(type_, predicted_type) & ops.equal(end, predicted_end)
        both = begins & predicted_begins & same
        types = ops.arange(len(self._types), dtype="int32")
        found = ops.stack(
            [
                begun[..., None] & ops.equal(of[..., None], types)
                for begun, of in (
                    (both, type_),
                    (predicted_begins, predicted_type),
                    (begins, type_),
                )
            ]
        )
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
        begins = inside & ~goes_on
        if self.strict:
            # Where no entity is left, `end` lies behind the last token.
            at = ops.minimum(end, ops.shape(indices)[1] - 1)
            last = ops.take_along_axis(
                _look_up(self._last, indices), at, axis=1
            )
            begins = begins & _look_up(self._first, indices) & last
        return begins, _look_up(self._type, indices), end

    def scores(self):
        """A dictionary of `"f1"`, `"precision"` and `"recall"` so far."""
        sums = ops.sum(ops.convert_to_tensor(self.sums), axis=1)
        both, predicted, true = ops.unstack(sums)
        return {
            "f1": ops.divide_no_nan(2.0 * both, predicted + true),
            "precision": ops.divide_no_nan(both, predicted),
            "recall": ops.divide_no_nan(both, true),
        }

    def report(self):
        """The scores of each type so far, as seqeval reports them.

        Not within compiled code.

        Returns:
            A dictionary by type of `{"f1": ..., "precision": ..., "recall":
            ..., "support": ...}`, with the number of entities in the targets.
            Types that are neither in the targets nor in the predictions are
            left out. `"micro avg"` counts all entities alike, `"macro avg"` is
            the mean over the types, `"weighted avg"` that by their support.
        """
        sums = np.float64(ops.convert_to_numpy(self.sums))
        seen = np.flatnonzero((sums[1:] != 0).any(axis=0))
        scores = _scores_of(sums[:, seen])
        by_type = np.concatenate([scores, sums[2:, seen]]).T
        support = sums[2].sum()
        shares = sums[2, seen] / support if support else np.zeros(len(seen))
        averages = {
            "micro avg": _scores_of(sums.sum(axis=1)),
            "macro avg": scores.mean(axis=1) if seen.size else np.zeros(3),
            "weighted avg": scores @ shares,
        }
        rows = {
            self._types[i]: row for i, row in zip(seen, by_type, strict=True)
        }
        rows |= {name: [*row, support] for name, row in averages.items()}
        names = (*_SCORES, "support")
        return {
            name: dict(zip(names, map(float, row), strict=True))
            for name, row in rows.items()
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
            "strict": self.strict,
            "suffix": self.suffix,
        }


def _scores_of(sums):
    """F1, precision and recall of sums: both, predicted and true."""
    both, predicted, true = sums
    parts = ((2 * both, predicted + true), (both, predicted), (both, true))
    return np.array([a / np.where(b == 0, 1.0, b) for a, b in parts])


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
