"""Tokenizers from elsewhere, beside themselves called directly."""

import io

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


def wordpiece(**arguments):
    return keras_hub.tokenizers.WordPieceTokenizer(WORDS, **arguments)


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
    vocabulary = as_vocabulary(gpt2("!", "a", "b", "ba", "<|endoftext|>"))
    ids = vocabulary.encode("ab", start=True, end=True)
    assert ids == [4, 1, 2, 4]
    assert vocabulary.decode([*ids, 1]) == "ab"
    assert vocabulary.decode([1, 4, 2]) == "a"


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


def gpt2(*names):
    return keras_hub.models.GPT2Tokenizer(
        vocabulary={name: id for id, name in enumerate(names)}, merges=["b a"]
    )


def test_padding_that_is_an_ordinary_token():
    """GPT-2 of keras-hub has `pad_token_id=0`, and no `pad_token`."""
    vocabulary = as_vocabulary(gpt2("!", "a", "b", "ba", "<|endoftext|>"))
    assert vocabulary.pad_id is None and vocabulary.special_ids == (4,)
    assert vocabulary.decode(vocabulary.encode("a!b!")) == "a!b!"
    with pytest.raises(ValueError, match=r"'pad'.*as_vocabulary\(.*pad="):
        vocabulary.encode_batch(["a", "a!"])
    spelled = as_vocabulary(gpt2("!", "a", "b", "ba", "<|endoftext|>", "<pad>"))
    assert spelled.encode_batch(["a", "a!"]).tolist() == [[1, 5], [1, 0]]


class StandIn:
    """Has the methods of a tokenizer of keras-hub, and what else is given."""

    def __init__(self, *tokens, **attributes):
        self.known = tokens
        self.__dict__.update(attributes)

    def tokenize(self, text):
        return [self.known.index(token) for token in text.split()]

    def detokenize(self, ids):
        return " ".join(self.known[id] for id in ids).encode()

    def vocabulary_size(self):
        return len(self.known) or None

    def token_to_id(self, token):
        return self.known.index(token)

    def id_to_token(self, id):
        return self.known[id].encode()


@pytest.mark.parametrize(
    ("attribute", "name"),
    [
        ("pad_token_id", "pad"),
        ("unk_token_id", "unknown"),
        ("oov_token_id", "unknown"),
        ("start_token_id", "start"),
        ("bos_token_id", "start"),
        ("cls_token_id", "start"),
        ("end_token_id", "end"),
        ("eos_token_id", "end"),
        ("sep_token_id", "end"),
    ],
)
def test_special_tokens_that_are_named(attribute, name):
    tokens = {attribute: 1, attribute.removesuffix("_id"): "!"}
    vocabulary = as_vocabulary(StandIn("a", "!", **tokens))
    assert vocabulary.special_ids == (1,) == (vocabulary.special_id(name),)


def test_bytes_are_read_as_text():
    vocabulary = as_vocabulary(StandIn("é", "b"))
    assert vocabulary.tokens == ("é", "b")
    assert vocabulary.decode([1, 0]) == "b é"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: wordpiece(sequence_length=5), "`sequence_length`.*=5"),
        (lambda: wordpiece(dtype="string"), "integers.*dtype='string'"),
        (lambda: StandIn("a", add_bos=True), "`add_bos`.*add_bos=True"),
        (lambda: StandIn("a", add_eos=True), "`add_eos`.*add_eos=True"),
        (
            lambda: keras_hub.tokenizers.UnicodeCodepointTokenizer(),
            "`vocabulary_size`.*vocabulary_size=None",
        ),
    ],
)
def test_settings_that_change_ids_are_refused(make, message):
    with pytest.raises(ValueError, match=f"`tokenizer`.*{message}"):
        as_vocabulary(make())


def test_sentence_piece():
    sentencepiece = pytest.importorskip(
        "sentencepiece", reason="sentencepiece is not installed"
    )
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS),
        model_writer=model,
        model_type="bpe",
        vocab_size=22,
        minloglevel=2,
        **dict(pad_id=0, unk_id=1, bos_id=2, eos_id=3, pad_piece="<pad>"),
    )
    vocabulary = as_vocabulary(
        keras_hub.tokenizers.SentencePieceTokenizer(model.getvalue())
    )
    assert vocabulary.special_ids == (0, 1, 2, 3)
    # SentencePiece itself gives the id of <unk> for any token.
    assert "▁the" in vocabulary and "zebra" not in vocabulary
    with pytest.raises(ValueError, match="`token`.*'zebra'"):
        vocabulary.token_to_id("zebra")
    batch = vocabulary.encode_batch(TEXTS, start=True, end=True)
    assert vocabulary.decode_batch(batch) == TEXTS
    assert vocabulary.decode(vocabulary.encode("the z")) == "the  ⁇ "


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


def word_level(*words, ids=None):
    ids = dict(zip(words, ids or range(len(words)), strict=True))
    return tokenizers.Tokenizer(tokenizers.models.WordLevel(ids, words[0]))


def test_other_special_tokens_are_found():
    names = ["<unk>", "<s>", "</s>", "[MASK]", "<mask>", "[CLS]", "[SEP]", "a"]
    vocabulary = as_vocabulary(word_level(*names))
    assert vocabulary.special_ids == tuple(range(7))


def test_ids_with_gaps():
    tokenizer = word_level("<unk>", "a", "b", "<pad>", ids=[0, 2, 5, 7])
    vocabulary = as_vocabulary(tokenizer)
    assert vocabulary.size == 8 and vocabulary.pad_id == 7
    assert vocabulary.decode(vocabulary.encode("b")) == "b"
    for call in (
        lambda: vocabulary.id_to_token(3),
        lambda: vocabulary.tokens,
        lambda: vocabulary.decode([2, 3]),
    ):
        with pytest.raises(ValueError, match="`id`.*gaps.*Received: id="):
            call()


def test_what_is_special_elsewhere_stays_visible():
    tokenizer = word_level("<unk>", "a")
    tokenizer.add_special_tokens(["<unk>", "<x>"])
    vocabulary = as_vocabulary(tokenizer)
    assert vocabulary.decode([1, 0, 2]) == "a <unk> <x>"


def test_ready_made_tokenizers():
    tokenizer = tokenizers.ByteLevelBPETokenizer({"a": 0, "b": 1, "ab": 2}, [])
    assert as_vocabulary(tokenizer).encode("ba") == [1, 0]


def test_named_special_tokens(tmp_path):
    vocabulary = as_vocabulary(direct(), pad="the", end=5)
    assert (vocabulary.pad_id, vocabulary.end_id) == (4, 5)
    vocabulary.save(tmp_path / "vocabulary.json")
    again = Vocabulary.load(tmp_path / "vocabulary.json")
    assert (again.pad_id, again.end_id) == (4, 5)
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
    for other in ({"a": 1}, tokenizers.models.BPE(), tokenizers.AddedToken()):
        name = type(other).__name__
        with pytest.raises(TypeError, match=f"`tokenizer`.*Received: {name}"):
            as_vocabulary(other)


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
