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

import weakref

import keras
from keras import ops

from keras_dl import backend

_compiled = weakref.WeakKeyDictionary()


def steps_of(model, use_cache):
    """The compiled `(prefill, step)` of a model; the same ones each time."""
    kinds = _compiled.setdefault(model, {})
    if use_cache not in kinds:
        # What is kept must not keep the model itself.
        runner = (Cached if use_cache else Uncached)(weakref.proxy(model))
        kinds[use_cache] = runner.compiled()
    return kinds[use_cache]


def has_cache(model):
    """Whether the model has the two methods."""
    return hasattr(model, "prefill") and hasattr(model, "decode_step")


class Cached:
    """Runs `prefill` and `decode_step`."""

    def __init__(self, model):
        self.model = model

    def compiled(self):
        """The functions `prefill` and `step`, compiled."""
        prefills = {}

        def prefill(prompts, mask, length, copies):
            key = length, copies
            if key not in prefills:
                prefills[key] = backend.compiled(
                    self.model,
                    lambda prompts, mask: self.prefill(
                        prompts, mask, length, copies
                    ),
                )
            return prefills[key](prompts, mask)

        return prefill, backend.compiled(self.model, self.step)

    def prefill(self, prompts, mask, length, copies):
        logits, state = self._begin(prompts, mask, length)
        if copies > 1:
            logits, state = _by_rows(
                lambda x: ops.repeat(x, copies, axis=0), (logits, state)
            )
        return ops.cast(logits, "float32"), state

    def step(self, tokens, parents, state):
        if parents is not None:
            state = _by_rows(lambda x: ops.take(x, parents, axis=0), state)
        logits, state = self._advance(tokens, state)
        return ops.cast(logits, "float32"), state

    def _begin(self, prompts, mask, length):
        return self.model.prefill(prompts, mask, length)

    def _advance(self, tokens, state):
        return self.model.decode_step(tokens, state)


class Uncached(Cached):
    """Runs the whole model on what there is so far, in each step."""

    def _begin(self, prompts, mask, length):
        prompts, lengths = to_the_left(prompts, mask)
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


def to_the_left(ids, mask):
    """Rows padded on the left, padded with 0 on the right; their lengths."""
    width = ids.shape[1]
    lengths = ops.sum(ops.cast(mask, "int32"), axis=1)
    steps = ops.arange(width, dtype="int32")[None]
    at = (steps + width - lengths[:, None]) % width
    ids = ops.take_along_axis(ops.cast(ids, "int32"), at, axis=1)
    return ops.where(steps < lengths[:, None], ids, 0), lengths


def _by_rows(function, state):
    """Applies `function` to every tensor of the state that has rows."""
    return keras.tree.map_structure(
        lambda x: function(x) if len(x.shape) else x, state
    )
