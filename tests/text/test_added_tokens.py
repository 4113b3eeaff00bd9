"""Added and special tokens of folders, with their flags: as transformers."""

import json

import pytest
import tokenizers
import transformers
from odd_texts import odd_texts
from tokenizer_folders import (
    BERT,
    NEARBY,
    bert_files,
    bytes_and_merges,
    odd_folder,
    roberta_files,
    write,
)

from keras_dl.text import Vocabulary, as_vocabulary


def assert_same(vocabulary, theirs, texts):
    """The same ids, offsets and special tokens."""
    for text in texts:
        both = theirs(
            text, return_offsets_mapping=True, add_special_tokens=False
        )
        ids, offsets = vocabulary.encode_with_offsets(text)
        assert ids == both["input_ids"], text
        assert offsets == both["offset_mapping"], text
    assert set(vocabulary.special_ids) == set(theirs.all_special_ids)
    assert len(vocabulary) == len(theirs)


@pytest.mark.parametrize("part", range(6))
def test_sixty_odd_folders(part, tmp_path):
    for number in range(10 * part, 10 * part + 10):
        folder = tmp_path / str(number)
        kind = odd_folder(folder, number)
        theirs = getattr(transformers, f"{kind}Tokenizer")
        texts = odd_texts(60, number, NEARBY)
        vocabulary = as_vocabulary(folder)
        assert_same(vocabulary, theirs.from_pretrained(folder), texts)


@pytest.mark.parametrize("part", range(4))
def test_tokenizer_json_beside_other_flags(part, tmp_path):
    """What `tokenizer_config.json` says overrules it, for some classes."""
    for number in range(10 * part, 10 * part + 10):
        odd, folder = tmp_path / f"odd{number}", tmp_path / str(number)
        kind = odd_folder(odd, number)
        cls = getattr(transformers, f"{kind}Tokenizer")
        cls.from_pretrained(odd).save_pretrained(folder)
        config = json.loads((folder / "tokenizer_config.json").read_text())
        state = json.loads((folder / "tokenizer.json").read_text())
        if number % 2:
            config["added_tokens_decoder"] = {
                str(token.pop("id")): {**token, "lstrip": not token["lstrip"]}
                for token in state["added_tokens"]
            }
        for name in ("do_lower_case", "add_prefix_space", "trim_offsets"):
            if name in config and number % 4 > 1:
                config[name] = not config[name]
        if number % 3 == 0:
            config["tokenizer_class"] = "PreTrainedTokenizerFast"
        config["extra_special_tokens"] = ["<e2>", "New"]
        write(folder, tokenizer_config__json=config)
        theirs = transformers.AutoTokenizer.from_pretrained(folder)
        vocabulary = as_vocabulary(folder)
        assert_same(vocabulary, theirs, odd_texts(40, number, NEARBY))


ENTITY = {"content": "<e1>", "lstrip": True, "rstrip": True}
ENTITY |= {"single_word": False, "normalized": False, "special": True}
TYPED = {**ENTITY, "__type": "AddedToken"}
FURTHER = "additional_special_tokens"
CASES = {
    "strings": {
        "tokenizer_config__json": {"additional_special_tokens": ["<e1>"]}
    },
    "flags": {"tokenizer_config__json": {"additional_special_tokens": [TYPED]}},
    "new name": {"tokenizer_config__json": {"extra_special_tokens": ["<e1>"]}},
    "by name": {
        "tokenizer_config__json": {"extra_special_tokens": {"e_token": "<e1>"}}
    },
    "own name": {"tokenizer_config__json": {"entity_token": "<e1>"}},
    "special_tokens_map": {"special_tokens_map__json": {FURTHER: ["<e1>"]}},
    "added_tokens": {"added_tokens__json": {"<e1>": len(BERT)}},
    "upper case": {  # It is found in lower case, too, in these files alone.
        "added_tokens__json": {"<e1>": len(BERT), "<E2>": len(BERT) + 1},
        "special_tokens_map__json": {FURTHER: ["<E2>"]},
    },
    "added_tokens_decoder": {
        "tokenizer_config__json": {
            "added_tokens_decoder": {str(len(BERT)): ENTITY}
        }
    },
    "split": {
        "tokenizer_config__json": {
            "additional_special_tokens": ["<e1>"],
            "split_special_tokens": True,
        }
    },
}


@pytest.mark.parametrize("case", CASES)
def test_each_place_of_a_token(case, tmp_path):
    folder = bert_files(tmp_path, **CASES[case])
    theirs = transformers.BertTokenizer.from_pretrained(folder)
    vocabulary = as_vocabulary(folder)
    assert_same(vocabulary, theirs, odd_texts(special=["<e1>", "<E1>", "<e2>"]))
    ids = vocabulary.encode("the <e1> cat")
    assert (len(BERT) in ids) == (case != "split")


def test_flags_in_the_list_of_special_tokens_map(tmp_path):
    """Transformers wrote them before version 5, and reads them no more."""
    tokens = [dict(content="<e1>", lstrip=True, rstrip=False, normalized=False)]
    folder = roberta_files(
        tmp_path, special_tokens_map__json={"additional_special_tokens": tokens}
    )
    vocabulary = as_vocabulary(folder)
    size = len(bytes_and_merges()[0])
    assert vocabulary.token_to_id("<e1>") == size
    assert size in vocabulary.special_ids
    ids, offsets = vocabulary.encode_with_offsets("a <e1> b")
    assert len(ids) == 4 and ids[1] == size and offsets[1] == (2, 6)


def test_special_tokens_are_kept_in_a_file(tmp_path):
    folder = bert_files(
        tmp_path / "folder",
        tokenizer_config__json={
            "additional_special_tokens": [TYPED],
            "mask_token": "<m>",
            "split_special_tokens": True,
        },
        added_tokens__json={"<m>": len(BERT)},
    )
    vocabulary = as_vocabulary(folder)
    assert vocabulary.mask_id == len(BERT)
    vocabulary.save(tmp_path / "vocabulary.json")
    again = Vocabulary.load(tmp_path / "vocabulary.json")
    assert again.get_config() == vocabulary.get_config()
    assert again.special_ids == vocabulary.special_ids
    assert again.mask_id == vocabulary.mask_id
    for text in odd_texts(60, special=["<e1>", "<m>"]):
        assert again.encode(text) == vocabulary.encode(text)


def test_a_tokenizer_keeps_its_switch():
    """It is not in the tokenizer's JSON."""
    tokenizer = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({"[UNK]": 0, "a": 1}, "[UNK]")
    )
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(["[X]"])
    assert as_vocabulary(tokenizer).encode("a[X]") == [1, 2]
    tokenizer.encode_special_tokens = True
    assert as_vocabulary(tokenizer).encode("a[X]") == [1, 0, 0, 0]


def test_a_mask_is_named():
    tokenizer = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({"[UNK]": 0, "_": 1}, "[UNK]")
    )
    assert as_vocabulary(tokenizer).mask_id is None
    vocabulary = as_vocabulary(tokenizer, mask="_")
    assert vocabulary.mask_id == 1 and vocabulary.special_ids == (0, 1)


def test_lone_surrogates_are_named():
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0}, "a"))
    vocabulary = as_vocabulary(tokenizer)
    with pytest.raises(ValueError, match=r"lone surrogate.*ud83d.*character 1"):
        vocabulary._many_to_ids(["a", "a\ud83d"])
    for call in (vocabulary.encode_with_offsets, vocabulary.tokenize):
        with pytest.raises(ValueError, match="lone surrogate.*character 0"):
            call("\udc00")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"pad_token": 3}, "pad_token has 3; a token is a string"),
        ({"pad_token": "\ud83d"}, r"pad_token has '\\ud83d'"),
        ({"additional_special_tokens": "<e1>"}, "additional_.* has '<e1>'"),
        ({"additional_special_tokens": [{}]}, r"additional_.* has \{\}"),
        (
            {"extra_special_tokens": [{"content": "a", "lstrip": "yes"}]},
            "extra_special_tokens has .*'lstrip': 'yes'",
        ),
        ({"added_tokens_decoder": {"x": "a"}}, "added_tokens_decoder has 'x'"),
        ({"added_tokens_decoder": [1]}, r"added_tokens_decoder has \[1\]"),
        ({"do_lower_case": "no"}, "tokenizer_config.json is damaged"),
        ({"split_special_tokens": "no"}, "split_special_tokens='no'"),
    ],
)
def test_damaged_tokens(files, message, tmp_path):
    bert_files(tmp_path, tokenizer_config__json=files)
    with pytest.raises(ValueError, match=message):
        as_vocabulary(tmp_path)


def test_ids_of_added_tokens_must_hold(tmp_path):
    """tokenizers gives them other ids without a word."""
    bert_files(tmp_path, added_tokens__json={"<e1>": "5"})
    with pytest.raises(ValueError, match="'<e1>' has the id '5'"):
        as_vocabulary(tmp_path)
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0}, "a"))
    tokenizer.add_tokens(["b"])
    state = json.loads(tokenizer.to_str())
    state["added_tokens"][0]["id"] = 7
    write(tmp_path, added_tokens__json={}, tokenizer__json=state)
    with pytest.raises(ValueError, match="'b' of tokenizer.json.*id 7.*get 1"):
        as_vocabulary(tmp_path)


JAPANESE = {"tokenizer_class": "BertJapaneseTokenizer"}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"tokenizer_config__json": JAPANESE},
            "tokenizer_config.json.*tokenizer_class='BertJapaneseTokenizer'",
        ),
        (
            {"config__json": JAPANESE},
            r"[/\\]config.json.*tokenizer_class='BertJapaneseTokenizer'",
        ),
        (
            {"tokenizer_config__json": JAPANESE, "tokenizer__json": {}},
            "tokenizer_class='BertJapaneseTokenizer'",
        ),
        ({"config__json": {"model_type": "esm"}}, "model_type='esm'"),
        ({"config__json": {"model_type": "mpnet"}}, "model_type='mpnet'"),
        (
            {"config__json": {"model_type": "roc_bert"}},
            "model_type='roc_bert'",
        ),
        (
            {"tokenizer_config__json": {"tokenizer_class": "SudachiTokenizer"}},
            "tokenizer_class='SudachiTokenizer', vocab.txt",
        ),
        (
            {"tokenizer_config__json": {"tokenizer_class": "MPNetTokenizer"}},
            "tokenizer_class='MPNetTokenizer', vocab.txt",
        ),
        ({"tokenizer_config__json": {"tokenizer_class": 3}}, "_class=3"),
        (
            {
                "tokenizer_config__json": {
                    "tokenizer_class": "MyTokenizer",
                    "auto_map": {"AutoTokenizer": ["my.MyTokenizer", None]},
                },
                "tokenizer__json": {},
            },
            "tokenizer_class='MyTokenizer'",
        ),
    ],
)
def test_classes_that_give_other_tokens_are_refused(files, message, tmp_path):
    bert_files(tmp_path, **files)
    with pytest.raises(ValueError, match=message):
        as_vocabulary(tmp_path)


@pytest.mark.parametrize("end", ["\n", "\r\n", " \n", "\u3000\n", "\t\r\n"])
def test_ends_of_lines(end, tmp_path):
    vocab = tmp_path / "vocab.txt"
    vocab.write_bytes("".join(token + end for token in BERT).encode())
    theirs = transformers.BertTokenizer.from_pretrained(tmp_path)
    assert_same(as_vocabulary(tmp_path), theirs, odd_texts(60))
    vocab.write_text("\ufeff" + "\n".join(BERT), encoding="utf-8")
    with pytest.raises(ValueError, match="begins with a byte order mark"):
        as_vocabulary(tmp_path)


@pytest.mark.parametrize(
    "name", ["BertTokenizerFast", "ElectraTokenizer", "DistilBertTokenizerFast"]
)
def test_classes_that_give_these_tokens_are_read(name, tmp_path):
    bert_files(tmp_path, tokenizer_config__json={"tokenizer_class": name})
    vocabulary = as_vocabulary(tmp_path)
    assert vocabulary.has_segments == (name[:6] != "Distil")
    assert vocabulary.separators == 1


def test_gpt2_has_one_special_token(tmp_path):
    vocabulary, merges = bytes_and_merges()
    vocabulary["<|endoftext|>"] = len(vocabulary)
    write(
        tmp_path,
        vocab__json=vocabulary,
        merges__txt="\n".join(["#version: 0.2", *map(" ".join, merges), ""]),
        tokenizer_config__json={"tokenizer_class": "GPT2Tokenizer"},
    )
    theirs = transformers.GPT2Tokenizer.from_pretrained(tmp_path)
    ours = as_vocabulary(tmp_path, pad="<pad>")
    texts = odd_texts(special=["<|endoftext|>"])
    for text in texts:
        both = theirs(text, return_offsets_mapping=True)
        ids, offsets = ours.encode_with_offsets(text)
        assert (ids, offsets) == (both["input_ids"], both["offset_mapping"])
    assert ours.start_id == ours.end_id == theirs.eos_token_id
