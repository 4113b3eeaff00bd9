"""Vocabularies as Hugging Face's tokenizers, read by both packages."""

import io
import json
import re

import pytest
import tokenizers
import transformers
from odd_texts import odd_texts
from tokenizer_folders import NEARBY, bert_files, odd_folder, write

from keras_dl.text import (
    CharacterVocabulary,
    SubwordVocabulary,
    WordVocabulary,
    as_vocabulary,
    encode_pairs,
)
from keras_dl.text.vocabularies.regular_expressions import translate

TEXTS = odd_texts()
SPECIAL = ["[MASK]", "[E1]"]
PATTERN = r"\w{1,3}|[^\w\s\]-]+?|(?:[a-c\-]|\x41)\u00e9?"
VOCABULARIES = {
    "wordpiece": (SubwordVocabulary, {"size": 1200}),
    "bpe": (SubwordVocabulary, {"size": 500, "model": "bpe"}),
    "words": (WordVocabulary, {}),
    "spaces": (WordVocabulary, {"pattern": r"\S+"}),
    "pattern": (WordVocabulary, {"pattern": PATTERN}),
    "characters": (CharacterVocabulary, {}),
}
USES = ("pad_id", "unknown_id", "start_id", "end_id", "mask_id", "special_ids")
LAYOUT = ("size", "separators", "has_segments")


def assert_written(vocabulary, folder, texts, raw=True):
    """Three readers give the ids and the offsets of the vocabulary."""
    vocabulary.to_hugging_face(folder)
    alone = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    again = as_vocabulary(folder)
    ends = {"start": True, "end": True}
    if None in (vocabulary.start_id, vocabulary.end_id):
        ends = {}
    for text in texts:
        ids, offsets = expected = vocabulary.encode_with_offsets(text)
        both = theirs(
            text, return_offsets_mapping=True, add_special_tokens=False
        )
        assert (both["input_ids"], both["offset_mapping"]) == expected, text
        assert again.encode_with_offsets(text) == expected, text
        assert theirs(text)["input_ids"] == vocabulary.encode(text, **ends)
        if raw:
            found = alone.encode(text, add_special_tokens=False)
            assert (found.ids, found.offsets) == (ids, offsets), text
    for name in (*USES, *LAYOUT):
        assert getattr(again, name) == getattr(vocabulary, name), name
    assert set(theirs.all_special_ids) == set(vocabulary.special_ids)
    return theirs


@pytest.mark.parametrize("lowercase", [False, True])
@pytest.mark.parametrize("kind", VOCABULARIES)
def test_ours(kind, lowercase, tmp_path):
    cls, options = VOCABULARIES[kind]
    vocabulary = cls.train(
        TEXTS, lowercase=lowercase, special_tokens=SPECIAL, **options
    )
    texts = odd_texts(special=SPECIAL)
    texts += [*vocabulary.tokens[:60], " ".join(vocabulary.tokens)]
    theirs = assert_written(vocabulary, tmp_path, texts)
    pairs = encode_pairs(texts[:20], texts[20:40], vocabulary, 9999)
    for i in range(20):
        both = theirs(texts[i], texts[i + 20])
        assert both["input_ids"] == pairs["token_ids"][i].tolist()
        assert both["token_type_ids"] == pairs["segment_ids"][i].tolist()


def test_classes_by_name_read_the_same(tmp_path):
    """They make their tokenizer of `tokenizer_config.json` anew."""
    for number, lowercase in enumerate((False, True)):
        folder = tmp_path / str(number)
        vocabulary = SubwordVocabulary.train(TEXTS, 900, lowercase=lowercase)
        vocabulary.to_hugging_face(folder)
        theirs = transformers.BertTokenizer.from_pretrained(folder)
        for text in TEXTS:
            if max(map(len, text.split()), default=0) < 100:
                got = theirs(text, add_special_tokens=False)["input_ids"]
                assert got == vocabulary.encode(text)


@pytest.mark.parametrize("part", range(4))
def test_wrapped(part, tmp_path):
    for number in range(10 * part, 10 * part + 10):
        odd_folder(tmp_path / f"odd{number}", number)
        vocabulary = as_vocabulary(tmp_path / f"odd{number}")
        # A switch that tokenizers' own file does not hold.
        raw = not vocabulary.get_config()["split_special_tokens"]
        texts = odd_texts(40, number, NEARBY)
        assert_written(vocabulary, tmp_path / str(number), texts, raw)


def test_a_tokenizer_that_finds_no_special_tokens(tmp_path):
    """`tokenizers` has no such switch in its file, so they are not in it."""
    config = {"split_special_tokens": True}
    folder = bert_files(tmp_path / "bert", tokenizer_config__json=config)
    texts = ["[MASK]", "the [CLS] cat", *TEXTS]
    assert_written(as_vocabulary(folder), tmp_path / "written", texts)


def sentence_piece(fixed):
    """A tokenizer.json as CamemBERT and XLM-R are published with."""
    spm = pytest.importorskip("sentencepiece", reason="not installed")
    proto = pytest.importorskip("sentencepiece.sentencepiece_model_pb2")
    model = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter([t for t in TEXTS if len(t) < 90] * 3),
        model_writer=model,
        vocab_size=300,
        character_coverage=1.0,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    read = proto.ModelProto.FromString(model.getvalue())
    pieces = [(piece.piece, piece.score) for piece in read.pieces[3:]]
    vocabulary = [*((token, 0.0) for token in fixed), *pieces, ("<mask>", 0.0)]
    made = tokenizers.Tokenizer(
        tokenizers.models.Unigram(vocabulary, fixed.index("<unk>"))
    )
    charsmap = read.normalizer_spec.precompiled_charsmap
    made.normalizer = tokenizers.normalizers.Precompiled(charsmap)
    made.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.WhitespaceSplit(),
            tokenizers.pre_tokenizers.Metaspace(),
        ]
    )
    made.add_special_tokens([*fixed])
    mask = tokenizers.AddedToken("<mask>", lstrip=True, special=True)
    made.add_special_tokens([mask])
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[(n, made.token_to_id(n)) for n in ("<s>", "</s>")],
    )
    return made, spm.SentencePieceProcessor(model_proto=model.getvalue())


@pytest.mark.parametrize(
    ("kind", "fixed"),
    [
        (
            "Camembert",
            ["<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED"]
            + ["<s>", "</s>"],
        ),
        ("XLMRoberta", ["<s>", "<pad>", "</s>", "<unk>"]),
    ],
)
def test_sentence_piece(kind, fixed, tmp_path):
    made, peer = sentence_piece(fixed)
    state = json.loads(made.to_str())
    metaspace = state["pre_tokenizer"]["pretokenizers"][1]
    metaspace.pop("prepend_scheme"), metaspace.pop("split")
    metaspace["add_prefix_space"] = True  # As the files of 2020 have it.
    state["model"].pop("type"), state["model"].pop("byte_fallback")
    published = write(
        tmp_path / "published",
        tokenizer__json=state,
        tokenizer_config__json={"tokenizer_class": f"{kind}Tokenizer"},
        special_tokens_map__json={
            "bos_token": "<s>",
            "eos_token": "</s>",
            "cls_token": "<s>",
            "sep_token": "</s>",
            "unk_token": "<unk>",
            "pad_token": "<pad>",
        },
        config__json={"model_type": "camembert", "pad_token_id": 1},
    )
    vocabulary = as_vocabulary(published)
    assert (vocabulary.separators, vocabulary.has_segments) == (2, False)
    cls = getattr(transformers, f"{kind}Tokenizer")
    theirs = cls.from_pretrained(published)
    assert vocabulary.mask_id == theirs.mask_token_id
    pairs = encode_pairs(TEXTS[:60], TEXTS[60:120], vocabulary, 9999)
    assert list(pairs) == ["token_ids"]
    for i, text in enumerate(TEXTS):
        both = theirs(text, return_offsets_mapping=True)
        ids, offsets = vocabulary.encode_with_offsets(text)
        assert ids == both["input_ids"][1:-1]
        assert offsets == both["offset_mapping"][1:-1]
        if i < 60:
            row = theirs(text, TEXTS[i + 60])["input_ids"]
            assert row == pairs["token_ids"][i].tolist()
    for text in ("the cat sat", "CAFÉ x² ﬁ", "北京 हिन्दी"):
        assert vocabulary.tokenize(text) == peer.encode(text, out_type=str)
    assert_written(vocabulary, tmp_path / "written", TEXTS)


def test_special_tokens_that_text_is_cut_into(tmp_path):
    """They are special nowhere in a text, or the vocabulary is not written."""
    words = WordVocabulary(
        ["the", "[PA", "thee"], ["the'", "x"], pattern=r"\S+"
    )
    texts = ["[PAD] [PAD]x the' the the'e x", "[UNK] [MASK] xx x", "[PAD]"]
    assert_written(words, tmp_path / "words", texts)
    characters = CharacterVocabulary(["a", "\ue000"], ["x", "y"])
    assert_written(characters, tmp_path / "characters", ["axya\ue000", "z"])
    for vocabulary in (
        SubwordVocabulary(["a"], special_tokens=["mask"]),
        SubwordVocabulary(["a"], special_tokens=["##x"]),
        SubwordVocabulary(["b"], "bpe", [], ["a"]),
        WordVocabulary(["a"], ["mask"]),
        WordVocabulary(["a"], ["mask"], pattern=r"\w+|\S"),
    ):
        folder = tmp_path / "refused"
        with pytest.raises(ValueError, match="`special_tokens`.*turn into"):
            vocabulary.to_hugging_face(folder)
        assert not folder.exists()
    upper = SubwordVocabulary(["a"], special_tokens=["MASK"], lowercase=True)
    assert_written(upper, tmp_path / "upper", ["a MASK mask"])


def test_a_tokenizer_that_finds_some_special_tokens_only(tmp_path):
    ids = {"[UNK]": 0, "<s>": 1, "</s>": 2, "a": 3}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(ids, "[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    texts = ["a <s> a", "</s>"]
    assert_written(as_vocabulary(tokenizer), tmp_path / "none", texts)
    tokenizer.add_special_tokens(["<s>"])
    with pytest.raises(
        ValueError, match=r"all be found.*\['<s>'\], and not \["
    ):
        as_vocabulary(tokenizer).to_hugging_face(tmp_path)
    tokenizer.add_special_tokens(["</s>", "[UNK]"])
    assert_written(as_vocabulary(tokenizer), tmp_path / "all", texts)


def test_arguments_of_the_caller(tmp_path):
    """A pair layout, a length, and other special tokens than the files'."""
    vocabulary = as_vocabulary(bert_files(tmp_path / "bert"), start="[MASK]")
    folder = tmp_path / "written"
    vocabulary.to_hugging_face(folder, 2, segments=False, max_length=7)
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    assert theirs.model_max_length == 7
    both = theirs("the", "cat")
    assert list(both) == ["input_ids", "attention_mask"]
    again = as_vocabulary(folder)
    (row,) = encode_pairs(["the"], ["cat"], again, 20)["token_ids"]
    names = ["[MASK]", "the", "[SEP]", "[SEP]", "cat", "[SEP]"]
    assert (
        both["input_ids"]
        == row.tolist()
        == [vocabulary.token_to_id(name) for name in names]
    )
    with pytest.raises(ValueError, match="`separators`"):
        vocabulary.to_hugging_face(folder, separators=0)
    with pytest.raises(ValueError, match="`max_length`"):
        vocabulary.to_hugging_face(folder, max_length=0)


def test_what_cannot_be_written(tmp_path):
    keras_hub = pytest.importorskip("keras_hub", reason="not installed")
    bytes_of_hub = as_vocabulary(keras_hub.tokenizers.ByteTokenizer())
    with pytest.raises(ValueError, match="ByteTokenizer of keras-hub"):
        bytes_of_hub.to_hugging_face(tmp_path)
    with pytest.raises(ValueError, match=r"`tokens.*lone surrogate"):
        CharacterVocabulary(["\ud83d"]).to_hugging_face(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "pattern",
    [r"\S+", r"\w+|[^\w\s]", r"[^\s\d]{2,3}", r"(a|b)+c*?", r"[\]\-a-c^]", "é."]
    + [r"\d+(?:\.\d+)?|\D", r"[\w'-]+", r"\x41|\u0041|\t|\n", "[-a]|[a-]|[]]"],
)
def test_patterns(pattern):
    split = tokenizers.pre_tokenizers.Split(
        tokenizers.Regex(translate(pattern)), "removed", invert=True
    )
    for text in TEXTS:
        theirs = [span for _, span in split.pre_tokenize_str(text)]
        ours = [match.span() for match in re.finditer(pattern, text)]
        assert theirs == ours


@pytest.mark.parametrize(
    "pattern",
    [r"\ba", "^a", "a$", "a*", "(?i)a", "(?=a)b", "(?P<n>a)", "a++", "a{2}+"]
    + ["a{2}?", "{", "a|", r"(a)\1", r"a\Z", "(?!b)a", r"\ud800"],
)
def test_patterns_that_mean_something_else(pattern, tmp_path):
    vocabulary = WordVocabulary(["a"], pattern=pattern)
    with pytest.raises(ValueError, match="`pattern` must.*Received: "):
        vocabulary.to_hugging_face(tmp_path)
