"""The classes of tokenizers in Hugging Face's folders: which ones are read."""

_BERT = {
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}
_ROBERTA = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "sep_token": "</s>",
    "pad_token": "<pad>",
    "cls_token": "<s>",
    "mask_token": "<mask>",
}
_GPT2 = dict.fromkeys(("bos_token", "eos_token", "unk_token"), "<|endoftext|>")
# File of the vocabulary: classes that read it as is done here, without
# "Tokenizer" and "Fast", and the special tokens that they have by default.
_READ = {
    "vocab.txt": dict.fromkeys(
        (
            "Bert",
            "ConvBert",
            "DistilBert",
            "DPRContextEncoder",
            "DPRQuestionEncoder",
            "DPRReader",
            "Electra",
            "LayoutLM",
            "Lxmert",
            "MobileBert",
            "Realm",
            "RetriBert",
            "SqueezeBert",
        ),
        _BERT,
    ),
    "vocab.json": {
        **dict.fromkeys(("Roberta", "Bart", "LED", "Longformer"), _ROBERTA),
        "GPT2": _GPT2,
    },
}
_DEFAULT = {"vocab.txt": "Bert", "vocab.json": "Roberta"}
# Classes that cut text in Python, each in its own way; so a `tokenizer.json`
# beside them is not what they do.
_PYTHON_ONLY = (
    "Bartpho",
    "BertGeneration",
    "BertJapanese",
    "Bertweet",
    "BioGpt",
    "BlenderbotSmall",
    "ByT5",
    "CTRL",
    "Canine",
    "Clvp",
    "CpmAnt",
    "Cpm",
    "Dia",
    "Esm",
    "FSMT",
    "Flaubert",
    "GPTNeoXJapanese",
    "GPTSw3",
    "M2M100",
    "Marian",
    "Mgpstr",
    "MyT5",
    "Perceiver",
    "Phobert",
    "ProphetNet",
    "RoCBert",
    "RoFormer",
    "Speech2Text",
    "SpeechT5",
    "Tapas",
    "Vits",
    "Wav2Vec2CTC",
    "Wav2Vec2PhonemeCTC",
    "XLM",
)
# Models whose class has files of the same names, and reads them otherwise.
_OTHER_MODELS = (
    "Blenderbot",
    "CLIP",
    "Cohere",
    "Deberta",
    "Funnel",
    "GPTNeoX",
    "Herbert",
    "LayoutLMv2",
    "LayoutLMv3",
    "Luke",
    "MPNet",
    "MarkupLM",
    "Mvp",
    "OpenAIGPT",
    "Qwen2",
    "Splinter",
    "Whisper",
)
_WITHOUT_SEGMENTS = ("DistilBert", "Roberta", "Bart", "LED", "Longformer")


def check_class(path, file, config, model):
    """Returns the name of the class, if its tokens are those given here.

    Args:
        path: The folder, for the message.
        file: Name of the file of the vocabulary.
        config: Content of `tokenizer_config.json`.
        model: Content of `config.json`.

    Returns:
        The name without "Tokenizer" and "Fast", or `None` if the files name
        none.

    Raises:
        ValueError: If it is a class that is not read.
    """
    place, name = "tokenizer_config.json", config.get("tokenizer_class")
    if name is None:
        place, name = "config.json", model.get("tokenizer_class")
    if name is not None and not isinstance(name, str):
        raise _refused(path, place, f"tokenizer_class={name!r}")
    stem = (name or "").removesuffix("Fast").removesuffix("Tokenizer")
    if _is_custom(config) or stem in _PYTHON_ONLY:
        raise _refused(path, place, f"tokenizer_class={name!r}")
    if name is None:
        kind = model.get("model_type")
        others = _PYTHON_ONLY + (_OTHER_MODELS if file in _READ else ())
        if _letters(kind) in map(_letters, others):
            raise _refused(path, "config.json", f"model_type={kind!r}")
        known = {_letters(one): one for one in _READ.get(file, ())}
        return known.get(_letters(kind), _DEFAULT.get(file))
    if file in _READ and stem not in _READ[file]:
        raise _refused(path, place, f"tokenizer_class={name!r}, {file}")
    return stem


def default_tokens(file, name):
    """The special tokens of a class where the files name no others."""
    return _READ.get(file, {}).get(name, {})


def has_segments(name, config):
    """Whether pairs have segments; `None` where the class does not say."""
    inputs = config.get("model_input_names")
    if isinstance(inputs, list):
        return "token_type_ids" in inputs
    return False if name in _WITHOUT_SEGMENTS else None


def _is_custom(config):
    """Whether the tokenizer is code that lies beside its files."""
    custom = config.get("auto_map")
    return "AutoTokenizer" in custom if isinstance(custom, dict) else custom


def _letters(name):
    return str(name).lower().replace("-", "").replace("_", "")


def _refused(path, place, received):
    beside_text, beside_json = (sorted(names) for names in _READ.values())
    return ValueError(
        f"{path / place} must name a tokenizer whose tokens can be given "
        f"here. Beside vocab.txt these are the classes of {beside_text}, "
        f"beside vocab.json and merges.txt those of {beside_json}, and beside "
        "tokenizer.json all that are not written in Python. If tokenizer.json "
        "is right all the same, wrap tokenizers.Tokenizer.from_file of it. "
        f"Received: {received}."
    )
