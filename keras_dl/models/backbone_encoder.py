"""`BackboneEncoder`: a backbone of keras-hub as an encoder for heads."""

import keras
from keras import ops

from keras_dl.checks import check_choice
from keras_dl.models.encoder import POOLINGS, Encoder, pool
from keras_dl.models.features import embedding_paths, feature_paths, under
from keras_dl.models.paths import sublayer


@keras.saving.register_keras_serializable("keras_dl")
class BackboneEncoder(Encoder):
    """A functional model of token ids, such as a keras-hub backbone, for heads.

    It takes what has an input `"token_ids"`, with `"padding_mask"` and
    `"segment_ids"` or without, and gives vectors of tokens, `(batch, time,
    size)`, alone or as the `"sequence_output"` of a dict: `BertBackbone`,
    `RobertaBackbone`, `DistilBertBackbone`, `GPT2Backbone` and the like, and
    your own.

    **Masking.** Padding is what `"padding_mask"` says, by default
    `token_ids == pad_id`.

    Args:
        backbone: The model.
        pooling: What heads that look at a whole text read: `"first"` or
            `"last"` of the real tokens, their `"mean"` or `"max"`. `None`:
            the backbone's own `"pooled_output"`, and `"first"` if it has none.
        pad_id: Id of the padding: 0, as BERT's; RoBERTa's is 1.
        **kwargs: Arguments of `keras.Model`.

    Call arguments:
        inputs: Token ids, or a dict with `"token_ids"` and the backbone's
            other inputs; segments are 0 by default.
        training: Whether dropout is active.

    Raises:
        ValueError: If `backbone` is another kind of model.

    Example:

    >>> ids = keras.Input((None,), dtype="int32", name="token_ids")
    >>> x = keras.layers.Embedding(30, 8, name="token_embedding")(ids)
    >>> backbone = keras.Model({"token_ids": ids}, keras.layers.Dense(8)(x))
    >>> encoder = BackboneEncoder(backbone, pooling="mean")
    >>> head = keras_dl.heads.Classification(3)
    >>> model = keras_dl.applications.TaskModel(encoder, head)
    >>> model(np.array([[2, 5, 0]])).shape
    (1, 3)
    """

    def __init__(self, backbone, pooling=None, pad_id=0, **kwargs):
        super().__init__(**kwargs)
        names = _input_names(backbone)
        if pooling is not None:
            check_choice("pooling", pooling, POOLINGS)
        self.backbone, self.pooling, self.pad_id = backbone, pooling, pad_id
        self._given = names
        self.input_names = tuple(dict.fromkeys([*names, "padding_mask"]))
        self.num_segments = 0
        if "segment_ids" in names:
            self.num_segments = getattr(backbone, "num_segments", 2)
        sequence = _sequence_of(backbone.output)
        self.hidden_dim = sequence.shape[-1]
        self._has_own_pooling = (
            isinstance(backbone.output, dict)
            and "pooled_output" in backbone.output
        )
        self.vocabulary_size = self.token_embedding.input_dim
        self.embedding_dim = self.token_embedding.output_dim
        for name in _SIZES:
            value = getattr(backbone, name, None)
            if isinstance(value, (int, float)):
                setattr(self, name, value)
        self.num_layers = max(len(self._block_paths()), 1)
        self.built = True
        self._change_as_saved()

    @property
    def token_embedding(self):
        """The backbone's layer that looks up tokens."""
        return sublayer(self.backbone, embedding_paths(self.backbone)[0])

    @property
    def pooled_dim(self):
        """Size of the pooled output."""
        if self.pooling is None and self._has_own_pooling:
            return self.backbone.output["pooled_output"].shape[-1]
        return self.hidden_dim

    def call(self, inputs, training=None):
        inputs = self.read(inputs)
        given = {name: inputs.get(name) for name in self._given}
        if "segment_ids" in given and given["segment_ids"] is None:
            given["segment_ids"] = ops.zeros_like(inputs["token_ids"])
        found = self.backbone(given, training=training)
        sequence = _sequence_of(found)
        results = {"sequence_output": sequence}
        if self.pooling is None and self._has_own_pooling:
            results["pooled_output"] = found["pooled_output"]
        else:
            how = self.pooling or "first"
            real = inputs["padding_mask"]
            results["pooled_output"] = pool(sequence, real, how)
        return results

    def compute_output_spec(self, inputs, training=None):
        batch, time = self.read(inputs)["token_ids"].shape
        return {
            "sequence_output": keras.KerasTensor(
                (batch, time, self.hidden_dim), dtype=self.compute_dtype
            ),
            "pooled_output": keras.KerasTensor(
                (batch, self.pooled_dim), dtype=self.compute_dtype
            ),
        }

    def layer_groups(self):
        """Lists of its layers, the lowest first: embeddings, blocks, pooler."""
        blocks = [sublayer(self.backbone, p) for p in self._block_paths()]
        sequence = _sequence_of(self.backbone.output)
        below = keras.Model(self.backbone.input, sequence).layers
        pooler = [x for x in self.backbone.layers if x not in below]
        first = [x for x in below if x not in blocks]
        return [first, *([block] for block in blocks), pooler]

    def _block_paths(self):
        names = feature_paths(self.backbone)
        paths = [names[n] for n in names if n.startswith("hidden_states/")]
        return [p.split("@")[0] for p in paths if ":" not in p]

    def feature_paths(self):
        """Those of the backbone: see `keras_dl.models.taps`."""
        return under("backbone", feature_paths(self.backbone))

    def embedding_paths(self):
        """Those of the backbone: see `keras_dl.models.embed`."""
        return [f"backbone/{path}" for path in embedding_paths(self.backbone)]

    def get_config(self):
        return {
            **super().get_config(),
            "backbone": keras.saving.serialize_keras_object(self.backbone),
            "pooling": self.pooling,
            "pad_id": self.pad_id,
        }


# What a backbone may say of itself.
_SIZES = (
    "max_sequence_length",
    "num_heads",
    "intermediate_dim",
    "dropout",
    "layer_norm_epsilon",
)


def _sequence_of(found):
    return found["sequence_output"] if isinstance(found, dict) else found


def _input_names(backbone):
    """The names of the inputs of a backbone that can be read."""
    inputs = getattr(backbone, "input", None)
    outputs = getattr(backbone, "output", None)
    names = list(inputs) if isinstance(inputs, dict) else []
    known = {"token_ids", "padding_mask", "segment_ids"}
    if isinstance(outputs, dict):
        outputs = outputs.get("sequence_output")
    if (
        "token_ids" not in names
        or not set(names) <= known
        or not isinstance(outputs, keras.KerasTensor)
        or len(outputs.shape) != 3
    ):
        raise ValueError(
            "`backbone` must be a functional model with a dict of inputs, "
            f"'token_ids' and any of {sorted(known - {'token_ids'})}, and "
            "vectors of tokens, (batch, time, size), as its output or its "
            f"'sequence_output'. Received: {backbone!r} with inputs "
            f"{names or inputs!r}."
        )
    return names
