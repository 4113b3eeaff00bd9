"""BERT's encoder: sizes, masks, segments, positions, errors."""

import keras
import numpy as np
import pytest
from keras import ops
from sequences import compiled, gradients_of

import keras_dl
from keras_dl.applications import BERT
from keras_dl.models import features

SIZES = {
    "num_layers": 2,
    "hidden_dim": 8,
    "num_heads": 2,
    "intermediate_dim": 12,
    "max_sequence_length": 7,
}
# Counted by transformers.
COUNTS = {
    "bert_tiny": 4_385_920,
    "bert_mini": 11_170_560,
    "bert_small": 28_763_648,
    "bert_medium": 41_373_184,
    "bert_base": 109_482_240,
    "bert_large": 335_141_888,
    "albert_base": 11_683_584,
    "albert_large": 17_683_968,
    "albert_xlarge": 58_724_864,
    "albert_xxlarge": 222_595_584,
    "roberta_base": 124_645_632,
    "roberta_large": 355_359_744,
    "distilbert_base": 66_362_880,
    "tinybert_4": 14_350_248,
    "tinybert_6": 66_955_008,
}


def encoder(**changes):
    return BERT(20, **{**SIZES, **changes})


def outputs(model, inputs):
    found = compiled(model, model)(inputs)
    return keras.tree.map_structure(ops.convert_to_numpy, found)


def ids_of(*rows):
    return np.array(rows, "int32")


@pytest.mark.parametrize("size", COUNTS)
def test_parameters_of_the_published_sizes(size):
    with keras.StatelessScope():
        model = BERT.of_size(size)
        count = model.count_params()
        # Else all variables would now be filled: that takes a while.
        keras.utils.clear_session()
    assert count == COUNTS[size]


def test_of_size_takes_changes():
    model = BERT.of_size("bert_tiny", vocabulary_size=10, pooler=None)
    assert (model.vocabulary_size, model.num_layers, model.hidden_dim) == (
        10,
        2,
        128,
    )
    with pytest.raises(ValueError, match="`size` must be one of"):
        BERT.of_size("bert_huge")


def test_padding_changes_nothing():
    model = encoder()
    short = outputs(model, ids_of([5, 6, 7], [8, 9, 0]))
    long = outputs(model, ids_of([5, 6, 7, 0, 0, 0], [8, 9, 0, 0, 0, 0]))
    for row, count in ((0, 3), (1, 2)):
        np.testing.assert_allclose(
            short["sequence_output"][row, :count],
            long["sequence_output"][row, :count],
            atol=1e-6,
        )
    np.testing.assert_allclose(
        short["pooled_output"], long["pooled_output"], atol=1e-6
    )


def test_a_given_padding_mask_rules():
    model, ids = encoder(), ids_of([5, 6, 7, 8])
    mask = np.array([[True, True, True, False]])
    given = outputs(model, {"token_ids": ids, "padding_mask": mask})
    plain = outputs(model, ids_of([5, 6, 7, 0]))
    np.testing.assert_allclose(
        given["sequence_output"][:, :3],
        plain["sequence_output"][:, :3],
        atol=1e-6,
    )
    free = outputs(model, ids)["sequence_output"][:, :3]
    assert np.abs(free - plain["sequence_output"][:, :3]).max() > 1e-4


def test_what_attention_masks_hide_has_no_gradient():
    """Of each token by the embeddings: nothing where it may not look."""
    model = encoder(dropout=0.0)
    ids = ids_of([5, 6, 7, 8])
    allowed = np.tril(np.ones((1, 4, 4), bool))
    for position in range(4):

        def loss(x, position=position):
            inputs = {"token_ids": ids, "attention_mask": allowed}
            with_x = dict(inputs)
            model.embed = lambda *args, **kwargs: x
            found = model(with_x)["sequence_output"]
            del model.embed
            return ops.sum(found[:, position] ** 3)

        x = ops.convert_to_numpy(model.embed(ids))
        (gradient,) = gradients_of(loss, x)
        later = np.abs(gradient[0, position + 1 :])
        assert not later.any()
        assert (np.abs(gradient[0, : position + 1]).max(-1) > 0).all()


def test_segments_and_positions_count():
    model = encoder()
    ids = ids_of([5, 5, 6, 6])
    plain = outputs(model, ids)["sequence_output"]
    assert np.abs(plain[0, 0] - plain[0, 1]).max() > 1e-4
    segments = {"token_ids": ids, "segment_ids": ids_of([0, 0, 1, 1])}
    other = outputs(model, segments)["sequence_output"]
    assert np.abs(plain - other).max() > 1e-4
    zeros = {"token_ids": ids, "segment_ids": 0 * ids}
    same = outputs(model, zeros)["sequence_output"]
    np.testing.assert_array_equal(plain, same)


def test_positions_that_count_real_tokens_alone():
    """As RoBERTa's: padding on the left moves nothing."""
    model = encoder(first_position=2, pad_id=1, num_segments=1)
    left = outputs(model, ids_of([1, 1, 5, 6]))["sequence_output"]
    right = outputs(model, ids_of([5, 6, 1, 1]))["sequence_output"]
    np.testing.assert_allclose(left[:, 2:], right[:, :2], atol=1e-6)


def test_shared_blocks_are_applied_in_turn():
    model = encoder(num_layers=4, num_distinct_layers=2)
    order = list(model._successive_blocks())
    one, two = model.blocks
    assert order == [one, one, two, two]
    once = encoder(num_distinct_layers=1)
    assert len(once.weights) < len(encoder().weights)


def test_features_are_as_large_as_they_should_be():
    model, ids = encoder(dropout=0.3), ids_of([5, 6, 0], [7, 8, 9])
    plain = outputs(model, ids)
    assert set(plain) == {"sequence_output", "pooled_output"}
    names = [f"hidden_states/{i}" for i in range(3)]
    weights = [f"attention_weights/{i}" for i in range(2)]
    look = compiled(model, lambda x: features(model, x, names + weights))
    found = keras.tree.map_structure(ops.convert_to_numpy, look(ids))
    np.testing.assert_allclose(
        found[names[-1]], plain["sequence_output"], atol=1e-6
    )
    assert [found[name].shape for name in names] == 3 * [(2, 3, 8)]
    assert [found[name].shape for name in weights] == 2 * [(2, 2, 3, 3)]
    for name in weights:
        np.testing.assert_allclose(found[name].sum(-1), 1.0, atol=1e-5)
        assert not found[name][0, :, :, 2].any()


def test_every_variable_gets_a_gradient():
    model = encoder(embedding_dim=4, num_distinct_layers=1)
    ids = ids_of([5, 6, 7, 8, 9, 10, 11])
    inputs = {"token_ids": ids, "segment_ids": ids % 2}

    def loss():
        found = model(inputs)
        pooled = ops.sum(found["pooled_output"] ** 3)
        return pooled + ops.sum(found["sequence_output"] ** 3)

    def both():
        return keras_dl.variable_gradients(loss, model.trainable_variables)

    _, gradients = compiled(model, both)()
    for variable, gradient in zip(
        model.trainable_variables, gradients, strict=True
    ):
        reached = np.abs(ops.convert_to_numpy(gradient)).max() > 0
        # Softmax takes no notice of a bias that all keys share.
        assert reached or variable.path.endswith("key/bias"), variable.path


def test_symbolic_and_saved(tmp_path):
    model = encoder(embedding_dim=4, activation="gelu_tanh")
    symbolic = model(keras.Input((None,), dtype="int32"))
    assert symbolic["sequence_output"].shape == (None, None, 8)
    found = model.compute_output_spec(
        {"token_ids": keras.Input((5,), dtype="int32")}
    )
    real = model(np.ones((2, 5), "int32"))
    keras.tree.assert_same_structure(found, real)
    for spec, tensor in zip(
        keras.tree.flatten(found), keras.tree.flatten(real), strict=True
    ):
        assert spec.shape[1:] == tuple(tensor.shape)[1:]
    model.save(tmp_path / "bert.keras")
    again = keras.models.load_model(tmp_path / "bert.keras")
    assert again.get_config() == model.get_config()
    ids = ids_of([5, 6, 7])
    np.testing.assert_array_equal(
        outputs(model, ids)["sequence_output"],
        outputs(again, ids)["sequence_output"],
    )


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.compiled("mixed_float16")
def test_mixed_precision(policy):
    model = encoder(dtype=policy)
    ids = ids_of([5, 6, 0, 0], [0, 0, 0, 0])
    found = outputs(model, ids)
    name = policy.removeprefix("mixed_")
    assert str(found["sequence_output"].dtype) == name
    assert np.isfinite(found["sequence_output"].astype("float32")).all()
    full = encoder()
    full.set_weights(model.get_weights())
    np.testing.assert_allclose(
        found["pooled_output"][0].astype("float32"),
        outputs(full, ids)["pooled_output"][0],
        atol=0.03,
    )


@pytest.mark.compiled
def test_ids_that_there_are_not():
    model = encoder()
    for wrong in (20, -1):
        ids = ids_of([5, 6, 7], [5, wrong, 7])
        with pytest.raises(ValueError, match="`token_ids` must be from 0 to"):
            model.predict(ids, verbose=0)
        found = outputs(model, ids)["sequence_output"]
        assert np.isfinite(found[0]).all() and np.isnan(found[1]).all()
    segments = {"token_ids": ids_of([5]), "segment_ids": ids_of([2])}
    with pytest.raises(ValueError, match="`segment_ids` must be from 0 to 1"):
        model.predict(segments, verbose=0)
    assert np.isnan(outputs(model, segments)["sequence_output"]).all()


def test_bad_input():
    model = encoder()
    with pytest.raises(ValueError, match="at most max_sequence_length=7"):
        model.predict(np.ones((1, 8), "int32"), verbose=0)
    with pytest.raises(ValueError, match="at most\n? ?max_sequence_length=7"):
        model(np.ones((1, 8), "int32"))
    with pytest.raises(ValueError, match="'token_ids' and any of"):
        model({"ids": ids_of([5])})
    with pytest.raises(ValueError, match="`segment_ids` must be left out"):
        encoder(num_segments=0)(
            {"token_ids": ids_of([5]), "segment_ids": ids_of([0])}
        )
    with pytest.raises(TypeError, match="Put heads on it"):
        model.compile("adam")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_heads": 3}, "`hidden_dim` must be a multiple of `num_heads`"),
        ({"num_layers": 0}, "`num_layers` must be"),
        ({"num_distinct_layers": 3}, "`num_distinct_layers` must be"),
        ({"dropout": 1.5}, "`dropout` must be"),
        ({"attention_dropout": -1}, "`attention_dropout` must be"),
        ({"pad_id": 20}, "`pad_id` must be"),
        ({"num_segments": -1}, "`num_segments` must be"),
    ],
    ids=str,
)
def test_arguments(changes, message):
    with pytest.raises(ValueError, match=message):
        encoder(**changes)
