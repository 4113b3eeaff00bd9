"""A recurrent model from sequence to sequence, with attention."""

import keras
from keras import ops

from keras_dl.applications.bases.token_model import TokenModel, known
from keras_dl.checks import check_integer, check_rate
from keras_dl.layers import LSTM, AttentionDecoder, Dense


@keras.saving.register_keras_serializable("keras_dl")
class Seq2Seq(TokenModel):
    """From sequence to sequence: LSTM encoder, and decoder with attention.

        memory = stacked bidirectional LSTMs over E_s[source]
        state = tanh(W [last h or c of both directions])
        a_t = AttentionDecoder(E_t[y_{t-1}], memory)
        p(y_t | y_1 ... y_{t-1}, source) = softmax(W_o h_t + b)

    with `h_t = a_t`, plus one LSTM for each further layer, with residuals;
    the encoder's layers from the second on have residuals too.

    **Shapes.** A pair of ids, source `(batch, time_s)` and the target moved
    on by one, `(batch, time_t)`, to logits `(batch, time_t, vocabulary_size)`.
    `keras_dl.text.TeacherForcingBatches` yields such pairs.

    **Masking.** Padding of the source (id 0) has no effect. The default loss
    leaves out positions whose target is the padding.

    `keras_dl.generate(model, sources, ...)` writes targets, from `start_id`
    on, with the states as its cache.

    Args:
        vocabulary_size: Number of ids of the target.
        source_vocabulary_size: Number of ids of the source; the same by
            default.
        units: Size of embeddings, encoder output and decoder: even.
        num_layers: Number of layers of encoder and decoder.
        score: Score of the attention: see `keras_dl.layers.Attention`.
        order: Order of the attention: see `keras_dl.layers.AttentionDecoder`.
        dropout: Share of the inputs of layers to drop, in [0, 1).
        start_id: Id before the first token of a target.
        **kwargs: Arguments of `keras.Model`.

    Call arguments:
        inputs: Pair of integer tensors, `(source, target_in)`.
        training: Whether dropout is active.

    Raises:
        ValueError: If an argument is not allowed.

    Example: dates, to be written in another way.

    >>> sources, targets = ["3 May 2021", "4 May 2022"], ["3.5.21", "4.5.22"]
    >>> ours = keras_dl.text.CharacterVocabulary.train(sources)
    >>> theirs = keras_dl.text.CharacterVocabulary.train(targets)
    >>> batches = keras_dl.text.TeacherForcingBatches(
    ...     sources, targets, ours, theirs, batch_size=2
    ... )
    >>> model = Seq2Seq(theirs.size, ours.size, units=16)
    >>> model.compile()
    >>> history = model.fit(batches, epochs=2, verbose=0)
    >>> pair = ours, theirs
    >>> text = keras_dl.generate(model, "3 May 2022", 6, vocabulary=pair)
    >>> isinstance(text, str)
    True

    Reference:
        Sutskever, Vinyals and Le, "Sequence to sequence learning with neural
        networks", 2014; Bahdanau, Cho and Bengio, 2015; Luong, Pham and
        Manning, 2015.
    """

    reads_source = True

    def __init__(
        self,
        vocabulary_size,
        source_vocabulary_size=None,
        units=256,
        num_layers=1,
        score="general",
        order="luong",
        dropout=0.0,
        start_id=2,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if check_integer("units", units, 2) % 2:
            raise ValueError(
                "`units` must be even: half of them for each direction of the "
                f"encoder. Received: units={units!r}."
            )
        self._remember(
            vocabulary_size=check_integer(
                "vocabulary_size", vocabulary_size, 2
            ),
            source_vocabulary_size=check_integer(
                "source_vocabulary_size",
                vocabulary_size
                if source_vocabulary_size is None
                else source_vocabulary_size,
                2,
            ),
            units=units,
            num_layers=check_integer("num_layers", num_layers, 1),
            score=score,
            order=order,
            dropout=check_rate("dropout", dropout),
            start_id=check_integer(
                "start_id", start_id, 0, vocabulary_size - 1
            ),
        )
        policy = self.dtype_policy
        self.source_embedding = keras.layers.Embedding(
            self.source_vocabulary_size, units, dtype=policy
        )
        self.target_embedding = keras.layers.Embedding(
            vocabulary_size, units, dtype=policy
        )
        self.encoder = [
            keras.layers.Bidirectional(
                LSTM(
                    units // 2,
                    return_sequences=True,
                    return_state=True,
                    dtype=policy,
                ),
                dtype=policy,
                name=f"encoder_{i + 1}",
            )
            for i in range(num_layers)
        ]
        self.bridge = [
            Dense(units, "tanh", dtype=policy, name=f"bridge_{s}") for s in "hc"
        ]
        self.decoder = AttentionDecoder(
            units, score, order, return_state=True, dtype=policy, name="decoder"
        )
        self.above = [
            LSTM(
                units,
                return_sequences=True,
                return_state=True,
                dtype=policy,
                name=f"decoder_{i + 2}",
            )
            for i in range(num_layers - 1)
        ]
        self.drop = keras.layers.Dropout(dropout, dtype=policy)
        self.head = Dense(vocabulary_size, dtype=policy, name="head")

    @property
    def input_sizes(self):
        """Sizes of the vocabularies of source and target."""
        return self.source_vocabulary_size, self.vocabulary_size

    def build(self, input_shape):
        batch = input_shape[0][0]
        wide = (batch, None, self.units)
        self.source_embedding.build(input_shape[0])
        self.target_embedding.build(input_shape[1])
        for layer in [*self.encoder, *self.above]:
            layer.build(wide)
        for layer in self.bridge:
            layer.build((batch, self.units))
        self.decoder.build(wide, wide)
        self.head.build(wide)
        self.built = True

    def call(self, inputs, training=None):
        source, target = inputs
        memory, mask, states = self.encode(source, training)
        return self._decode(target, memory, mask, states, training)[0]

    def encode(self, source, training=None):
        """The memory, its mask, and the decoder's first states."""
        source = known(source, self.source_vocabulary_size)
        mask = ops.not_equal(source, 0)
        x = self.source_embedding(source)
        for i, layer in enumerate(self.encoder):
            y, h, c, back_h, back_c = layer(
                self.drop(x, training=training), mask=mask
            )
            x = y if i == 0 else x + y
        first = [
            bridge(ops.concatenate(pair, -1))
            for bridge, pair in zip(
                self.bridge, ((h, back_h), (c, back_c)), strict=True
            )
        ]
        zeros = ops.zeros_like(first[0])
        return x, mask, [(*first, zeros), *(tuple(first) for _ in self.above)]

    def _decode(self, target, memory, mask, states, training=None):
        """Logits and new states."""
        x = self.target_embedding(known(target, self.vocabulary_size))
        x, *state = self.decoder(
            self.drop(x, training=training),
            memory,
            initial_state=list(states[0]),
            memory_mask=mask,
        )
        new = [tuple(state)]
        for layer, state in zip(self.above, states[1:], strict=True):
            y, *state = layer(
                self.drop(x, training=training), initial_state=list(state)
            )
            x = x + y
            new.append(tuple(state))
        return self.head(self.drop(x, training=training)), new

    def feature_paths(self):
        """Standard names of features: see `keras_dl.models.taps`."""
        count = self.num_layers
        # Sums with residuals are no layer's output, but go into the next one.
        return {
            "encoder_embeddings": "source_embedding",
            "decoder_embeddings": "target_embedding",
            "encoder_hidden_states/0": "encoder/0:input",
            **{
                f"encoder_hidden_states/{i}": f"drop:input@{i}"
                for i in range(1, count)
            },
            f"encoder_hidden_states/{count}": "decoder:memory",
            "decoder_hidden_states/0": "decoder:input",
            **{
                f"decoder_hidden_states/{i}": f"drop:input@{count + i}"
                for i in range(1, count + 1)
            },
            "memory_attention_weights/0": "decoder:weights",
        }

    def embedding_paths(self):
        """Where tokens are looked up: see `keras_dl.models.embed`."""
        return ["source_embedding", "target_embedding"]

    def prefill(self, prompts, mask, length):
        """Reads sources; see `keras_dl.generate`."""
        memory, mask, states = self.encode(ops.where(mask, prompts, 0))
        state = {"memory": memory, "mask": mask, "states": states}
        start = ops.full((ops.shape(prompts)[0],), self.start_id, dtype="int32")
        return self.decode_step(start, state)

    def decode_step(self, tokens, state):
        """Reads one more token of each target."""
        logits, states = self._decode(
            tokens[:, None], state["memory"], state["mask"], state["states"]
        )
        return logits[:, 0], {**state, "states": states}

    def compute_output_shape(self, input_shape):
        return (*input_shape[1], self.vocabulary_size)
