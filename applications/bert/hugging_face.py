"""BERT's family in Hugging Face's files: `config.json`, `model.safetensors`.

A family is a table: how its configuration and its tensors are named there.
PyTorch keeps the kernel of a dense layer transposed.
"""

import dataclasses
import json
import pathlib

import keras
import numpy as np

_ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
}
_ALWAYS = {
    "position_embedding_type": "absolute",
    "is_decoder": False,
    "add_cross_attention": False,
    "inner_group_num": 1,
    "sinusoidal_pos_embds": False,
}


@dataclasses.dataclass(frozen=True)
class Family:
    """How a family names its configuration and its tensors.

    Attributes:
        name: `model_type` of the configuration, and prefix of its tensors.
        arguments: Argument of `BERT` to key of the configuration.
        defaults: What the configuration may leave out.
        block: Name of the tensors of a block.
        parts: Layer of a block to name.
        pooler: Name of the pooler.
        fixed: Arguments of `BERT` that are the same in the whole family.
    """

    name: str
    arguments: dict
    defaults: dict
    block: str
    parts: dict
    pooler: str = "pooler.dense"
    fixed: dict = dataclasses.field(default_factory=dict)


_ARGUMENTS = {
    "vocabulary_size": "vocab_size",
    "num_layers": "num_hidden_layers",
    "hidden_dim": "hidden_size",
    "num_heads": "num_attention_heads",
    "intermediate_dim": "intermediate_size",
    "max_sequence_length": "max_position_embeddings",
    "num_segments": "type_vocab_size",
    "dropout": "hidden_dropout_prob",
    "attention_dropout": "attention_probs_dropout_prob",
    "activation": "hidden_act",
    "pad_id": "pad_token_id",
    "layer_norm_epsilon": "layer_norm_eps",
    "initializer_range": "initializer_range",
}
_DEFAULTS = {
    "vocab_size": 30522,
    "num_hidden_layers": 12,
    "hidden_size": 768,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "hidden_act": "gelu",
    "pad_token_id": 0,
    "layer_norm_eps": 1e-12,
    "initializer_range": 0.02,
}
_PARTS = {
    "attention.query_dense": "attention.self.query",
    "attention.key_dense": "attention.self.key",
    "attention.value_dense": "attention.self.value",
    "attention.output_dense": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "widen": "intermediate.dense",
    "narrow": "output.dense",
    "feed_forward_norm": "output.LayerNorm",
}
_BERT = Family("bert", _ARGUMENTS, _DEFAULTS, "encoder.layer.{}", _PARTS)
FAMILIES = {
    "bert": _BERT,
    "roberta": dataclasses.replace(
        _BERT,
        name="roberta",
        defaults={**_DEFAULTS, "vocab_size": 50265, "pad_token_id": 1},
    ),
    "albert": Family(
        "albert",
        {
            **_ARGUMENTS,
            "embedding_dim": "embedding_size",
            "num_distinct_layers": "num_hidden_groups",
        },
        {
            **_DEFAULTS,
            "vocab_size": 30000,
            "embedding_size": 128,
            "hidden_size": 4096,
            "num_hidden_groups": 1,
            "num_attention_heads": 64,
            "intermediate_size": 16384,
            "hidden_act": "gelu_new",
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
        },
        "encoder.albert_layer_groups.{}.albert_layers.0",
        {
            "attention.query_dense": "attention.query",
            "attention.key_dense": "attention.key",
            "attention.value_dense": "attention.value",
            "attention.output_dense": "attention.dense",
            "attention_norm": "attention.LayerNorm",
            "widen": "ffn",
            "narrow": "ffn_output",
            "feed_forward_norm": "full_layer_layer_norm",
        },
        pooler="pooler",
    ),
    "distilbert": Family(
        "distilbert",
        {
            "vocabulary_size": "vocab_size",
            "num_layers": "n_layers",
            "hidden_dim": "dim",
            "num_heads": "n_heads",
            "intermediate_dim": "hidden_dim",
            "max_sequence_length": "max_position_embeddings",
            "dropout": "dropout",
            "attention_dropout": "attention_dropout",
            "activation": "activation",
            "pad_id": "pad_token_id",
            "initializer_range": "initializer_range",
        },
        {
            "vocab_size": 30522,
            "n_layers": 6,
            "dim": 768,
            "n_heads": 12,
            "hidden_dim": 3072,
            "max_position_embeddings": 512,
            "dropout": 0.1,
            "attention_dropout": 0.1,
            "activation": "gelu",
            "pad_token_id": 0,
            "initializer_range": 0.02,
        },
        "transformer.layer.{}",
        {
            "attention.query_dense": "attention.q_lin",
            "attention.key_dense": "attention.k_lin",
            "attention.value_dense": "attention.v_lin",
            "attention.output_dense": "attention.out_lin",
            "attention_norm": "sa_layer_norm",
            "widen": "ffn.lin1",
            "narrow": "ffn.lin2",
            "feed_forward_norm": "output_layer_norm",
        },
        fixed={"num_segments": 0, "layer_norm_epsilon": 1e-12},
    ),
}
CLASSES = {
    "bert": "Bert",
    "roberta": "Roberta",
    "albert": "Albert",
    "distilbert": "DistilBert",
}
# Prefixes of what an encoder has no use for: heads, and a buffer.
IGNORED = (
    "cls.",
    "lm_head.",
    "predictions.",
    "sop_classifier.",
    "classifier.",
    "pre_classifier.",
    "qa_outputs.",
    "vocab_",
    "embeddings.position_ids",
)
_TOP = {
    "embeddings.word_embeddings": "token_embedding",
    "embeddings.position_embeddings": "positions",
    "embeddings.token_type_embeddings": "segment_embedding",
    "embeddings.LayerNorm": "embedding_norm",
    "encoder.embedding_hidden_mapping_in": "embedding_projection",
}
_VARIABLES = {
    "embeddings": "weight",
    "kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "bias": "bias",
}


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A variable, and how it is called and laid out in the file."""

    name: str
    variable: keras.Variable

    @property
    def is_transposed(self):
        return self.variable.name == "kernel"

    @property
    def shape(self):
        shape = tuple(self.variable.shape)
        return shape[::-1] if self.is_transposed else shape

    def read(self, array):
        """Assigns what the file holds."""
        self.variable.assign(array.T if self.is_transposed else array)

    def write(self):
        """The array that the file holds."""
        array = keras.ops.convert_to_numpy(self.variable.value)
        return np.ascontiguousarray(array.T if self.is_transposed else array)


def encoder_tensors(encoder, family, pooler=None):
    """The tensors of an encoder.

    Args:
        encoder: A `BERT`.
        family: A `Family`.
        pooler: Name of its pooler where it belongs to a head, without the
            prefix of the encoder; by default it is the encoder's.
    """
    prefix = family.name + "."
    layers = [
        (prefix + name, getattr(encoder, attribute))
        for name, attribute in _TOP.items()
    ]
    for i, block in enumerate(encoder.blocks):
        for attribute, name in family.parts.items():
            layer = block
            for step in attribute.split("."):
                layer = getattr(layer, step)
            layers.append((f"{prefix}{family.block.format(i)}.{name}", layer))
    layers.append((pooler or prefix + family.pooler, encoder.pooler_dense))
    return [
        tensor
        for name, layer in layers
        if layer is not None
        for tensor in layer_tensors(name, layer)
    ]


def layer_tensors(name, layer):
    """The tensors of a dense layer, a normalization or an embedding."""
    if layer.quantization_mode:
        raise ValueError(
            "Hugging Face's files hold floats. Received: a model whose layer "
            f"{layer.path!r} is quantized to {layer.quantization_mode}."
        )
    return [
        Tensor(f"{name}.{_VARIABLES[variable.name]}", variable)
        for variable in layer.weights
    ]


def arguments(config, family):
    """The arguments of `BERT` that a configuration comes to."""
    for key, allowed in _ALWAYS.items():
        if config.get(key, allowed) != allowed:
            raise ValueError(
                f"`{key}` of the configuration must be {allowed!r}: nothing "
                f"else is supported. Received: {key}={config[key]!r}."
            )
    values = {**family.defaults, **config}
    found = {ours: values[key] for ours, key in family.arguments.items()}
    activation = found["activation"]
    if activation not in _ACTIVATIONS:
        raise ValueError(
            f"The activation must be one of {sorted(_ACTIVATIONS)}. Received: "
            f"{family.arguments['activation']}={activation!r}."
        )
    found["activation"] = _ACTIVATIONS[activation]
    if family.name == "roberta":
        found["first_position"] = found["pad_id"] + 1
        found["max_sequence_length"] -= found["first_position"]
    return {**found, **family.fixed, "entity_stream": None}


def family_of(encoder):
    """The family that can hold an encoder."""
    differing = [
        name
        for name in ("num_heads", "intermediate_dim")
        if isinstance(getattr(encoder, name), tuple)
    ]
    if differing or encoder.head_dim not in (
        None,
        encoder.hidden_dim // encoder.num_heads,
    ):
        raise ValueError(
            "No model of Hugging Face is like this one: its blocks differ, or "
            f"have heads of a size of their own. Received: {differing}, "
            f"head_dim={encoder.head_dim}."
        )
    if encoder.first_position:
        name = "roberta"
    elif (
        encoder.embedding_projection is not None
        or encoder.num_distinct_layers != encoder.num_layers
    ):
        name = "albert"
    elif not encoder.num_segments:
        name = "distilbert"
    else:
        name = "bert"
    return FAMILIES[name]


def configuration(encoder, family):
    """The configuration of an encoder; the opposite of `arguments`."""
    ours = encoder.get_config()
    activation = getattr(encoder.activation, "__name__", None)
    theirs = {ours: key for key, ours in reversed(_ACTIVATIONS.items())}
    theirs["gelu_tanh"] = "gelu_new"
    if activation not in theirs:
        raise ValueError(
            "The encoder's activation must be one of "
            f"{sorted(theirs)}, which Hugging Face's models know. Received: "
            f"activation={activation!r}."
        )
    ours["activation"] = theirs[activation]
    if family.name == "roberta":
        ours["max_sequence_length"] += ours["first_position"]
    config = {key: ours[name] for name, key in family.arguments.items()}
    again = arguments(config, family)
    for name, value in again.items():
        if name != "activation" and getattr(encoder, name) != value:
            raise ValueError(
                f"A {family.name} of Hugging Face has {name}={value!r}. "
                f"Received: an encoder with {name}={getattr(encoder, name)!r}."
            )
    return {"model_type": family.name, **config}


class Folder:
    """The files of a model, read with every doubt named before any use."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.config = self._read_config()
        kind = self.config.get("model_type")
        if kind not in FAMILIES:
            raise ValueError(
                f"`model_type` in {self.path / 'config.json'} must be one of "
                f"{sorted(FAMILIES)}. Received: model_type={kind!r}."
            )
        self.family = FAMILIES[kind]
        self._tensors, self._file = self._open()

    def _read_config(self):
        path = self.path / "config.json"
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ValueError(
                f"`folder` must hold a config.json of Hugging Face. Received: "
                f"{path}: {error}."
            ) from error
        if not isinstance(config, dict):
            raise ValueError(f"{path} must hold one JSON object.")
        return config

    def _open(self):
        safetensors = import_safetensors()
        path = self.path / "model.safetensors"
        if not path.is_file():
            raise ValueError(
                "`folder` must hold a model.safetensors; files that have to "
                f"be unpickled are not read. Received: {self.path}, without "
                "one."
            )
        try:
            file = safetensors.safe_open(path, framework="numpy")
            shapes = {
                name: tuple(file.get_slice(name).get_shape())
                for name in file.keys()  # noqa: SIM118
            }
        except (OSError, safetensors.SafetensorError) as error:
            raise ValueError(f"{path} is damaged: {error}.") from error
        return shapes, file

    def has(self, name):
        """Whether there is a tensor, with or without the family's prefix."""
        return self._name(name) in self._tensors

    def _name(self, name):
        """The name in the file, where the encoder may stand alone."""
        prefix = self.family.name + "."
        if any(other.startswith(prefix) for other in self._tensors):
            return name
        return name.removeprefix(prefix)

    def load(self, tensors, ignored=()):
        """Reads all of the tensors, or none.

        Args:
            tensors: List of `Tensor`.
            ignored: Prefixes of the names of others that may be there.

        Raises:
            ValueError: Names the first tensor that is missing, does not fit,
                cannot be read, or belongs to nothing.
        """
        wanted = {self._name(tensor.name): tensor for tensor in tensors}
        for name, tensor in wanted.items():
            self._check(name, tensor)
        ignored = tuple(self._name(prefix) for prefix in ignored)
        for name in sorted(set(self._tensors) - set(wanted)):
            if not name.startswith(ignored):
                raise self._error(name, "belongs to no part of this model")
        arrays = {name: self._array(name) for name in wanted}
        for name, tensor in wanted.items():
            tensor.read(arrays[name])

    def _check(self, name, tensor):
        if name not in self._tensors:
            raise self._error(name, "is missing")
        shape = self._tensors[name]
        if shape != tensor.shape:
            raise self._error(
                name, f"must have the shape {tensor.shape}", f"{shape}"
            )

    def _array(self, name):
        try:
            array = self._file.get_tensor(name)
        except Exception as error:  # Whatever the reader or NumPy says.
            raise self._error(name, f"cannot be read: {error}") from error
        if array.dtype.kind not in "fV":
            raise self._error(name, "must hold floats", f"{array.dtype}")
        return array.astype("float32")

    def _error(self, name, problem, received=None):
        received = "" if received is None else f" Received: {received}."
        return ValueError(
            f"{self.path / 'model.safetensors'}: tensor {name!r} {problem}."
            f"{received}"
        )


def write(folder, config, tensors, prefix=True):
    """Writes `config.json` and `model.safetensors`.

    Args:
        folder: Path of the folder.
        config: Dict.
        tensors: List of `Tensor`.
        prefix: Whether names begin with that of the family.
    """
    safetensors = import_safetensors("safetensors.numpy")
    path = pathlib.Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    text = json.dumps(config, indent=2, sort_keys=True) + "\n"
    (path / "config.json").write_text(text, encoding="utf-8")
    cut = "" if prefix else config["model_type"] + "."
    safetensors.save_file(
        {tensor.name.removeprefix(cut): tensor.write() for tensor in tensors},
        path / "model.safetensors",
        {"format": "pt"},
    )


def import_safetensors(name="safetensors"):
    """The package `safetensors`, or an error that says how to install it."""
    try:
        import importlib

        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            "Hugging Face's weights need safetensors, which is not installed: "
            'pip install "keras_dl[nlp]".'
        ) from error
