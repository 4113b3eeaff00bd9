"""Masking for pre-training beside transformers' collator, on one core.

512 rows of 128 tokens, WordPieces of which a third continue a word, 15 % of
them hidden. Ours takes ids as arrays, one batch of 256 rows at a time; the
collator of transformers gets the same rows as examples, with the mask of the
special tokens already made, without which it asks its tokenizer for it token
by token. "In batches" is what a model is fed from: ours with the positions
and targets of the hidden tokens, the collator's as it is. Times are those of
a million tokens.

Neither needs a backend of Keras; the collator works with PyTorch.

    python -m benchmarks.masking [--quick]
"""

import pathlib
import tempfile
import warnings

import numpy as np

from benchmarks._timing import arguments, interleave, print_header
from keras_dl import text

ROWS, TIME, BATCH, WORDS = 512, 128, 256, 8000
MILLION = 1e6 / (BATCH * TIME)  # Batches.


def main():
    import torch

    torch.set_num_threads(1)
    quick = arguments(__doc__).quick
    print_header()
    blocks, steps = (2, 1) if quick else (9, 3)
    with tempfile.TemporaryDirectory() as folder:
        vocabulary, tokenizer = vocabularies(pathlib.Path(folder))
    ids = made_rows(vocabulary)
    for name, ours, peer in pairs(vocabulary, tokenizer, ids):
        interleave(
            f"a million tokens, {name}",
            "-",
            per_million(ours, ids),
            per_million(peer, examples(vocabulary, ids)),
            blocks,
            steps,
            1.0,
        )


def vocabularies(folder):
    """The same WordPieces for both."""
    from transformers import BertTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = [f"w{i}" for i in range(WORDS // 2)]
    pieces = [f"##p{i}" for i in range(WORDS // 2 - len(special))]
    path = folder / "vocab.txt"
    path.write_text("\n".join(special + words + pieces) + "\n")
    return text.as_vocabulary(folder), BertTokenizerFast(str(path))


def made_rows(vocabulary):
    """Rows of random words of one to three pieces, with both ends."""
    rng = np.random.default_rng(0)
    first = 5 + WORDS // 2
    whole = rng.random((ROWS, TIME)) < 2 / 3
    ids = np.where(
        whole,
        rng.integers(5, first, (ROWS, TIME)),
        rng.integers(first, vocabulary.size, (ROWS, TIME)),
    )
    ids[:, 0], ids[:, -1] = vocabulary.start_id, vocabulary.end_id
    return ids.astype("int32")


def examples(vocabulary, ids):
    """What the collator of transformers takes, row by row."""
    ends = np.isin(ids, list(vocabulary.special_ids))
    continues = ids >= 5 + WORDS // 2
    # Where a piece begins behind the end of the one before, a word begins.
    begins = np.cumsum(1 + ~continues, axis=1)
    offsets = np.stack([begins, begins + 1], axis=-1)
    offsets[ends] = 0
    return [
        {"input_ids": row, "special_tokens_mask": end, "offset_mapping": offset}
        for row, end, offset in zip(
            ids.tolist(),
            ends.astype(int).tolist(),
            offsets.tolist(),
            strict=True,
        )
    ]


def pairs(vocabulary, tokenizer, ids):
    """`(name, ours, peer)`: what each does with one batch."""
    from transformers import DataCollatorForLanguageModeling

    generator = np.random.RandomState(0)
    tokens = text.TokenMasking(vocabulary)
    # The collator hides every piece of a word that it chooses.
    words = text.WholeWordMasking(vocabulary, mask=1.0, random=0.0)
    collate = DataCollatorForLanguageModeling(tokenizer)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # That it hides every piece.
        whole = DataCollatorForLanguageModeling(tokenizer, whole_word_mask=True)

    def without_offsets(rows):
        for row in rows:
            row.pop("offset_mapping", None)
        return collate(rows)

    batches = text.MaskedBatches(ids, tokens, vocabulary, BATCH)
    return (
        ("tokens", lambda x: tokens(x, generator), without_offsets),
        ("tokens, in batches", lambda x: batches[0], without_offsets),
        ("whole words", lambda x: words(x, generator), whole),
    )


def per_million(function, rows):
    """Runs a function on batches: a step is a million tokens."""

    def run(steps):
        for number in range(round(steps * MILLION)):
            begin = (number * BATCH) % ROWS
            batch = rows[begin : begin + BATCH]
            if isinstance(batch, list):  # The collator empties its examples.
                batch = [dict(row) for row in batch]
            function(batch)

    return run


if __name__ == "__main__":
    main()
