"""Texts through a tokenizer of the package `tokenizers`."""


def encode_all(tokenizer, texts):
    """The encodings of texts, without special tokens around them.

    Args:
        tokenizer: A `tokenizers.Tokenizer`.
        texts: List of strings.

    Returns:
        A list of `tokenizers.Encoding`.

    Raises:
        ValueError: If a text has a lone surrogate, which is half a character:
            no UTF-8 has it, and `tokenizers` reads no other strings.
    """
    try:
        return tokenizer.encode_batch(texts, add_special_tokens=False)
    except TypeError:
        for text in texts:
            _check_whole(text)
        raise


def is_halved(text):
    """Whether it has a lone surrogate."""
    return any("\ud800" <= letter <= "\udfff" for letter in text)


def _check_whole(text):
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(
            "Texts must be whole characters, as UTF-8 has them, and not have "
            f"lone surrogates. Received: {text[error.start]!r} at character "
            f"{error.start} of {text[:40]!r}."
        ) from error


def import_tokenizers():
    """The package `tokenizers`, or an error that says how to get it."""
    try:
        import tokenizers
    except ImportError as error:
        raise ImportError(
            "Subwords need the package `tokenizers`: "
            'pip install "keras_dl[nlp]"'
        ) from error
    return tokenizers
