"""Tokenizers in the folders of Hugging Face's models."""

import json
import pathlib

from keras_dl.text.vocabularies.encoding import import_tokenizers
from keras_dl.text.vocabularies.hugging_face_classes import (
    check_class,
    default_tokens,
    has_segments,
)
from keras_dl.text.vocabularies.hugging_face_tokens import NAMES, FolderTokens

# Settings of `tokenizer_config.json` that overrule those of `tokenizer.json`.
SETTINGS = {
    ("normalizer", "BertNormalizer"): {
        "do_lower_case": "lowercase",
        "strip_accents": "strip_accents",
        "tokenize_chinese_chars": "handle_chinese_chars",
    },
    ("pre_tokenizer", "ByteLevel"): {"add_prefix_space": "add_prefix_space"},
    ("post_processor", "RobertaProcessing"): {
        "add_prefix_space": "add_prefix_space",
        "trim_offsets": "trim_offsets",
    },
}
_SPACES = "\t\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
# Classes that take `tokenizer.json` as it is.
_AS_IT_IS = ("PreTrained", "TokenizersBackend")


class Folder:
    """The tokenizer of a folder: read whole, and checked, before it is used.

    | files                      | read as                                    |
    |----------------------------|--------------------------------------------|
    | `tokenizer.json`           | what it says, whatever lies beside it      |
    | `vocab.txt`                | WordPiece, as BERT and DistilBERT have it  |
    | `vocab.json`, `merges.txt` | bytes joined pair by pair, as RoBERTa's    |

    `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json`
    say how text is put into lower case, and which tokens are special or were
    added (see `FolderTokens`); `config.json`, how many ids the model has, and
    which is its padding.

    Attributes:
        state: The tokenizer as JSON, as `tokenizers.Tokenizer.from_str` reads.
        special: Special tokens by what they are for; `None` where the files
            do not say.
        further: All special tokens, as a list; `None` where the files name
            none.
        splits_special: Whether special tokens in a text are cut as text is.
        segments: Whether pairs have segments; `None` where the files do not
            say more than the tokenizer.

    Raises:
        ValueError: If there is no such folder, no file that can be read, a
            file is damaged, files contradict each other, or they are those of
            a class of tokenizers that gives other tokens.
    """

    def __init__(self, path):
        self._path = pathlib.Path(path)
        if not self._path.is_dir():
            raise ValueError(
                "`tokenizer` must be a tokenizer, or the path of a folder with "
                f"the files of one. Received: {str(path)!r}, no such folder."
            )
        self._model = self._json("config.json")
        config = self._json("tokenizer_config.json")
        special = self._json("special_tokens_map.json")
        added = self._json("added_tokens.json")
        self._tokens = FolderTokens(config, special, added, self._damaged)
        self._config = self._tokens.config
        file, read = self._file()
        self._class = check_class(self._path, file, config, self._model)
        self._defaults = default_tokens(file, self._class)
        tokenizer = read()
        self.state = tokenizer.to_str()
        known = {
            name: token
            for name, token in self._defaults.items()
            if tokenizer.token_to_id(token) is not None
        }
        self.special = {use: self._tokens.of_use(use, known) for use in NAMES}
        self.further = self._tokens.all_special() or None
        self.splits_special = self._flag("split_special_tokens")
        self.segments = has_segments(self._class, self._config)

    def check_model(self, vocabulary):
        """Refuses a vocabulary that the model beside it does not fit."""
        size = self._model.get("vocab_size")
        if isinstance(size, int) and vocabulary.size > size:
            raise self._contradiction(
                f"the tokenizer has {vocabulary.size} ids, config.json says "
                f"vocab_size={size}"
            )
        pad = self._model.get("pad_token_id")
        if isinstance(pad, int) and vocabulary.pad_id not in (pad, None):
            raise self._contradiction(
                f"the tokenizer fills up with id {vocabulary.pad_id}, "
                f"config.json says pad_token_id={pad}"
            )

    def _file(self):
        """The file that holds the vocabulary, and what reads it."""
        if self._has("tokenizer.json"):
            return "tokenizer.json", self._serialized
        if self._has("vocab.txt"):
            return "vocab.txt", self._wordpiece
        if self._has("vocab.json", "merges.txt"):
            return "vocab.json", self._byte_pairs
        raise ValueError(
            f"{self._path} must hold tokenizer.json, vocab.txt, or vocab.json "
            "and merges.txt. The model of SentencePiece alone cannot be read: "
            "load it with transformers' AutoTokenizer, whose "
            "`save_pretrained(folder)` writes tokenizer.json. Received: "
            f"{sorted(file.name for file in self._path.iterdir())}."
        )

    def _serialized(self):
        state = self._json("tokenizer.json")
        settings = {} if self._class in _AS_IT_IS else SETTINGS
        for (part, kind), names in settings.items():
            for found in parts(state.get(part)):
                if found.get("type") == kind:
                    for name, theirs in names.items():
                        if name in self._config:
                            found[theirs] = self._config[name]
        from_str = import_tokenizers().Tokenizer.from_str
        made = self._made("tokenizer.json", from_str, json.dumps(state))
        for token in state.get("added_tokens") or ():
            got = made.token_to_id(token["content"])
            if got != token["id"]:
                raise self._contradiction(
                    f"the added token {token['content']!r} of tokenizer.json "
                    f"should have the id {token['id']}, and would get {got}"
                )
        self._tokens.add_to(made, self._defaults, self._contradiction)
        return made

    def _wordpiece(self):
        tokenizers = import_tokenizers()
        text = self._text("vocab.txt").removesuffix("\n")
        if not text or text[0] == "\ufeff":
            why = "begins with a byte order mark" if text else "is empty"
            raise self._damaged("vocab.txt", f"it {why}")
        # Spaces at the end of a line are no part of a token in transformers.
        lines = [line.rstrip(_SPACES) for line in text.split("\n")]
        unknown = self._tokens.of_use("unknown", self._defaults)
        model = tokenizers.models.WordPiece(
            {token: id for id, token in enumerate(lines)},
            unk_token=unknown or self._defaults["unk_token"],
        )
        made = tokenizers.Tokenizer(model)
        made.normalizer = self._made(
            "tokenizer_config.json",
            tokenizers.normalizers.BertNormalizer,
            True,
            self._config.get("tokenize_chinese_chars", True),
            self._config.get("strip_accents"),
            self._config.get("do_lower_case", True),
        )
        made.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
        made.decoder = tokenizers.decoders.WordPiece("##")
        self._tokens.add_to(made, self._defaults, self._contradiction)
        process = tokenizers.processors.BertProcessing
        self._set_pairs(made, process)
        return made

    def _byte_pairs(self):
        tokenizers = import_tokenizers()
        self._json("vocab.json")
        paths = [str(self._path / n) for n in ("vocab.json", "merges.txt")]
        read = tokenizers.models.BPE.from_file
        model = self._made("vocab.json or merges.txt", read, *paths)
        made = tokenizers.Tokenizer(model)
        prefixed = self._config.get("add_prefix_space", False)
        cut = tokenizers.pre_tokenizers.ByteLevel
        made.pre_tokenizer = self._made("tokenizer_config.json", cut, prefixed)
        made.decoder = tokenizers.decoders.ByteLevel()
        self._tokens.add_to(made, self._defaults, self._contradiction)
        if "cls_token" in self._defaults:
            trim = self._config.get("trim_offsets", True)
            process = tokenizers.processors.RobertaProcessing
            self._set_pairs(made, process, trim, prefixed)
        return made

    def _set_pairs(self, tokenizer, process, *options):
        """Sets how a pair of texts is joined, if its marks are there."""
        marks = []
        for name in ("sep_token", "cls_token"):
            token = self._tokens.special.get(name)
            content = token["content"] if token else self._defaults[name]
            marks.append((content, tokenizer.token_to_id(content)))
        if None not in (id for _, id in marks):
            tokenizer.post_processor = self._made(
                "tokenizer_config.json", process, *marks, *options
            )

    def _flag(self, name):
        value = self._config.get(name)
        if value not in (None, True, False):
            raise self._damaged("tokenizer_config.json", f"{name}={value!r}")
        return bool(value)

    def _has(self, *names):
        return all((self._path / name).is_file() for name in names)

    def _text(self, name):
        try:
            return (self._path / name).read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise self._damaged(name, error) from error

    def _json(self, name):
        """The content of a file, empty if there is none."""
        if not self._has(name):
            return {}
        try:
            content = json.loads(self._text(name))
        except json.JSONDecodeError as error:
            raise self._damaged(name, error) from error
        if not isinstance(content, dict):
            raise self._damaged(name, "it holds no dictionary")
        return content

    def _made(self, name, make, *arguments):
        """What `tokenizers` makes of a file; it raises plain exceptions."""
        try:
            return make(*arguments)
        except Exception as error:
            raise self._damaged(name, error) from error

    def _contradiction(self, what):
        return ValueError(
            f"The files in {self._path} contradict each other: {what}."
        )

    def _damaged(self, name, why):
        return ValueError(f"{self._path / name} is damaged: {why}.")


def parts(part):
    """A part of a tokenizer, or those that it is a sequence of."""
    if not isinstance(part, dict):
        return []
    names = ("normalizers", "pretokenizers", "processors")
    inner = next((part[name] for name in names if name in part), None)
    if not isinstance(inner, list):
        return [part]
    return [one for each in inner for one in parts(each)]
