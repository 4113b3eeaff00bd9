"""The Transformer's blocks beside keras-hub's, and beside torch.nn's.

Two encoder and two decoder blocks, 256 wide, 4 heads, 1024 in between,
post-norm, dropout 0.1, batch 16, 64 steps on both sides; the training step of
a mean squared error by Adam, compiled as `fit` compiles it, and the forward
pass of `predict`.

    KERAS_BACKEND=jax python -m benchmarks.transformer_step [--quick]
"""

import keras
import numpy as np

from benchmarks._models import (
    BACKEND,
    Batches,
    bare_step,
    hand_loop,
    predict,
)
from benchmarks._timing import arguments, interleave, print_header
from keras_dl import layers

BATCH, STEPS, DIM, HEADS, WIDE, BLOCKS, DROPOUT = 16, 64, 256, 4, 1024, 2, 0.1


def main():
    quick = arguments(__doc__).quick
    print_header()
    batches = made_batches()
    blocks, steps = (2, 1) if quick else (9, 5)
    for dropout in (DROPOUT, 0.0):
        ours, peer = model(ours_of, dropout), model(hub_of, dropout)
        for one in (ours, peer):
            one.compile("adam", "mse")
            one.fit(**batches.for_fit(1), verbose=0)
        name = f"Transformer blocks, dropout {dropout}"
        if BACKEND == "torch":
            from benchmarks.hand_written.transformer_torch import Blocks

            by_hand = Blocks(DIM, HEADS, WIDE, BLOCKS, dropout)
            interleave(
                f"{name}, step beside torch.nn",
                BACKEND,
                bare_step(ours, batches),
                hand_loop(by_hand, batches),
                blocks,
                steps,
                1.1,
            )
        interleave(
            f"{name}, step beside keras-hub",
            BACKEND,
            bare_step(ours, batches),
            bare_step(peer, batches),
            blocks,
            steps,
            1.0,
        )
        interleave(
            f"{name}, predict beside keras-hub",
            BACKEND,
            predict(ours, batches),
            predict(peer, batches),
            blocks,
            steps,
            1.0,
        )


def made_batches():
    rng = np.random.default_rng(0)
    shape = (8, BATCH, STEPS, 2 * DIM)
    x = rng.normal(size=shape).astype("float32")
    return Batches(x, x[..., :DIM].copy())


def model(make, dropout):
    """The blocks on two halves of one input: source and target."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((STEPS, 2 * DIM))
    source, target = inputs[..., :DIM], inputs[..., DIM:]
    encode, decode = make(dropout)
    for _ in range(BLOCKS):
        source = encode()(source)
    for _ in range(BLOCKS):
        target = decode()(target, source)
    return keras.Model(inputs, target)


def ours_of(dropout):
    """Our blocks."""
    arguments = HEADS, WIDE
    return (
        lambda: layers.TransformerEncoderBlock(*arguments, dropout=dropout),
        lambda: layers.TransformerDecoderBlock(*arguments, dropout=dropout),
    )


def hub_of(dropout):
    """keras-hub's blocks."""
    from keras_hub.layers import TransformerDecoder, TransformerEncoder

    arguments = {
        "intermediate_dim": WIDE,
        "num_heads": HEADS,
        "dropout": dropout,
    }
    return (
        lambda: TransformerEncoder(**arguments),
        lambda: TransformerDecoder(**arguments),
    )


if __name__ == "__main__":
    main()
