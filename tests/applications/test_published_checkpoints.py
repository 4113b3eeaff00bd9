"""Checkpoints in the forms that they are published in, beside transformers.

What transformers reads from the same folder is what must come out.
"""

import json
import shutil

import numpy as np
import pytest
import transformers
from checkpoints import (
    assert_same_outputs,
    change_config,
    change_tensors,
    inputs_for,
    numpy,
    random_model,
    shard,
)

import keras_dl
from keras_dl import heads
from keras_dl.applications import BERT, TaskModel

INDEX = "model.safetensors.index.json"


@pytest.fixture
def folder_of(tmp_path):
    """Saves a model of transformers in a folder of its own."""

    def save(name, **changes):
        folder = tmp_path / name
        random_model(name, **changes).save_pretrained(folder)
        return folder

    return save


def read(name, folder, **arguments):
    kind = BERT if name.endswith("Model") else TaskModel
    return kind.from_hugging_face(folder, **arguments)


def oracle(name, folder):
    """What transformers reads."""
    kind = getattr(transformers, name)
    return kind.from_pretrained(folder).eval()


def renamed(tensors):
    """The names of the first conversions, from TensorFlow."""
    ends = {"weight": "gamma", "bias": "beta"}
    return {
        f"{name.rpartition('.')[0]}.{ends[name.rpartition('.')[2]]}"
        if "LayerNorm." in name
        else name: array
        for name, array in tensors.items()
    }


# What older versions of transformers, and pre-training, left in files.
POSITIONS = np.arange(24)[None]
SENTENCES = {
    "cls.seq_relationship.weight": np.ones((2, 16), "float32"),
    "cls.seq_relationship.bias": np.ones(2, "float32"),
}
LEFT = {
    "BertForMaskedLM": {
        "bert.embeddings.position_ids": POSITIONS,
        "bert.pooler.dense.bias": np.ones(16, "float32"),
        **SENTENCES,
    },
    "BertForSequenceClassification": {
        "bert.embeddings.position_ids": POSITIONS,
        "cls.predictions.bias": np.ones(50, "float32"),
        "loss_fct.weight": np.ones(2, "float32"),
        **SENTENCES,
    },
    "BertModel": {"embeddings.position_ids": POSITIONS, **SENTENCES},
    "AlbertForMaskedLM": {
        "sop_classifier.classifier.weight": np.ones((2, 16), "float32"),
        "albert.pooler.bias": np.ones(16, "float32"),
    },
    "RobertaForTokenClassification": {
        "roberta.embeddings.position_ids": POSITIONS,
        "roberta.embeddings.token_type_ids": 0 * POSITIONS,
        "lm_head.dense.weight": np.ones((16, 16), "float32"),
        "roberta.pooler.dense.weight": np.ones((16, 16), "float32"),
    },
    "DistilBertForSequenceClassification": {
        "vocab_projector.bias": np.ones(50, "float32"),
        "qa_outputs.bias": np.ones(2, "float32"),
    },
    "ElectraModel": {
        "electra.embeddings.position_ids": POSITIONS,
        "discriminator_predictions.dense.bias": np.ones(16, "float32"),
    },
}


@pytest.mark.parametrize("name", LEFT)
def test_old_names_and_what_was_left_over(name, folder_of):
    """As bert-base-uncased: one warning lists what is left unread."""
    folder = folder_of(name)
    left = LEFT[name]
    theirs = oracle(name, folder)
    change_tensors(folder, lambda t: renamed({**t, **left}))
    with pytest.warns(UserWarning, match="left unread") as caught:
        model = read(name, folder)
    (warning,) = caught
    listed = str(warning.message).split(": ")[-1].rstrip(".").split(", ")
    assert listed == sorted(left)
    assert warning.filename == __file__
    assert_same_outputs(model, theirs)


@pytest.mark.parametrize(
    "strange",
    [
        "bert.encoder.layer.0.crossattention.self.query.weight",
        "bert.encoder.layer.9.output.LayerNorm.gamma",
        "bert.embeddings.LayerNorm.gamma",
        "embeddings.LayerNorm.weight",
        "crf.transitions",
        "bert.classifier.weight",
        "transformer.h.0.ln_1.weight",
    ],
)
def test_strange_tensors_stay_refused(strange, folder_of):
    folder = folder_of("BertForTokenClassification")
    array = np.ones((16, 16), "float32")
    change_tensors(folder, lambda t: {**t, strange: array})
    with pytest.raises(
        ValueError, match=f"model.safetensors: tensor '{strange}' belongs to no"
    ):
        read("BertForTokenClassification", folder)


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("name", ["BertModel", "BertForMaskedLM"])
def test_names_without_the_prefix(name, old, folder_of):
    """An encoder's names may lack the prefix, with a head or without."""
    folder = folder_of(name)
    theirs = oracle(name, folder)
    change_tensors(
        folder, lambda t: {k.removeprefix("bert."): v for k, v in t.items()}
    )
    if old:
        change_tensors(folder, renamed)
    assert_same_outputs(read(name, folder), theirs)


# The decoder of each layout, the embedding, and the biases that go together.
DECODERS = {
    "BertForMaskedLM": ("bert", "cls.predictions.decoder", "cls.predictions"),
    "BertForPreTraining": (
        "bert",
        "cls.predictions.decoder",
        "cls.predictions",
    ),
    "RobertaForMaskedLM": ("roberta", "lm_head.decoder", "lm_head"),
    "CamembertForMaskedLM": ("roberta", "lm_head.decoder", "lm_head"),
    "AlbertForMaskedLM": ("albert", "predictions.decoder", "predictions"),
    "DistilBertForMaskedLM": ("distilbert", "vocab_projector", None),
    "ElectraForMaskedLM": ("electra", "generator_lm_head", None),
}


@pytest.mark.parametrize("name", DECODERS)
def test_an_untied_decoder(name, folder_of, tmp_path):
    folder = folder_of(name, tie_word_embeddings=False)
    theirs = oracle(name, folder)
    model = TaskModel.from_hugging_face(folder)
    assert_same_outputs(model, theirs)
    tied = TaskModel.from_hugging_face(folder_of(name))
    assert model.count_params() == tied.count_params() + (
        theirs.get_output_embeddings().weight.numel()
    )
    model.to_hugging_face(tmp_path / "again")
    theirs = oracle(name, tmp_path / "again")
    assert theirs.config.tie_word_embeddings is False
    assert_same_outputs(model, theirs)
    again = TaskModel.from_hugging_face(tmp_path / "again")
    inputs, _ = inputs_for(name)
    a, b = numpy(model(inputs)), numpy(again(inputs))
    if not isinstance(a, dict):
        a, b = {"": a}, {"": b}
    for key in a:
        np.testing.assert_array_equal(a[key], b[key])


def test_an_untied_decoder_of_the_same_numbers(folder_of):
    """It is trained by itself; and it must be there."""
    folder = folder_of("BertForMaskedLM", tie_word_embeddings=False)
    decoder = "cls.predictions.decoder.weight"
    embedding = "bert.embeddings.word_embeddings.weight"
    change_tensors(folder, lambda t: {**t, decoder: t[embedding]})
    model = TaskModel.from_hugging_face(folder)
    assert not model.heads.tie_weights
    assert_same_outputs(model, oracle("BertForMaskedLM", folder))
    change_tensors(folder, lambda t: {k: t[k] for k in t if k != decoder})
    with pytest.raises(ValueError, match=f"'{decoder}' is missing"):
        TaskModel.from_hugging_face(folder)
    change_tensors(
        folder, lambda t: {decoder if k == embedding else k: t[k] for k in t}
    )
    for kind in (BERT, TaskModel):
        with pytest.raises(ValueError, match=f"'{embedding}' is missing"):
            kind.from_hugging_face(folder)


@pytest.mark.parametrize("name", DECODERS)
def test_a_tied_pair_of_which_one_is_there(name, folder_of):
    """The decoder's weight in the embedding's place; either of two biases."""
    family, decoder, biases = DECODERS[name]
    folder = folder_of(name)
    embedding = f"{family}.embeddings.word_embeddings.weight"

    def change(tensors):
        tensors[f"{decoder}.weight"] = tensors.pop(embedding)
        if biases:
            tensors[f"{decoder}.bias"] = tensors.pop(f"{biases}.bias")

    theirs = oracle(name, folder)
    change_tensors(folder, change)
    assert_same_outputs(read(name, folder), theirs)
    assert_same_outputs(read(name, folder), oracle(name, folder))


@pytest.mark.parametrize("name", DECODERS)
def test_a_tied_pair_of_which_both_are_there(name, folder_of):
    """Equal, they are one, without a warning; other ones are untied."""
    family, decoder, biases = DECODERS[name]
    embedding = f"{family}.embeddings.word_embeddings.weight"
    folder = folder_of(name)

    def double(tensors):
        tensors[f"{decoder}.weight"] = tensors[embedding].copy()
        if biases:
            tensors[f"{decoder}.bias"] = tensors[f"{biases}.bias"].copy()

    theirs = oracle(name, folder)
    change_tensors(folder, double)
    model = read(name, folder)
    assert_same_outputs(model, theirs)
    assert all(head.tie_weights for head in masked(model))

    def part(tensors, what):
        tensors[f"{decoder}.{what}"] += 0.5

    if biases:
        change_tensors(folder, lambda t: part(t, "bias"))
        with pytest.warns(UserWarning, match=f"such part: {biases}.bias.$"):
            model = read(name, folder)
        assert all(head.tie_weights for head in masked(model))
        assert_same_outputs(model, oracle(name, folder))
    change_tensors(folder, lambda t: part(t, "weight"))
    model = read(name, folder)
    assert not any(head.tie_weights for head in masked(model))
    assert_same_outputs(model, oracle(name, folder))


def masked(model):
    made = model.heads
    several = made.values() if isinstance(made, dict) else [made]
    return [head for head in several if isinstance(head, heads.MaskedLM)]


@pytest.mark.parametrize("name", ["RobertaForMaskedLM", "ElectraForMaskedLM"])
def test_the_activation_of_the_head_is_the_family_s(name, folder_of, tmp_path):
    """RoBERTa's and ELECTRA's take GELU, whatever the blocks take."""
    folder = folder_of(name, hidden_act="relu")
    model = read(name, folder)
    assert_same_outputs(model, oracle(name, folder))
    model.to_hugging_face(tmp_path / "again")
    assert_same_outputs(model, oracle(name, tmp_path / "again"))
    new = TaskModel(model.encoder, heads.MaskedLM())
    with pytest.raises(ValueError, match="ForMaskedLM .* activation='gelu'"):
        new.to_hugging_face(tmp_path / "other")


@pytest.mark.parametrize(
    "name", ["BertModel", "AlbertForPreTraining", "ElectraForMultipleChoice"]
)
def test_shards(name, folder_of):
    folder = folder_of(name)
    shard(folder)
    assert not (folder / "model.safetensors").exists()
    assert_same_outputs(read(name, folder), oracle(name, folder))


def test_shards_that_do_not_fit(folder_of):
    folder = folder_of("BertModel")
    shard(folder)
    first, second, third = sorted(p.name for p in folder.glob("model-*"))
    index = json.loads((folder / INDEX).read_text())
    places = index["weight_map"]
    word = "embeddings.word_embeddings.weight"
    here, other = places[word], next(f for f in (second, third, first))
    other = first if here != first else second

    def fails(weight_map, message):
        (folder / INDEX).write_text(json.dumps({"weight_map": weight_map}))
        with pytest.raises(ValueError, match=message):
            BERT.from_hugging_face(folder)

    fails({**places, word: other}, f"{other} holds the tensor '{word}'")
    fails({**places, "more": here}, f"{here} holds the tensor 'more'")
    fails({**places, word: "../x.safetensors"}, "files beside it.*word_emb")
    fails({**places, word: 3}, "files beside it.*word_emb")
    fails([], "`weight_map` of .*index.json must be an object")
    (folder / INDEX).write_text("{")
    with pytest.raises(ValueError, match=r"index\.json is damaged"):
        BERT.from_hugging_face(folder)
    (folder / INDEX).write_text(json.dumps(index))
    shutil.copy(folder / first, folder / "twice.safetensors")
    fails({**places, "x": "twice.safetensors"}, r"twice.* is in model-00001")
    (folder / INDEX).write_text(json.dumps(index))
    (folder / second).write_bytes((folder / second).read_bytes()[:-1])
    with pytest.raises(ValueError, match=f"{second} is damaged"):
        BERT.from_hugging_face(folder)
    (folder / second).unlink()
    with pytest.raises(ValueError, match=f"must hold a {second}"):
        BERT.from_hugging_face(folder)


def test_without_an_id_of_the_padding(folder_of, tmp_path):
    """Nothing is padding, but what the mask says."""
    name = "BertForTokenClassification"
    folder = folder_of(name)
    change_config(folder, pad_token_id=None)
    model, theirs = read(name, folder), oracle(name, folder)
    assert model.encoder.pad_id is None
    inputs, their_inputs = inputs_for(name)
    mask = their_inputs.pop("attention_mask").numpy()
    ours = numpy(model(inputs))
    found = theirs(**their_inputs).logits.detach().numpy()
    np.testing.assert_allclose(ours, found, atol=1e-5)
    assert_same_outputs(
        model, theirs, lambda x: model({**x, "padding_mask": mask})
    )
    model.to_hugging_face(tmp_path / "again")
    config = json.loads((tmp_path / "again/config.json").read_text())
    assert config["pad_token_id"] is None
    folder = folder_of("RobertaModel")
    change_config(folder, pad_token_id=None)
    with pytest.raises(ValueError, match=r"json: `pad_token_id`.*integer, fr"):
        BERT.from_hugging_face(folder)


def test_a_configuration_without_its_family_or_class(folder_of):
    name = "CamembertForTokenClassification"
    folder = folder_of(name)
    theirs = oracle(name, folder)
    change_config(folder, ["model_type", "architectures"])
    with pytest.raises(ValueError, match="the argument `model_type` names it"):
        TaskModel.from_hugging_face(folder)
    with pytest.raises(ValueError, match="or the argument `task` must be one"):
        TaskModel.from_hugging_face(folder, model_type="camembert")
    given = {"model_type": "camembert", "task": "ForTokenClassification"}
    model = TaskModel.from_hugging_face(folder, **given)
    assert_same_outputs(model, theirs)
    assert model.encoder.model_type == "camembert"
    with pytest.raises(ValueError, match="`task` must be one of"):
        TaskModel.from_hugging_face(folder, "camembert", "ForCausalLM")
    with pytest.raises(ValueError, match="word_embeddings.weight' is missing"):
        TaskModel.from_hugging_face(folder, "bert", "ForTokenClassification")
    folder = folder_of("BertModel")
    with pytest.raises(ValueError, match="`model_type` must be that of"):
        BERT.from_hugging_face(folder, model_type="roberta")


def test_a_model_is_read_as_another_of_its_family(folder_of):
    """As `BertForMaskedLM.from_pretrained` of a pre-trained model."""
    folder = folder_of("BertForPreTraining")
    with pytest.warns(UserWarning, match=r"part: bert\.pooler.*seq_relation"):
        model = TaskModel.from_hugging_face(folder, task="ForMaskedLM")
    assert_same_outputs(model, oracle("BertForMaskedLM", folder))


@pytest.mark.parametrize(
    "activation",
    [
        "gelu_python",
        "gelu_fast",
        "gelu_pytorch_tanh",
        "gelu_accurate",
        "mish",
        "relu6",
        "hardswish",
        "sigmoid",
        "linear",
        "silu",
        "tanh",
    ],
)
def test_activations(activation, folder_of, tmp_path):
    folder = folder_of("BertForMaskedLM", hidden_act=activation)
    model = TaskModel.from_hugging_face(folder)
    assert_same_outputs(model, oracle("BertForMaskedLM", folder))
    model.to_hugging_face(tmp_path / "again")
    assert_same_outputs(model, oracle("BertForMaskedLM", tmp_path / "again"))


@pytest.mark.parametrize("activation", ["leaky_relu", "quick_gelu", "gelu_10"])
def test_activations_that_keras_has_not(activation, folder_of):
    """Keras' `leaky_relu` has another slope: no wrong number."""
    folder = folder_of("DistilBertModel", activation=activation)
    with pytest.raises(ValueError, match=rf"json: `activation`.*{activation}"):
        BERT.from_hugging_face(folder)


def test_sinusoidal_positions(folder_of):
    """They are in the file, as any others are."""
    name = "DistilBertModel"
    folder = folder_of(name, sinusoidal_pos_embds=True)
    assert_same_outputs(read(name, folder), oracle(name, folder))


DROPOUTS = {
    "BertForSequenceClassification": "classifier_dropout",
    "RobertaForTokenClassification": "classifier_dropout",
    "AlbertForMultipleChoice": "classifier_dropout_prob",
    "DistilBertForSequenceClassification": "seq_classif_dropout",
    "DistilBertForQuestionAnswering": "qa_dropout",
    "ElectraForMultipleChoice": "summary_last_dropout",
}


@pytest.mark.parametrize("name", DROPOUTS)
def test_the_dropout_of_the_head(name, folder_of, tmp_path):
    folder = folder_of(name)
    if DROPOUTS[name] == "classifier_dropout":
        change_config(folder, hidden_dropout_prob=0.4)
        assert TaskModel.from_hugging_face(folder).heads.dropout == 0.4
    change_config(folder, **{DROPOUTS[name]: 0.25})
    model = TaskModel.from_hugging_face(folder)
    theirs = oracle(name, folder)
    rates = [getattr(module, "p", None) for module in theirs.modules()]
    assert model.heads.dropout == 0.25 and 0.25 in rates
    model.to_hugging_face(tmp_path / "again")
    config = json.loads((tmp_path / "again/config.json").read_text())
    assert config[DROPOUTS[name]] == 0.25
    change_config(folder, **{DROPOUTS[name]: "a lot"})
    with pytest.raises(ValueError, match=f"json: `{DROPOUTS[name]}`"):
        TaskModel.from_hugging_face(folder)


def test_what_was_read_is_what_is_written(folder_of, tmp_path):
    """Through `.keras` files, too: the family and the class."""
    for name in ("XLMRobertaForMaskedLM", "BertForNextSentencePrediction"):
        model = TaskModel.from_hugging_face(folder_of(name))
        model.save(tmp_path / "model.keras")
        again = keras_dl.applications.TaskModel.from_config(model.get_config())
        again.to_hugging_face(tmp_path / name)
        config = json.loads((tmp_path / name / "config.json").read_text())
        assert config["architectures"] == [name]
    assert config["model_type"] == "bert"


def tiny(**changes):
    sizes = {
        "num_layers": 2,
        "hidden_dim": 4,
        "num_heads": 2,
        "intermediate_dim": 4,
    }
    return BERT(10, **{**sizes, **changes})


@pytest.mark.parametrize(
    ("encoder", "head", "task", "name"),
    [
        ({}, heads.ExtractiveQA, None, "BertForQuestionAnswering"),
        ({}, {"a": heads.MaskedLM}, None, "BertForMaskedLM"),
        (
            {},
            {"a": lambda: heads.Classification(3)},
            None,
            "BertForSequenceClassification",
        ),
        (
            {"num_segments": 0, "pooler": "relu"},
            heads.MultipleChoice,
            None,
            "DistilBertForMultipleChoice",
        ),
        (
            {"pooler": "gelu"},
            heads.Regression,
            None,
            "ElectraForSequenceClassification",
        ),
        (
            {"pooler": None, "model_type": "electra"},
            heads.ReplacedTokenDetection,
            None,
            "ElectraForPreTraining",
        ),
        (
            {},
            lambda: heads.Classification(2),
            "ForNextSentencePrediction",
            "BertForNextSentencePrediction",
        ),
        (
            {},
            lambda: heads.Classification(2, name="next_sentence"),
            "ForSequenceClassification",
            "BertForSequenceClassification",
        ),
        (
            {},
            lambda: heads.Classification(3, name="next_sentence"),
            None,
            "BertForSequenceClassification",
        ),
    ],
)
def test_the_class_follows_from_the_head(encoder, head, task, name, tmp_path):
    made = (
        {k: v() for k, v in head.items()} if isinstance(head, dict) else head()
    )
    model = TaskModel(tiny(**encoder), made)
    model.to_hugging_face(tmp_path, task)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["architectures"] == [name]
    oracle(name, tmp_path)
    inputs = {"token_ids": np.array([[2, 5, 3, 0]])}
    if name.endswith("MultipleChoice"):
        inputs = {"token_ids": np.array([[[2, 5, 3, 0], [2, 6, 7, 3]]])}
    found = numpy(model(inputs))
    again = numpy(TaskModel.from_hugging_face(tmp_path)(inputs))
    np.testing.assert_array_equal(
        found["a"] if isinstance(found, dict) else found, again
    )


@pytest.mark.parametrize(
    ("encoder", "head", "message"),
    [
        (
            {"pooler": "relu"},
            lambda: heads.Classification(2),
            "BertForSequenceClassification .* pooler='tanh'. Received: .*relu",
        ),
        (
            {"num_segments": 0},
            lambda: heads.Classification(2),
            "DistilBertForSeq.* has pooler='relu'. Received: pooler='tanh'",
        ),
        (
            {},
            lambda: {"a": heads.ExtractiveQA(), "b": heads.Regression()},
            "bert has no model with such heads",
        ),
        (
            {},
            lambda: {"a": heads.MaskedLM(), "b": heads.Classification(3)},
            "bert has no model with such heads",
        ),
        ({}, heads.SpanBoundary, "bert has no model with such heads"),
        ({}, heads.ReplacedTokenDetection, "bert has no model with such"),
        (
            {"embedding_dim": 2, "model_type": "bert"},
            heads.ExtractiveQA,
            "A bert of Hugging Face has embedding_dim=4",
        ),
        (
            {"first_position": 2, "model_type": "bert"},
            heads.ExtractiveQA,
            "A bert of Hugging Face has first_position=0",
        ),
        (
            {"activation": "relu", "model_type": "roberta"},
            heads.ExtractiveQA,
            "A roberta of Hugging Face has max_sequence_length=511",
        ),
    ],
)
def test_what_would_compute_otherwise_is_not_written(
    encoder, head, message, tmp_path
):
    model = TaskModel(tiny(**encoder), head())
    with pytest.raises(ValueError, match=message):
        model.to_hugging_face(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_decoder_needs_an_id_of_the_padding():
    with pytest.raises(ValueError, match="needs an encoder .* pad_id=None"):
        TaskModel(tiny(pad_id=None), heads.TransformerDecoder())
    with pytest.raises(ValueError, match="`pad_id` must be .*first_position=2"):
        tiny(pad_id=None, first_position=2)
    with pytest.raises(ValueError, match="`model_type` must be one of"):
        tiny(model_type="gpt2")


def test_as_many_labels_as_there_are(folder_of):
    name = "RobertaForSequenceClassification"
    folder = folder_of(name)
    change_config(folder, num_labels=10**10, leave_out=["id2label"])
    with pytest.raises(ValueError, match="classifier.out_proj.weight' must h"):
        read(name, folder)


def test_poolers_that_no_encoder_there_has(tmp_path):
    for changes in ({"num_segments": 0}, {"pooler": "relu"}):
        with pytest.raises(ValueError, match="of Hugging Face has pooler="):
            tiny(**changes).to_hugging_face(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "change",
    [
        {"vocab_size": 10**12},
        {"max_position_embeddings": 10**12},
        {"type_vocab_size": 10**12},
        {"intermediate_size": 10**12},
        {"num_hidden_layers": 10**9},
        {"hidden_size": 10**9},
        {"hidden_size": "16"},
        {"vocab_size": 50.0},
        {"num_hidden_layers": True},
        {"layer_norm_eps": None},
        {"num_attention_heads": 3},
        {"num_attention_heads": 0},
        {"hidden_dropout_prob": 2.0},
        {"pad_token_id": 50},
        {"pad_token_id": -1},
        {"hidden_act": ["gelu"]},
        {"tie_word_embeddings": "no"},
        {"architectures": "BertForMaskedLM"},
        {"architectures": [3]},
        {"architectures": {"a": 1}},
        {"model_type": ["bert"]},
        {"model_type": 3},
        {"is_decoder": True},
        {"position_embedding_type": "relative_key"},
    ],
    ids=str,
)
def test_damaged_configurations(change, folder_of):
    """They are refused before layers of any size are made."""
    folder = folder_of("BertForMaskedLM")
    change_config(folder, **change)
    if change == {"architectures": "BertForMaskedLM"}:
        read("BertForMaskedLM", folder)  # There is no doubt about it.
        return
    with pytest.raises(ValueError, match=str(folder)):
        TaskModel.from_hugging_face(folder)
