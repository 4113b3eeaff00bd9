"""Odd and damaged folders of checkpoints, from a seed.

`generate(folder, generator)` saves a model of transformers and changes its
files. What is odd is in files that people publish, and must be read; what is
damaged must be refused, with an error that names the place; and what may be
either must not give a wrong number.
"""

import dataclasses
import json
import shutil

import ml_dtypes
import numpy as np
import safetensors.numpy
from checkpoints import FAMILIES, family_of, random_model, shard

NAMES = (
    "BertForMaskedLM",
    "BertForPreTraining",
    "BertForTokenClassification",
    "BertModel",
    "RobertaForSequenceClassification",
    "RobertaForMaskedLM",
    "XLMRobertaModel",
    "CamembertForQuestionAnswering",
    "AlbertForMaskedLM",
    "AlbertForMultipleChoice",
    "DistilBertForMaskedLM",
    "DistilBertForSequenceClassification",
    "ElectraModel",
    "ElectraForPreTraining",
    "ElectraForMaskedLM",
)
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
SMALL = {
    "vocab_size": 50,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 16,
}
PREFIXES = {"XLMRoberta": "roberta", "Camembert": "roberta"}


@dataclasses.dataclass
class Checkpoint:
    """A folder, and what is to be expected of it.

    Attributes:
        name: The class of transformers.
        folder: Its path.
        rng: Of the changes.
        config: What `config.json` will hold.
        tensors: What the weights will hold.
        arguments: What reading it needs beside the folder.
        changes: What was done to it.
        place: What the error must name; `None` if it must be read.
        is_either: Whether it may be read or refused.
    """

    name: str
    folder: object
    rng: np.random.RandomState
    config: dict
    tensors: dict
    arguments: dict = dataclasses.field(default_factory=dict)
    changes: list = dataclasses.field(default_factory=list)
    place: str | None = None
    is_either: bool = False

    @property
    def prefix(self):
        family = family_of(self.name)
        return PREFIXES.get(family, family.lower()) + "."

    def one(self, values):
        values = list(values)
        return values[self.rng.randint(len(values))]

    def key(self, ours, distilbert):
        """The name of a number in the configuration."""
        return distilbert if self.name.startswith("Distil") else ours

    def save(self):
        (self.folder / "config.json").write_text(json.dumps(self.config))
        names = list(self.tensors)
        self.rng.shuffle(names)
        safetensors.numpy.save_file(
            {name: self.tensors[name] for name in names},
            self.folder / WEIGHTS,
            {"format": "pt"},
        )


# Odd: changes of what will be saved.


def old_names(c):
    ends = {"weight": "gamma", "bias": "beta"}
    for name in [n for n in c.tensors if "LayerNorm." in n]:
        start, end = name.rsplit(".", 1)
        c.tensors[f"{start}.{ends[end]}"] = c.tensors.pop(name)


def without_prefix(c):
    c.tensors = {n.removeprefix(c.prefix): x for n, x in c.tensors.items()}


def buffers(c):
    prefix = c.one([c.prefix, ""])
    c.tensors[f"{prefix}embeddings.position_ids"] = np.arange(16)[None]


def other_heads(c):
    for name in ("cls.seq_relationship.bias", "qa_outputs.weight", "lm_head.x"):
        if not any(n.startswith(name.split(".")[0]) for n in c.tensors):
            c.tensors[name] = np.ones(3, "float32")


def half(c):
    kind = c.one(["float16", ml_dtypes.bfloat16, "float64"])
    some = c.rng.rand() < 0.5
    for name, array in c.tensors.items():
        if array.dtype == "float32" and not (some and c.rng.rand() < 0.5):
            c.tensors[name] = array.astype(kind)


def unknown_keys(c):
    c.config.update(
        transformers_version="2.4.1",
        output_past=True,
        finetuning_task="mnli",
        gradient_checkpointing=False,
        _name_or_path="ünï",
    )


def left_out_keys(c):
    for key in ("initializer_range", "layer_norm_eps", "transformers_version"):
        if c.rng.rand() < 0.7:
            c.config.pop(key, None)


def no_padding(c):
    if not c.prefix.startswith("roberta"):
        c.config["pad_token_id"] = None


def other_activation(c):
    names = ["gelu_new", "gelu_fast", "gelu_python", "mish", "relu", "silu"]
    c.config[c.key("hidden_act", "activation")] = c.one(names)


def other_epsilon(c):
    if not c.name.startswith("Distil"):
        c.config["layer_norm_eps"] = c.one([1e-5, 1e-2])


def other_number_of_heads(c):
    c.config[c.key("num_attention_heads", "n_heads")] = c.one([1, 4, 8])


def other_dropouts(c):
    for key in ("classifier_dropout", "seq_classif_dropout", "qa_dropout"):
        c.config[key] = 0.3


def no_family(c):
    c.arguments["model_type"] = c.config.pop("model_type")


def no_class(c):
    c.config.pop("architectures")
    if not c.name.endswith("Model"):
        c.arguments["task"] = c.name[c.name.index("For") :]


def untied(c):
    decoder = decoder_of(c)
    embedding = embedding_of(c)
    if decoder and embedding in c.tensors:
        array = c.tensors[embedding]
        noise = c.rng.normal(size=array.shape).astype("float32")
        c.tensors[f"{decoder}.weight"] = noise
        bias = f"{decoder.removesuffix('.decoder')}.bias"
        c.tensors.setdefault(f"{decoder}.bias", c.tensors[bias].copy())
        c.config["tie_word_embeddings"] = c.one([True, False])


def decoder_alone(c):
    decoder, embedding = decoder_of(c), embedding_of(c)
    if decoder and embedding in c.tensors:
        c.tensors.setdefault(f"{decoder}.weight", c.tensors[embedding])
        if c.config.get("tie_word_embeddings", True):
            array = c.tensors[embedding]
            if array is c.tensors[f"{decoder}.weight"]:
                del c.tensors[embedding]


def more_words(c):
    """A vocabulary that was resized."""
    for name, array in c.tensors.items():
        if len(array) == c.config["vocab_size"] == 50:
            rows = c.rng.normal(size=(3, *array.shape[1:]))
            c.tensors[name] = np.concatenate([array, rows.astype(array.dtype)])
    c.config["vocab_size"] += 3


def decoder_of(c):
    if not c.name.endswith(("MaskedLM", "BertForPreTraining")):
        return None
    return {
        "bert.": "cls.predictions.decoder",
        "roberta.": "lm_head.decoder",
        "albert.": "predictions.decoder",
        "distilbert.": "vocab_projector",
        "electra.": "generator_lm_head",
    }[c.prefix]


def embedding_of(c):
    return f"{c.prefix}embeddings.word_embeddings.weight"


ODD = (
    untied,
    decoder_alone,
    old_names,
    buffers,
    without_prefix,
    other_heads,
    half,
    unknown_keys,
    left_out_keys,
    no_padding,
    other_activation,
    other_epsilon,
    other_number_of_heads,
    other_dropouts,
    no_family,
    no_class,
    more_words,
)


# Odd: changes of the files.


def shards(c):
    shard(c.folder, c.one([1, 2, 5]))


def other_files(c):
    (c.folder / "pytorch_model.bin").write_bytes(b"\x80\x02junk")
    (c.folder / "training_args.bin").write_bytes(b"")
    (c.folder / "vocab.txt").write_text("[PAD]\n")


def bits(c):
    """Numbers change: both read them, or the file is damaged for both."""
    path = c.folder / WEIGHTS
    data = bytearray(path.read_bytes())
    start = 8 + int.from_bytes(data[:8], "little")
    place = c.rng.randint(start if c.rng.rand() < 0.5 else 0, len(data))
    data[place] ^= 1 << c.rng.randint(6)
    path.write_bytes(bytes(data))
    c.is_either = True


FILES = (shards, other_files, bits)


# Damaged: changes of what will be saved. Each returns what must be named.


def a_tensor(c):
    """One that nothing can stand for."""
    names = [
        name
        for name, array in c.tensors.items()
        if array.dtype.kind != "i"
        and "layer" in name.lower().replace("layernorm", "")
    ]
    return c.one(names)


def missing(c):
    name = a_tensor(c)
    del c.tensors[name]
    ends = {"gamma": "weight", "beta": "bias"}
    start, end = name.rsplit(".", 1)
    return f"{start}.{ends.get(end, end)}"


def other_shape(c):
    name = a_tensor(c)
    array = c.tensors[name]
    c.tensors[name] = c.one([array[:-1], array[None], np.tile(array, 2)])
    return name


def integers(c):
    name = a_tensor(c)
    c.tensors[name] = c.tensors[name].astype("int32")
    return name


def foreign(c):
    name = c.one(
        [
            "decoder.block.0.layer.0.weight",
            f"{c.prefix}encoder.layer.7.output.dense.weight",
            f"{c.prefix}classifier.weight",
            "crf.transitions",
            "module.embeddings.position_ids",
            "~",
        ]
    )
    c.tensors[name] = np.ones((2, 2), "float32")
    return name


def typing_error(c):
    name = a_tensor(c)
    c.tensors[name + "s"] = c.tensors.pop(name)
    return name.rsplit(".", 1)[0]


def twice(c):
    """With the prefix and without."""
    name = a_tensor(c)
    other = c.prefix + name
    if name.startswith(c.prefix):
        other = name.removeprefix(c.prefix)
    c.tensors[other] = c.tensors[name]
    return name.removeprefix(c.prefix)


def wrong_number(c):
    key = c.one(
        [
            "vocab_size",
            "max_position_embeddings",
            c.key("num_hidden_layers", "n_layers"),
            c.key("hidden_size", "dim"),
            c.key("num_attention_heads", "n_heads"),
            c.key("intermediate_size", "hidden_dim"),
        ]
    )
    wrong = ["8", None, 0, -8, 8.5, True, [8], {}]
    if key not in ("num_attention_heads", "n_heads", "num_hidden_layers"):
        wrong += [10**13, 9]
    c.config[key] = c.one(wrong)
    return ""


def wrong_word(c):
    key, value = c.one(
        [
            ("model_type", "gpt2"),
            ("model_type", 7),
            (c.key("hidden_act", "activation"), "snake"),
            (c.key("hidden_act", "activation"), None),
            ("is_decoder", True),
            ("position_embedding_type", "relative_key"),
            ("tie_word_embeddings", "yes"),
        ]
    )
    if key == "model_type":
        c.arguments.pop(key, None)
    c.config[key] = value
    return key


def wrong_class(c):
    if c.name.endswith("Model"):
        return missing(c)
    c.arguments.pop("task", None)
    c.config["architectures"] = c.one(
        [["BertLMHeadModel"], [], None, 5, ["Bert"], {"a": "b"}, [None]]
    )
    return "architectures"


DAMAGE = (
    missing,
    other_shape,
    integers,
    foreign,
    typing_error,
    twice,
    wrong_number,
    wrong_word,
    wrong_class,
)


# Damaged: changes of the files.


def cut(c):
    path = c.one([*c.folder.glob("*.safetensors"), c.folder / "config.json"])
    whole = path.read_bytes()
    path.write_bytes(whole[: c.rng.randint(len(whole) - 1)])
    return path.name


def pointer(c):
    """What is there without git-lfs; and a pickle."""
    path = c.one(c.folder.glob("*.safetensors"))
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    path.write_bytes(c.one([text.encode(), b"\x80\x02}q\x00.", b"\0" * 64]))
    return path.name


def gone(c):
    path = c.one([*c.folder.glob("*.safetensors"), c.folder / "config.json"])
    path.unlink()
    return path.name


def no_object(c):
    text = c.one(["[]", "null", "3", "", "{'a': 1}", '"bert"', "\ufeff{}"])
    (c.folder / "config.json").write_text(text, encoding="utf-8")
    return "config.json"


def wrong_index(c):
    if (c.folder / WEIGHTS).is_file():
        shard(c.folder, 2)
    path = c.folder / INDEX
    index = json.loads(path.read_text())
    places = index["weight_map"]
    name = c.one(places)
    if c.rng.rand() < 0.4:
        places[name] = c.one(["no.safetensors", 3, "../x", "/etc/hosts", ""])
    elif c.rng.rand() < 0.5:
        shutil.copy(c.folder / places[name], c.folder / "other.safetensors")
        places[name] = "other.safetensors"
    else:
        index["weight_map"] = c.one([[], None, 3, {}])
    path.write_text(json.dumps(index))
    return ""


BROKEN = (cut, pointer, gone, no_object, wrong_index)


def generate(folder, seed):
    """Writes a folder; returns its `Checkpoint`."""
    rng = np.random.RandomState(seed)
    name = NAMES[seed % len(NAMES)]
    folder.mkdir()
    changes = {"num_hidden_groups": 2} if name.startswith("Albert") else {}
    extra = {k: 4 for k in FAMILIES[family_of(name)] if k == "embedding_size"}
    random_model(name, **{**SMALL, **extra, **changes}).save_pretrained(folder)
    c = Checkpoint(
        name,
        folder,
        rng,
        json.loads((folder / "config.json").read_text()),
        safetensors.numpy.load_file(folder / WEIGHTS),
    )
    for change in [f for f in ODD if rng.rand() < 0.15]:
        c.changes.append(change.__name__)
        change(c)
    damage = rng.choice(["none", "saved", "files"], p=[0.5, 0.3, 0.2])
    if damage == "saved":
        change = c.one(DAMAGE)
        c.changes.append(change.__name__)
        c.place = change(c)
    c.save()
    for change in [f for f in FILES if rng.rand() < 0.15]:
        if change is bits and not (folder / WEIGHTS).is_file():
            continue
        c.changes.append(change.__name__)
        change(c)
    if damage == "files":
        change = c.one(BROKEN)
        c.changes.append(change.__name__)
        c.place = change(c)
    return c
