"""Greedy generation of 128 tokens: cached, uncached, and keras-hub's sampler.

A decoder-only Transformer of 4 blocks, 256 wide, 4 heads, 1000 tokens, learned
positions, pre-norm, GELU (keras-hub: GPT-2 with these sizes), one prompt of 16
tokens, and a batch of 8 of them. One "step" is one whole call.

    KERAS_BACKEND=jax python -m benchmarks.generation [--quick]
"""

import keras
import numpy as np

import keras_dl
from benchmarks._models import BACKEND
from benchmarks._timing import arguments, interleave, print_header
from keras_dl.applications import TransformerLanguageModel

TOKENS, DIM, HEADS, BLOCKS, PROMPT, NEW = 1000, 256, 4, 4, 16, 128


def main():
    quick = arguments(__doc__).quick
    print_header()
    new = 16 if quick else NEW
    keras.utils.set_random_seed(0)
    model = TransformerLanguageModel(
        TOKENS,
        BLOCKS,
        DIM,
        HEADS,
        dropout=0.0,
        positions="learned",
        max_sequence_length=PROMPT + NEW,
    )
    for batch in (1,) if quick else (1, 8):
        rng = np.random.default_rng(0)
        prompts = rng.integers(1, TOKENS, size=(batch, PROMPT)).tolist()
        ours = calls(lambda p=prompts: keras_dl.generate(model, p, new))
        uncached = calls(
            lambda p=prompts: keras_dl.generate(model, p, new, use_cache=False)
        )
        hub = calls(of_hub(prompts, new))
        name = f"{new} tokens, batch {batch}"
        blocks = 2 if quick else 5
        interleave(
            f"{name}, cached beside uncached",
            BACKEND,
            ours,
            uncached,
            blocks,
            1,
            1 / 3,
        )
        interleave(
            f"{name}, cached beside keras-hub",
            BACKEND,
            ours,
            hub,
            blocks,
            1,
            1.0,
        )


def calls(function):
    """A run of several calls."""

    def run(steps):
        for _ in range(steps):
            function()

    return run


def of_hub(prompts, new):
    """A call of keras-hub's generation on as many tokens."""
    from keras_hub.models import GPT2Backbone, GPT2CausalLM

    backbone = GPT2Backbone(
        vocabulary_size=TOKENS,
        num_layers=BLOCKS,
        num_heads=HEADS,
        hidden_dim=DIM,
        intermediate_dim=4 * DIM,
        dropout=0.0,
        max_sequence_length=PROMPT + NEW,
    )
    model = GPT2CausalLM(backbone, preprocessor=None)
    model.compile(sampler="greedy")
    rows = np.zeros((len(prompts), PROMPT + new), "int32")
    rows[:, :PROMPT] = prompts
    mask = np.zeros(rows.shape, bool)
    mask[:, :PROMPT] = True
    inputs = {"token_ids": rows, "padding_mask": mask}
    return lambda: model.generate(inputs, stop_token_ids=None)


if __name__ == "__main__":
    main()
