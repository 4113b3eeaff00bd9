"""Texts that tokenizers stumble over: the same ones from the same seed."""

import random

_PIECES = {
    "words": ["the", "cat", "cats", "Cat", "CATS", "newcat", "a", "b", "sat"],
    "numbers": ["12", "3.14", "x_y", "½", "x²", "Ⅷ", "①"],
    "accents": ["café", "CAFÉ", "cafe\u0301", "naïve", "ẞ", "Ǆ", "İSTANBUL"],
    "marks": ["e\u0301\u0323", "\u0301", "क्ष", "हिन्दी", "ไทยที่นี่", "o\u0338"],
    "sigmas": ["ΟΔΟΣ", "ΑΣ'", "Σ", "ΣΑΣ.", "ς"],
    "emoji": ["😀", "👩\u200d🚀", "👍🏽", "☕\ufe0f", "🇩🇪", "❤\ufe0f\u200d🔥"],
    "right to left": ["שלום", "שָׁלוֹם", "مرحبا", "می\u200cر", "\u202ea\u202c"],
    "CJK": ["北京", "ab北京cd", "東京タワー", "한국어", "ﾊﾟﾋﾟ", "𠀀𠀁"],
    "control": ["\x00", "\x07", "\x1b[0m", "\x1c", "\x85", "\ufffd", "\ufeff"],
    "zero width": ["\u200b", "\u200d", "\u2060", "a\u200bb", "\u00ad"],
    "spaces": [" ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u2028", "\u3000"],
    "punctuation": [
        "!",
        "...",
        "don't",
        "l\u2019été",
        "``a''",
        "##s",
        "▁",
        "Ġ",
    ],
    "compatible": ["ﬁ", "\uff46\uff55\uff4c\uff4c", "\u1100\u1161"],
    "long": ["a" * 120, "cat" * 60, "é" * 101, "ab" * 600],
    "special": ["[MASK]", "<mask>", "[CLS]", "[SEP]", "<s>", "</s>", "[PAD]"],
    "unknown": ["[UNK]", "<unk>", "[START]", "[END]", "[mask]", "</S>"],
}
_ALONE = ["", " ", "\t\n \u00a0", "\u0301", "\u200d", "\x00", "[MASK]", "<s>"]


def odd_texts(number=200, seed=0, special=()):
    """Texts of odd pieces in a random order, joined with and without spaces.

    Args:
        number: How many.
        seed: Seed.
        special: Further pieces, such as the tokens that a tokenizer has added.
    """
    draw = random.Random(seed)
    kinds = [*_PIECES.values(), *([list(special)] * 3 if special else [])]
    texts = _ALONE[:number]
    while len(texts) < number:
        pieces = [
            draw.choice(draw.choice(kinds)) for _ in range(draw.randint(1, 9))
        ]
        texts.append("".join(p + draw.choice(("", "", " ")) for p in pieces))
    return texts
