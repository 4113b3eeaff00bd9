"""What `keras_dl.generate` asks of a model, answered by a head that writes."""

from keras import ops

from keras_dl.generation.steps import to_the_left
from keras_dl.heads import TransformerDecoder


class WritingModel:
    """A model of an encoder and heads, of which one alone may write.

    Sources go to the encoder, padded as it expects, and a `TransformerDecoder`
    writes. With other heads, or several, nothing can be generated.
    """

    @property
    def reads_source(self):
        return isinstance(self.heads, TransformerDecoder)

    @property
    def vocabulary_size(self):
        return self.encoder.vocabulary_size

    @property
    def input_sizes(self):
        """Size of the vocabulary of sources."""
        return (self.vocabulary_size,)

    @property
    def max_sequence_length(self):
        return self.encoder.max_sequence_length

    @property
    def pad_id(self):
        return self.encoder.pad_id

    @property
    def start_id(self):
        return self.heads.start_id

    def prefill(self, prompts, mask, length):
        """Reads sources, padded on the left; see `keras_dl.generate`."""
        if not self.reads_source:
            raise ValueError(
                "`generate` needs a model with a TransformerDecoder as its "
                "only head: TaskModel(model.encoder, model.heads[name]). "
                f"Received: heads={self.heads!r}."
            )
        source, _ = to_the_left(prompts, mask, self.pad_id)
        inputs = self.encoder.read(source)
        memory = self.encoder(inputs)["sequence_output"]
        start = ops.full((ops.shape(prompts)[0],), self.start_id, "int32")
        state = self.heads.start(memory, inputs["padding_mask"], length)
        return self.decode_step(start, state)

    def decode_step(self, tokens, state):
        """Reads one more token of each target."""
        return self.heads.step(tokens, state, self.encoder)
