"""Vocabularies of words and of characters as tokenizers of `tokenizers`."""

import functools
import itertools
import re

from keras_dl.text.vocabularies import regular_expressions
from keras_dl.text.vocabularies.encoding import import_tokenizers, is_halved

_UNKNOWN = "[UNK]"
# Characters that stand for those which shall be unknown.
_PRIVATE = range(0xE000, 0xF900)
_LETTERS = range(0x30, 0xD800)


def of_words(vocabulary, default):
    """A tokenizer that cuts text as a `WordVocabulary`.

    Args:
        vocabulary: The vocabulary.
        default: Function of two sets of characters, to the default pattern.

    Returns:
        A `tokenizers.Tokenizer`.
    """
    tokenizers = import_tokenizers()
    if vocabulary.pattern is None:
        pattern, repeated = default(), None
    else:
        pattern = regular_expressions.translate(vocabulary.pattern)
        repeated = regular_expressions.repeated_class(vocabulary.pattern)
    model = tokenizers.models.WordLevel(_ids(vocabulary), _UNKNOWN)
    special = [
        token
        for token in vocabulary.tokens[: vocabulary._num_special]
        if token != _UNKNOWN and vocabulary.tokenize(token) == [token]
    ]
    if special and repeated is None:
        raise refuse_written(special[0])
    hidden = _hidden(special, repeated, vocabulary)
    made = _with_case(model, vocabulary, hidden)
    made.pre_tokenizer = tokenizers.pre_tokenizers.Split(
        tokenizers.Regex(pattern), "removed", invert=True
    )
    return made


def of_characters(vocabulary):
    """A tokenizer that cuts text as a `CharacterVocabulary`."""
    tokenizers = import_tokenizers()
    ids = _ids(vocabulary)
    steps = []
    for token in vocabulary.tokens[: vocabulary._num_special]:
        if len(token) == 1:
            other = next(c for c in map(chr, _PRIVATE) if c not in ids)
            steps.append(tokenizers.normalizers.Replace(token, other))
    model = tokenizers.models.BPE(ids, [], unk_token=_UNKNOWN, fuse_unk=False)
    made = _with_case(model, vocabulary, steps)
    made.decoder = tokenizers.decoders.Fuse()
    return made


def refuse_written(token):
    """An error: there text can turn into this special token."""
    return ValueError(
        "`special_tokens` must be such that no text is cut into one, as "
        "'[MASK]' is: in Hugging Face's files it would turn into the special "
        f"token. Received: {token!r} among the special tokens."
    )


def _ids(vocabulary):
    """The ids by token, each of whole characters."""
    for token in vocabulary.tokens:
        if is_halved(token):
            raise ValueError(
                "`tokens` must be whole characters, as UTF-8 has them, to be "
                f"written. Received: the lone surrogate in {token!r}."
            )
    return dict(vocabulary._ids)


def _with_case(model, vocabulary, steps):
    """A tokenizer with the same lower case, and further normalizers."""
    tokenizers = import_tokenizers()
    made = tokenizers.Tokenizer(model)
    if vocabulary.lowercase:
        sigma = tokenizers.Regex(_final_sigma())
        replace = tokenizers.normalizers.Replace(sigma, "\u03c2")
        steps = [replace, tokenizers.normalizers.Lowercase(), *steps]
    if steps:
        made.normalizer = tokenizers.normalizers.Sequence(steps)
    return made


def _hidden(special, repeated, vocabulary):
    """Makes unknown words of those that read like special tokens."""
    tokenizers = import_tokenizers()
    steps = []
    for token in special:
        first, rest = _literal(token[0]), _literal(token[1:])
        alone = f"(?<!{repeated}){first}(?={rest}(?!{repeated}))"
        words = (
            (letter, letter + token[1:])
            for letter in map(chr, itertools.chain(_PRIVATE, _LETTERS))
        )
        other = next(
            (
                letter
                for letter, word in words
                if vocabulary.tokenize(word) == [word]
                and word not in vocabulary
            ),
            None,
        )
        if other is None:
            raise refuse_written(token)
        regex = tokenizers.Regex(alone)
        steps.append(tokenizers.normalizers.Replace(regex, other))
    return steps


def _literal(token):
    return "".join(f"\\x{{{ord(letter):X}}}" for letter in token)


@functools.cache
def _final_sigma():
    """A capital sigma that ends a word: it has a small letter of its own.

    The package tokenizers puts each character into lower case by itself.
    """

    def is_cased(letter):
        return f"{letter}\u03a3".lower().endswith("\u03c2")

    def is_ignored(letter):
        final = f"a{letter}\u03a3".lower().endswith("\u03c2")
        return final and not is_cased(letter)

    cased, ignored = map(
        regular_expressions.character_set, (is_cased, is_ignored)
    )
    return f"[{cased}][{ignored}]*\\K\\x{{3A3}}(?![{ignored}]*[{cased}])"


@functools.cache
def default_words(marks):
    """The default pattern of a `WordVocabulary`.

    Args:
        marks: Combining marks, which belong to the word.
    """
    is_letter, marks = re.compile(r"\w").match, set(marks)
    letters = regular_expressions.character_set(is_letter)
    spaces = regular_expressions.character_set(re.compile(r"\s").match)
    more = regular_expressions.character_set(
        lambda letter: is_letter(letter) or letter in marks
    )
    word = f"[{letters}][{more}]*"
    return f"{word}(?:['\\x{{2019}}]{word})*|[^{letters}{spaces}]"
