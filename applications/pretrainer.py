"""Pre-training: objectives by name, on batches that may hold more."""

import keras
from keras import ops

from keras_dl.applications import _objectives as objectives
from keras_dl.applications.task_model import TaskModel
from keras_dl.callbacks import EpochOrder
from keras_dl.checks import check_integer
from keras_dl.optimizers import LinearWarmupDecay


@keras.saving.register_keras_serializable("keras_dl")
class Pretrainer(TaskModel):
    """A `TaskModel` for objectives of pre-training, on `MaskedBatches`.

    `"masked_tokens"`, `"next_sentence"`, `"sentence_order"`,
    `"span_boundary"`, `"fragment"` and `"entities"` stand for the heads of
    `keras_dl.heads`. What the batches hold and no objective needs is left
    aside; what one needs and they lack is refused by name. The logs have
    perplexities of tokens, and the learning rate.

    `pretrainer.encoder` is what has learnt. Biases and normalizations are not
    decayed, by any optimizer.

    Args:
        encoder: A `keras_dl.models.Encoder`, such as a `BERT`.
        heads: Name of an objective, a list of names, a head, or a dict of
            heads by the names of their objectives.
        **kwargs: Arguments of `keras.Model`.

    Raises:
        ValueError: If there is no such objective, or the batches do not fit;
            otherwise as `TaskModel`.

    Example:

    >>> words = keras_dl.text.WordVocabulary(list("abcdef"), ["[MASK]"])
    >>> documents = [[[5, 6, 7], [8, 9]], [[10, 5], [6, 7, 8]]]
    >>> packed = keras_dl.text.pack_pairs(documents, words, length=10)
    >>> masking = keras_dl.text.TokenMasking(words)
    >>> batches = keras_dl.text.MaskedBatches(packed, masking, words)
    >>> encoder = keras_dl.applications.BERT(words.size, 1, 16, 2, 32)
    >>> model = Pretrainer(encoder, ["masked_tokens", "next_sentence"])
    >>> model.compile(total_steps=2 * len(batches))
    >>> history = model.fit(batches, epochs=2, backup_dir="backup", verbose=0)

    Reference:
        Devlin et al., "BERT", 2019.
    """

    def __init__(self, encoder, heads="masked_tokens", **kwargs):
        super().__init__(encoder, objectives.make_heads(heads), **kwargs)

    def compile(
        self, optimizer=None, *args, total_steps=None, peak=1e-4, **kwargs
    ):
        """As `TaskModel.compile`; without an optimizer, BERT's is made.

        That is AdamW with a rate that rises to `peak` over the first hundredth
        of `total_steps` updates, and then falls to 0.
        """
        if optimizer is None:
            steps = check_integer("total_steps", total_steps, 1)
            optimizer = keras.optimizers.AdamW(
                LinearWarmupDecay(peak, steps, steps // 100),
                weight_decay=0.01,
                epsilon=1e-6,
                global_clipnorm=1.0,
            )
        optimizer = keras.optimizers.get(optimizer)
        inner = getattr(optimizer, "inner_optimizer", optimizer)
        if not inner.built:
            undecayed = ["bias", "gamma", "beta"]
            inner.exclude_from_weight_decay(var_names=undecayed)
        super().compile(optimizer, *args, **kwargs)

    def fit(self, x=None, *args, backup_dir=None, callbacks=None, **kwargs):
        """As `keras.Model.fit`; batches follow the number of the epoch.

        With `backup_dir`, a folder, a training that was interrupted goes on
        (`keras.callbacks.BackupAndRestore`) as it would have, but for the
        seeds of dropout, which Keras does not save.
        """
        callbacks = [_LearningRate(), *(callbacks or [])]
        if hasattr(x, "epoch"):
            callbacks.append(EpochOrder(x))
            kwargs.setdefault("shuffle", False)  # They do so themselves.
        if backup_dir is not None:
            callbacks.append(keras.callbacks.BackupAndRestore(backup_dir))
        return super().fit(x, *args, callbacks=callbacks, **kwargs)

    def _split(self, inputs):
        own, others = super()._split(inputs)
        unread = () if self.encoder.num_segments else ("segment_ids",)
        names = set(self.encoder.input_names) - set(unread)
        own = {name: x for name, x in own.items() if name in names}
        for head in self._several():
            needed = set(head.inputs) - set(head.optional)
            _check_given(needed, others, head)
        return own, others

    def default_metrics(self):
        """The heads' metrics, and the perplexity of tokens."""
        return self._of_heads(objectives.metrics)

    def targets(self, y):
        """Of all the targets, or their weights, those of the objectives."""
        if not isinstance(y, dict):
            return y
        found = {}
        for name, head in self._by_name().items():
            given = name if name in y else objectives.target(name, head)
            _check_given({given}, y, head)
            found[name] = y[given]
        return found.get("", found)


class _LearningRate(keras.callbacks.Callback):
    """Logs the learning rate."""

    def on_epoch_end(self, epoch, logs=None):
        rate = ops.convert_to_numpy(self.model.optimizer.learning_rate)
        logs["learning_rate"] = float(rate)


def _check_given(needed, given, head):
    lacking = sorted(needed - set(given))
    if lacking:
        raise ValueError(
            f"The batches lack {lacking}, which the objective of "
            f"{type(head).__name__} needs. Received: {sorted(given)}."
        )
