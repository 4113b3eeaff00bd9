"""The objective of pre-training that aligns tokens with entities."""

import keras
from keras import ops

from keras_dl.heads.head import NO_TARGET
from keras_dl.heads.tied_head import TiedHead, gathered
from keras_dl.models.ranges import check_classes, check_ids


@keras.saving.register_keras_serializable("keras_dl")
class EntityAlignment(TiedHead):
    """Which entity a token is aligned with: the denoising entity auto-encoder.

        logits_jk = e_k . norm(activation(W h_j + c))

    `e_k` is the vector of candidate `k`, of the encoder's entity stream.

    **Shapes.** With the inputs `"entity_candidates"`, ids `(batch,
    candidates)`, and `"entity_positions"`, `(batch, aligned)`, to logits
    `(batch, aligned, candidates)`; without the latter to those of all tokens.
    Targets are indices of candidates, -1 where there is no target.
    `keras_dl.text.EntityAlignments` makes them all.

    **Masking.** Candidates of the id -1 are none: their logits are the lowest
    there are.

    **Loss, metrics.** Crossentropy and accuracy of the aligned tokens.

    Args:
        **kwargs: Arguments of `keras.Layer`.

    Raises:
        ValueError: If the encoder has no entity stream.

    Example:

    >>> encoder = keras_dl.applications.BERT(
    ...     30, 1, 16, 2, 32,
    ...     entity_stream=keras_dl.layers.EntityStream(5, 8, 2, 1),
    ... )
    >>> heads = {
    ...     "masked_tokens": keras_dl.heads.MaskedLM(),
    ...     "entities": EntityAlignment(),
    ... }
    >>> model = keras_dl.applications.TaskModel(encoder, heads)
    >>> x = {
    ...     "token_ids": np.array([[2, 7, 9, 3]]),
    ...     "entity_ids": np.array([[-1, 4, -1, -1]]),
    ...     "entity_candidates": np.array([[0, 4]]),
    ... }
    >>> {name: logits.shape for name, logits in model(x).items()}
    {'masked_tokens': (1, 4, 30), 'entities': (1, 4, 2)}

    Reference:
        Zhang et al., "ERNIE: enhanced language representation with
        informative entities", 2019. The paper's `W h_j + c` goes through an
        activation and a normalization, as in its code.
    """

    inputs = ("entity_positions", "entity_candidates")
    optional = position_inputs = ("entity_positions",)

    def attach(self, encoder):
        if encoder.entity_stream is None:
            raise ValueError(
                "EntityAlignment needs an encoder that reads entities. "
                "Received: an encoder with entity_stream=None."
            )
        self.dense, self.norm = self._dense_and_norm(
            encoder, encoder.hidden_dim, encoder.entity_stream.dim, "dense"
        )
        self.built = True

    def call(self, outputs, inputs, encoder, training=None):
        x = outputs["sequence_output"]
        if "entity_positions" in inputs:
            x = gathered(x, inputs["entity_positions"])
        x = self.norm(self.dense(x))
        vectors, there = encoder.entity_stream(inputs["entity_candidates"])
        logits = ops.matmul(x, ops.swapaxes(ops.cast(vectors, x.dtype), 1, 2))
        logits = ops.cast(logits, "float32")
        return ops.where(ops.expand_dims(there, 1), logits, -1e9)

    def check_arrays(self, inputs, encoder):
        super().check_arrays(inputs, encoder)
        name, size = "entity_candidates", encoder.entity_stream.num_entities
        check_ids(name, inputs.get(name), -1, size)

    def check_targets(self, name, y, inputs, encoder, sample_weight=None):
        candidates = inputs["entity_candidates"].shape[1]
        check_classes(name, y, candidates, sample_weight, NO_TARGET)
