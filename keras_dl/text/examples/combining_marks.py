"""Characters with the marks that belong to them."""

import unicodedata

_JOINERS = "\u200c\u200d"  # Without width; they make letters join or not.


def with_marks(text, end, limit):
    """Where the character ends whose marks no token stands for.

    A vocabulary that takes accents away has tokens that end before them.

    Args:
        text: String.
        end: Where a token ends.
        limit: Where the next token begins.

    Returns:
        The place after the marks and joiners that follow `end`.
    """
    limit = min(limit, len(text))
    while end < limit and _joins(text[end]):
        end += 1
    return end


def _joins(character):
    if character.isascii():
        return False
    return character in _JOINERS or unicodedata.category(character)[0] == "M"
