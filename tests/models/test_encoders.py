"""Every head on every encoder: one test for all."""

import keras
import numpy as np
import pytest
from keras import ops
from keras.ops import convert_to_numpy as array

import keras_dl
from keras_dl import applications, heads, layers
from keras_dl.models import BackboneEncoder, embed, feature_paths, features

WORDS, TIME = 20, 6
IDS = np.array([[2, 5, 6, 7, 3, 8], [2, 9, 4, 3, 0, 0]])


def bert():
    return applications.BERT(WORDS, 2, 8, 2, 16, max_sequence_length=TIME)


def lstm():
    return applications.LSTMEncoder(WORDS, 4, 4, num_layers=2)


def transformer():
    return applications.TransformerEncoder(WORDS, 2, 8, 2, norm_first=True)


def hub():
    hub = pytest.importorskip("keras_hub", reason="keras-nlp is not installed")
    return BackboneEncoder(
        hub.models.BertBackbone(
            vocabulary_size=WORDS,
            num_layers=2,
            num_heads=2,
            hidden_dim=8,
            intermediate_dim=16,
            max_sequence_length=TIME,
        )
    )


ENCODERS = {"bert": bert, "lstm": lstm, "transformer": transformer, "hub": hub}
# Head, further inputs, targets, and the shape of the outputs.
HEADS = {
    "classification": (heads.Classification, (3,), {}, [1, 2], (2, 3)),
    "regression": (heads.Regression, (), {}, [0.5, 1.0], (2, 1)),
    "choice": (heads.MultipleChoice, (), {}, [1], (1, 2)),
    "tags": (
        heads.TokenClassification,
        (4,),
        {},
        np.where(IDS == 0, -1, IDS % 4),
        (2, TIME, 4),
    ),
    "replaced": (
        heads.ReplacedTokenDetection,
        (),
        {},
        np.where(IDS == 0, -1, IDS % 2),
        (2, TIME, 2),
    ),
    "spans": (heads.ExtractiveQA, (), {}, [[1, 2], [0, 3]], (2, 2, TIME)),
    "masked": (
        heads.MaskedLM,
        (),
        {"masked_positions": np.array([[1, 3], [1, 0]])},
        [[5, 7], [9, -1]],
        (2, 2, WORDS),
    ),
    "boundary": (
        heads.SpanBoundary,
        (3, 5),
        {
            "span_left": np.array([[1], [0]]),
            "span_right": np.array([[3], [2]]),
            "span_offset": np.array([[0], [0]]),
        },
        [[6], [9]],
        (2, 1, WORDS),
    ),
    "decoder": (
        lambda: heads.TransformerDecoder(num_layers=1),
        (),
        {"decoder_ids": np.array([[2, 5, 6], [2, 9, 0]])},
        [[5, 6, 3], [9, 3, 0]],
        (2, 3, WORDS),
    ),
}


def made(encoder, head):
    kind, arguments, others, targets, shape = HEADS[head]
    model = applications.TaskModel(ENCODERS[encoder](), kind(*arguments))
    ids = IDS[None] if head == "choice" else IDS
    return model, {"token_ids": ids, **others}, np.array(targets), shape


@pytest.mark.compiled("hub-classification")
@pytest.mark.parametrize(
    ("encoder", "head"),
    [
        pytest.param(encoder, head, id=f"{encoder}-{head}")
        for encoder in ENCODERS
        for head in HEADS
    ],
)
def test_a_head_on_an_encoder(encoder, head):
    model, x, y, shape = made(encoder, head)
    assert tuple(model(x).shape) == shape
    # Padding means nothing: other ids there change nothing that is real.
    other = np.where(x["token_ids"] == 0, 11, x["token_ids"])
    told = {"padding_mask": x["token_ids"] != 0}
    a = array(model({**x, **told}))
    b = array(model({**x, **told, "token_ids": other}))
    if head in ("tags", "replaced"):
        a, b = a[IDS != 0], b[IDS != 0]
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
    model.compile(keras.optimizers.SGD(0.1), jit_compile=False)
    logs = model.train_on_batch(x, y, return_dict=True)
    assert all(np.isfinite(float(value)) for value in logs.values()), logs
    # Every variable gets a gradient.
    variables = model.trainable_variables
    y = ops.convert_to_tensor(y)
    _, gradients = keras_dl.variable_gradients(
        lambda: model.compute_loss(x, y, model(x, training=False)), variables
    )
    still = [
        variable.path
        for variable, gradient in zip(variables, gradients, strict=True)
        if not np.any(array(gradient))
    ]
    # A bias of all that a softmax compares moves all scores alike.
    shift = head in ("choice", "spans")
    exempt = ("key", "logits/bias") if shift else ("key",)
    assert not [path for path in still if not any(e in path for e in exempt)]


@pytest.mark.parametrize("encoder", ENCODERS)
def test_an_encoder_says_what_it_has(encoder):
    encoder = ENCODERS[encoder]()
    names = feature_paths(encoder)
    for i in range(3):
        assert f"hidden_states/{i}" in names
    found = features(encoder, IDS, ["hidden_states/2", "embeddings", "outputs"])
    assert found["embeddings"].shape == embed(encoder, IDS).shape
    sequence = array(found["outputs"]["sequence_output"])
    if encoder.name.startswith(("bert", "backbone")):
        np.testing.assert_allclose(array(found["hidden_states/2"]), sequence)
    groups = encoder.layer_groups()
    assert len(groups) == encoder.num_layers + 2
    held = {id(v) for g in groups for layer in g for v in layer.weights}
    assert held == {id(v) for v in encoder.weights}


def test_pooling():
    from keras_dl.models.encoder import pool

    x = np.array([[[1.0, -1], [3, -5], [9, 9]], [[7, 7], [8, 8], [6, 6]]])
    real = np.array([[True, True, False], [False, True, True]])
    for how, expected in {
        "first": [[1, -1], [8, 8]],
        "last": [[3, -5], [6, 6]],
        "mean": [[2, -3], [7, 7]],
        "max": [[3, -1], [8, 8]],
    }.items():
        found = pool(ops.convert_to_tensor(x), ops.convert_to_tensor(real), how)
        np.testing.assert_allclose(array(found), expected)


@pytest.mark.compiled
def test_a_backbone_of_ones_own_survives_its_file(tmp_path):
    ids = keras.Input((None,), dtype="int32", name="token_ids")
    x = keras.layers.Embedding(WORDS, 4, name="token_embedding")(ids)
    backbone = keras.Model({"token_ids": ids}, keras.layers.Dense(8)(x))
    encoder = BackboneEncoder(backbone, pooling="last", pad_id=2)
    model = applications.TaskModel(encoder, heads.Classification(3))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(again.encoder, BackboneEncoder)
    assert (again.encoder.pooling, again.encoder.pad_id) == ("last", 2)
    np.testing.assert_allclose(array(again(IDS)), array(model(IDS)), rtol=1e-5)
    # Neither argument goes unread.
    for changes in ({"pooling": "first"}, {"pad_id": 0}):
        other = BackboneEncoder.from_config({**encoder.get_config(), **changes})
        other.set_weights(encoder.get_weights())
        ours, theirs = (e(IDS)["pooled_output"] for e in (encoder, other))
        assert not np.allclose(array(ours), array(theirs))


def test_a_head_asks_for_what_an_encoder_lacks():
    plain = applications.LSTMEncoder(WORDS, 4, 4, pooling=None)
    with pytest.raises(ValueError, match="needs an encoder with a pooler"):
        applications.TaskModel(plain, heads.Classification(2))
    with pytest.raises(ValueError, match="encoder that reads entities"):
        applications.TaskModel(plain, heads.EntityAlignment())
    with pytest.raises(ValueError, match="`backbone` must be a functional"):
        BackboneEncoder(keras.Sequential([keras.Input((2,))]))
    uneven = applications.TransformerEncoder(
        WORDS, 2, 8, num_heads=[1, 2], head_dim=4
    )
    with pytest.raises(ValueError, match="`num_heads` of a TransformerDecoder"):
        applications.TaskModel(uneven, heads.TransformerDecoder())


def test_blocks_of_different_widths():
    uneven = applications.BERT(
        WORDS, 2, 8, [2, 1], [16, 4], max_sequence_length=TIME, head_dim=4
    )
    shapes = [block.attention.query_dense.units for block in uneven.blocks]
    assert shapes == [8, 4]
    assert [block.widen.units for block in uneven.blocks] == [16, 4]
    found = features(uneven, IDS, [f"attention_weights/{i}" for i in (0, 1)])
    assert [tuple(x.shape)[1] for x in found.values()] == [2, 1]
    again = type(uneven).from_config(uneven.get_config())
    assert [b.num_heads for b in again.blocks] == [2, 1]
    with pytest.raises(ValueError, match="`head_dim` must be given"):
        applications.BERT(WORDS, 2, 8, [2, 1], 16)
    with pytest.raises(ValueError, match="`num_heads` must be an integer, or"):
        applications.BERT(WORDS, 2, 8, [2, 1, 1], 16, head_dim=4)
    assert layers is not None
