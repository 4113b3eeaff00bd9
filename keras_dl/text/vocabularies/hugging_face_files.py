"""The files of a vocabulary in a folder of Hugging Face."""

import json
import pathlib

from keras_dl.checks import check_integer
from keras_dl.text.vocabularies import pair_layout
from keras_dl.text.vocabularies.encoding import import_tokenizers
from keras_dl.text.vocabularies.hugging_face import SETTINGS, parts
from keras_dl.text.vocabularies.hugging_face_tokens import NAMES


def tokenizer_files(
    vocabulary, separators=None, segments=None, max_length=None
):
    """The files, by name, as dictionaries.

    Args:
        vocabulary: A `Vocabulary`.
        separators: Number of end tokens between the texts of a pair. `None`:
            the vocabulary's.
        segments: Whether there are segments. `None`: likewise.
        max_length: Number of tokens that a model reads at most, or `None`.

    Returns:
        A dict of dictionaries.

    Raises:
        ValueError: If the vocabulary cannot be written so, see
            `Vocabulary.to_hugging_face`.
    """
    separators = vocabulary.separators if separators is None else separators
    check_integer("separators", separators, minimum=1)
    segments = vocabulary.has_segments if segments is None else segments
    tokenizer = vocabulary._as_tokenizer()
    split = _splits_special(vocabulary, tokenizer)
    _set_template(vocabulary, tokenizer, separators, bool(segments))
    state = json.loads(tokenizer.to_str())
    if split:
        state["added_tokens"] = _outside(state)
    names = _special_names(vocabulary)
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "model_input_names": _inputs(segments),
        "split_special_tokens": split,
        **_settings(state),
        **names,
    }
    if max_length is not None:
        check_integer("max_length", max_length, minimum=1)
        config["model_max_length"] = max_length
    return {
        "tokenizer.json": state,
        "tokenizer_config.json": config,
        "special_tokens_map.json": names,
    }


def write(folder, files):
    """Writes files; they must be complete, so that none is left half."""
    path = pathlib.Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    texts = {
        name: json.dumps(content, ensure_ascii=False, indent=2) + "\n"
        for name, content in files.items()
    }
    for name, text in texts.items():
        (path / name).write_text(text, encoding="utf-8")


def _settings(state):
    """What a class of transformers, asked by its name, takes from here only."""
    return {
        name: found[theirs]
        for (part, kind), settings in SETTINGS.items()
        for found in parts(state[part])
        if found["type"] == kind
        for name, theirs in settings.items()
    }


def _special_names(vocabulary):
    """Special tokens, as `special_tokens_map.json` has them."""
    found, used = {}, set()
    for use, names in NAMES.items():
        id = getattr(vocabulary, f"{use}_id")
        if id is not None:
            used.add(id)
            token = vocabulary.id_to_token(id)
            found.update(dict.fromkeys(names, token))
    others = [id for id in vocabulary.special_ids if id not in used]
    if others:
        tokens = list(map(vocabulary.id_to_token, others))
        found["additional_special_tokens"] = tokens
    return found


def _splits_special(vocabulary, tokenizer):
    """Whether special tokens in a text are cut as text is.

    There is one switch for all of them, and transformers looks for all special
    tokens in a text if it is off.
    """
    added = tokenizer.get_added_tokens_decoder().values()
    if tokenizer.encode_special_tokens:
        return True
    looked_for = {token.content for token in added}
    special = set(map(vocabulary.id_to_token, vocabulary.special_ids))
    missing = special - looked_for
    if missing and any(token.special for token in added):
        raise ValueError(
            "The special tokens of a vocabulary must all be found in a text, "
            "or none. Received: a tokenizer that finds "
            f"{sorted(special & looked_for)}, and not {sorted(missing)}; "
            "`add_special_tokens` of it adds them."
        )
    return bool(missing)


def _outside(state):
    """Of added tokens, those that are no special ones of the model itself."""
    known = state["model"]["vocab"]
    if isinstance(known, list):
        known = {token for token, _ in known}
    return [
        token
        for token in state["added_tokens"]
        if not token["special"] or token["content"] not in known
    ]


def _set_template(vocabulary, tokenizer, separators, segments):
    """Sets what stands around texts and between them, if it is other."""
    start, end = vocabulary.start_id, vocabulary.end_id
    ends = [id for id in (start, end) if id is not None]
    name = None if end is None else vocabulary.id_to_token(end)
    layout = pair_layout.pair_layout(tokenizer, name)
    around = pair_layout.special_ids(tokenizer)
    fits = around == ends and layout == (separators, segments)
    has_none = tokenizer.post_processor is not None and not around
    if not ends or fits or has_none:
        return
    processors = import_tokenizers().processors
    template = _template(vocabulary, separators, segments)
    if pair_layout.trims_offsets(tokenizer):
        trims = processors.ByteLevel(trim_offsets=True)
        template = processors.Sequence([trims, template])
    tokenizer.post_processor = template


def _template(vocabulary, separators, segments):
    second = int(segments)
    marks = {
        use: [] if id is None else [(vocabulary.id_to_token(id), id)]
        for use, id in (
            ("start", vocabulary.start_id),
            ("end", vocabulary.end_id),
        )
    }

    def of(use, number, segment):
        return [f"{token}:{segment}" for token, _ in marks[use] * number]

    single = [*of("start", 1, 0), "$A:0", *of("end", 1, 0)]
    between = of("end", separators - 1, 0)
    pair = [*single, *between, f"$B:{second}", *of("end", 1, second)]
    return import_tokenizers().processors.TemplateProcessing(
        single=single,
        pair=pair,
        special_tokens=list(dict(marks["start"] + marks["end"]).items()),
    )


def _inputs(segments):
    names = ["input_ids", "token_type_ids", "attention_mask"]
    return names if segments else [names[0], names[2]]
