"""Factorization by the SVD, beside NumPy's and its theorems."""

import keras
import numpy as np
import pytest
from keras import layers
from keras.ops import convert_to_numpy as array
from sequences import normal
from small_models import bert, cnn, transformer

import keras_dl
from keras_dl import applications, heads
from keras_dl.compression import (
    break_even_rank,
    factorize,
    factorize_layer,
    rank_for_energy,
)
from keras_dl.models import sublayer

IDS = np.array([[2, 5, 6, 3], [2, 9, 3, 0]])
MATRIX = np.array([[3, 1, 0], [1, 3, 0], [0, 0, 1], [0, 0, 2]], "float32")


def dense(matrix=MATRIX, **kwargs):
    layer = layers.Dense(matrix.shape[1], **kwargs)
    layer.build((None, None, len(matrix)))
    layer.kernel.assign(matrix)
    return layer


def product(thin):
    return array(thin.reduce.kernel) @ array(thin.expand.kernel)


def test_goldens():
    np.testing.assert_allclose(
        np.linalg.svd(MATRIX)[1], [4, np.sqrt(5), 2], rtol=1e-6
    )
    for sizes, rank in {
        (256, 1024): 204.8,
        (768, 3072): 614.4,
        (30522, 768): 749.1,
    }.items():
        assert break_even_rank(*sizes) == pytest.approx(rank, abs=0.05)
    # Squares 16, 5, 4 of 25.
    for energy, rank in {0.64: 1, 0.65: 2, 0.84: 2, 0.85: 3, 1.0: 3}.items():
        assert rank_for_energy([4, np.sqrt(5), 2], energy) == rank


def test_the_error_is_what_is_dropped():
    for rank, error in {1: 3.0, 2: 2.0, 3: 0.0}.items():
        left = product(factorize_layer(dense(), rank)) - MATRIX
        assert np.linalg.norm(left) == pytest.approx(error, abs=1e-5)


def test_full_rank_computes_the_same():
    layer = dense(normal(6, 5).astype("float32"), activation="gelu")
    layer.bias.assign(normal(5))
    x = normal(2, 3, 6).astype("float32")
    thin = factorize_layer(layer, 5)
    np.testing.assert_allclose(array(thin(x)), array(layer(x)), atol=1e-5)
    for kind in (layers.Embedding, layers.ReversibleEmbedding):
        table = kind(7, 4, mask_zero=True)
        table.build((None,))
        thin = factorize_layer(table, 4)
        np.testing.assert_allclose(
            array(thin(IDS % 7)), array(table(IDS % 7)), atol=1e-5
        )
        assert thin.compute_mask(IDS) is not None
    vectors = normal(2, 3, 4).astype("float32")
    np.testing.assert_allclose(
        array(thin(vectors, reverse=True)),
        array(table(vectors, reverse=True)),
        atol=1e-5,
    )


def masked_lm():
    keras.utils.set_random_seed(0)
    encoder = applications.BERT(40, 1, 8, 2, 32, max_sequence_length=6)
    return applications.TaskModel(encoder, heads.MaskedLM())


def test_a_model_with_tied_logits(tmp_path):
    """Its tokens, positions of the vocabulary, and logits share one table."""
    model = masked_lm()
    model = factorize(model, energy=0.5)
    model = factorize(model, ".*token_embedding", rank=3)
    table = model.encoder.token_embedding
    assert table.rank == 3
    full = array(table.table.embeddings) @ array(table.projection)
    copy = factorize(masked_lm(), energy=0.5)
    copy.encoder.token_embedding.embeddings.assign(full)
    np.testing.assert_allclose(array(model(IDS)), array(copy(IDS)), atol=1e-5)
    model.compile("sgd")
    before = array(table.projection)
    model.fit(IDS, np.where(IDS == 5, IDS, -1), verbose=0)
    assert not np.array_equal(before, array(table.projection))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(array(again(IDS)), array(model(IDS)), atol=1e-5)
    embedded = keras_dl.models.embed(model, IDS)
    assert embedded.shape == (2, 4, 8)


def test_a_shared_table_stays_shared():
    model = transformer()
    shared = factorize(model, "embedding", rank=2)
    assert shared.embedding is shared.source_embedding
    again = type(model).from_config(model.get_config())
    again((IDS, IDS))
    assert again.embedding is again.source_embedding
    assert again.count_params() == model.count_params()


def test_what_a_model_may_have():
    """By budget: below it, and near it; the same energy for all."""
    model = bert()
    total = model.count_params()
    for budget in (0.75, 0.97, total - 300):
        model = factorize(bert(), budget=budget)
        limit = budget if budget > 1 else int(budget * total)
        assert limit - 40 < model.count_params() <= limit
    # Of rank 3 the 8 x 3 of the head would not become smaller.
    thin = factorize(bert(), rank=3)
    assert isinstance(sublayer(thin, "heads/logits"), layers.Dense)
    assert sublayer(thin, "encoder/blocks/0/widen").rank == 3
    with pytest.raises(ValueError, match="`budget` must be an integer of at"):
        factorize(model, budget=10)


def test_functional_models():
    model = cnn()
    x = normal(2, 6, 6, 2)
    thin = factorize(model, "dense", rank=2)
    assert thin is not model and thin.get_layer("dense").rank == 2
    again = type(thin).from_config(thin.get_config())
    again.set_weights(thin.get_weights())
    np.testing.assert_allclose(array(again(x)), array(thin(x)), rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, ValueError, "Give one of `rank`, `energy` and `budget`"),
        ({"rank": 2, "energy": 0.5}, ValueError, "Give one of"),
        ({"rank": 0}, ValueError, "`rank` must be an integer of at least 1"),
        (
            {"paths": ".*widen", "rank": 6},
            ValueError,
            r"`rank` must be below 5.3 for 'encoder/blocks/0/widen', whose",
        ),
        ({"energy": 1.5}, ValueError, "`energy` must be a number above 0"),
        ({"energy": 0}, ValueError, "`energy` must be a number above 0"),
        ({"paths": "widen", "rank": 2}, ValueError, "matches none of"),
        ({"paths": "encoder", "rank": 2}, TypeError, "'encoder', a BERT"),
    ],
)
def test_what_is_refused_changes_nothing(arguments, error, message):
    model = bert()
    config = model.get_config()
    with pytest.raises(error, match=message):
        factorize(model, **arguments)
    assert model.get_config() == config


def test_layers_that_are_refused():
    with pytest.raises(ValueError, match="`rank` must be .* at most 3"):
        factorize_layer(dense(), 4)
    with pytest.raises(TypeError, match="must be a dense one or an embedding"):
        factorize_layer(layers.LSTM(2), 1)
    untied = layers.ReversibleEmbedding(5, 3, tie_weights=False)
    untied.build((None,))
    with pytest.raises(ValueError, match="is not tied"):
        factorize_layer(untied, 1)
