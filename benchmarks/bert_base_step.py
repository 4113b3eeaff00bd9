"""Fine-tuning at the size that people use: `bert_base`, batch 4 x 128, AdamW.

12 blocks of 768, 30,522 words, 109 million weights, a classifier of 2 classes,
dropout 0.1; ours from `BERT.of_size("bert_base")`, as the compiled step that
`fit` runs. Beside keras-hub's on each backend, and on PyTorch beside
transformers twice: with PyTorch's AdamW as it comes, and with its fused kernel.
Ours has Keras' AdamW each time, whose updates on PyTorch are fused anyway.

"Peak memory" is what a process that takes three steps held at most, in MB,
less what it held when all was imported; each runs alone, several times.

    KERAS_BACKEND=jax python -m benchmarks.bert_base_step [--quick]
"""

import argparse
import os
import pathlib
import resource
import subprocess
import sys

import keras
import numpy as np

from benchmarks._models import BACKEND, Batches, bare_step, hand_loop
from benchmarks._timing import Pair, interleave, print_header
from keras_dl.applications import BERT, TaskModel
from keras_dl.heads import Classification

WORDS, BLOCKS, DIM, HEADS, BATCH, STEPS = 30_522, 12, 768, 12, 4, 128
RATE, DECAY = 2e-5, 0.01
# Peer: how much of its time, and of its memory, ours may take.
TARGETS = {
    "keras-hub": (0.95, 1.05),
    "transformers": (0.95, 1.05),
    "transformers, fused": (1.0, 1.05),
}


def main():
    quick, held = _arguments()
    if held is not None:
        print(_peak(held))
        return
    print_header()
    blocks, steps = (2, 1) if quick else (9, 1)
    batches = made_batches()
    ours = loop_of("ours", batches)
    peers = list(TARGETS) if BACKEND == "torch" else ["keras-hub"]
    for peer in peers:
        name = f"BERT base, batch {BATCH} x {STEPS}"
        theirs = loop_of(peer, batches)
        interleave(
            f"{name}, step beside {peer}",
            BACKEND,
            ours,
            theirs,
            blocks,
            steps,
            TARGETS[peer][0],
        )
        del theirs
    for peer in peers:
        _compare_memory(f"{name}, peak memory beside {peer}", peer, quick)


def made_batches():
    rng = np.random.default_rng(0)
    ids = rng.integers(1, WORDS, size=(4, BATCH, STEPS))
    lengths = rng.integers(STEPS // 2, STEPS + 1, size=(4, BATCH, 1))
    ids = np.where(np.arange(STEPS) < lengths, ids, 0).astype("int32")
    return Batches(ids, rng.integers(2, size=(4, BATCH)).astype("int32"))


def loop_of(what, batches):
    """A function that trains ours or a peer for that many steps."""
    if what.startswith("transformers"):
        import torch

        from benchmarks.hand_written.bert_torch import Classifier

        return hand_loop(
            Classifier(
                optimizer=lambda weights: torch.optim.AdamW(
                    weights,
                    lr=RATE,
                    eps=1e-7,
                    weight_decay=DECAY,
                    fused="fused" in what or None,
                )
            ),
            batches,
        )
    model = our_model() if what == "ours" else hub_model()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.AdamW(RATE, weight_decay=DECAY)
    model.compile(optimizer, loss, metrics=[])
    model.fit(**batches.for_fit(1), verbose=0)
    return bare_step(model, batches)


def our_model():
    encoder = BERT.of_size("bert_base", activation="gelu_tanh")
    return TaskModel(encoder, Classification(2))


def hub_model():
    """keras-hub's backbone with the same head."""
    from keras_hub.models import BertBackbone

    backbone = BertBackbone(WORDS, BLOCKS, HEADS, DIM, 4 * DIM, 0.1, 512)
    ids = keras.Input((STEPS,), dtype="int32")
    found = backbone(
        {
            "token_ids": ids,
            "segment_ids": keras.ops.zeros_like(ids),
            "padding_mask": keras.ops.not_equal(ids, 0),
        }
    )
    x = keras.layers.Dropout(0.1)(found["pooled_output"])
    return keras.Model(ids, keras.layers.Dense(2)(x))


def _compare_memory(what, peer, quick):
    """Prints the peaks of both as a row: in MB, where others have ms."""
    repeats = 2 if quick else 5
    ours, theirs = (
        [_peak_of_process(name) / 1e3 for _ in range(repeats)]
        for name in ("ours", peer)
    )
    pair = Pair(
        what, BACKEND, ours, theirs, float("nan"), repeats, TARGETS[peer][1]
    )
    print(pair.row(), flush=True)


def _peak_of_process(what):
    process = subprocess.run(
        [sys.executable, "-m", "benchmarks.bert_base_step", "--peak", what],
        cwd=pathlib.Path(__file__).parents[1],
        env={**os.environ, "KERAS_BACKEND": BACKEND},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(process.stdout.split()[-1])


def _peak(what):
    """MB that three steps took at most, beside what was there before."""
    if what.startswith("transformers"):
        import transformers

        _ = transformers.BertForSequenceClassification  # Imports are lazy.
    elif what == "keras-hub":
        import keras_hub  # noqa: F401
    before = _held_at_most()
    loop_of(what, made_batches())(3)
    return _held_at_most() - before


def _held_at_most():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="a few steps only, for tests"
    )
    parser.add_argument("--peak", metavar="WHAT", help="measure memory of one")
    args = parser.parse_args()
    return args.quick, args.peak


if __name__ == "__main__":
    main()
