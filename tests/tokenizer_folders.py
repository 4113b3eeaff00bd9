"""Folders of tokenizers with odd flags, as they are found in the wild."""

import json
import random

from tokenizers.pre_tokenizers import ByteLevel

WORDS = ["the", "The", "cat", "##s", "s", "'", ",", ":", "!", "😀", "##😀"]
WORDS += ["cafe", "cafes", "caf", "##é", "na", "##ive", "##ï", "##ve", "北"]
WORDS += ["京", "ab", "CA", "##F", "##É", "two", "is", "##tanbul", "``", "`"]
WORDS += ["mat", "new", "##new", "<", ">", "e", "##1", "mask", "[", "]"]
BERT = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
# Tokens that files add: in text they stand alone, in words, in upper case.
ADDED = ["<e1>", "<E2>", "New", "newcat", "Ġ", "İ", "é", "ab", "[X]", "!!"]
NEARBY = [*ADDED, "<E1>", "<e2>", "new", "NEWCAT", "[x]", "e\u0301", "<mask>"]
FLAGS = ("lstrip", "rstrip", "normalized", "single_word")


def bytes_and_merges():
    """A vocabulary of bytes that are joined, and how."""
    merges = [("c", "a"), ("ca", "t"), ("Ġ", "cat"), ("Ġ", "t"), ("Ã", "©")]
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *sorted(ByteLevel.alphabet())]
    tokens += [*map("".join, merges), "<mask>"]
    return {token: id for id, token in enumerate(tokens)}, merges


def write(folder, **files):
    """Writes files whose names have a dot for each two underlines."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        if not isinstance(content, str):
            content = json.dumps(content)
        path = folder / name.replace("__", ".")
        path.write_text(content, encoding="utf-8")
    return folder


def bert_files(folder, **files):
    """`vocab.txt`, as the first checkpoints of BERT have it."""
    return write(folder, vocab__txt="\n".join(BERT) + "\n", **files)


def roberta_files(folder, **files):
    """`vocab.json` and `merges.txt`, as RoBERTa has them."""
    vocabulary, merges = bytes_and_merges()
    lines = ["#version: 0.2", *map(" ".join, merges), ""]
    return write(
        folder, vocab__json=vocabulary, merges__txt="\n".join(lines), **files
    )


def odd_folder(folder, number):
    """A folder with odd flags: the same one from the same number.

    Returns:
        Name of the class of transformers that reads it.
    """
    draw = random.Random(number)
    kind = draw.choice(["Bert", "Roberta"])
    size = len(BERT) if kind == "Bert" else len(bytes_and_merges()[0])
    mask = "[MASK]" if kind == "Bert" else "<mask>"
    config = _settings(draw, kind)
    added = draw.sample(ADDED, draw.randint(0, 3))
    known = BERT if kind == "Bert" else bytes_and_merges()[0]
    added = [token for token in added if token not in known]
    files = {"tokenizer_config__json": config}
    where = draw.choice(["decoder", "added", "named", "named"])
    if where == "decoder":
        config["added_tokens_decoder"] = {
            str(size + i): _flags(draw, token) for i, token in enumerate(added)
        }
    elif where == "added":
        files["added_tokens__json"] = {t: size + i for i, t in enumerate(added)}
    if draw.random() < 0.6:
        further = draw.sample(ADDED, draw.randint(1, 3))
        config["additional_special_tokens"] = [
            draw.choice([token, {**_flags(draw, token), **_TYPE}])
            for token in further
        ]
    if draw.random() < 0.5:
        token = draw.choice([mask, _flags(draw, mask, special=True)])
        if draw.random() < 0.5 and "added_tokens_decoder" not in config:
            files["special_tokens_map__json"] = {"mask_token": token}
        else:
            typed = {**token, **_TYPE} if isinstance(token, dict) else token
            config["mask_token"] = typed
    make = bert_files if kind == "Bert" else roberta_files
    make(folder, **files)
    return kind


_TYPE = {"__type": "AddedToken"}


def _settings(draw, kind):
    settings = {"tokenizer_class": f"{kind}Tokenizer"}
    if kind == "Roberta":
        names = ("add_prefix_space", "trim_offsets")
    else:
        names = ("do_lower_case", "strip_accents", "tokenize_chinese_chars")
    for name in (*names, "split_special_tokens"):
        if draw.random() < 0.4:
            settings[name] = draw.random() < 0.5
    return settings


def _flags(draw, content, special=None):
    flags = {flag: draw.random() < 0.5 for flag in FLAGS}
    if special is None:
        special = draw.random() < 0.5
    return {"content": content, **flags, "special": special}
