"""Vocabularies from the folders of Hugging Face, beside transformers."""

import json

import numpy as np
import pytest
import transformers
from tokenizers.pre_tokenizers import ByteLevel

from keras_dl.text import TaggedWords, Vocabulary, as_vocabulary

TEXTS = [
    "The cats' CAFÉ, naïve: 北京ab!",
    "  two\tspaces\u00a0and \u200bmore\ufffd\n",
    "😀 cat😀s ☕️ ﬁ Ǆ İSTANBUL ẞ",
    "cat [MASK] cats<mask>the <mask> [SEP]</s> [UNK]",
    "``quoted'' cafe\u0301 cafés",
    "new cat newcat NEW <new> <new>cat",
    "a" * 101,
    "",
]
BERT = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
BERT += ["the", "The", "cat", "##s", "s", "'", ",", ":", "!", "😀", "##😀"]
BERT += ["cafe", "cafes", "caf", "##é", "na", "##ive", "##ï", "##ve", "北"]
BERT += ["京", "ab", "CA", "##F", "##É", "two", "is", "##tanbul", "``", "`"]
PIECES = [("<pad>", 0.0), ("<unk>", 0.0), ("[CLS]", 0.0), ("[SEP]", 0.0)]
PIECES += [("[MASK]", 0.0), ("▁", -2.0), ("▁the", -3.0), ("▁cat", -3.1)]
PIECES += [("s", -3.2), ("cat", -4.0), ("▁cafe", -3.5), ("e", -5.0)]
PIECES += [(letter, -6.0) for letter in "abcdfghijklmnopqrtuvwxyz'\"北😀!"]


def bytes_and_merges():
    merges = [("c", "a"), ("ca", "t"), ("Ġ", "cat"), ("Ġ", "t"), ("Ã", "©")]
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *sorted(ByteLevel.alphabet())]
    tokens += [*map("".join, merges), "<mask>"]
    return {token: id for id, token in enumerate(tokens)}, merges


def numbered(tokens):
    return {token: id for id, token in enumerate(tokens)}


def write(folder, **files):
    """Writes files whose names have a dot for each underline."""
    for name, content in files.items():
        name = name.replace("__", ".")
        if not isinstance(content, str):
            content = json.dumps(content)
        (folder / name).write_text(content, encoding="utf-8")
    return folder


def bert_files(folder, **config):
    return write(
        folder, vocab__txt="\n".join(BERT) + "\n", tokenizer_config__json=config
    )


def roberta_files(folder, **config):
    vocabulary, merges = bytes_and_merges()
    lines = ["#version: 0.2", *map(" ".join, merges), ""]
    return write(
        folder,
        vocab__json=vocabulary,
        merges__txt="\n".join(lines),
        tokenizer_config__json=config,
    )


def saved(kind, **arguments):
    """What transformers itself writes: tokenizer.json."""

    def make(folder):
        if kind == "Bert":
            given = {"vocab": numbered(BERT)}
        elif kind == "Roberta":
            given = dict(
                zip(("vocab", "merges"), bytes_and_merges(), strict=True)
            )
        else:
            given = {"vocab": PIECES}
        tokenizer = getattr(transformers, f"{kind}Tokenizer")
        tokenizer(**given, **arguments).save_pretrained(folder)
        assert (folder / "tokenizer.json").exists()
        return folder

    return make


def added(make):
    """With a token that was added later."""
    new = {"content": "<new>", "lstrip": True, "special": False}
    new = {"rstrip": False, "single_word": False, "normalized": True, **new}

    def more(folder):
        size = len(BERT)
        return make(folder, added_tokens_decoder={str(size): new})

    return more


CASES = {
    "bert": ("Bert", saved("Bert")),
    "cased bert": ("Bert", saved("Bert", do_lower_case=False)),
    "accents": ("Bert", saved("Bert", strip_accents=False)),
    "vocab.txt": ("Bert", bert_files),
    "cased vocab.txt": ("Bert", lambda f: bert_files(f, do_lower_case=False)),
    "accents in vocab.txt": (
        "Bert",
        lambda f: bert_files(f, strip_accents=False),
    ),
    "Chinese words": (
        "Bert",
        lambda f: bert_files(f, tokenize_chinese_chars=False),
    ),
    "added": ("Bert", added(bert_files)),
    "distilbert": ("DistilBert", bert_files),
    "roberta": ("Roberta", saved("Roberta")),
    "prefixed roberta": ("Roberta", saved("Roberta", add_prefix_space=True)),
    "vocab.json": ("Roberta", roberta_files),
    "prefixed vocab.json": (
        "Roberta",
        lambda f: roberta_files(f, add_prefix_space=True),
    ),
    "albert": ("Albert", saved("Albert")),
    "cased albert": (
        "Albert",
        saved("Albert", do_lower_case=False, keep_accents=True),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_ids_are_those_of_transformers(case, tmp_path):
    kind, make = CASES[case]
    folder = make(tmp_path)
    theirs = getattr(transformers, f"{kind}Tokenizer").from_pretrained(folder)
    ours = as_vocabulary(folder)
    assert len(ours) == len(theirs)
    assert ours.pad_id == theirs.pad_token_id
    assert ours.unknown_id == theirs.unk_token_id
    assert ours.start_id == theirs.cls_token_id
    assert ours.end_id == theirs.sep_token_id
    assert ours.mask_id == theirs.mask_token_id
    assert set(theirs.all_special_ids) == set(ours.special_ids)
    for text in TEXTS:
        both = theirs(text, return_offsets_mapping=True)
        assert ours.encode(text, start=True, end=True) == both["input_ids"]
        ids, offsets = ours.encode_with_offsets(text)
        assert ids == both["input_ids"][1:-1]
        if kind != "Roberta":  # Theirs leave out the space before a word.
            assert offsets == both["offset_mapping"][1:-1]
    longest = max(len(theirs(text)["input_ids"]) for text in TEXTS)
    np.testing.assert_array_equal(
        ours.encode_batch(TEXTS, longest, start=True, end=True),
        theirs(TEXTS, padding=True)["input_ids"],
    )


def test_the_cases_differ(tmp_path):
    """Each flag changes an id, or the comparison would show nothing."""
    found = {}
    for number, (case, (_, make)) in enumerate(CASES.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        vocabulary = as_vocabulary(make(folder))
        found[case] = str([vocabulary.encode(text) for text in TEXTS])
    same = {"vocab.txt": "bert", "cased vocab.txt": "cased bert"}
    same |= {"accents in vocab.txt": "accents", "distilbert": "bert"}
    same |= {"vocab.json": "roberta"}
    same |= {"prefixed vocab.json": "prefixed roberta"}
    for case, other in same.items():
        assert found.pop(case) == found[other]
    assert len(set(found.values())) == len(found)


def test_settings_overrule_the_tokenizer(tmp_path):
    """As in transformers, where both files say something."""
    folder = saved("Bert")(tmp_path)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config["do_lower_case"] = False
    write(folder, tokenizer_config__json=config)
    theirs = transformers.BertTokenizer.from_pretrained(folder)
    ours = as_vocabulary(str(folder))
    for text in TEXTS:
        assert ours.encode(text) == theirs.encode(text)[1:-1]


def test_a_special_token_must_be_in_the_tokenizer(tmp_path):
    folder = saved("Bert")(tmp_path)
    write(folder, tokenizer_config__json={"sep_token": "</s>"})
    with pytest.raises(ValueError, match="sep_token='</s>' is not in the voc"):
        as_vocabulary(folder)


def test_special_tokens_by_name(tmp_path):
    """Named in either file, as strings or as dictionaries, or by the caller."""
    write(tmp_path, vocab__txt="<s>\n[PAD]\n[CLS]\nstop\n[UNK]\na\n")
    assert as_vocabulary(tmp_path).start_id == 2  # BERT's, where none is named.
    with pytest.raises(ValueError, match="'end'"):
        as_vocabulary(tmp_path).encode("a", end=True)
    write(tmp_path, special_tokens_map__json={"cls_token": "<s>"})
    write(tmp_path, tokenizer_config__json={"sep_token": {"content": "stop"}})
    vocabulary = as_vocabulary(tmp_path)
    assert vocabulary.encode("stop a", start=True, end=True) == [0, 3, 5, 3]
    assert as_vocabulary(tmp_path, end="a").end_id == 5


def test_it_is_a_vocabulary(tmp_path):
    """It can be saved without the folder, and tags words."""
    folder = tmp_path / "folder"
    folder.mkdir()
    vocabulary = as_vocabulary(saved("Roberta")(folder))
    vocabulary.save(tmp_path / "vocabulary.json")
    again = Vocabulary.load(tmp_path / "vocabulary.json")
    for text in TEXTS:
        assert again.encode(text) == vocabulary.encode(text)
    tagged = TaggedWords([["a", "cat"]], [["O", "B"]], folder, length=5)
    theirs = transformers.RobertaTokenizer.from_pretrained(folder)
    assert tagged.token_ids[0, :4].tolist() == theirs("a cat")["input_ids"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"spiece__model": "x"}, "(?s)must hold tokenizer.json.*spiece.model"),
        ({"vocab__json": {}}, r"vocab.json\n? ?and merges.txt"),
        ({"vocab__txt": ""}, "vocab.txt is damaged: it is empty"),
        ({"tokenizer__json": '{"a": '}, "tokenizer.json is damaged: .*line 1"),
        ({"tokenizer__json": {"a": 1}}, "tokenizer.json is damaged"),
        ({"tokenizer__json": "[]"}, "tokenizer.json is damaged: it holds no"),
        (
            {"vocab__json": "{", "merges__txt": ""},
            "vocab.json is damaged.*line 1",
        ),
        (
            {"vocab__json": {"a": 0}, "merges__txt": "a b\n"},
            "vocab.json or merges.txt is damaged",
        ),
        (
            {"vocab__txt": "a\n[PAD]\n", "config__json": {"vocab_size": 1}},
            "tokenizer has 2 ids, config.json says vocab_size=1",
        ),
        (
            {"vocab__txt": "a\n[PAD]\n", "config__json": {"pad_token_id": 0}},
            "fills up with id 1, config.json says pad_token_id=0",
        ),
        (
            {
                "vocab__txt": "a\n",
                "tokenizer_config__json": {"mask_token": "[MASK]"},
            },
            r"mask_token='\[MASK\]' is not in the vocabulary",
        ),
        (
            {"vocab__txt": "a\n", "added_tokens__json": {"b": 7}},
            "added token 'b' should have the id 7, and would get 1",
        ),
        ({"vocab__txt": "a\n", "config__json": "?"}, "config.json is damaged"),
    ],
)
def test_errors(files, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        as_vocabulary(write(tmp_path, **files))


def test_what_is_no_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no-such.*no such folder"):
        as_vocabulary(str(tmp_path / "no-such"))
    (tmp_path / "vocab.txt").write_bytes(b"\xff\xfe\n")
    with pytest.raises(ValueError, match="vocab.txt is damaged"):
        as_vocabulary(tmp_path)
