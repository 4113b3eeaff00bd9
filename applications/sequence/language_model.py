"""A recurrent language model."""

import keras
from keras import ops

from keras_dl.applications.bases.token_model import TokenModel, known
from keras_dl.checks import check_integer, check_rate
from keras_dl.layers import LSTM


@keras.saving.register_keras_serializable("keras_dl")
class LanguageModel(TokenModel):
    """Language model of stacked LSTMs with residuals and a tied output.

        x_t = E[w_t]
        h^1_t = LSTM_1(x_t);   h^l_t = h^{l-1}_t + LSTM_l(h^{l-1}_t)
        p(w_{t+1} | w_1 ... w_t) = softmax(E h_t + b)

    with dropout on the input of every LSTM and on the last output.

    **Shapes.** Ids `(batch, time)` to logits `(batch, time, vocabulary_size)`.

    **Masking.** All positions count in the states; the default loss leaves
    out those whose target is the padding, id 0. So pad on the right.

    `keras_dl.generate(model, ...)` continues prompts, with the states as its
    cache.

    Args:
        vocabulary_size: Number of token ids.
        units: Size of the embedding and of every LSTM.
        num_layers: Number of LSTMs.
        dropout: Share to drop, in [0, 1).
        tied: Whether the output layer shares the embedding's matrix.
        **kwargs: Arguments of `keras.Model`.

    Call arguments:
        inputs: Integer tensor of shape `(batch, time)`.
        training: Whether dropout is active.

    Raises:
        ValueError: If an argument is not allowed.

    Example: a model that learns to count to three.

    >>> keras.utils.set_random_seed(0)
    >>> vocabulary = keras_dl.text.CharacterVocabulary(["1", "2", "3"])
    >>> ids = vocabulary.encode("123" * 40)
    >>> batches = keras_dl.text.LanguageModelBatches(ids, 8, batch_size=4)
    >>> model = LanguageModel(vocabulary.size, units=16)
    >>> model.compile(keras.optimizers.Adam(0.03))
    >>> history = model.fit(batches, epochs=10, verbose=0)
    >>> keras_dl.generate(model, "12", 6, vocabulary=vocabulary)
    '312312'

    Reference:
        Zaremba, Sutskever and Vinyals, "Recurrent neural network
        regularization", 2014 (dropout between layers); Press and Wolf,
        "Using the output embedding to improve language models", 2017 (tying);
        residuals as Wu et al., 2016.
    """

    def __init__(
        self,
        vocabulary_size,
        units=256,
        num_layers=2,
        dropout=0.0,
        tied=True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self._remember(
            vocabulary_size=check_integer(
                "vocabulary_size", vocabulary_size, 2
            ),
            units=check_integer("units", units, 1),
            num_layers=check_integer("num_layers", num_layers, 1),
            dropout=check_rate("dropout", dropout),
            tied=bool(tied),
        )
        policy = self.dtype_policy
        self.embedding = keras.layers.ReversibleEmbedding(
            vocabulary_size, units, tie_weights=tied, dtype=policy
        )
        self.recurrent = [
            LSTM(
                units,
                return_sequences=True,
                return_state=True,
                dtype=policy,
                name=f"lstm_{i + 1}",
            )
            for i in range(num_layers)
        ]
        self.drop = keras.layers.Dropout(dropout, dtype=policy)

    def build(self, input_shape):
        self.embedding.build(input_shape)
        for layer in self.recurrent:
            layer.build((*input_shape, self.units))
        self.bias = self.add_weight(
            shape=(self.vocabulary_size,), initializer="zeros", name="bias"
        )
        self.built = True

    def call(self, inputs, training=None):
        return self._logits(self._run(inputs, training=training)[0])

    def _run(self, ids, states=None, mask=None, training=None):
        """What the layers come to, and the states of each."""
        x = self.embedding(known(ids, self.vocabulary_size))
        new = []
        for i, layer in enumerate(self.recurrent):
            y, *state = layer(
                self.drop(x, training=training),
                initial_state=None if states is None else list(states[i]),
                mask=mask,
            )
            x = y if i == 0 else x + y
            new.append(tuple(state))
        return self.drop(x, training=training), new

    def _logits(self, x):
        logits = self.embedding(x, reverse=True)
        return logits + ops.cast(self.bias, logits.dtype)

    def feature_paths(self):
        """Standard names of features: see `keras_dl.models.taps`."""
        # Sums with residuals are no layer's output, but go into the next one.
        return {
            "hidden_states/0": "recurrent/0:input",
            **{
                f"hidden_states/{i}": f"drop:input@{i}"
                for i in range(1, self.num_layers + 1)
            },
            # Its second call makes the logits.
            "embeddings": "embedding@0",
        }

    def embedding_paths(self):
        """Where tokens are looked up: see `keras_dl.models.embed`."""
        return ["embedding"]

    def prefill(self, prompts, mask, length):
        """Reads prompts; see `keras_dl.generate`."""
        x, states = self._run(prompts, mask=mask)
        return self._logits(x[:, -1]), states

    def decode_step(self, tokens, state):
        """Reads one more token of each row."""
        x, states = self._run(tokens[:, None], states=state)
        return self._logits(x[:, 0]), states

    def compute_output_shape(self, input_shape):
        return (*input_shape, self.vocabulary_size)
