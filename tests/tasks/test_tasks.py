"""Tasks by name, from published files: rows beside transformers, training."""

import json
import string

import keras
import numpy as np
import published
import pytest
import transformers
from published import EXPECTED, FOLDERS
from seqeval.metrics import f1_score as entity_f1
from sklearn.metrics import f1_score, matthews_corrcoef

from keras_dl import heads, tasks
from keras_dl.applications import BERT, TaskModel
from keras_dl.text import as_vocabulary
from keras_dl.training import SupervisedTrainer

ROWS = [name for name in EXPECTED if "glue" in name or name == "swag"]
LETTERS = string.ascii_letters + string.digits + string.punctuation + "—éÉ"
TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS]
TOKENS += [f"##{letter}" for letter in LETTERS]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with published files of all tasks, and one of a tokenizer."""
    folder = tmp_path_factory.mktemp("files")
    published.write(folder)
    (folder / "bert").mkdir()
    (folder / "bert" / "vocab.txt").write_text("\n".join(TOKENS))
    return folder


def load(folder, name, **arguments):
    given = {"files": folder / FOLDERS[name], **arguments}
    return tasks.load(name, folder / "bert", **given)


def encoder():
    return BERT(
        len(TOKENS),
        num_layers=1,
        hidden_dim=16,
        num_heads=2,
        intermediate_dim=16,
        max_sequence_length=64,
        dropout=0.0,
        initializer_range=0.2,
    )


def texts_of(name, example):
    """The texts of a row, or for SWAG of its rows."""
    if name == "swag":
        first, second, endings, _ = example
        return [(first, f"{second} {ending}") for ending in endings]
    return [example[:-1]]


@pytest.mark.parametrize("name", ROWS)
def test_rows_are_those_of_transformers(name, files):
    """Texts, their order, segments and labels, of all splits."""
    theirs = transformers.BertTokenizer.from_pretrained(files / "bert")
    data = load(files, name)
    assert isinstance(data, tasks.TaskData)
    assert list(data.splits) == list(EXPECTED[name])
    for split, examples in EXPECTED[name].items():
        found = data[split]
        assert isinstance(found, tasks.TaskSplit)
        assert len(found) == len(examples)
        for i, example in enumerate(examples):
            rows = [theirs(*texts) for texts in texts_of(name, example)]
            for ours, key in (
                ("token_ids", "input_ids"),
                ("segment_ids", "token_type_ids"),
            ):
                expected = [row[key] for row in rows]
                ids = found.inputs[ours][i].tolist()
                if name != "swag":
                    assert [ids] == expected
                    continue
                for row, wanted in zip(ids, expected, strict=True):
                    assert row[: len(wanted)] == wanted
                    assert not any(row[len(wanted) :])
        labels = [example[-1] for example in examples]
        if labels[0] is None:
            assert found.targets is None
        else:
            np.testing.assert_allclose(found.targets, labels)
            kind = "float32" if name == "glue/stsb" else "int32"
            assert found.targets.dtype == kind


def test_every_name_is_tested():
    assert set(tasks.names()) == set(EXPECTED)


def test_batches_hold_all_examples_filled_up(files):
    data = load(files, "glue/mrpc")
    train = data["train"]
    seen = []
    for x, y in train.batches(2, shuffle=True):
        assert len(x["token_ids"]) == len(y) <= 2
        for ids, segments, label in zip(
            x["token_ids"], x["segment_ids"], y, strict=True
        ):
            size = np.count_nonzero(ids)
            assert not ids[size:].any() and not segments[size:].any()
            seen.append((*ids[:size], int(label)))
    expected = [
        (*ids, int(label))
        for ids, label in zip(
            train.inputs["token_ids"], train.targets, strict=True
        )
    ]
    assert sorted(seen) == sorted(expected)
    widths = {x["token_ids"].shape[1] for x, _ in train.batches(1)}
    assert len(widths) > 1
    (x,) = data["test"].batches(8)[0]
    assert set(x) == {"token_ids", "segment_ids"}


# Name, length of rows, head, and the names of metrics. Most rows are cut to
# one length: each further one would be compiled.
KINDS = [
    ("glue/cola", 8, heads.Classification, {"matthews"}),
    ("glue/mrpc", 8, heads.Classification, {"accuracy", "f1"}),
    ("glue/stsb", 8, heads.Regression, {"pearson", "spearman"}),
    ("swag", 12, heads.MultipleChoice, {"accuracy"}),
    ("squad/v2.0", 60, heads.ExtractiveQA, {"exact_match"}),
    ("conll2003", 40, heads.TokenClassification, {"entity_f1"}),
]


@pytest.mark.parametrize(("name", "length", "head", "metrics"), KINDS)
def test_fine_tuning(name, length, head, metrics, files):
    """A step of each kind, and what the model says then."""
    data = load(files, name, max_length=length)
    assert isinstance(data.head(), head)
    model = TaskModel(encoder(), data.head(dropout=0.0))
    model.compile(keras.optimizers.Adam(1e-3), weighted_metrics=data.metrics())
    before = [w.copy() for w in model.get_weights()]
    train = data["train"]
    batches = train.batches(64, shuffle=True)
    assert len(batches) == 1
    history = model.fit(batches, verbose=0).history
    assert metrics <= set(history) and np.isfinite(history["loss"]).all()
    after = model.get_weights()
    moved = [(a != b).any() for a, b in zip(before, after, strict=True)]
    assert sum(moved) > len(moved) / 2
    logits = train.logits(model, batch_size=64)
    assert len(train.predictions(logits)) == len(EXPECTED[name]["train"])


def test_logits_come_in_the_order_of_the_examples(files):
    """Also where the batches go from short rows to long ones."""
    data = load(files, "glue/mrpc", max_length=40)
    train = data["train"]
    model = TaskModel(encoder(), data.head())
    batches = train.batches(64)
    places = [batches.examples(i) for i in range(len(batches))]
    assert np.concatenate(places).tolist() != list(range(len(train)))
    found = train.logits(model, batch_size=64)
    filled = {
        name: np.stack([np.pad(row, (0, 40 - len(row))) for row in rows])
        for name, rows in train.inputs.items()
    }
    expected = keras.ops.convert_to_numpy(model(filled))  # No probabilities.
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.ptp(expected[:, 0]) > 1e-3
    # So does what trains the model, and any model that only predicts.
    trainer = SupervisedTrainer(model)
    np.testing.assert_allclose(train.logits(trainer, 64), found, atol=1e-5)
    plain = keras.Sequential([model])
    np.testing.assert_allclose(train.logits(plain, 64), found, atol=1e-5)


def one_hot(targets, width):
    return np.eye(width, dtype="float32")[targets]


def test_predictions_and_scores_of_classes(files):
    data = load(files, "glue/mrpc")
    logits = one_hot([1, 1, 0], 2)  # Right: 1, 0, 1.
    split = data["validation"]
    assert split.predictions(logits) == [
        "equivalent",
        "equivalent",
        "not_equivalent",
    ]
    assert split.scores(logits) == {
        "accuracy": pytest.approx(1 / 3),
        "f1": pytest.approx(f1_score([1, 0, 1], [1, 1, 0])),
    }
    cola = load(files, "glue/cola")["train"]
    found = cola.scores(one_hot([1, 1, 1, 0, 0], 2))
    expected = matthews_corrcoef([1, 0, 1, 1, 0], [1, 1, 1, 0, 0])
    assert found == {"matthews": pytest.approx(expected)}
    test = load(files, "glue/rte")["test"]
    assert test.predictions(logits)[0] == "not_entailment"
    with pytest.raises(ValueError, match="labels.*'glue/rte' are hidden"):
        test.scores(logits)
    with pytest.raises(ValueError, match=r"`logits`.*\(3, 2\).*\(2, 2\)"):
        split.predictions(logits[:2])


def test_predictions_of_numbers_and_choices(files):
    numbers = load(files, "glue/stsb")["validation"]
    logits = np.array([[5.0], [4.5], [0.5]])
    assert numbers.predictions(logits) == [5.0, 4.5, 0.5]
    scores = numbers.scores(logits)
    expected = np.corrcoef(logits[:, 0], numbers.targets)[0, 1]
    assert scores["pearson"] == pytest.approx(expected, abs=1e-6)
    assert scores["spearman"] == pytest.approx(1.0)
    choices = load(files, "swag")["train"]
    assert choices.predictions(one_hot([2, 1, 3], 4)) == ["2", "1", "3"]
    found = choices.scores(one_hot([2, 1, 3], 4))
    assert found == {"accuracy": pytest.approx(2 / 3)}


@pytest.mark.parametrize("name", ["squad/v1.1", "squad/v2.0"])
def test_answers(name, files):
    """The right spans give the right answers, through several windows."""
    data = load(files, name, max_length=60, stride=15)
    split = data["train"]
    assert len(split) > 2 * len(EXPECTED[name]["train"])
    logits = one_hot(split.targets, 60)
    right = {id: ([*texts, ""])[0] for id, *_, texts in EXPECTED[name]["train"]}
    # Most windows say "no answer"; 1.1 has none of these, 2.0 has one.
    sure = 3 * logits
    sure[..., 0] = np.minimum(sure[..., 0], 1.0)
    predictions = split.predictions(sure)
    scores = split.scores(sure)
    if name == "squad/v1.1":
        assert predictions == right
        assert scores["exact"] == scores["f1"] == 100.0
        return
    assert split.task.null_threshold == 0.0
    assert predictions.pop("5ad") == ""
    del right["5ad"]
    assert predictions == right
    assert scores["exact"] == 100.0 and scores["NoAns_f1"] == 100.0
    assert scores["best_f1"] == 100.0
    # What is not sure enough of its answer gives none.
    unsure = split.predictions(0.1 * logits + one_hot(0 * split.targets, 60))
    assert set(unsure.values()) == {""}


def test_tags(files):
    data = load(files, "conll2003", max_length=40)
    split = data["train"]
    right = [tags.split() for _, tags in EXPECTED["conll2003"]["train"]]
    logits = one_hot(split.targets.clip(0), len(data.labels))
    assert split.predictions(logits) == right
    assert split.scores(logits)["f1"] == 1.0
    wrong = logits.copy()
    place = (split.targets[0] >= 0).argmax()
    wrong[0, place] = one_hot(data.labels.index("B-PER"), len(data.labels))
    predicted = split.predictions(wrong)
    assert predicted[0][0] == "B-PER"
    found = split.scores(wrong)
    assert found["f1"] == pytest.approx(entity_f1(right, predicted))


def test_words_that_are_cut_off_count(files):
    """Their entities are not found, and missed."""
    data = load(files, "conll2003", max_length=8)
    split = data["train"]
    assert split.tagged.num_cut > 0
    logits = one_hot(split.targets.clip(0), len(data.labels))
    right = [tags.split() for _, tags in EXPECTED["conll2003"]["train"]]
    predicted = split.predictions(logits)
    assert list(map(len, predicted)) == list(map(len, right))
    found = split.scores(logits)["f1"]
    assert found == pytest.approx(entity_f1(right, predicted)) and found < 1.0


def test_options(files):
    single = load(files, "glue/mrpc", segments=False, separators=2)
    plain = load(files, "glue/mrpc")
    assert set(single["train"].inputs) == {"token_ids"}
    for ours, other in zip(
        single["train"].inputs["token_ids"],
        plain["train"].inputs["token_ids"],
        strict=True,
    ):
        at = other.tolist().index(3)
        assert ours.tolist() == np.insert(other, at, 3).tolist()
    short = load(files, "glue/mrpc", max_length=12)
    assert max(map(len, short["train"].inputs["token_ids"])) == 12
    spans = load(files, "squad/v1.1", segments=False, max_question=3)
    assert set(spans["train"].inputs) == {"token_ids"}
    assert spans["train"].windows.length == 384
    assert spans["train"].inputs["token_ids"][0, 4] == 3


def test_jsonl_is_read_as_tsv_is(files, tmp_path):
    """With names of columns as they are published, or as datasets have them."""
    for name, columns in (
        ("glue/mrpc", ("#1 String", "#2 String", "Quality")),
        ("glue/mrpc", ("sentence1", "sentence2", "label")),
        ("glue/mnli", ("premise", "hypothesis", "label")),
        ("glue/stsb", ("sentence1", "sentence2", "score")),
    ):
        for split in ("train", "test" + "_matched" * ("mnli" in name)):
            lines = [
                json.dumps(dict(zip(columns, example, strict=True))) + "\n\n"
                for example in EXPECTED[name][split]
            ]
            (tmp_path / f"{split}.jsonl").write_text("".join(lines))
            paths = {split: tmp_path / f"{split}.jsonl"}
            assert_same(
                load(files, name, files=paths)[split],
                load(files, name, splits=[split])[split],
            )


def assert_same(one, other):
    """The same inputs and targets in the same order."""
    for name in one.inputs:
        for a, b in zip(one.inputs[name], other.inputs[name], strict=True):
            np.testing.assert_array_equal(a, b)
    if one.targets is None or other.targets is None:
        assert one.targets is other.targets
    else:
        np.testing.assert_array_equal(one.targets, other.targets)


def test_own_task(files, tmp_path):
    (tmp_path / "good.tsv").write_text("stars\ttext\n3\tab\nfive\tcd\n")
    task = tasks.Task(
        "reviews",
        "classification",
        files={"train": ("good.tsv",)},
        texts=("text",),
        label="stars",
        labels=("one", "two", "three", "four", "five"),
    )
    data = tasks.load(task, files / "bert", files=tmp_path)
    assert data["train"].targets.tolist() == [3, 4]
    assert data.head().num_classes == 5
    with pytest.raises(ValueError, match="has no 'reviews'.*`files`"):
        tasks.load(task, files / "bert")


def test_the_padding_is_that_of_the_vocabulary(files):
    vocabulary = as_vocabulary(files / "bert", pad="[MASK]")
    for name in ("glue/mrpc", "swag"):
        data = tasks.load(name, vocabulary, files=files / FOLDERS[name])
        x, _ = data["train"].batches(8)[0]
        assert (x["token_ids"] == 4).any() and (x["token_ids"] != 0).all()
        assert set(np.unique(x["segment_ids"])) == {0, 1}
