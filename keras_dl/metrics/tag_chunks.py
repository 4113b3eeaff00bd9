"""The entities in the tags of a sentence, and how tags are read."""

import re

from keras_dl.checks import check_choice

LETTERS = {"bio": "BI", "iob1": "BI", "bioes": "BIES", "bilou": "BILU"}
_AS_BIOES = str.maketrans("LU", "ES")
# Letters of the last token, where tags are read strictly.
LAST = {"bio": "BI", "bioes": "ES", "bilou": "ES"}


def tag_chunks(tags, scheme="bioes", strict=False, suffix=False):
    """The entities in the tags of one sentence.

    Tags are read as by `EntityF1`: I after O, or of another type, begins an
    entity, unless it is told to be strict.

    Args:
        tags: A list of tags such as `"O"`, `"B-PER"`, `"I-PER"`, `"E-PER"`,
            `"S-PER"`, or without a type, which is then `"_"`.
        scheme: See `EntityF1`. If `strict` is not set, `"bioes"` reads
            `"bio"` and `"iob1"`, too.
        strict: See `EntityF1`.
        suffix: See `EntityF1`.

    Returns:
        A list of tuples of the type, and the positions of the first and the
        last token.

    Raises:
        ValueError: If a tag is none of these.

    Example:

    >>> tag_chunks(["B-PER", "I-PER", "O", "I-LOC"])
    [('PER', 0, 1), ('LOC', 3, 3)]
    """
    check_reading(scheme, strict, suffix)
    parts = [split_tag(tag, scheme, suffix) for tag in _list_of_tags(tags)]
    found, before = [], ("O", "")
    for i, tag in enumerate(parts):
        if goes_on(before, tag):
            found[-1] = (*found[-1][:2], i)
        elif tag[0] != "O":
            found.append((tag[1], i, i))
        before = tag
    if strict:
        last = LAST[scheme]
        found = [
            (kind, i, j)
            for kind, i, j in found
            if parts[i][0] in "BS" and parts[j][0] in last
        ]
    return found


def split_tag(tag, scheme, suffix):
    """A tag's letter, as `"bioes"` has it, and its type."""
    letters = LETTERS[scheme]
    form = f"(?:(?P<type>.+)-)?(?P<letter>[{letters}])"
    if not suffix:
        form = f"(?P<letter>[{letters}])(?:-(?P<type>.+))?"
    match = re.fullmatch(form, tag)
    if not match and tag != "O":
        where = "a type and '-' before it" if suffix else "'-' and a type"
        raise ValueError(
            f"`tags` must be 'O', or one of {', '.join(letters)} with {where}. "
            f"Received: {tag!r}."
        )
    if not match:
        return "O", ""
    return match["letter"].translate(_AS_BIOES), match["type"] or "_"


def check_reading(scheme, strict, suffix):
    """Refuses what is no way to read tags."""
    check_choice("scheme", scheme, tuple(LETTERS))
    if not isinstance(suffix, bool):
        raise ValueError(
            f"`suffix` must be True or False. Received: suffix={suffix!r}."
        )
    if not isinstance(strict, bool) or (strict and scheme not in LAST):
        raise ValueError(
            f"`strict` must be True or False, and True only for the schemes "
            f"{sorted(LAST)}. Received: strict={strict!r}, scheme={scheme!r}."
        )


def goes_on(before, tag):
    """Whether an entity goes on from one letter and type to the next."""
    return before[0] in "BI" and tag[0] in "IE" and before[1] == tag[1]


def _list_of_tags(tags):
    one = isinstance(tags, str) or not hasattr(tags, "__iter__")
    tags = tags if one else list(tags)
    if one or not all(isinstance(tag, str) for tag in tags):
        raise ValueError(
            f"`tags` must be a list of strings. Received: tags={tags!r}."
        )
    return tags


def distinct_tags(tags):
    tags = _list_of_tags(tags)
    if not tags or len(set(tags)) < len(tags):
        raise ValueError(
            "`tags` must be a list of different tags, at least one. "
            f"Received: tags={tags}."
        )
    return tags
