"""Groups of layers, from the lowest up, and what their rates may be."""

import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy as array

from keras_dl import heads
from keras_dl.applications import BERT, TaskModel
from keras_dl.optimizers import (
    ParameterGroups,
    gradual_unfreezing,
    layer_groups,
    layerwise_rates,
)


def encoder(**changes):
    sizes = {
        "num_layers": 3,
        "hidden_dim": 8,
        "num_heads": 2,
        "intermediate_dim": 8,
    }
    return BERT(20, max_sequence_length=8, dropout=0.0, **{**sizes, **changes})


def parts(groups):
    """Of each group the second part of its paths, in order, without repeats."""
    return [
        list(dict.fromkeys(v.path.split("/")[1] for v in group))
        for group in groups
    ]


BLOCKS = [["block_1"], ["block_2"], ["block_3"]]
EMBEDDINGS = ["token_embedding", "positions", "segment_embedding"]
EMBEDDINGS += ["embedding_norm"]


def test_an_encoder():
    assert parts(layer_groups(encoder())) == [EMBEDDINGS, *BLOCKS, ["pooler"]]
    without = encoder(pooler=None, num_segments=0, embedding_dim=4)
    others = [n for n in EMBEDDINGS if n != "segment_embedding"]
    others.append("embedding_projection")
    assert parts(layer_groups(without)) == [others, *BLOCKS]


def test_shared_blocks_are_one_group():
    shared = encoder(num_layers=6, num_distinct_layers=2)
    groups = parts(layer_groups(shared))
    assert groups == [EMBEDDINGS, *BLOCKS[:2], ["pooler"]]


def test_heads_are_above_with_the_pooler():
    model = TaskModel(
        encoder(),
        {"kind": heads.Classification(3), "words": heads.MaskedLM()},
    )
    groups = layer_groups(model)
    assert parts(groups[:-1]) == [EMBEDDINGS, *BLOCKS]
    ids = {id(v) for v in groups[-1]}
    above = [model.encoder.pooler_dense, *model.heads.values()]
    assert ids == {id(v) for layer in above for v in layer.weights}


def test_a_pooler_that_no_head_reads_is_left_out():
    model = TaskModel(encoder(), heads.TokenClassification(3))
    groups = layer_groups(model)
    assert parts(groups[:-1]) == [EMBEDDINGS, *BLOCKS]
    assert len(groups[-1]) == 2


def test_models_in_models_and_frozen_layers():
    low, high = (
        keras.Sequential(
            [
                keras.layers.Dense(3, name=f"{name}_1"),
                keras.layers.Dropout(0.1),
                keras.layers.Dense(3, name=f"{name}_2"),
            ]
        )
        for name in ("low", "high")
    )
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(1)(high(low(inputs))))
    kernels = [group[0] for group in layer_groups(model)]
    expected = [part.layers[i].kernel for part in (low, high) for i in (0, 2)]
    expected.append(model.layers[-1].kernel)
    assert [id(v) for v in kernels] == [id(v) for v in expected]
    low.trainable = False
    assert len(layer_groups(model)) == 3


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.low, self.high = keras.layers.Dense(2), keras.layers.Dense(2)
        self.low.build((None, 2))
        self.high.build((None, 2))

    def call(self, x):
        return self.high(self.low(x))


class Forgetful(Subclassed):
    def layer_groups(self):
        return [[self.low]]


def test_models_that_do_not_tell():
    with pytest.raises(ValueError, match="order of the layers of Subclassed"):
        layer_groups(Subclassed())
    with pytest.raises(ValueError, match="Forgetful.*dense_3/kernel"):
        layer_groups(Forgetful())


def test_rates_fall_from_layer_to_layer():
    rates = layerwise_rates(range(4), decay=1 / 2.6)
    expected = [2.6**-3, 2.6**-2, 1 / 2.6, 1.0]
    np.testing.assert_allclose(rates, expected, rtol=1e-12)
    for decay in (0, -1.0, "a"):
        with pytest.raises(ValueError, match="`decay`"):
            layerwise_rates(range(4), decay)


def test_groups_learn_one_after_another():
    rates = gradual_unfreezing([0.25, 0.5, 1.0], every=3)
    assert rates[2] == 1.0
    values = [[float(rate(t)) for t in range(8)] for rate in rates[:2]]
    assert values == [[0.0] * 6 + [0.25] * 2, [0.0] * 3 + [0.5] * 5]
    with pytest.raises(ValueError, match="`every`.*at least 1.*=0"):
        gradual_unfreezing([0.5, 1.0], every=0)
    with pytest.raises(ValueError, match="`rates`.*=0"):
        gradual_unfreezing([0, 1.0], every=1)


def test_fine_tuning_of_an_encoder(tmp_path):
    model = TaskModel(encoder(num_layers=1), heads.Classification(2, 0.0))
    groups = layer_groups(model)
    rates = gradual_unfreezing(layerwise_rates(groups, 0.5), every=2)
    model.compile(
        ParameterGroups(keras.optimizers.Adam(0.01), groups, rates),
        run_eagerly=keras.backend.backend() == "tensorflow",
    )
    ids = np.array([[3, 4, 5], [6, 7, 0]], "int32")
    moved = []
    for _ in range(5):
        before = [array(group[0]) for group in groups]
        model.train_on_batch(ids, np.array([0, 1]))
        after = [array(group[0]) for group in groups]
        moved.append(
            [(a != b).any() for a, b in zip(after, before, strict=True)]
        )
    assert moved == [
        [False, False, True],
        [False, False, True],
        [False, True, True],
        [False, True, True],
        [True, True, True],
    ]
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.optimizer.get_config() == model.optimizer.get_config()
    for ours, theirs in zip(
        model.optimizer.variables, again.optimizer.variables, strict=True
    ):
        np.testing.assert_array_equal(array(ours), array(theirs))
