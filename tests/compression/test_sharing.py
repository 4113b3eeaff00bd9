"""Layers that stand in several places, and weights of a few values."""

import keras
import numpy as np
import pytest
from keras import ops
from keras.ops import convert_to_numpy as array
from sequences import normal
from small_models import IDS, bert, mlp, randomized

from keras_dl import applications
from keras_dl.compression import (
    ClusteredWeights,
    MagnitudePruning,
    remove_units,
    share,
)
from keras_dl.models import features, replace_layer, weights_read
from keras_dl.training import SupervisedTrainer


def test_blocks_become_one(tmp_path):
    """As an ALBERT of their mean, to the number; its file, and training."""
    model = randomized(bert(4))
    total = model.count_params()
    blocks = model.encoder.blocks
    means = [
        np.mean([array(v) for v in same], axis=0)
        for same in zip(*(b.weights for b in blocks[:2]), strict=True)
    ]
    own = sum(int(np.prod(v.shape)) for v in blocks[0].weights)
    model = share(model, [[0, 1], ["encoder/blocks/2", "encoder/blocks/3"]])
    assert model.count_params() == total - 2 * own
    for variable, mean in zip(blocks[1].weights, means, strict=True):
        np.testing.assert_allclose(array(variable), mean, atol=1e-6)
    peer = bert(4, num_distinct_layers=2)
    for block, one in zip(peer.encoder.blocks, blocks[::2], strict=True):
        block.set_weights(one.get_weights())
    others = [
        [v for v in m.weights if "block_" not in v.path] for m in (peer, model)
    ]
    for variable, same in zip(*others, strict=True):
        variable.assign(same)
    names = ["hidden_states/1", "hidden_states/2", "attention_weights/3"]
    for name, value in features(model, IDS, [*names, "outputs"]).items():
        expected = features(peer, IDS, [name])[name]
        np.testing.assert_allclose(array(value), array(expected), atol=1e-5)
    model = remove_units(model, {"encoder/blocks/2/widen": [0, 1]})
    model.compile("sgd")
    model.fit(IDS, np.array([0, 1]), verbose=0)
    assert blocks[3] is blocks[2]
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.encoder.blocks[3] is again.encoder.blocks[2]
    assert again.count_params() == model.count_params()
    np.testing.assert_array_equal(array(again(IDS)), array(model(IDS)))


def test_the_first_of_any_layers():
    model = mlp_of_three()
    weights = model.hidden[2].get_weights()
    model = share(model, [["hidden/2", "hidden/4"]], how="first")
    np.testing.assert_array_equal(array(model.hidden[4].kernel), weights[0])
    # No more, if another layer is put into one of the places.
    one = model.hidden[2]
    other = keras.layers.Dense(5)
    other.build((None, 5))
    model = replace_layer(model, "hidden/2", other)
    again = type(model).from_config(model.get_config())
    again.build((None, 4))
    assert again.hidden[2] is not again.hidden[4] and model.hidden[4] is one
    assert again.count_params() == model.count_params()
    stack = transformer_of_two()
    stack = share(stack, [["decoder/0", "decoder/1"]])
    again = type(stack).from_config(stack.get_config())
    again((IDS, IDS))
    assert again.count_params() == stack.count_params()


def mlp_of_three():
    model = applications.MLP((5, 5, 5), num_outputs=3)
    model.build((None, 4))
    return model


def transformer_of_two():
    model = applications.Transformer(20, None, 2, 8, 2, 16)
    model((IDS, IDS))
    return model


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([[0]], "two layers or more"),
        ([[0, 1], [1, 0]], "each in one group"),
        ([[0, 2]], "numbers of blocks from 0 to 1"),
        ([[0, "encoder/pooler_dense"]], "of one class, with weights of"),
        ([["encoder/blocks/0", "encoder/x"]], "has no sublayer"),
    ],
)
def test_what_is_refused_changes_nothing(groups, message):
    model = bert()
    config, before = model.get_config(), array(model(IDS))
    with pytest.raises(ValueError, match=message):
        share(model, groups)
    assert model.get_config() == config
    np.testing.assert_array_equal(array(model(IDS)), before)


X, Y = normal(24, 4).astype("float32"), np.arange(24) % 3


@pytest.mark.parametrize("gradient", ["centroids", "identity"])
def test_clusters(gradient, tmp_path):
    """Gradients of values are sums of those of their weights; then a file."""
    keras.utils.set_random_seed(0)
    model = applications.MLP((), num_outputs=3)
    model.build((None, 4))
    reading = ClusteredWeights(bits=2, gradient=gradient)
    trainer = SupervisedTrainer(model, readings=reading)
    trainer.compile(keras.optimizers.SGD(0.1))
    kernel = array(model.head.kernel).astype("float64")
    (centres,) = map(array, reading.centroids.values())
    codes = np.abs(kernel[..., None] - centres).argmin(-1)
    logits = X @ centres[codes]
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    slope = X.T @ (p - np.eye(3)[Y]) / len(X)
    trainer.fit(X, Y, batch_size=24, verbose=0)
    (after,) = map(array, reading.centroids.values())
    if gradient == "centroids":
        sums = [slope[codes == k].sum() for k in range(4)]
        np.testing.assert_allclose(after, centres - 0.1 * np.array(sums), 1e-4)
    else:
        np.testing.assert_array_equal(after, centres)
        np.testing.assert_allclose(
            array(model.head.kernel), kernel - 0.1 * slope, atol=1e-6
        )
    trainer.save(tmp_path / "training.keras")
    again = keras.saving.load_model(tmp_path / "training.keras")
    np.testing.assert_allclose(
        again.predict(X, verbose=0), trainer.predict(X, verbose=0), atol=1e-6
    )
    model = again.finish()
    values = np.unique(array(model.head.kernel))
    assert len(values) <= 4
    np.testing.assert_allclose(values, np.unique(after), rtol=1e-6)


def test_pruned_weights_are_one_of_the_values():
    model = randomized(mlp())
    pruned = MagnitudePruning(0.5)
    pruned.attach(model)
    pruned.settle()
    reading = ClusteredWeights(bits=2)
    reading.attach(model)
    with weights_read([reading]):
        for variable in reading.of_variables.values():
            read = array(ops.convert_to_tensor(variable))
            assert len(np.unique(read)) <= 4
            np.testing.assert_array_equal(read == 0, array(variable) == 0)


def test_arguments_of_clusters():
    reading = ClusteredWeights(3, "identity", "a.*")
    again = ClusteredWeights.from_config(reading.get_config())
    assert (again.bits, again.gradient, again.paths) == (
        3,
        "identity",
        ("a.*",),
    )
    with pytest.raises(ValueError, match="`bits` must be .* at most 8"):
        ClusteredWeights(9)
    with pytest.raises(ValueError, match="`gradient` must be one of"):
        ClusteredWeights(gradient="none")
