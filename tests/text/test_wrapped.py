"""Tokenizers from elsewhere, beside themselves called directly."""

import keras
import numpy as np
import pytest
import tokenizers

from keras_dl.text import (
    SubwordVocabulary,
    TeacherForcingBatches,
    Vocabulary,
    WordVocabulary,
    as_vocabulary,
)

keras_hub = pytest.importorskip(
    "keras_hub", reason="keras-hub is not installed"
)
WORDS = ["[PAD]", "[UNK]", "[START]", "[END]", "the", "qu", "##ick", "fox"]
TEXTS = ["the quick fox", "the fox", "the cow"]


def wordpiece():
    return keras_hub.tokenizers.WordPieceTokenizer(vocabulary=WORDS)


def bert():
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS[4:]]
    return keras_hub.models.BertTokenizer(vocabulary=words)


def byte_pair():
    tokens = ["<pad>", *"helo", "Ġ", "he", "ll", "hell", "<s>", "</s>"]
    return keras_hub.tokenizers.BytePairTokenizer(
        vocabulary={token: id for id, token in enumerate(tokens)},
        merges=["h e", "l l", "he ll"],
        unsplittable_tokens=["<pad>", "<s>", "</s>"],
    )


@pytest.mark.parametrize(
    ("make", "texts", "special"),
    [
        (wordpiece, TEXTS, (0, 1, 2, 3)),
        (bert, TEXTS, (0, 1, 2, 3)),
        (byte_pair, ["hello hello", "ol", "hell"], (0, None, 9, 10)),
    ],
)
def test_hub(make, texts, special):
    tokenizer = make()
    vocabulary = as_vocabulary(tokenizer)
    assert isinstance(vocabulary, Vocabulary)
    found = (
        vocabulary.pad_id,
        vocabulary.unknown_id,
        vocabulary.start_id,
        vocabulary.end_id,
    )
    assert found == special
    assert len(vocabulary) == tokenizer.vocabulary_size()
    assert list(vocabulary.tokens) == [
        tokenizer.id_to_token(id) for id in range(len(vocabulary))
    ]
    rows = []
    for text in texts:
        ids = keras.ops.convert_to_numpy(tokenizer.tokenize(text)).tolist()
        rows.append([*ids, vocabulary.end_id])
        assert vocabulary.encode(text) == ids
        whole = vocabulary.encode(text, start=True, end=True)
        assert vocabulary.decode([*whole, 0, 0]) == tokenizer.detokenize(ids)
        names = [tokenizer.id_to_token(id) for id in ids]
        assert vocabulary.tokenize(text) == names
    np.testing.assert_array_equal(
        vocabulary.encode_batch(texts, end=True),
        keras.utils.pad_sequences(rows, padding="post", value=special[0]),
    )
    assert vocabulary.decode([]) == ""


def test_hub_mask_is_special():
    vocabulary = as_vocabulary(bert())
    assert vocabulary.special_ids == (0, 1, 2, 3, 4)
    ids = vocabulary.encode("the fox")
    assert vocabulary.decode([ids[0], 4, ids[1]]) == "the fox"


def test_start_and_end_may_be_one_token():
    names = ["<|endoftext|>", "a", "b", "ba"]
    tokenizer = keras_hub.models.GPT2Tokenizer(
        vocabulary={name: id for id, name in enumerate(names)}, merges=["b a"]
    )
    vocabulary = as_vocabulary(tokenizer)
    ids = vocabulary.encode("ab", start=True, end=True)
    assert ids == [0, 1, 2, 0]
    assert vocabulary.decode([*ids, 1]) == "ab"
    assert vocabulary.decode([1, 0, 2]) == "a"


def test_bytes_without_special_tokens():
    vocabulary = as_vocabulary(keras_hub.tokenizers.ByteTokenizer())
    ids = list("é!".encode())
    assert vocabulary.encode("é!") == ids
    assert vocabulary.decode(ids) == "é!"
    assert vocabulary.special_ids == ()
    with pytest.raises(ValueError, match=r"'pad'.*as_vocabulary\(.*pad="):
        vocabulary.encode_batch(["a", "bc"])
    with pytest.raises(ValueError, match=r"'end'.*as_vocabulary\(.*end="):
        vocabulary.encode("a", end=True)
    named = as_vocabulary(
        keras_hub.tokenizers.ByteTokenizer(), pad=0, start=2, end=3
    )
    batch = named.encode_batch(["a", "bc"], start=True, end=True)
    assert batch.tolist() == [[2, 97, 3, 0], [2, 98, 99, 3]]
    assert named.decode_batch(batch) == ["a", "bc"]


def test_hub_is_not_saved(tmp_path):
    with pytest.raises(ValueError, match="save_to_preset.*WordPieceTokenizer"):
        as_vocabulary(wordpiece()).save(tmp_path / "vocabulary.json")
    assert not list(tmp_path.iterdir())


def direct():
    ids = {"<pad>": 0, "<unk>": 1, "<s>": 2, "</s>": 3, "the": 4, "fox": 5}
    model = tokenizers.models.WordLevel(ids, unk_token="<unk>")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 2), ("</s>", 3)]
    )
    return tokenizer


def test_tokenizers(tmp_path):
    tokenizer = direct()
    tokenizer.enable_padding(length=9)
    tokenizer.enable_truncation(3)
    vocabulary = as_vocabulary(tokenizer)
    assert vocabulary.special_ids == (0, 1, 2, 3)
    assert vocabulary.size == 6 == len(vocabulary.tokens)
    assert vocabulary.encode("the red fox the") == [4, 1, 5, 4]
    assert vocabulary.tokenize("the red") == ["the", "<unk>"]
    ids = vocabulary.encode("the fox", start=True, end=True)
    assert ids == direct().encode("the fox").ids
    assert vocabulary.decode([*ids, 0]) == direct().decode([4, 5])
    batch = vocabulary.encode_batch(["the fox", "fox"], end=True)
    assert batch.tolist() == [[4, 5, 3], [5, 3, 0]]
    assert tokenizer.padding and tokenizer.truncation  # Yours stays as it was.
    vocabulary.save(tmp_path / "vocabulary.json")
    again = Vocabulary.load(tmp_path / "vocabulary.json")
    assert again.get_config() == vocabulary.get_config()
    assert again.encode("fox the") == [5, 4]
    with pytest.raises(ValueError, match="`token`.*'cow'"):
        vocabulary.token_to_id("cow")
    with pytest.raises(ValueError, match="`ids`.*0 to 5.*6"):
        vocabulary.decode([6])


def test_named_special_tokens():
    vocabulary = as_vocabulary(direct(), pad="the", end=5)
    assert (vocabulary.pad_id, vocabulary.end_id) == (4, 5)
    with pytest.raises(ValueError, match=r"`token`.*\[X\]"):
        as_vocabulary(direct(), pad="[X]")
    with pytest.raises(ValueError, match="`end`.*at most 5.*end=6"):
        as_vocabulary(direct(), end=6)


def test_ours_pass_unchanged():
    ours = WordVocabulary(["a"])
    assert as_vocabulary(ours) is ours
    with pytest.raises(ValueError, match="`pad`.*must be None"):
        as_vocabulary(ours, pad=3)


def test_others_are_refused():
    with pytest.raises(TypeError, match="`tokenizer`.*Received: dict"):
        as_vocabulary({"a": 1})


def test_they_are_accepted_where_ours_are():
    ours = SubwordVocabulary(WORDS[4:])
    pairs = [(ours, ours), (wordpiece(), wordpiece())]
    made = [
        TeacherForcingBatches(TEXTS, TEXTS, *pair, batch_size=2, num_buckets=1)
        for pair in pairs
    ]
    for (x, y), (x_hub, y_hub) in zip(*made, strict=True):
        for a, b in zip((*x, y), (*x_hub, y_hub), strict=True):
            np.testing.assert_array_equal(a, b)
    mixed = TeacherForcingBatches(TEXTS, TEXTS, bert(), direct(), batch_size=3)
    assert len(mixed)
