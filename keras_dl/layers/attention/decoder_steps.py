"""Decoder blocks step by step, on a memory that stays the same."""

from keras import ops


def start_steps(blocks, memory, mask, length):
    """The state before the first of at most `length` steps.

    Args:
        blocks: List of `TransformerDecoderBlock`.
        memory: The encoder's output, `(batch, keys, e)`.
        mask: Boolean `(batch, keys)`: which of it is real.
        length: Number of steps.

    Returns:
        A dict; `"index"` is the number of steps so far.
    """
    return {
        "caches": [block.start_cache(memory, length, mask) for block in blocks],
        "mask": mask,
        "index": ops.zeros((), dtype="int32"),
    }


def next_step(blocks, x, state):
    """What comes out of the blocks for a new step, `(batch, 1, d)`.

    Returns:
        The output, of the shape of `x`, and the state after it.
    """
    caches = []
    for block, cache in zip(blocks, state["caches"], strict=True):
        # The memory's projections are in the cache.
        x, cache = block(
            x, x, memory_mask=state["mask"], cache=cache, index=state["index"]
        )
        caches.append(cache)
    return x, {**state, "caches": caches, "index": state["index"] + 1}
