"""Special and added tokens in Hugging Face's folders, with their flags."""

from keras_dl.text.vocabularies.encoding import import_tokenizers, is_halved

# What tokens are for, and how `tokenizer_config.json` calls them.
NAMES = {
    "pad": ("pad_token",),
    "unknown": ("unk_token",),
    "start": ("cls_token", "bos_token"),
    "end": ("sep_token", "eos_token"),
    "mask": ("mask_token",),
}
_ALL_NAMES = sum(NAMES.values(), ())
_LISTS = ("additional_special_tokens", "extra_special_tokens")
_FLAGS = ("lstrip", "rstrip", "normalized", "single_word", "special")


class FolderTokens:
    """The tokens that the files of a folder name besides the vocabulary.

    | file                      | read                                        |
    |---------------------------|---------------------------------------------|
    | `tokenizer_config.json`   | `..._token`, `additional_special_tokens` or |
    |                           | `extra_special_tokens`,                     |
    |                           | `added_tokens_decoder`                      |
    | `special_tokens_map.json` | the same names, where there is no           |
    | `added_tokens.json`       | `added_tokens_decoder`                      |

    A token is a string, or a dictionary with its flags: `lstrip` and `rstrip`
    take the spaces beside it along, `single_word` finds it between other
    characters than letters only, `normalized` finds it in the text in lower
    case and so on.

    Args:
        config: Content of `tokenizer_config.json`.
        special: Content of `special_tokens_map.json`.
        added: Content of `added_tokens.json`.
        damaged: Function of a file's name and what is wrong with it, to an
            error.

    Attributes:
        config: What both files say together.
    """

    def __init__(self, config, special, added, damaged):
        self._damaged = damaged
        decoder = config.get("added_tokens_decoder")
        both = _merged(config, special) if decoder is None else config
        self.config = both
        self.special = {n: self._named(n) for n in _ALL_NAMES if n in both}
        self.further = self._further()
        self.declared = (
            self._from_decoder(decoder)
            if decoder is not None
            else self._from_added(added, _counted(config, special))
        )

    def of_use(self, use, defaults=()):
        """The content of the special token for a use, or `None`.

        Args:
            use: Key of `NAMES`.
            defaults: Dict of special tokens by name, where the files name
                none.
        """
        for name in NAMES[use]:
            if name not in self.special and name in defaults:
                return defaults[name]
            if token := self.special.get(name):
                return token["content"]
        return None

    def all_special(self):
        """The contents of all special tokens."""
        named = [token for token in self.special.values() if token]
        contents = [token["content"] for token in [*named, *self.further]]
        return list(dict.fromkeys(contents))

    def add_to(self, tokenizer, defaults, contradiction):
        """Adds to a tokenizer what it lacks, in the order of transformers.

        Args:
            tokenizer: A `tokenizers.Tokenizer`.
            defaults: Dict of special tokens by name, where the files name
                none; those that are not in the vocabulary are left out.
            contradiction: Function of what contradicts, to an error.
        """
        named = {token["content"] for token in self.special.values() if token}
        for id, token in sorted(self.declared.items()):
            always = {"special": True} if token["content"] in named else {}
            _add(tokenizer, {**token, **always})
            got = tokenizer.token_to_id(token["content"])
            if got != id:
                raise contradiction(
                    f"the added token {token['content']!r} should have the "
                    f"id {id}, and would get {got}"
                )
        for name, token in self.special.items():
            if token and tokenizer.token_to_id(token["content"]) is None:
                raise contradiction(
                    f"{name}={token['content']!r} is not in the vocabulary"
                )
        for token in self._undeclared(tokenizer, defaults):
            _add(tokenizer, token)

    def _undeclared(self, tokenizer, defaults):
        """Special tokens whose flags stand at no other place."""
        usual = [
            _special(content)
            for name, content in defaults.items()
            if name not in self.special
            and tokenizer.token_to_id(content) is not None
        ]
        added = tokenizer.get_added_tokens_decoder().values()
        known = {token.content for token in added}
        named = [token for token in self.special.values() if token]
        for token in [*usual, *named, *self.further]:
            if token["content"] not in known:
                known.add(token["content"])
                yield token

    def _named(self, name):
        token = self.config[name]
        if token is None or token == "":
            return None
        return {**self._token(token, name), "special": True}

    def _further(self):
        """Special tokens that have no use of their own."""
        found = []
        for name in _LISTS:
            tokens = self.config.get(name) or []
            if isinstance(tokens, dict):  # By names of the model's own.
                tokens = list(tokens.values())
            if not isinstance(tokens, list):
                raise self._wrong(name, tokens)
            found += [self._token(token, name) for token in tokens]
        return found + [
            _special(token)
            for name, token in self.config.items()
            if name.endswith("_token") and name not in _ALL_NAMES
            if isinstance(token, str) and token
        ]

    def _from_decoder(self, decoder):
        name = "added_tokens_decoder"
        if not isinstance(decoder, dict):
            raise self._wrong(name, decoder)
        found = {}
        for id, token in decoder.items():
            if not str(id).isdecimal():
                raise self._wrong(name, id)
            found[int(id)] = self._token(token, name)
        return found

    def _from_added(self, added, special):
        found = {}
        for content, id in added.items():
            if type(id) is not int:
                raise self._damaged(
                    "added_tokens.json", f"{content!r} has the id {id!r}"
                )
            token = self._token(content, "added_tokens.json")
            if content not in special:
                token |= {"special": False, "normalized": True}
            found[id] = token
        return found

    def _token(self, token, name):
        """The content and the flags of a token."""
        content = token.get("content") if isinstance(token, dict) else token
        if not isinstance(content, str) or not content or is_halved(content):
            raise self._wrong(name, token)
        if isinstance(token, str):
            return _special(content)
        flags = {flag: token[flag] for flag in _FLAGS if flag in token}
        if not all(isinstance(flag, bool) for flag in flags.values()):
            raise self._wrong(name, token)
        flags.setdefault("normalized", not flags.get("special", False))
        return {"content": content, **flags}

    def _wrong(self, name, received):
        return self._damaged(
            "tokenizer_config.json, special_tokens_map.json or added_tokens."
            "json",
            f"{name} has {received!r}; a token is a string, or a dictionary of "
            f"its content and of the flags {', '.join(_FLAGS)}, true or false",
        )


def _special(content):
    return {"content": content, "special": True, "normalized": False}


def _add(tokenizer, token):
    tokenizer.add_tokens([import_tokenizers().AddedToken(**token)])


def _merged(config, special):
    """`special_tokens_map.json` overrules, and adds to the lists."""
    special = {name: _as_special(value) for name, value in special.items()}
    lists = {}
    for name in _LISTS:
        both = [source.get(name) or [] for source in (config, special)]
        if all(isinstance(tokens, list) for tokens in both):
            lists[name] = both[0] + [t for t in both[1] if t not in both[0]]
    return {**config, **special, **lists}


def _as_special(value):
    if isinstance(value, list):
        return list(map(_as_special, value))
    is_token = isinstance(value, dict) and "content" in value
    return {**value, "special": True} if is_token else value


def _counted(config, special):
    """The special tokens that transformers knows of `added_tokens.json`.

    It does not know of those that `tokenizer_config.json` has as dictionaries,
    nor of `additional_special_tokens` in `special_tokens_map.json`.
    """
    named = {n: config.get(n) for n in _ALL_NAMES}
    for name in _ALL_NAMES:
        if token := special.get(name):
            is_token = isinstance(token, dict)
            named[name] = token.get("content") if is_token else token
    tokens = [*named.values()]
    for name in _LISTS:
        further = config.get(name)
        tokens += further if isinstance(further, list) else []
    return {token for token in tokens if isinstance(token, str)}
