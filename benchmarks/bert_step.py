"""BERT with a classifier beside keras-hub's, and beside transformers'.

4 blocks of 256, 4 heads, 1024 in between, a vocabulary of 8000, dropout 0.1,
batch 8, 128 tokens of which some are padding; the training step by Adam,
compiled as `fit` compiles it, and the forward pass of `predict`. On PyTorch
also in mixed_bfloat16, beside transformers under autocast.

    KERAS_BACKEND=jax python -m benchmarks.bert_step [--quick]
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
from keras_dl.applications import BERT, TaskModel
from keras_dl.heads import Classification

WORDS, BLOCKS, DIM, HEADS, BATCH, STEPS = 8000, 4, 256, 4, 8, 128
POLICIES = ("float32", "mixed_bfloat16")


def main():
    quick = arguments(__doc__).quick
    print_header()
    batches = made_batches()
    for policy in POLICIES if BACKEND == "torch" else POLICIES[:1]:
        # Half precision takes seconds a step where a processor lacks it.
        full = (9, 5) if policy == "float32" else (7, 1)
        blocks, steps = (2, 1) if quick else full
        ours, hub = our_model(policy), hub_model(policy)
        for model in (ours, hub):
            loss = keras.losses.SparseCategoricalCrossentropy(True)
            model.compile("adam", loss, metrics=[])
            model.fit(**batches.for_fit(1), verbose=0)
        name = "BERT 4 x 256"
        name += "" if policy == "float32" else f", {policy}"
        peers = {"keras-hub": (bare_step(hub, batches), predict(hub, batches))}
        targets = {"keras-hub": 1.0}
        if BACKEND == "torch":
            peers["transformers"] = transformers_loops(policy, batches)
            targets["transformers"] = 1.15 if policy == "float32" else 1.0
        mine = bare_step(ours, batches), predict(ours, batches)
        for peer, loops in peers.items():
            for i, what in enumerate(("step", "predict")):
                interleave(
                    f"{name}, {what} beside {peer}",
                    BACKEND,
                    mine[i],
                    loops[i],
                    blocks,
                    steps,
                    targets[peer],
                )


def made_batches():
    rng = np.random.default_rng(0)
    ids = rng.integers(1, WORDS, size=(8, BATCH, STEPS))
    lengths = rng.integers(STEPS // 2, STEPS + 1, size=(8, BATCH, 1))
    ids = np.where(np.arange(STEPS) < lengths, ids, 0).astype("int32")
    return Batches(ids, rng.integers(2, size=(8, BATCH)).astype("int32"))


def our_model(policy):
    """Ours, with the activation that keras-hub takes."""
    keras.utils.set_random_seed(0)
    encoder = BERT(
        WORDS,
        BLOCKS,
        DIM,
        HEADS,
        4 * DIM,
        STEPS,
        activation="gelu_tanh",
        dtype=policy,
    )
    return TaskModel(encoder, Classification(2, dtype=policy))


def hub_model(policy):
    """keras-hub's backbone with the same head."""
    from keras_hub.models import BertBackbone

    keras.utils.set_random_seed(0)
    backbone = BertBackbone(
        WORDS, BLOCKS, HEADS, DIM, 4 * DIM, 0.1, STEPS, dtype=policy
    )
    ids = keras.Input((STEPS,), dtype="int32")
    found = backbone(
        {
            "token_ids": ids,
            "segment_ids": keras.ops.zeros_like(ids),
            "padding_mask": keras.ops.not_equal(ids, 0),
        }
    )
    x = keras.layers.Dropout(0.1, dtype=policy)(found["pooled_output"])
    return keras.Model(ids, keras.layers.Dense(2, dtype="float32")(x))


def transformers_loops(policy, batches):
    """The training loop and the forward pass of transformers."""
    import torch

    from benchmarks.hand_written.bert_torch import Classifier

    peer = Classifier(
        dtype=None if policy == "float32" else torch.bfloat16,
        vocab_size=WORDS,
        num_hidden_layers=BLOCKS,
        hidden_size=DIM,
        num_attention_heads=HEADS,
        intermediate_size=4 * DIM,
        max_position_embeddings=STEPS,
    )

    def forward(steps):
        for ids, _ in batches.first(steps):
            result = peer.predict(ids)
        return result.float().numpy()

    return hand_loop(peer, batches), forward


if __name__ == "__main__":
    main()
