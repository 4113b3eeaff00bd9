"""A model's tokenizer beside it in a folder, read by transformers."""

import numpy as np
import published
import pytest
import tokenizers
import transformers
from odd_texts import odd_texts
from sequences import numpy
from tokenizer_folders import bert_files, roberta_files

from keras_dl import tasks
from keras_dl.applications import BERT, TaskModel
from keras_dl.heads import Classification
from keras_dl.text import SubwordVocabulary, as_vocabulary, encode_pairs

TEXTS = [text[:60] for text in odd_texts(40)]
FIRSTS, SECONDS = TEXTS[8:20], TEXTS[20:32]
ENCODERS = {
    "bert": {},
    "roberta": {"num_segments": 1, "first_position": 1},
    "albert": {"embedding_dim": 4, "num_distinct_layers": 1},
    "distilbert": {"num_segments": 0, "pooler": None},
}


def encoder(vocabulary, **more):
    given = {"pad_id": vocabulary.pad_id, "max_sequence_length": 160}
    return BERT(vocabulary.size, 1, 8, 2, 8, **{**given, **more})


@pytest.fixture(scope="module")
def vocabulary():
    return SubwordVocabulary.train(
        TEXTS, size=400, lowercase=True, special_tokens=["[MASK]"]
    )


@pytest.mark.parametrize("kind", ENCODERS)
def test_transformers_runs_on_the_folder(kind, vocabulary, tmp_path):
    """From texts to hidden states, by its own classes alone."""
    ours = encoder(vocabulary, **ENCODERS[kind])
    ours.to_hugging_face(tmp_path, vocabulary=vocabulary)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer.model_max_length == 160
    model = transformers.AutoModel.from_pretrained(tmp_path).eval()
    inputs = tokenizer(
        FIRSTS, SECONDS, padding=True, truncation=True, return_tensors="pt"
    )
    rows = encode_pairs(FIRSTS, SECONDS, tmp_path, 160)
    assert ("segment_ids" in rows) == (kind in ("bert", "albert"))
    mask = np.array(inputs["attention_mask"], "bool")
    padded = {
        name: np.zeros(mask.shape, "int32") for name in rows
    }  # The padding's id is 0, as is its segment's.
    for name, array in padded.items():
        for target, row in zip(array, rows[name], strict=True):
            target[: len(row)] = row
    theirs = model(**inputs).last_hidden_state.detach().numpy()
    (found,) = numpy(ours(padded)["sequence_output"])
    np.testing.assert_allclose(found[mask], theirs[mask], atol=1e-5)


@pytest.mark.parametrize("make", [bert_files, roberta_files])
def test_the_tokenizer_of_a_folder_goes_along(make, tmp_path):
    """A published model, fine-tuned, is written with its tokenizer."""
    given = make(
        tmp_path / "given",
        tokenizer_config__json={"additional_special_tokens": ["<e1>"]},
    )
    vocabulary = as_vocabulary(given)
    model = TaskModel(encoder(vocabulary), Classification(2))
    model.to_hugging_face(tmp_path / "written", vocabulary=given)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "written")
    again = as_vocabulary(tmp_path / "written")
    assert again.special_ids == vocabulary.special_ids
    for text in odd_texts(special=["<e1>"]):
        ids = vocabulary.encode(text, start=True, end=True)
        assert theirs(text)["input_ids"] == ids
        assert again.encode(text, start=True, end=True) == ids


@pytest.mark.parametrize("name", ["glue/mrpc", "swag", "squad/v1.1"])
def test_a_task_trains_roberta_without_options(name, tmp_path):
    folder = roberta_files(tmp_path / "roberta")
    published.write(tmp_path)
    data = tasks.load(
        name,
        folder,
        files=tmp_path / published.FOLDERS[name],
        splits=["train"],
        max_length=400,
    )
    roberta = encoder(
        as_vocabulary(folder),
        num_segments=1,
        first_position=2,
        max_sequence_length=400,
    )
    model = TaskModel(roberta, data.head())
    model.compile("sgd")
    model.fit(data["train"].batches(4), epochs=1, verbose=0)
    roberta.to_hugging_face(tmp_path / "written", vocabulary=folder)
    again = tasks.load(
        name,
        tmp_path / "written",
        files=tmp_path / published.FOLDERS[name],
        splits=["train"],
        max_length=400,
    )
    for ours, theirs in zip(
        data["train"].inputs["token_ids"],
        again["train"].inputs["token_ids"],
        strict=True,
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_without_a_vocabulary_there_is_no_tokenizer(vocabulary, tmp_path):
    encoder(vocabulary).to_hugging_face(tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"config.json", "model.safetensors"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vocabulary_size": 20}, r"vocabulary of \d+ ids.*vocabulary_size=20"),
        ({"pad_id": 3}, "with pad_id=0, an encoder with pad_id=3"),
    ],
)
def test_a_vocabulary_that_does_not_fit(change, message, vocabulary, tmp_path):
    config = encoder(vocabulary).get_config()
    model = BERT.from_config({**config, **change})
    folder = tmp_path / "folder"
    for one in (model, TaskModel(model, Classification(2))):
        with pytest.raises(ValueError, match=message):
            one.to_hugging_face(folder, vocabulary=vocabulary)
        assert not folder.exists()


def test_what_is_no_vocabulary(vocabulary, tmp_path):
    model = tokenizers.models.BPE()
    with pytest.raises(TypeError, match="`tokenizer` must be"):
        encoder(vocabulary).to_hugging_face(tmp_path, vocabulary=model)
    assert not list(tmp_path.iterdir())
