"""BERT's family against transformers, by files that it wrote itself."""

import json
import pathlib
import shutil

import numpy as np
import pytest
import safetensors.numpy
import torch
from checkpoints import (
    NAMES,
    REAL,
    assert_equal,
    assert_same_outputs,
    inputs_for,
    numpy,
    random_model,
)
from sequences import compiled

from keras_dl.applications import BERT, TaskModel
from keras_dl.models import features


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Makes a model of transformers and saves it, once for each name."""
    made = {}

    def get(name):
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            model = random_model(name)
            model.save_pretrained(folder)
            made[name] = model, folder
        return made[name]

    return get


@pytest.mark.parametrize("name", NAMES)
def test_outputs_equal(name, saved):
    theirs, folder = saved(name)
    kind = BERT if name.endswith("Model") else TaskModel
    model = kind.from_hugging_face(folder)
    assert_same_outputs(model, theirs, compiled(model, model))
    if kind is BERT:
        assert model.count_params() == theirs.num_parameters()
        assert model.pools == hasattr(theirs, "pooler")


@pytest.mark.parametrize("name", NAMES)
def test_a_round_trip_is_exact(name, saved, tmp_path):
    theirs, folder = saved(name)
    if name.endswith("Model"):
        BERT.from_hugging_face(folder).to_hugging_face(tmp_path)
    else:
        model = TaskModel.from_hugging_face(folder)
        model.to_hugging_face(tmp_path)
    again = type(theirs).from_pretrained(tmp_path)
    assert again.config.architectures == [name]
    assert again.config.model_type == theirs.config.model_type
    state = again.state_dict()
    for key, tensor in theirs.state_dict().items():
        assert torch.equal(tensor, state[key]), key
    for key in ("hidden_act", "activation", "pad_token_id", "num_labels"):
        if hasattr(theirs.config, key):
            assert getattr(again.config, key) == getattr(theirs.config, key)


def test_hidden_states_and_attention_equal(saved):
    theirs, folder = saved("AlbertModel")
    theirs.set_attn_implementation("eager")
    inputs, their_inputs = inputs_for("AlbertModel")
    with torch.no_grad():
        found = theirs(
            **their_inputs, output_hidden_states=True, output_attentions=True
        )
    encoder = BERT.from_hugging_face(folder)
    states = [f"hidden_states/{i}" for i in range(encoder.num_layers + 1)]
    weights = [f"attention_weights/{i}" for i in range(encoder.num_layers)]
    ours = numpy(
        compiled(encoder, lambda x: features(encoder, x, states + weights))(
            inputs
        )
    )
    for name, b in zip(states, found.hidden_states, strict=True):
        assert_equal(ours[name], b)
    for name, b in zip(weights, found.attentions, strict=True):
        # Of queries that are real.
        assert_equal(np.swapaxes(ours[name], 1, 2), b.transpose(1, 2))


@pytest.mark.parametrize("labels", [1, 2, 5])
def test_number_of_labels(labels, tmp_path):
    model = random_model("BertForSequenceClassification", num_labels=labels)
    model.save_pretrained(tmp_path)
    ours = TaskModel.from_hugging_face(tmp_path)
    inputs, _ = inputs_for("Bert")
    assert ours(inputs).shape == (3, labels)
    name = "Regression" if labels == 1 else "Classification"
    assert type(ours.heads).__name__ == name
    ours.to_hugging_face(tmp_path / "again")
    config = json.loads((tmp_path / "again/config.json").read_text())
    assert len(config["id2label"]) == labels
    assert config["architectures"] == ["BertForSequenceClassification"]


@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "relu"])
def test_activations(activation, tmp_path):
    model = random_model("BertModel", hidden_act=activation)
    model.save_pretrained(tmp_path)
    inputs, their_inputs = inputs_for("Bert")
    ours = numpy(BERT.from_hugging_face(tmp_path)(inputs))
    found = model(**their_inputs)
    np.testing.assert_allclose(
        ours["sequence_output"][REAL],
        found.last_hidden_state.detach().numpy()[REAL],
        atol=2e-6,
    )


def test_the_encoder_of_any_model(saved):
    """Heads are left out; a pooler is made only if it is asked for."""
    theirs, folder = saved("RobertaForMaskedLM")
    left = pytest.warns(UserWarning, match="left unread.*: lm_head.bias, lm_")
    with left:
        encoder = BERT.from_hugging_face(folder, dropout=0.3)
    assert encoder.pooler is None and encoder.dropout == 0.3
    inputs, their_inputs = inputs_for("Roberta")
    found = theirs.roberta(**their_inputs).last_hidden_state
    assert_equal(numpy(encoder(inputs))["sequence_output"], found)
    with left:
        encoder = BERT.from_hugging_face(folder, pooler="tanh")
    ours = numpy(encoder(inputs))
    assert_equal(ours["sequence_output"], found)
    assert ours["pooled_output"].shape == (3, 16)
    _, folder = saved("BertModel")
    with pytest.warns(UserWarning, match=r"part: pooler.dense.bias, [\w.]+$"):
        assert BERT.from_hugging_face(folder, pooler=None).pooler is None


def test_half_precision_is_read(tmp_path):
    for dtype in (torch.float16, torch.bfloat16):
        half = random_model("BertModel").to(dtype)
        half.save_pretrained(tmp_path)
        encoder = BERT.from_hugging_face(tmp_path)
        inputs, their_inputs = inputs_for("Bert")
        found = half.float()(**their_inputs).last_hidden_state
        assert_equal(numpy(encoder(inputs))["sequence_output"], found)


def tampered(folder, tmp_path, change):
    """A copy whose tensors have been changed."""
    copy = shutil.copytree(folder, tmp_path / "copy")
    path = copy / "model.safetensors"
    tensors = safetensors.numpy.load_file(path)
    change(tensors)
    safetensors.numpy.save_file(tensors, path)
    return copy


QUERY = "encoder.layer.1.attention.self.query.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop(QUERY), f"{QUERY}' is missing"),
        (
            lambda t: t.update({QUERY: np.zeros((4, 16), "float32")}),
            rf"{QUERY}' must have the shape \(16, 16\). Received: \(4, 16\)",
        ),
        (
            lambda t: t.update({QUERY: np.zeros((16, 16), "int32")}),
            f"{QUERY}' must hold floats. Received: int32",
        ),
        (
            lambda t: t.update({"encoder.layer.9.x": np.zeros(1, "float32")}),
            "encoder.layer.9.x' belongs to no part",
        ),
    ],
    ids=["missing", "shape", "dtype", "foreign"],
)
def test_tensors_that_do_not_fit(change, message, saved, tmp_path):
    _, folder = saved("BertModel")
    copy = tampered(folder, tmp_path, change)
    with pytest.raises(ValueError, match=message):
        BERT.from_hugging_face(copy)


def test_damaged_files(saved, tmp_path):
    _, folder = saved("BertModel")
    copy = pathlib.Path(shutil.copytree(folder, tmp_path / "copy"))
    weights = copy / "model.safetensors"
    whole = weights.read_bytes()
    for part in (whole[:-4], whole[:30], b"", b"\x80\x04pickle"):
        weights.write_bytes(part)
        with pytest.raises(ValueError, match="model.safetensors is damaged"):
            BERT.from_hugging_face(copy)
    weights.unlink()
    with pytest.raises(ValueError, match="have to be unpickled are not read"):
        BERT.from_hugging_face(copy)
    (copy / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"must hold a config\.json"):
        BERT.from_hugging_face(copy)
    with pytest.raises(ValueError, match=r"must hold a config\.json"):
        BERT.from_hugging_face(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "gpt2"}, "`model_type` .* Received: model_type='gpt2'"),
        ({"is_decoder": True}, "`is_decoder` .* Received: is_decoder=True"),
        ({"hidden_act": "prelu"}, "Received: hidden_act='prelu'"),
        ({"architectures": ["BertLMHeadModel"]}, "`architectures` .* must"),
        ({"num_hidden_layers": 4}, r"layer\.3\..* is missing"),
    ],
    ids=str,
)
def test_configurations_that_are_not_supported(
    change, message, saved, tmp_path
):
    _, folder = saved("BertForMaskedLM")
    copy = pathlib.Path(shutil.copytree(folder, tmp_path / "copy"))
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(ValueError, match=message):
        TaskModel.from_hugging_face(copy)


def test_what_hugging_face_cannot_hold(tmp_path):
    sizes = {
        "num_layers": 2,
        "hidden_dim": 4,
        "num_heads": 2,
        "intermediate_dim": 4,
    }
    encoder = BERT(10, **sizes, activation="elu")
    with pytest.raises(ValueError, match="activation must be one of"):
        encoder.to_hugging_face(tmp_path)
    encoder = BERT(10, **sizes, num_segments=0, layer_norm_epsilon=1e-6)
    with pytest.raises(ValueError, match="distilbert .* layer_norm_epsilon"):
        encoder.to_hugging_face(tmp_path)
    assert not list(tmp_path.iterdir())
