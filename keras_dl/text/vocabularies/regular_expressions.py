"""Regular expressions of Python, as the package `tokenizers` reads them.

That reads them by Oniguruma, whose `\\w` and `\\s` are other characters, and
which reads some constructs in its own way. What is translated here means the
same in both; all else is refused.
"""

import functools
import re
import sys

_CLASSES = "wWsSdD"
_ESCAPES = {"n": 0x0A, "t": 0x09, "r": 0x0D, "f": 0x0C, "v": 0x0B, "a": 0x07}
_SURROGATES = range(0xD800, 0xE000)  # No text that tokenizers reads has them.


def translate(pattern):
    """A regular expression of Python as Oniguruma reads it.

    Args:
        pattern: Regular expression: characters, `.`, `|`, sets, groups
            without a name, repetitions, and the escapes of single characters
            and of `\\w`, `\\W`, `\\s`, `\\S`, `\\d` and `\\D`.

    Returns:
        A string.

    Raises:
        ValueError: If it has something else, such as `^`, `\\b`, a flag or a
            look at what stands beside, or if it matches the empty text.
    """
    if re.compile(pattern).match(""):
        raise _refused(pattern, "it matches the empty text")
    return _Translator(pattern).whole()


def repeated_class(pattern):
    """The set of characters, if a pattern is one or more of a set; or `None`.

    Of such a pattern it is known where its matches begin and end: where a
    character stands that is not in the set.
    """
    if not re.fullmatch(r"(\\[wWsSdD]|\[[^\[\]\\]+\])\+", pattern):
        return None
    return translate(pattern)[:-1]


def character_set(matches):
    """The characters of a function, as what stands between brackets."""
    return "".join(
        f"\\x{{{first:X}}}-\\x{{{last:X}}}" for first, last in _ranges(matches)
    )


class _Translator:
    def __init__(self, pattern):
        self._pattern = pattern
        self._at = 0

    def whole(self):
        parts = []
        while self._at < len(self._pattern):
            parts.append(self._next())
        return "".join(parts)

    def _next(self):
        letter = self._take()
        if letter == "\\":
            return self._escape()
        if letter == "[":
            return self._set()
        if letter == "(":
            return self._group()
        if letter == "{":
            return self._times()
        if letter in "^$":
            raise _refused(self._pattern, f"{letter!r} in it")
        if letter in ".|)":
            return letter
        if letter in "?*+":
            return self._repetition(letter)
        return _character(ord(letter))

    def _take(self):
        if self._at == len(self._pattern):
            raise _refused(self._pattern, "its end")
        self._at += 1
        return self._pattern[self._at - 1]

    def _group(self):
        rest = self._pattern[self._at :]
        if rest.startswith("?:"):
            self._at += 2
        elif rest.startswith("?"):
            raise _refused(self._pattern, f"({rest[:3]} in it")
        return "(?:"

    def _times(self):
        found = re.match(r"\d+(?:,\d*)?\}", self._pattern[self._at :])
        if not found:
            raise _refused(self._pattern, "'{' in it")
        self._at += found.end()
        return self._repetition("{" + found.group())

    def _repetition(self, times):
        rest = self._pattern[self._at : self._at + 1]
        if rest == "+":
            raise _refused(self._pattern, f"'{times}+' in it")
        if rest == "?" and times[0] == "{":
            raise _refused(self._pattern, f"'{times}?' in it")
        self._at += rest == "?"
        return times + rest * (rest == "?")

    def _escape(self):
        letter = self._take()
        if letter in _CLASSES:
            return f"[{_class(letter)}]"
        return _character(self._escaped(letter))

    def _escaped(self, letter):
        if letter in "xuU":
            size = {"x": 2, "u": 4, "U": 8}[letter]
            digits = "".join(self._take() for _ in range(size))
            return int(digits, 16)
        if letter in _ESCAPES:
            return _ESCAPES[letter]
        if letter.isascii() and letter.isalnum():
            raise _refused(self._pattern, f"'\\{letter}' in it")
        return ord(letter)

    def _set(self):
        parts, negated = ["["], False
        if self._pattern.startswith("^", self._at):
            self._at += 1
            negated = True
        first = True
        while True:
            letter = self._take()
            if letter == "]" and not first:
                break
            first = False
            parts.append(self._member(letter))
        return "[" + "^" * negated + "".join(parts[1:]) + "]"

    def _member(self, letter):
        if letter == "[":
            raise _refused(self._pattern, "'[' in a set")
        if letter == "-":
            ends = self._pattern.startswith("]", self._at)
            before = self._pattern[self._at - 2]
            if not ends and before not in "[^":
                return "-"
        elif letter == "\\":
            letter = self._take()
            if letter in _CLASSES:
                return _class(letter)
            return _character(self._escaped(letter))
        elif letter in "&~|" and self._pattern.startswith(letter, self._at):
            raise _refused(self._pattern, f"'{letter * 2}' in a set")
        return _character(ord(letter))


def _character(code):
    if code in _SURROGATES:
        raise _refused(chr(code), "a lone surrogate")
    return f"\\x{{{code:X}}}"


@functools.cache
def _class(letter):
    return character_set(re.compile(f"\\{letter}").match)


def _ranges(matches):
    """The first and the last character of each run that matches."""
    first = None
    for code in range(sys.maxunicode + 2):
        inside = (
            code <= sys.maxunicode
            and code not in _SURROGATES
            and bool(matches(chr(code)))
        )
        if inside and first is None:
            first = code
        elif not inside and first is not None:
            yield first, code - 1
            first = None


def _refused(pattern, why):
    return ValueError(
        "`pattern` must be a regular expression that means the same to the "
        "package tokenizers: characters, sets, groups without a name, |, and "
        f"repetitions. Received: {pattern!r}, with {why}."
    )
