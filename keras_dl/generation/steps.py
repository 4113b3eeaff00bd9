"""The compiled steps of a model that generates, with a cache or without.

A model with a cache has two methods, of plain Keras operations:

- `prefill(prompts, mask, length)`: reads the prompts, `(batch, time)`, padded
  on the left, and returns `(logits, state)`: those of the next token, and
  tensors with the batch first, or scalars. `length` is how many tokens, the
  prompts' included, the state has to have room for.
- `decode_step(tokens, state)`: reads one more token of each row, `(batch,)`,
  and returns the same.

Any other model that maps token ids to logits, `(batch, time)` to
`(batch, time, vocabulary)`, is run on all it has in each step.
"""

import functools
import weakref

import keras
import numpy as np
from keras import ops

from keras_dl import backend
from keras_dl.generation.prompts import rounded

_runners = weakref.WeakKeyDictionary()


def steps_of(model, use_cache):
    """The compiled steps of a model; the same ones while it stays the same."""
    kind = Cached if use_cache else Uncached
    parts = [getattr(model, name, None) for name in ("pad_id", "start_id")]
    parts += model.variables
    runners = _runners.setdefault(model, {})
    known, runner = runners.get(kind, ([], None))
    if list(map(id, known)) != list(map(id, parts)):
        # What is kept must not keep the model itself.
        runner = kind(weakref.proxy(model))
        runners[kind] = parts, runner
    return runner


def has_cache(model):
    """Whether the model has the two methods."""
    return hasattr(model, "prefill") and hasattr(model, "decode_step")


class Cached:
    """Runs `prefill` and `decode_step`, compiled.

    Args:
        model: The model.
    """

    def __init__(self, model):
        self.model = model
        self.pad_id = getattr(model, "pad_id", None)
        # Compiled for each value of what is no tensor.
        self._prefill = functools.cache(self._compiled_prefill)
        self._greedy = backend.compiled_loop(self._choose, model.variables)
        self.step = backend.compiled(self._step, model.variables)

    def prefill(self, prompts, mask, length, copies):
        """Reads the prompts: `(logits, state)`, `copies` rows for each."""
        return self._prefill(length, copies)(prompts, mask)

    def greedy(self, tokens, ended, state, limit, end_id):
        """Reads a token of each row, takes the likeliest next, and so on.

        Ends when all rows have ended, or after `limit` tokens.

        Returns:
            `(tokens, count, valid)`: tokens `(rows, ...)`, of which the first
            `count` are chosen, and whether each came from a finite logit.
        """
        chosen = ops.zeros((len(tokens), rounded(limit)), "int32")
        limits = [limit, -1 if end_id is None else end_id]
        tokens, limits, count = (
            ops.convert_to_tensor(x, "int32") for x in (tokens, limits, 0)
        )
        ended = ops.convert_to_tensor(ended)
        true = ops.convert_to_tensor(True)
        now = (true, true, count, tokens, ended, chosen, limits, state)
        _, valid, count, _, _, chosen, _, _ = self._greedy(*now)
        return chosen, count, valid

    def _compiled_prefill(self, length, copies):
        def prefill(prompts, mask):
            logits, state = self._begin(prompts, mask, length)
            if copies > 1:
                logits, state = _by_rows(
                    lambda x: ops.repeat(x, copies, axis=0), (logits, state)
                )
            return ops.cast(logits, "float32"), state

        return backend.compiled(prefill, self.model.variables)

    def _step(self, tokens, parents, state):
        """Reads a token of each row, which goes on from row `parents`."""
        if parents is not None:
            state = _by_rows(lambda x: ops.take(x, parents, axis=0), state)
        logits, state = self._advance(tokens, state)
        return ops.cast(logits, "float32"), state

    def _choose(self, goes_on, valid, count, tokens, ended, *others):
        """One turn of the loop of `greedy`."""
        chosen, limits, state = others
        logits, state = self._step(tokens, None, state)
        if self.pad_id is not None:
            real = ops.arange(logits.shape[-1]) != self.pad_id
            real = ops.logical_or(real, limits[1] == self.pad_id)
            logits = ops.where(real, logits, -np.inf)
        valid = ops.all(ops.isfinite(ops.max(logits, axis=-1)))
        tokens = ops.cast(ops.argmax(logits, axis=-1), "int32")
        here = ops.arange(chosen.shape[1], dtype="int32") == count
        chosen = ops.where(here, tokens[:, None], chosen)
        count = count + 1
        ended = ops.logical_or(ended, tokens == limits[1])
        goes_on = ops.logical_and(
            ops.logical_and(valid, count < limits[0]),
            ops.logical_not(ops.all(ended)),
        )
        return goes_on, valid, count, tokens, ended, chosen, limits, state

    def _begin(self, prompts, mask, length):
        return self.model.prefill(prompts, mask, length)

    def _advance(self, tokens, state):
        return self.model.decode_step(tokens, state)


class Uncached(Cached):
    """Runs the whole model on what there is so far, in each step."""

    def _begin(self, prompts, mask, length):
        prompts, lengths = to_the_left(prompts, mask, self.pad_id or 0)
        state = {}
        if getattr(self.model, "reads_source", False):
            state["source"] = prompts
            lengths = ops.ones_like(lengths)
            prompts = ops.full_like(prompts[:, :1], self.model.start_id)
        tokens = prompts[:, :length]
        room = length - tokens.shape[1]
        tokens = ops.pad(tokens, ((0, 0), (0, room)))
        return self._logits({**state, "tokens": tokens, "lengths": lengths})

    def _advance(self, tokens, state):
        lengths = state["lengths"]
        at = ops.arange(state["tokens"].shape[1], dtype="int32")[None]
        written = ops.where(
            at == lengths[:, None],
            ops.cast(tokens, "int32")[:, None],
            state["tokens"],
        )
        return self._logits(
            {**state, "tokens": written, "lengths": lengths + 1}
        )

    def _logits(self, state):
        inputs = state["tokens"]
        if "source" in state:
            inputs = (state["source"], inputs)
        logits = self.model(inputs, training=False)
        last = (state["lengths"] - 1)[:, None, None]
        return ops.take_along_axis(logits, last, axis=1)[:, 0], state


def to_the_left(ids, mask, pad_id=0):
    """Rows padded on the left, padded on the right; their lengths."""
    width = ids.shape[1]
    lengths = ops.sum(ops.cast(mask, "int32"), axis=1)
    steps = ops.arange(width, dtype="int32")[None]
    at = (steps + width - lengths[:, None]) % width
    ids = ops.take_along_axis(ops.cast(ids, "int32"), at, axis=1)
    return ops.where(steps < lengths[:, None], ids, pad_id), lengths


def _by_rows(function, state):
    """Applies `function` to every tensor of the state that has rows."""
    return keras.tree.map_structure(
        lambda x: function(x) if len(x.shape) else x, state
    )
