"""BERT: one encoder, which its whole family configures."""

import keras
import numpy as np
from keras import ops

from keras_dl.applications import _hugging_face as hugging_face
from keras_dl.applications import _keras_hub as keras_hub
from keras_dl.applications._bert_sizes import SIZES
from keras_dl.applications._portable import PortableModel
from keras_dl.checks import check_choice, check_integer, check_rate
from keras_dl.layers import (
    Dense,
    LearnedPositions,
    TransformerEncoderBlock,
    combine_masks,
    gelu_tanh,
)

INPUTS = ("token_ids", "segment_ids", "padding_mask", "attention_mask")


@keras.saving.register_keras_serializable("keras_dl")
class BERT(PortableModel):
    """Transformer encoder that reads a text in both directions.

        x_t = drop(norm(E[token_t] + P[t] + S[segment_t]))
        h = blocks(W x + b)
        pooled = tanh(W_p h_0 + b_p)

    `W`, `b` only if `embedding_dim` is given. What tells the members of the
    family apart is configuration; `BERT.of_size` knows the published ones:

    | model      | differs in                                                |
    |------------|-----------------------------------------------------------|
    | BERT       |                                                           |
    | RoBERTa    | `num_segments=1`, `pad_id=1`, `first_position=2`          |
    | ALBERT     | `embedding_dim=128`, `num_distinct_layers=1`, `gelu_tanh` |
    | DistilBERT | half the layers, `num_segments=0`, `pooler=None`          |
    | TinyBERT   | 4 layers of 312, or 6 of 768                              |

    **Shapes.** Ids `(batch, time)` to a dict: `"sequence_output"`,
    `(batch, time, dim)`, and, with a pooler, `"pooled_output"`,
    `(batch, dim)`.

    **Masking.** Padding has no effect on real tokens. What a token may see can
    be narrowed down further by `attention_mask`. Outputs of padding mean
    nothing.

    **Ids out of range.** `fit`, `evaluate` and `predict` refuse arrays that
    hold them by name. Elsewhere, inside compiled code, an id of a token or
    segment that does not exist makes the outputs of its text NaN.

    Args:
        vocabulary_size: Number of token ids.
        num_layers: Number of blocks.
        dim: Size of the vectors between blocks.
        num_heads: Number of attention heads.
        intermediate_dim: Width of the feed-forward networks.
        max_length: Number of tokens that a text can have.
        num_segments: Number of segment ids; 0 for a model without segments.
        embedding_dim: Size of the embeddings, if it is not `dim`: a product
            then leads to `dim` (factorized embedding).
        num_distinct_layers: Number of blocks with weights of their own; as
            `num_layers` by default. Each is applied several times in
            succession (cross-layer sharing).
        pooler: Activation of the dense layer on the first token, or `None`
            for a model without one.
        dropout: Share to drop of embeddings and of what blocks add.
        attention_dropout: Share to drop of attention weights; as `dropout` by
            default.
        activation: Activation of the feed-forward networks: `"gelu"` (exact),
            `"gelu_tanh"`, or any of Keras.
        pad_id: Id of the padding.
        first_position: Position of the first token. If it is not 0, positions
            count real tokens alone, as RoBERTa's do.
        layer_norm_epsilon: Added to the variances.
        initializer_range: Standard deviation of the initial kernels and
            embeddings, of a normal distribution cut off at two of them.
        **kwargs: Arguments of `keras.Model`.

    Call arguments:
        inputs: Integer tensor of token ids, or a dict with `"token_ids"` and
            any of `"segment_ids"` (zeros by default), `"padding_mask"` (true
            for real tokens; `token_ids != pad_id` by default) and
            `"attention_mask"` (`(batch, time, time)`, true where a token may
            see another).
        return_hidden_states: Whether to return `"hidden_states"` too: a tuple
            of what goes into the first block and of what comes out of each.
        return_attention_scores: Whether to return `"attention_scores"` too: a
            tuple of each block's weights, `(batch, heads, time, time)`.
        training: Whether dropout is active.

    Raises:
        ValueError: If an argument is not allowed, inputs have unknown names,
            ids are out of range, or a text is longer than `max_length`.

    Example:

    >>> encoder = BERT.of_size("bert_base")
    >>> encoder.count_params()
    109482240
    >>> encoder(np.ones((2, 5), "int32"))["pooled_output"].shape
    (2, 768)

    Reference:
        Devlin et al., "BERT: pre-training of deep bidirectional transformers
        for language understanding", 2019; Liu et al., "RoBERTa", 2019; Lan et
        al., "ALBERT", 2020; Sanh et al., "DistilBERT", 2019; Jiao et al.,
        "TinyBERT", 2020. BERT's own code takes the tanh approximation of
        GELU, Hugging Face's the exact form, which is the default here.
    """

    def __init__(
        self,
        vocabulary_size,
        num_layers=12,
        dim=768,
        num_heads=12,
        intermediate_dim=3072,
        max_length=512,
        num_segments=2,
        embedding_dim=None,
        num_distinct_layers=None,
        pooler="tanh",
        dropout=0.1,
        attention_dropout=None,
        activation="gelu",
        pad_id=0,
        first_position=0,
        layer_norm_epsilon=1e-12,
        initializer_range=0.02,
        **kwargs,
    ):
        super().__init__(**kwargs)
        sizes = {
            "vocabulary_size": vocabulary_size,
            "num_layers": num_layers,
            "dim": dim,
            "num_heads": num_heads,
            "intermediate_dim": intermediate_dim,
            "max_length": max_length,
            "embedding_dim": dim if embedding_dim is None else embedding_dim,
        }
        for name, value in sizes.items():
            setattr(self, name, check_integer(name, value, 1))
        if num_distinct_layers is None:
            num_distinct_layers = num_layers
        self.num_distinct_layers = check_integer(
            "num_distinct_layers", num_distinct_layers, 1, num_layers
        )
        self.num_segments = check_integer("num_segments", num_segments, 0)
        self.pooler = pooler
        self.dropout = check_rate("dropout", dropout)
        self.attention_dropout = (
            self.dropout
            if attention_dropout is None
            else check_rate("attention_dropout", attention_dropout)
        )
        self.activation = _activation(activation)
        self.pad_id = check_integer("pad_id", pad_id, 0, vocabulary_size - 1)
        self.first_position = check_integer("first_position", first_position, 0)
        self.layer_norm_epsilon = layer_norm_epsilon
        self.initializer_range = initializer_range
        if dim % num_heads:
            raise ValueError(
                "`dim` must be a multiple of `num_heads`. Received: "
                f"dim={dim}, num_heads={num_heads}."
            )
        self._make_layers()
        self.build((None, None))

    @classmethod
    def of_size(cls, size, **changes):
        """A model of a published size, with new weights.

        Args:
            size: `"bert_tiny"`, `"bert_mini"`, `"bert_small"`,
                `"bert_medium"`, `"bert_base"`, `"bert_large"`,
                `"albert_base"`, `"albert_large"`, `"albert_xlarge"`,
                `"albert_xxlarge"`, `"roberta_base"`, `"roberta_large"`,
                `"distilbert_base"`, `"tinybert_4"` or `"tinybert_6"`.
            **changes: Arguments that shall differ, such as
                `vocabulary_size`, which is that of the published uncased
                English model by default.

        Returns:
            A `BERT`.

        Raises:
            ValueError: If there is no such size.
        """
        check_choice("size", size, SIZES)
        return cls(**{**SIZES[size], **changes})

    @classmethod
    def from_hugging_face(cls, folder, **changes):
        """The encoder of a model of Hugging Face, of BERT, RoBERTa, ALBERT or
        DistilBERT.

        Args:
            folder: Path of a folder with `config.json` and
                `model.safetensors`, of a model with a head or without.
            **changes: Arguments that shall differ and change no tensor, such
                as `dropout`; and `pooler`: `"tanh"` makes a new one where the
                file has none, `None` leaves the file's out.

        Returns:
            A `BERT`.

        Raises:
            ValueError: If the files are damaged, foreign or do not fit each
                other. Nothing is read then.
            ImportError: If safetensors is not installed.
        """
        file = hugging_face.Folder(folder)
        family = file.family
        has_pooler = file.has(f"{family.name}.{family.pooler}.weight")
        pooler = changes.pop("pooler", "tanh" if has_pooler else None)
        arguments = hugging_face.arguments(file.config, family)
        encoder = cls(pooler=pooler, **{**arguments, **changes})
        tensors = hugging_face.encoder_tensors(encoder, family)
        mark = f"{family.name}.{family.pooler}."
        if not has_pooler:
            tensors = [t for t in tensors if not t.name.startswith(mark)]
        ignored = (*hugging_face.IGNORED, mark)
        file.load(tensors, ignored)
        return encoder

    def to_hugging_face(self, folder):
        """Writes `config.json` and `model.safetensors`, without a head.

        Args:
            folder: Path of a folder, which is made if there is none.

        Raises:
            ValueError: If no model of Hugging Face is like this one.
            ImportError: If safetensors is not installed.
        """
        family = hugging_face.family_of(self)
        config = hugging_face.configuration(self, family)
        config["architectures"] = [hugging_face.CLASSES[family.name] + "Model"]
        tensors = hugging_face.encoder_tensors(self, family)
        hugging_face.write(folder, config, tensors, prefix=False)

    @classmethod
    def from_keras_hub(cls, backbone, **changes):
        """A copy of a backbone of keras-hub, or of keras-nlp.

        Args:
            backbone: A `BertBackbone`, `AlbertBackbone`, `RobertaBackbone` or
                `DistilBertBackbone`.
            **changes: Arguments that shall differ and change no variable,
                such as `dropout`.

        Returns:
            A `BERT`.

        Raises:
            ValueError: If it is another backbone.
        """
        encoder = cls(**{**keras_hub.arguments(backbone), **changes})
        keras_hub.copy(backbone, encoder)
        return encoder

    def _make_layers(self):
        self.token_embedding = keras.layers.ReversibleEmbedding(
            self.vocabulary_size,
            self.embedding_dim,
            embeddings_initializer=self._initializer(),
            dtype=self.dtype_policy,
            name="token_embedding",
        )
        self.positions = LearnedPositions(
            self.first_position + self.max_length,
            initializer=self._initializer(),
            dtype=self.dtype_policy,
            name="positions",
        )
        self.segment_embedding = None
        if self.num_segments:
            self.segment_embedding = keras.layers.Embedding(
                self.num_segments,
                self.embedding_dim,
                embeddings_initializer=self._initializer(),
                dtype=self.dtype_policy,
                name="segment_embedding",
            )
        self.embedding_norm = keras.layers.LayerNormalization(
            epsilon=self.layer_norm_epsilon,
            dtype=self.dtype_policy,
            name="embedding_norm",
        )
        self.drop = keras.layers.Dropout(self.dropout, dtype=self.dtype_policy)
        self.embedding_projection = None
        if self.embedding_dim != self.dim:
            self.embedding_projection = self._dense(
                self.dim, "embedding_projection"
            )
        self.blocks = [
            TransformerEncoderBlock(
                self.num_heads,
                self.intermediate_dim,
                dropout=self.dropout,
                attention_dropout=self.attention_dropout,
                activation=self.activation,
                layer_norm_epsilon=self.layer_norm_epsilon,
                kernel_initializer=self._initializer(),
                dtype=self.dtype_policy,
                name=f"block_{i + 1}",
            )
            for i in range(self.num_distinct_layers)
        ]
        self.pooler_dense = None
        if self.pooler is not None:
            self.pooler_dense = self._dense(
                self.dim, "pooler", activation=self.pooler
            )

    def _initializer(self):
        return keras.initializers.TruncatedNormal(stddev=self.initializer_range)

    def _dense(self, units, name, **kwargs):
        return Dense(
            units,
            kernel_initializer=self._initializer(),
            dtype=self.dtype_policy,
            name=name,
            **kwargs,
        )

    def build(self, input_shape):
        if self.built:
            return
        embedded = (None, None, self.embedding_dim)
        self.token_embedding.build((None, None))
        self.positions.build(embedded)
        if self.segment_embedding is not None:
            self.segment_embedding.build((None, None))
        self.embedding_norm.build(embedded)
        if self.embedding_projection is not None:
            self.embedding_projection.build(embedded)
        for block in self.blocks:
            block.build((None, None, self.dim))
        if self.pooler_dense is not None:
            self.pooler_dense.build((None, self.dim))
        self.built = True

    def call(
        self,
        inputs,
        return_hidden_states=False,
        return_attention_scores=False,
        training=None,
    ):
        inputs = self.read(inputs)
        real = inputs["padding_mask"]
        x = self.embed(
            inputs["token_ids"], inputs.get("segment_ids"), training=training
        )
        states, scores = [x], []
        for block in self._successive_blocks():
            x = block(
                x,
                mask=real,
                attention_mask=combine_masks(inputs.get("attention_mask")),
                return_attention_scores=return_attention_scores,
                training=training,
            )
            if return_attention_scores:
                x, weights = x
                scores.append(weights)
            states.append(x)
        results = {"sequence_output": x}
        if self.pooler_dense is not None:
            results["pooled_output"] = self.pooler_dense(x[:, 0])
        if return_hidden_states:
            results["hidden_states"] = tuple(states)
        if return_attention_scores:
            results["attention_scores"] = tuple(scores)
        return results

    def embed(self, token_ids, segment_ids=None, training=None):
        """What goes into the first block, `(batch, time, dim)`."""
        positions = None
        if self.first_position:
            real = ops.cast(ops.not_equal(token_ids, self.pad_id), "int32")
            positions = ops.cumsum(real, axis=1) * real
            positions = positions + (self.first_position - 1)
        x = _looked_up(self.token_embedding, token_ids, self.vocabulary_size)
        x = self.positions(x, positions=positions)
        if self.segment_embedding is not None:
            if segment_ids is None:
                segment_ids = ops.zeros_like(token_ids)
            x = x + _looked_up(
                self.segment_embedding, segment_ids, self.num_segments
            )
        x = self.drop(self.embedding_norm(x), training=training)
        if self.embedding_projection is not None:
            x = self.embedding_projection(x)
        return x

    def compute_output_spec(
        self,
        inputs,
        return_hidden_states=False,
        return_attention_scores=False,
        training=None,
    ):
        batch, time = self.read(inputs)["token_ids"].shape

        def spec(*shape):
            return keras.KerasTensor(shape, dtype=self.compute_dtype)

        sequence = (batch, time, self.dim)
        results = {"sequence_output": spec(*sequence)}
        if self.pooler_dense is not None:
            results["pooled_output"] = spec(batch, self.dim)
        if return_hidden_states:
            results["hidden_states"] = tuple(
                spec(*sequence) for _ in range(self.num_layers + 1)
            )
        if return_attention_scores:
            results["attention_scores"] = tuple(
                spec(batch, self.num_heads, time, time)
                for _ in range(self.num_layers)
            )
        return results

    def _successive_blocks(self):
        """The blocks in the order in which they are applied."""
        for i in range(self.num_layers):
            yield self.blocks[i * self.num_distinct_layers // self.num_layers]

    def read(self, inputs):
        """The inputs as a dict, of names that there are, with the mask."""
        if not isinstance(inputs, dict):
            inputs = {"token_ids": inputs}
        if "token_ids" not in inputs or not set(inputs) <= set(INPUTS):
            raise ValueError(
                "`inputs` must be token ids, or a dict with 'token_ids' and "
                f"any of {list(INPUTS[1:])}. Received: {sorted(inputs)}."
            )
        if inputs.get("segment_ids") is not None and not self.num_segments:
            raise ValueError(
                "`segment_ids` must be left out for a model without segments "
                "(num_segments=0). Received: segment_ids."
            )
        real = inputs.get("padding_mask")
        if real is None:
            real = ops.not_equal(inputs["token_ids"], self.pad_id)
        return {**inputs, "padding_mask": ops.cast(real, "bool")}

    def compile(self, *args, **kwargs):
        raise TypeError(
            "A BERT is an encoder, without an output to compare with targets. "
            "Put heads on it: keras_dl.applications.TaskModel(encoder, heads)."
        )

    def predict(self, x, *args, **kwargs):
        """As `keras.Model.predict`, with a check of the ids in arrays."""
        self.check_arrays(x)
        return super().predict(x, *args, **kwargs)

    def check_arrays(self, inputs):
        """Refuses arrays with ids that do not exist, and texts too long."""
        if not isinstance(inputs, dict):
            inputs = {"token_ids": inputs}
        for name, size in (
            ("token_ids", self.vocabulary_size),
            ("segment_ids", self.num_segments),
        ):
            ids = inputs.get(name)
            if not isinstance(ids, np.ndarray) or not ids.size:
                continue
            if ids.min() < 0 or ids.max() >= size:
                raise ValueError(
                    f"`{name}` must be from 0 to {size - 1}. Received: ids "
                    f"from {ids.min()} to {ids.max()}."
                )
            if ids.shape[-1] > self.max_length:
                raise ValueError(
                    "Texts must have at most max_length="
                    f"{self.max_length} tokens. Received: {name} of shape "
                    f"{ids.shape}."
                )

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "num_layers": self.num_layers,
            "dim": self.dim,
            "num_heads": self.num_heads,
            "intermediate_dim": self.intermediate_dim,
            "max_length": self.max_length,
            "num_segments": self.num_segments,
            "embedding_dim": self.embedding_dim,
            "num_distinct_layers": self.num_distinct_layers,
            "pooler": self.pooler,
            "dropout": self.dropout,
            "attention_dropout": self.attention_dropout,
            "activation": keras.activations.serialize(self.activation),
            "pad_id": self.pad_id,
            "first_position": self.first_position,
            "layer_norm_epsilon": self.layer_norm_epsilon,
            "initializer_range": self.initializer_range,
        }


def _activation(activation):
    if activation == "gelu_tanh":
        return gelu_tanh
    return keras.activations.get(activation)


def _looked_up(embedding, ids, size):
    """The vectors of ids, and NaN for ids that there are not."""
    ids = ops.cast(ids, "int32")
    inside = ops.logical_and(ids >= 0, ids < size)
    x = embedding(ops.where(inside, ids, 0))
    wrong = ops.where(inside, 0.0, np.nan)
    return x + ops.cast(ops.expand_dims(wrong, -1), x.dtype)
