"""The tokenizer beside a model in Hugging Face's files."""

from keras_dl.text import as_vocabulary
from keras_dl.text.vocabularies import hugging_face_files


def files(vocabulary, encoder):
    """The files of a vocabulary for an encoder, none without a vocabulary.

    Args:
        vocabulary: `Vocabulary`, what `as_vocabulary` takes, or `None`.
        encoder: A `BERT`. Pairs have segments if it and the vocabulary do.

    Returns:
        A dict of dictionaries.

    Raises:
        ValueError: If the encoder does not know all ids, or has another
            padding, or the vocabulary cannot be written.
    """
    if vocabulary is None:
        return {}
    vocabulary = as_vocabulary(vocabulary)
    if vocabulary.size > encoder.vocabulary_size:
        raise ValueError(
            "`vocabulary` must have no more ids than the encoder. Received: "
            f"a vocabulary of {vocabulary.size} ids, an encoder with "
            f"vocabulary_size={encoder.vocabulary_size}."
        )
    if vocabulary.pad_id not in (encoder.pad_id, None):
        raise ValueError(
            "`vocabulary` must fill up with the encoder's padding. Received: "
            f"a vocabulary with pad_id={vocabulary.pad_id}, an encoder with "
            f"pad_id={encoder.pad_id}."
        )
    return hugging_face_files.tokenizer_files(
        vocabulary,
        segments=vocabulary.has_segments and encoder.num_segments > 1,
        max_length=encoder.max_sequence_length,
    )


def write(folder, tokenizer):
    """Writes what `files` gave."""
    if tokenizer:
        hugging_face_files.write(folder, tokenizer)
