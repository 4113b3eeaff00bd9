"""Labels of Hugging Face's folders: read, shown, kept and written.

The oracle is transformers, with random weights: its configuration, and its
loss of the same logits and targets.
"""

import json
import re
from random import Random

import keras
import numpy as np
import pytest
import torch
import transformers
from keras import ops

from keras_dl import heads
from keras_dl.applications import BERT, TaskModel
from keras_dl.applications.bert import hugging_face_labels

SIZES = {
    "vocab_size": 20,
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 8,
    "max_position_embeddings": 12,
}
IDS = np.random.RandomState(0).randint(3, 20, size=(4, 6)).astype("int32")
NAMES = {0: "joy", 1: "anger", 2: "Überraschung"}
REGRESSION = "regression"
SINGLE = "single_label_classification"
MULTI = "multi_label_classification"


def random_model(name, **changes):
    """A model of transformers with large random weights, for evaluation."""
    torch.manual_seed(0)
    config = transformers.BertConfig(**SIZES, **changes)
    model = getattr(transformers, name)(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model


def folder_of(tmp_path, name="BertForSequenceClassification", **changes):
    """A folder as transformers writes it, and the model."""
    model = random_model(name, **changes)
    model.save_pretrained(tmp_path)
    return model


def configured(tmp_path, **changes):
    """Changes config.json by hand; `...` leaves a key out."""
    path = tmp_path / "config.json"
    config = {**json.loads(path.read_text()), **changes}
    config = {key: value for key, value in config.items() if value is not ...}
    path.write_text(json.dumps(config))


def losses(theirs, ours, targets):
    """The losses of both, of the same ids and targets."""
    ids, targets = torch.tensor(IDS.astype("int64")), np.asarray(targets)
    kind = torch.float32 if targets.dtype.kind == "f" else torch.int64
    with torch.no_grad():
        their_loss = theirs(ids, labels=torch.tensor(targets, dtype=kind)).loss
    ours.compile("sgd")
    logs = ours.evaluate(IDS, targets, verbose=0, return_dict=True)
    return logs["loss"], float(their_loss)


MULTI_HOT = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]], "float32")
NUMBERS = np.array([[0.5, 1, 2], [3, -1, 0], [0, 0, 0.1], [1, 1, 1]], "float32")
CASES = {
    "single": (3, SINGLE, [0, 2, 1, 1], heads.Classification),
    "single, by the targets": (3, None, [0, 2, 1, 1], heads.Classification),
    "multi": (3, MULTI, MULTI_HOT, heads.MultilabelClassification),
    "multi of one": (
        1,
        MULTI,
        MULTI_HOT[:, :1],
        heads.MultilabelClassification,
    ),
    "regression": (1, REGRESSION, NUMBERS[:, 0], heads.Regression),
    "regression, by the number": (1, None, NUMBERS[:, 0], heads.Regression),
    "several numbers": (3, REGRESSION, NUMBERS, heads.Regression),
}


@pytest.mark.parametrize("case", CASES)
def test_problem_types(case, tmp_path):
    """The head, and its loss, are those of transformers."""
    number, problem, targets, kind = CASES[case]
    theirs = folder_of(tmp_path, num_labels=number, problem_type=problem)
    ours = TaskModel.from_hugging_face(tmp_path)
    assert type(ours.heads) is kind and ours.label_names is None
    mine, other = losses(theirs, ours, targets)
    np.testing.assert_allclose(mine, other, atol=1e-5)
    ours.to_hugging_face(tmp_path / "again")
    again = transformers.AutoModelForSequenceClassification.from_pretrained(
        tmp_path / "again"
    )
    assert again.config.id2label == theirs.config.id2label
    assert again.config.label2id == theirs.config.label2id
    # As its own loss has set it, where the file did not.
    assert again.config.problem_type == theirs.config.problem_type


def test_a_problem_type_that_the_file_does_not_say(tmp_path):
    """transformers finds it by the targets: numbers are labels."""
    theirs = folder_of(tmp_path, id2label=NAMES)
    configured(tmp_path, problem_type=...)
    ours = TaskModel.from_hugging_face(tmp_path, problem_type=MULTI)
    assert type(ours.heads) is heads.MultilabelClassification
    assert ours.label_names == tuple(NAMES.values())
    np.testing.assert_allclose(*losses(theirs, ours, MULTI_HOT), atol=1e-5)
    assert theirs.config.problem_type == MULTI
    with pytest.raises(ValueError, match="`problem_type`, .*'several'"):
        TaskModel.from_hugging_face(tmp_path, problem_type="several")


@pytest.mark.parametrize("number", [1, 3])
def test_tagger(number, tmp_path):
    name = "BertForTokenClassification"
    names = {i: NAMES[i] for i in range(number)}
    theirs = folder_of(tmp_path, name, id2label=names)
    ours = TaskModel.from_hugging_face(tmp_path)
    assert ours.label_names == tuple(names.values())
    assert ours.heads.num_tags == number
    tags = IDS % number
    mine, other = losses(theirs, ours, tags)
    np.testing.assert_allclose(mine, other, atol=1e-5)
    found = ours.predict(IDS, verbose=0)
    logits = theirs(torch.tensor(IDS.astype("int64"))).logits
    np.testing.assert_allclose(
        found, logits.softmax(-1).detach().numpy(), atol=1e-5
    )
    ours.to_hugging_face(tmp_path / "again")
    again = type(theirs).from_pretrained(tmp_path / "again")
    assert again.config.id2label == names


def test_names_travel(tmp_path):
    """From the folder to the model, `.keras` and another folder."""
    theirs = folder_of(
        tmp_path, id2label=NAMES, label2id={n: i for i, n in NAMES.items()}
    )
    model = TaskModel.from_hugging_face(tmp_path)
    assert model.label_names == tuple(NAMES.values())
    model.save(tmp_path / "model.keras")
    model = keras.saving.load_model(tmp_path / "model.keras")
    assert model.label_names == tuple(NAMES.values())
    model.to_hugging_face(tmp_path / "again")
    config = json.loads((tmp_path / "again/config.json").read_text())
    assert config["id2label"] == {str(i): n for i, n in NAMES.items()}
    again = type(theirs).from_pretrained(tmp_path / "again")
    assert again.config.id2label == NAMES
    assert again.config.label2id == theirs.config.label2id


def test_twelve_labels_in_any_order(tmp_path):
    """Keys are numbers, not strings: 10 comes after 9."""
    names = {i: f"class {chr(122 - i)}" for i in range(12)}
    folder_of(tmp_path, id2label=names)
    shuffled = sorted((str(i), name) for i, name in names.items())
    assert [key for key, _ in shuffled][1:4] == ["1", "10", "11"]
    configured(tmp_path, id2label=dict(shuffled), label2id=...)
    model = TaskModel.from_hugging_face(tmp_path)
    assert model.label_names == tuple(names.values())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"id2label": ..., "label2id": ...}, None),
        ({"id2label": None, "label2id": None, "num_labels": 2}, None),
        ({"id2label": {"0": 7, "1": 8}, "label2id": ...}, ("7", "8")),
        (
            {"id2label": {"1": "b", "0": "a"}, "label2id": {"a": "0", "b": 1}},
            ("a", "b"),
        ),
        ({"num_labels": 2}, ("no", "yes")),
    ],
    ids=str,
)
def test_configurations_as_people_publish_them(changes, expected, tmp_path):
    folder_of(tmp_path, id2label={0: "no", 1: "yes"})
    configured(tmp_path, label2id={"no": 0, "yes": 1})
    configured(tmp_path, **changes)
    theirs = transformers.BertForSequenceClassification.from_pretrained(
        tmp_path
    )
    model = TaskModel.from_hugging_face(tmp_path)
    assert model.label_names == expected
    assert theirs.config.num_labels == model.heads.num_classes
    if expected is not None:
        found = {i: str(n) for i, n in theirs.config.id2label.items()}
        assert found == dict(enumerate(expected))


@pytest.mark.parametrize(
    "label2id",
    [{"a": 0, "b": 1}, {"yes": 0, "no": 1}, {"no": 0}, ["no"], {"no": None}],
    ids=str,
)
def test_label2id_that_contradicts_is_not_read(label2id, tmp_path):
    folder_of(tmp_path, id2label={0: "no", 1: "yes"})
    configured(tmp_path, label2id=label2id)
    with pytest.warns(UserWarning, match="`label2id` in config.json contra"):
        model = TaskModel.from_hugging_face(tmp_path)
    assert model.label_names == ("no", "yes")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id2label": {"0": "a", "2": "b"}}, "without a gap"),
        ({"id2label": {"1": "a", "2": "b"}}, "without a gap"),
        ({"id2label": {"0": "a", "00": "b"}}, "without a gap"),
        ({"id2label": {"0": "a", "1": "a"}}, "a different name to each id"),
        ({"id2label": {"0": 1, "1": "1"}}, "a different name to each id"),
        ({"id2label": {"zero": "a", "1": "b"}}, "`id2label` in config.json"),
        ({"id2label": {"0": "a", "1": None}}, "`id2label` in config.json"),
        ({"id2label": {}}, r"Received: id2label=\{\}"),
        ({"id2label": ["a", "b"]}, r"Received: id2label=\['a', 'b'\]"),
        ({"num_labels": 3}, "`num_labels` in config.json must be the number"),
        ({"id2label": ..., "num_labels": "2"}, "num_labels in config.json"),
        ({"id2label": ..., "num_labels": 3}, "must have the shape"),
        ({"problem_type": "multi"}, "`problem_type`, in config.json .*'multi'"),
        (
            {"id2label": {"0": "a"}, "problem_type": SINGLE},
            "`problem_type`, in config.json .* one label",
        ),
    ],
    ids=str,
)
def test_configurations_that_contradict_themselves(changes, message, tmp_path):
    folder_of(tmp_path, id2label={0: "no", 1: "yes"})
    configured(tmp_path, label2id=..., **changes)
    with pytest.raises(ValueError, match=message):
        TaskModel.from_hugging_face(tmp_path)


def test_labels_of_what_has_none_are_not_read(tmp_path):
    """A masked language model has no labels, whatever is written there."""
    folder_of(tmp_path, "BertForMaskedLM")
    configured(tmp_path, id2label={"0": "a", "7": "b"}, problem_type="x")
    model = TaskModel.from_hugging_face(tmp_path)
    assert model.label_names is None


def small_encoder():
    return BERT(20, 1, 8, 2, 8, max_sequence_length=12)


def test_names_may_be_set_later(tmp_path):
    model = TaskModel(small_encoder(), heads.Classification(2))
    assert model.label_names is None
    model.heads.label_names = ["no", "yes"]
    assert model.label_names == ("no", "yes")
    model.to_hugging_face(tmp_path)
    again = TaskModel.from_hugging_face(tmp_path)
    assert again.label_names == ("no", "yes")
    for names in (["no"], ["no", "no"], [0, 1], "ab"):
        message = f"`label_names` .* 2 different.*{re.escape(repr(names))}"
        with pytest.raises(ValueError, match=message):
            model.heads.label_names = names
    with pytest.raises(ValueError, match="`label_names` must be None"):
        heads.MultipleChoice().label_names = ["a", "b"]


FAMILIES = {
    "Bert": {},
    "Roberta": {"pad_token_id": 1, "type_vocab_size": 1},
    "Albert": {"embedding_size": 4},
    "DistilBert": {},
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("problem", [REGRESSION, SINGLE, MULTI])
def test_problem_types_of_every_family(family, problem, tmp_path):
    """Read and written without naming the task; weights are kept exactly."""
    config = getattr(transformers, f"{family}Config")(
        **{**SIZES, **FAMILIES[family]}, id2label=NAMES, problem_type=problem
    )
    kind = getattr(transformers, f"{family}ForSequenceClassification")
    theirs = kind(config)
    theirs.save_pretrained(tmp_path)
    model = TaskModel.from_hugging_face(tmp_path)
    assert model.label_names == tuple(NAMES.values())
    model.to_hugging_face(tmp_path / "again")
    again = kind.from_pretrained(tmp_path / "again")
    assert again.config.problem_type == problem
    assert again.config.id2label == NAMES
    state = again.state_dict()
    for name, tensor in theirs.state_dict().items():
        assert torch.equal(tensor, state[name]), name


@pytest.mark.parametrize(
    "head",
    [
        lambda **kwargs: heads.Classification(3, **kwargs),
        lambda **kwargs: heads.MultilabelClassification(3, **kwargs),
        lambda **kwargs: heads.TokenClassification(3, **kwargs),
        lambda **kwargs: heads.Regression(num_outputs=3, **kwargs),
    ],
    ids=["one class", "labels", "tags", "numbers"],
)
def test_heads_keep_their_names(head, tmp_path):
    names = tuple(NAMES.values())
    model = TaskModel(small_encoder(), head(label_names=names, dropout=0.25))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.label_names == names and again.heads.num_labels == 3
    assert again.get_config() == model.get_config()
    assert head().label_names is None
    for wrong in (("a", "b"), ("a", "b", "b"), ("a", "b", 3), "abc"):
        with pytest.raises(ValueError, match="`label_names` must be None, or"):
            head(label_names=wrong)


def test_names_of_several_heads():
    model = TaskModel(
        small_encoder(),
        {
            "kind": heads.Classification(2, label_names=["no", "yes"]),
            "size": heads.Regression(),
            "words": heads.MaskedLM(),
        },
    )
    expected = {"kind": ("no", "yes"), "size": None, "words": None}
    assert model.label_names == expected


def test_predictions_of_a_multilabel_model(tmp_path):
    theirs = folder_of(tmp_path, num_labels=3, problem_type=MULTI)
    ours = TaskModel.from_hugging_face(tmp_path)
    logits = theirs(torch.tensor(IDS.astype("int64"))).logits
    found = ours.predict(IDS, verbose=0)
    np.testing.assert_allclose(
        found, logits.sigmoid().detach().numpy(), atol=1e-5
    )
    ours.compile("sgd")
    logs = ours.evaluate(IDS, MULTI_HOT, verbose=0, return_dict=True)
    chosen = found > 0.5
    right = (chosen == MULTI_HOT).mean()
    both = (chosen * MULTI_HOT).sum()
    f1 = 2 * both / (chosen.sum() + MULTI_HOT.sum())
    np.testing.assert_allclose(logs["accuracy"], right, atol=1e-6)
    np.testing.assert_allclose(logs["f1"], f1, atol=1e-6)
    assert ops.shape(ours(IDS)) == (4, 3)


def odd_labels(random):
    """What a configuration might say of labels, right or wrong."""
    number = random.randint(1, 13)
    ids = list(range(number))
    names = [f"{random.choice('abc')}{i}" for i in ids]
    if random.random() < 0.2:
        ids[random.randrange(number)] += random.choice([-1, 1, 20])
    if random.random() < 0.2:
        names[0] = random.choice([names[-1], "", 0, 7, None, True, ["x"]])
    id2label = {str(i): name for i, name in zip(ids, names, strict=True)}
    if random.random() < 0.5:
        id2label = dict(random.sample(list(id2label.items()), len(id2label)))
    config = {"id2label": random.choice([id2label] * 5 + [None, {}, "a", 3])}
    if random.random() < 0.3:
        config["num_labels"] = random.choice(
            [number] * 3 + [1, 2, 0, "3", None]
        )
    config["problem_type"] = random.choice(
        [None, None, REGRESSION, SINGLE, MULTI, "other"]
    )
    return config


def test_odd_configurations():
    """Each is read as transformers reads it, or refused."""
    random, read = Random(0), 0
    for _ in range(300):
        config = odd_labels(random)
        try:
            head = hugging_face_labels.classifier(config)
        except ValueError as error:
            assert "config.json" in str(error), error
            continue
        read += 1
        theirs = transformers.BertConfig(**config)
        made_up = [f"LABEL_{i}" for i in range(head.num_labels)]
        names = head.label_names or made_up
        assert dict(enumerate(names)) == {
            i: str(name) for i, name in theirs.id2label.items()
        }
        kinds = {
            REGRESSION: heads.Regression,
            SINGLE: heads.Classification,
            MULTI: heads.MultilabelClassification,
            None: heads.Regression if len(names) == 1 else heads.Classification,
        }
        assert type(head) is kinds[theirs.problem_type]
    assert 80 < read < 200
