"""The tensors of an encoder, by the names of Hugging Face's files.

PyTorch keeps the kernel of a dense layer transposed.
"""

import dataclasses

import keras
import numpy as np

_TOP = {
    "embeddings.word_embeddings": "token_embedding",
    "embeddings.position_embeddings": "positions",
    "embeddings.token_type_embeddings": "segment_embedding",
    "embeddings.LayerNorm": "embedding_norm",
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
    """A variable, and how it is called and laid out in the file.

    Attributes:
        name: Its name, which it is written by.
        variable: The variable.
        others: Names that files have in its place, or beside it: of tied
            weights. The first that is there is read; others that differ from
            it belong to nothing.
        idle: Names of those others that may differ: nothing computes with
            them.
    """

    name: str
    variable: keras.Variable
    others: tuple = ()
    idle: tuple = ()

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


def encoder_tensors(encoder, family, pooler=None, decoder=None):
    """The tensors of an encoder.

    Args:
        encoder: A `BERT`.
        family: A `Family`.
        pooler: Name of its pooler in the file, or `None` to leave it out.
        decoder: Name of the decoder that is tied to the token embedding.
    """
    if encoder.replaced:
        raise ValueError(
            "Hugging Face's files have no place for the shapes of layers that "
            f"were replaced. Received: {encoder.name!r}, with other layers at "
            f"{list(encoder.replaced)}."
        )
    prefix = family.prefix + "."
    layers = [
        (prefix + name, getattr(encoder, attribute))
        for name, attribute in _TOP.items()
    ]
    if family.projection:
        projection = encoder.embedding_projection
        layers.append((prefix + family.projection, projection))
    for i, block in enumerate(encoder.blocks):
        for attribute, name in family.parts.items():
            layer = block
            for step in attribute.split("."):
                layer = getattr(layer, step)
            layers.append((f"{prefix}{family.block.format(i)}.{name}", layer))
    if pooler:
        layers.append((pooler, encoder.pooler_dense))
    tensors = [
        tensor
        for name, layer in layers
        if layer is not None
        for tensor in layer_tensors(name, layer)
    ]
    if decoder:
        tensors[0] = dataclasses.replace(tensors[0], others=(decoder,))
    return tensors


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


def make_encoder(kind, file, arguments, changes, decoder):
    """An encoder for the tensors of a file, with new weights.

    Sizes are compared with the file first: those of a damaged configuration
    would make layers of any size.

    Args:
        kind: `BERT`.
        file: A `Folder`.
        arguments: Those that its configuration comes to.
        changes: Those that shall differ.
        decoder: Name of what can stand for the token embedding.
    """
    file.expect(_main_shapes(arguments, file.family), decoder)
    with file.blames_config(changes):
        return kind(**{**arguments, **changes})


def _main_shapes(arguments, family):
    """Names and shapes of tensors in which all sizes show."""
    hidden = arguments["hidden_dim"]
    embedding = arguments.get("embedding_dim") or hidden
    length = arguments["first_position"] + arguments["max_sequence_length"]
    number = arguments.get("num_distinct_layers") or arguments["num_layers"]
    block = f"{family.block.format(number - 1)}."
    query = family.parts["attention.query_dense"]
    shapes = {
        "embeddings.word_embeddings": (arguments["vocabulary_size"], embedding),
        "embeddings.position_embeddings": (length, embedding),
        "embeddings.token_type_embeddings": (
            arguments["num_segments"],
            embedding,
        ),
        block + query: (hidden, hidden),
        block + family.parts["widen"]: (arguments["intermediate_dim"], hidden),
    }
    return [
        (f"{family.prefix}.{name}.weight", shape)
        for name, shape in shapes.items()
        if shape[0]
    ]
