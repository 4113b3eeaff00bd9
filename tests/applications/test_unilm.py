"""UniLM's patterns on one BERT: what is hidden, training, errors."""

import keras
import numpy as np
import pytest
from keras import ops
from masks import END, PAD, START, vocabulary
from sequences import compiled

from keras_dl import autodiff
from keras_dl.applications import BERT, TaskModel
from keras_dl.heads import MaskedLM
from keras_dl.layers.attention.attention_patterns import ATTENTION_PATTERNS
from keras_dl.text import (
    AttentionPatterns,
    MaskedBatches,
    Packed,
    TargetMasking,
    TokenMasking,
)

# Real tokens: a source of three, a target of two; then padding.
IDS = np.array(4 * [[5, 6, 7, 8, 9, 0]], "int32")
SEGMENTS = np.array(4 * [[0, 0, 0, 1, 1, 0]], "int32")
PATTERNS = np.arange(4, dtype="int32")
WORDS = vocabulary(40)


def encoder(**changes):
    sizes = {
        "num_layers": 2,
        "hidden_dim": 8,
        "num_heads": 2,
        "intermediate_dim": 12,
        "max_sequence_length": 12,
        "dropout": 0.0,
        "initializer_range": 0.3,
    }
    return BERT(40, **{**sizes, **changes})


def inputs(**changes):
    given = {
        "token_ids": IDS,
        "segment_ids": SEGMENTS,
        "attention_pattern": PATTERNS,
    }
    return {**given, **changes}


def outputs(model, given):
    found = compiled(model, model)(given)
    return ops.convert_to_numpy(found["sequence_output"])


def seen_by_gradient(model, given):
    """Which outputs, `(row, i)`, have a gradient by which embedding `j`."""
    embedded = ops.convert_to_numpy(
        model.embed(given["token_ids"], given.get("segment_ids"))
    )

    def loss(x, weights):
        model.embed = lambda *args, **kwargs: x
        found = model(given)["sequence_output"]
        del model.embed
        return ops.sum(found**3 * weights)

    run = compiled(model, autodiff.grad(loss))
    seen = []
    for weights in np.eye(6, dtype="float32"):
        gradient = run(embedded, weights[None, :, None])
        seen.append((ops.convert_to_numpy(gradient) != 0).any(-1))
    return np.stack(seen, 1)


def allowed(attention_mask=True):
    """Who sees whom in `inputs()`, beside padding."""
    i, j = np.arange(6)[:, None], np.arange(6)[None]
    target = SEGMENTS[0] == 1
    seq2seq = ~target[None] | (target[:, None] & (j <= i))
    patterns = np.stack([j == j + 0 * i, j <= i, j >= i, seq2seq])
    return patterns & (IDS != PAD)[:, None] & attention_mask


def test_the_names_are_in_the_order_of_the_ids():
    assert ATTENTION_PATTERNS == (
        "bidirectional",
        "left_to_right",
        "right_to_left",
        "seq2seq",
    )


@pytest.mark.parametrize("segments", [(0, 1), (4, 5)])
def test_nothing_leaks(segments):
    """Gradients are zero where a token is hidden, to the bit, and only there.

    All patterns in one batch, with padding, through two blocks.
    """
    model = encoder(num_segments=6)
    ids = np.array(segments, "int32")[SEGMENTS]
    seen = seen_by_gradient(model, inputs(segment_ids=ids))
    real = IDS[0] != PAD
    np.testing.assert_array_equal(seen[:, real], allowed()[:, real])


def test_masks_combine():
    mask = np.ones((4, 6, 6), bool)
    mask[:, 2:, 1] = False
    # In one block: what another token has seen goes on in the next.
    model = encoder(num_layers=1)
    seen = seen_by_gradient(model, inputs(attention_mask=mask))
    real = IDS[0] != PAD
    np.testing.assert_array_equal(seen[:, real], allowed(mask)[:, real])


def test_a_pattern_is_as_good_as_its_mask():
    model = encoder()
    by_pattern = outputs(model, inputs())
    given = inputs(attention_mask=allowed())
    del given["attention_pattern"]
    real = IDS != PAD
    np.testing.assert_allclose(
        by_pattern[real], outputs(model, given)[real], atol=1e-6
    )
    plain = {"token_ids": IDS, "segment_ids": SEGMENTS}
    plain = outputs(model, plain)[real]
    both_ways, *others = np.split(by_pattern[real], 4)
    np.testing.assert_allclose(both_ways, plain[:5], atol=1e-6)
    for other in others:
        assert np.abs(other - plain[:5]).max() > 1e-3


def pairs(rows=64):
    """Texts whose second half repeats the first one."""
    words = np.random.RandomState(0).randint(5, 40, size=(rows, 4))
    column = np.ones((rows, 1), int)
    ids = [START * column, words, END * column, words, END * column]
    segments = np.repeat([0, 1, 0], [6, 5, 1]) * np.ones((rows, 1), int)
    ids = np.concatenate([*ids, PAD * column], axis=1)
    return Packed(ids.astype("int32"), segments.astype("int32"), None)


def test_pretraining():
    patterns = AttentionPatterns()
    batches = MaskedBatches(
        pairs(),
        TokenMasking(WORDS),
        WORDS,
        batch_size=16,
        extras=[patterns],
    )
    model = TaskModel(
        encoder(hidden_dim=16, num_segments=patterns.num_segments),
        {"masked_tokens": MaskedLM()},
    )
    model.compile(keras.optimizers.Adam(0.01))
    losses = model.fit(batches, epochs=8, verbose=0).history["loss"]
    assert losses[-1] < 0.97 * losses[0] and np.isfinite(losses).all()
    segments = model.encoder.segment_embedding.embeddings
    assert segments.shape[0] == 6


def test_fine_tuning_from_sequence_to_sequence():
    batches = MaskedBatches(
        pairs(),
        TargetMasking(WORDS, 0.7),
        WORDS,
        batch_size=16,
        extras=[AttentionPatterns({"seq2seq": 1}, distinct_segments=False)],
    )
    model = TaskModel(encoder(hidden_dim=16), {"masked_tokens": MaskedLM()})
    model.compile(keras.optimizers.Adam(0.01))
    losses = model.fit(batches, epochs=8, verbose=0).history["loss"]
    assert losses[-1] < 0.9 * losses[0]
    x, _ = batches[0]
    assert (x["attention_pattern"] == 3).all()
    assert model.predict(x, verbose=0)["masked_tokens"].shape[0] == 16


def test_ids_that_there_are_not():
    model = encoder()
    wrong = inputs(attention_pattern=np.array([0, 4, 1, -1], "int32"))
    for patterns in (PATTERNS + 1, PATTERNS - 1):
        given = inputs(attention_pattern=patterns)
        with pytest.raises(ValueError, match="`attention_pattern` must be fr"):
            model.predict(given, verbose=0)
    found = np.isnan(outputs(model, wrong))
    assert found[1].all() and found[3].all() and not found[[0, 2]].any()


def test_arrays_of_one_long_batch():
    """There may be more rows than a text may have tokens."""
    model = encoder(max_sequence_length=6)
    given = {name: np.tile(x, (3, 1)) for name, x in inputs().items()}
    given["attention_pattern"] = np.tile(PATTERNS, 3)
    found = model.predict(given, verbose=0)["sequence_output"]
    assert found.shape == (12, 6, 8)


def test_sequence_to_sequence_needs_segments():
    model = encoder(num_segments=0)
    given = {"token_ids": IDS, "attention_pattern": PATTERNS}
    with pytest.raises(ValueError, match="`segment_ids` must be given"):
        model.predict(given, verbose=0)
    given["attention_pattern"] = PATTERNS % 3
    model.predict(given, verbose=0)


def test_saved(tmp_path):
    model = TaskModel(encoder(num_segments=6), MaskedLM())
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    given = inputs(segment_ids=SEGMENTS + 4)
    np.testing.assert_array_equal(
        model.predict(given, verbose=0), again.predict(given, verbose=0)
    )
