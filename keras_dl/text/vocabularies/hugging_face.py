"""Tokenizers in the folders of Hugging Face's models."""

import json
import pathlib

from keras_dl.text.vocabularies.subwords import import_tokenizers

# What tokens are for, and how `tokenizer_config.json` calls them.
_NAMES = {
    "pad": ("pad_token",),
    "unknown": ("unk_token",),
    "start": ("cls_token", "bos_token"),
    "end": ("sep_token", "eos_token"),
}
_ALL_NAMES = (*sum(_NAMES.values(), ()), "mask_token")
# The special tokens of files that do not name any.
_BERT_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_ROBERTA_TOKENS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
# Settings of `tokenizer_config.json` that overrule those of `tokenizer.json`.
_SETTINGS = {
    ("normalizer", "BertNormalizer"): {
        "do_lower_case": "lowercase",
        "strip_accents": "strip_accents",
        "tokenize_chinese_chars": "handle_chinese_chars",
    },
    ("pre_tokenizer", "ByteLevel"): {"add_prefix_space": "add_prefix_space"},
}


class Folder:
    """The tokenizer of a folder: read whole, and checked, before it is used.

    | files                      | read as                                    |
    |----------------------------|--------------------------------------------|
    | `tokenizer.json`           | what it says, whatever lies beside it      |
    | `vocab.txt`                | WordPiece, as BERT and DistilBERT have it  |
    | `vocab.json`, `merges.txt` | bytes joined pair by pair, as RoBERTa's    |

    `tokenizer_config.json` and `special_tokens_map.json` say how text is put
    into lower case, and which tokens are special; `config.json`, how many ids
    the model has, and which is its padding.

    Attributes:
        state: The tokenizer as JSON, as `tokenizers.Tokenizer.from_str` reads.
        special: Special tokens by what they are for; `None` where the files
            do not say.

    Raises:
        ValueError: If there is no such folder, no file that can be read, a
            file is damaged, or files contradict each other.
    """

    def __init__(self, path):
        self._path = pathlib.Path(path)
        if not self._path.is_dir():
            raise ValueError(
                "`tokenizer` must be a tokenizer, or the path of a folder with "
                f"the files of one. Received: {str(path)!r}, no such folder."
            )
        self._model = self._json("config.json")
        self._config = {
            **self._json("special_tokens_map.json"),
            **self._json("tokenizer_config.json"),
        }
        self.state = self._read().to_str()
        self.special = {
            use: next(filter(None, map(self._named, names)), None)
            for use, names in _NAMES.items()
        }

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

    def _read(self):
        if self._has("tokenizer.json"):
            return self._serialized()
        if self._has("vocab.txt"):
            return self._with_special(self._wordpiece(), _BERT_TOKENS)
        if self._has("vocab.json", "merges.txt"):
            return self._with_special(self._byte_pairs(), _ROBERTA_TOKENS)
        raise ValueError(
            f"{self._path} must hold tokenizer.json, vocab.txt, or vocab.json "
            "and merges.txt. The model of SentencePiece alone cannot be read: "
            "load it with transformers' AutoTokenizer, whose "
            "`save_pretrained(folder)` writes tokenizer.json. Received: "
            f"{sorted(file.name for file in self._path.iterdir())}."
        )

    def _serialized(self):
        state = self._json("tokenizer.json")
        for (part, kind), settings in _SETTINGS.items():
            found = state.get(part)
            if isinstance(found, dict) and found.get("type") == kind:
                for name, theirs in settings.items():
                    if name in self._config:
                        found[theirs] = self._config[name]
        from_str = import_tokenizers().Tokenizer.from_str
        made = self._made("tokenizer.json", from_str, json.dumps(state))
        self._check_named(made)
        return made

    def _wordpiece(self):
        tokenizers = import_tokenizers()
        lines = self._text("vocab.txt").removesuffix("\n").split("\n")
        if lines == [""]:
            raise self._damaged("vocab.txt", "it is empty")
        model = tokenizers.models.WordPiece(
            {token: id for id, token in enumerate(lines)},
            unk_token=self._named("unk_token") or "[UNK]",
        )
        made = tokenizers.Tokenizer(model)
        made.normalizer = tokenizers.normalizers.BertNormalizer(
            lowercase=self._config.get("do_lower_case", True),
            strip_accents=self._config.get("strip_accents"),
            handle_chinese_chars=self._config.get(
                "tokenize_chinese_chars", True
            ),
        )
        made.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
        made.decoder = tokenizers.decoders.WordPiece("##")
        return made

    def _byte_pairs(self):
        tokenizers = import_tokenizers()
        self._json("vocab.json")
        paths = [str(self._path / n) for n in ("vocab.json", "merges.txt")]
        read = tokenizers.models.BPE.from_file
        model = self._made("vocab.json or merges.txt", read, *paths)
        made = tokenizers.Tokenizer(model)
        made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(
            add_prefix_space=self._config.get("add_prefix_space", False)
        )
        made.decoder = tokenizers.decoders.ByteLevel()
        return made

    def _with_special(self, tokenizer, usual):
        """Adds what is never cut: special tokens, and those added later."""
        vocabulary = tokenizer.get_vocab()
        usual = [token for token in usual if token in vocabulary]
        self._check_named(tokenizer)
        named = filter(None, map(self._named, _ALL_NAMES))
        special = dict.fromkeys([*usual, *named])
        add = import_tokenizers().AddedToken
        tokenizer.add_special_tokens([add(t, special=True) for t in special])
        later = {
            **{id: t for t, id in self._json("added_tokens.json").items()},
            **self._config.get("added_tokens_decoder", {}),
        }
        for id, token in sorted((int(id), t) for id, t in later.items()):
            options = token if isinstance(token, dict) else {"content": token}
            options = {k: v for k, v in options.items() if k != "__type"}
            tokenizer.add_tokens([add(**options)])
            got = tokenizer.token_to_id(options["content"])
            if got != id:
                raise self._contradiction(
                    f"the added token {options['content']!r} should have the "
                    f"id {id}, and would get {got}"
                )
        return tokenizer

    def _named(self, name):
        """The special token that the files name, or `None`."""
        token = self._config.get(name)
        return token.get("content") if isinstance(token, dict) else token

    def _check_named(self, tokenizer):
        for name in _ALL_NAMES:
            token = self._named(name)
            if token is not None and tokenizer.token_to_id(token) is None:
                raise self._contradiction(
                    f"{name}={token!r} is not in the vocabulary"
                )

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
