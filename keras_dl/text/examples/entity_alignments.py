"""Entities of texts, of which some are wrong or hidden, for pre-training."""

import numpy as np

from keras_dl.checks import check_integer
from keras_dl.text.examples.batch_parts import BatchPart, check_aligned
from keras_dl.text.masking.masking import check_share, masked_positions

_CANDIDATES = 64


class EntityAlignments(BatchPart):
    """Entities to read, some of them corrupted, and what they are (ERNIE).

        e'_t = another entity   with probability replaced
               none             with probability hidden
               e_t              otherwise

    The denoising entity auto-encoder: a part of `MaskedBatches`, for an
    encoder with a `keras_dl.layers.EntityStream` and the head
    `keras_dl.heads.EntityAlignment`, which is to find each `e_t` among the
    candidates. It adds `int32` arrays:

    | name                | shape                | what                       |
    |---------------------|----------------------|----------------------------|
    | **x**               |                      |                            |
    | `entity_ids`        | `(rows, time)`       | `e'_t`; -1: none           |
    | `entity_positions`  | `(rows, limit)`      | where there is an `e_t`;   |
    |                     |                      | then 0                     |
    | `entity_candidates` | `(rows, candidates)` | entities to choose from;   |
    |                     |                      | then -1                    |
    | **y**               |                      |                            |
    | `entities`          | `(rows, limit)`      | which candidate `e_t` is;  |
    |                     |                      | -1 in slots that are not   |
    |                     |                      | used                       |

    Candidates are the entities of the row, and others of the batch as long as
    there are some and room is left. Those that replace others are of the
    batch, too.

    Args:
        entity_ids: Integers of the shape of the texts: at the first token of a
            mention its entity, -1 elsewhere.
        replaced: Probability that an entity is replaced.
        hidden: Probability that it is hidden.
        num_candidates: Number of candidates. `None`: 64, or as many as a row
            has entities, if they are more.

    Attributes:
        limit: Number of slots for entities: the largest number in a row.
        num_candidates: Number of candidates.

    Raises:
        ValueError: If an argument is not allowed, or `num_candidates` is less
            than the number of different entities in a row.

    Example: entity 0 at the first token of a text, and entity 4 at the third.

    >>> words = keras_dl.text.WordVocabulary(list("abc"), ["[MASK]"])
    >>> masking = keras_dl.text.TokenMasking(words)
    >>> entities = EntityAlignments([[-1, 0, -1, 4, -1]], num_candidates=3)
    >>> batches = keras_dl.text.MaskedBatches(
    ...     np.array([[2, 5, 6, 7, 3]]), masking, words, extras=[entities]
    ... )
    >>> x, y = batches[0]
    >>> x["entity_candidates"].tolist(), y["entities"].tolist()
    ([[0, 4, -1]], [[0, 1]])

    Reference:
        Zhang et al., "ERNIE: enhanced language representation with
        informative entities", 2019, which chooses among the entities of the
        row; its code, among those of the batch. Where it differs: a wrong
        entity is never the right one, unless the batch has no other.
    """

    def __init__(
        self, entity_ids, replaced=0.05, hidden=0.15, num_candidates=None
    ):
        self.entity_ids = _check_entities(entity_ids)
        self.replaced = check_share("replaced", replaced)
        self.hidden = check_share("hidden", hidden)
        if replaced + hidden > 1 + 1e-9:
            raise ValueError(
                "`replaced` and `hidden` must have a sum of at most 1. "
                f"Received: replaced={replaced!r}, hidden={hidden!r}."
            )
        there = self.entity_ids >= 0
        self.limit = max(1, int(np.count_nonzero(there, axis=1).max(initial=0)))
        most = _most_different(self.entity_ids)
        if num_candidates is None:
            num_candidates = max(_CANDIDATES, most)
        self.num_candidates = check_integer(
            "num_candidates", num_candidates, minimum=max(most, 1)
        )

    def check(self, packed):
        check_aligned("entity_ids", self.entity_ids, packed.token_ids.shape)

    def __call__(self, x, y, rows, generator):
        entities = self.entity_ids[rows]
        there = entities >= 0
        # Entities by their number in the batch, from here on.
        known, numbers = np.unique(entities[there], return_inverse=True)
        positions, weights = masked_positions(there, self.limit)
        order = self._order(there, numbers, len(known), generator)
        places = np.argsort(order, axis=1)
        targets = np.full(positions.shape, -1, "int32")
        targets[weights > 0] = places[np.nonzero(there)[0], numbers]
        x = {
            **x,
            "entity_ids": self._corrupted(there, numbers, known, generator),
            "entity_positions": positions,
            "entity_candidates": self._candidates(known[order]),
        }
        return x, {**y, "entities": targets}

    def _order(self, there, numbers, size, generator):
        """The entities of the batch, for each row its own before the others."""
        keys = generator.random_sample((len(there), size))
        keys[np.nonzero(there)[0], numbers] -= 1
        return np.argsort(keys, axis=1)

    def _candidates(self, entities):
        found = entities[:, : self.num_candidates]
        room = self.num_candidates - found.shape[1]
        return np.pad(found, ((0, 0), (0, room)), constant_values=-1)

    def _corrupted(self, there, numbers, known, generator):
        fates, steps = generator.random_sample((2, len(numbers)))
        others = numbers + 1 + (steps * (len(known) - 1)).astype("int")
        wrong = known[others % max(len(known), 1)]
        new = np.where(fates < self.replaced, wrong, known[numbers])
        new[fates >= 1 - self.hidden] = -1
        corrupted = np.full(there.shape, -1, "int32")
        corrupted[there] = new
        return corrupted


def _check_entities(entity_ids):
    entity_ids = np.asarray(entity_ids)
    if entity_ids.ndim != 2:
        raise ValueError(
            "`entity_ids` must be integers of shape (rows, time). Received: "
            f"shape {entity_ids.shape}."
        )
    entity_ids = check_aligned("entity_ids", entity_ids, entity_ids.shape)
    if entity_ids.min(initial=-1) < -1:
        raise ValueError(
            "`entity_ids` must be ids of entities, or -1 where none begins. "
            f"Received: {entity_ids.min()}."
        )
    return entity_ids


def _most_different(entity_ids):
    """The largest number of different entities in a row."""
    ids = np.sort(entity_ids, axis=1)
    new = np.diff(ids, axis=1, prepend=-1) != 0
    return int(np.count_nonzero(new, axis=1).max(initial=0))
