"""How a tokenizer joins the texts of a pair, read off its file."""

import json

from keras_dl.text.vocabularies.hugging_face import parts


def pair_layout(tokenizer, end):
    """What the post-processor of a tokenizer puts between two texts.

    Args:
        tokenizer: A `tokenizers.Tokenizer`.
        end: The end token, or `None`.

    Returns:
        A pair: the number of end tokens between two texts, and whether the
        second one is another segment. As BERT's, `(1, True)`, if the
        post-processor puts no end token there, or if there is none.
    """
    for processor in _processors(tokenizer):
        if processor["type"] == "RobertaProcessing":
            return 2, False
        if processor["type"] == "TemplateProcessing":
            return _of_template(processor, end)
    return 1, True


def trims_offsets(tokenizer):
    """Whether spaces are left out of where tokens stand."""
    return any(one.get("trim_offsets") for one in _processors(tokenizer))


def special_ids(tokenizer):
    """The ids that are put around a text by itself."""
    return tokenizer.encode("", add_special_tokens=True).ids


def _processors(tokenizer):
    """The post-processors as JSON, alone: vocabularies may be long."""
    made = tokenizer.post_processor
    return parts(None if made is None else json.loads(made.__getstate__()))


def _of_template(processor, end):
    pair = [next(iter(piece.items())) for piece in processor["pair"]]
    places = [i for i, (kind, _) in enumerate(pair) if kind == "Sequence"]
    if len(places) != 2:
        return 1, True
    between = [what["id"] for _, what in pair[places[0] + 1 : places[1]]]
    if end is None or not between or set(between) != {end}:
        return 1, True
    return len(between), any(what["type_id"] for _, what in pair)
