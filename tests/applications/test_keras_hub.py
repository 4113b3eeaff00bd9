"""BERT's family against the backbones of keras-hub."""

import keras
import numpy as np
import pytest
from keras import ops
from sequences import compiled, normal

from keras_dl.applications import BERT

SIZES = {
    "vocabulary_size": 20,
    "num_layers": 2,
    "num_heads": 2,
    "hidden_dim": 8,
    "intermediate_dim": 12,
    "max_sequence_length": 9,
}
REAL = np.arange(7) < np.array([[7], [4]])


@pytest.fixture(scope="module")
def hub():
    import keras_hub

    return keras_hub.models


def outputs(model, inputs):
    found = compiled(model, model)(inputs)
    return keras.tree.map_structure(ops.convert_to_numpy, found)


@pytest.mark.parametrize("kind", ["Bert", "Albert", "Roberta", "DistilBert"])
def test_outputs_equal(kind, hub):
    extra = {}
    if kind == "Albert":
        extra = {"embedding_dim": 4, "num_groups": 2}
    backbone = getattr(hub, f"{kind}Backbone")(**SIZES, **extra)
    for i, variable in enumerate(backbone.weights):
        variable.assign(normal(*variable.shape, seed=i) / 2)
    ids = np.random.RandomState(0).randint(2, 20, size=(2, 7))
    pad = 1 if kind == "Roberta" else 0
    ids = np.where(REAL, ids, pad).astype("int32")
    inputs = {"token_ids": ids}
    if kind in ("Bert", "Albert"):
        inputs["segment_ids"] = np.tile(np.arange(7) > 2, (2, 1)).astype(
            "int32"
        )
    peer = backbone({**inputs, "padding_mask": REAL.astype("int32")})
    peer = keras.tree.map_structure(ops.convert_to_numpy, peer)
    encoder = BERT.from_keras_hub(backbone, dropout=0.3)
    assert encoder.dropout == 0.3
    ours = outputs(encoder, inputs)
    if kind in ("Bert", "Albert"):
        np.testing.assert_allclose(
            ours["pooled_output"], peer["pooled_output"], atol=1e-5
        )
        peer = peer["sequence_output"]
    np.testing.assert_allclose(
        ours["sequence_output"][REAL], peer[REAL], atol=1e-5
    )


def test_other_models_are_refused():
    with pytest.raises(ValueError, match="`backbone` must be one of"):
        BERT.from_keras_hub(keras.Sequential())
