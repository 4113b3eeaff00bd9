"""An encoder with the heads of its tasks."""

import keras
import numpy as np
from keras import ops

from keras_dl.applications.bases.writing import WritingModel
from keras_dl.applications.bert import (
    hugging_face,
    hugging_face_config,
    hugging_face_folder,
    hugging_face_tokenizers,
)
from keras_dl.applications.bert import hugging_face_head_tensors as tensors
from keras_dl.applications.bert import hugging_face_heads as their_heads
from keras_dl.applications.bert.bert import BERT
from keras_dl.applications.bert.hugging_face_families import family_of
from keras_dl.heads import Head
from keras_dl.models import Encoder, SupervisedModel, feature_paths
from keras_dl.models.features import embedding_paths, under
from keras_dl.models.supervised_model import check_takes_logits


@keras.saving.register_keras_serializable("keras_dl")
class TaskModel(WritingModel, SupervisedModel):
    """An encoder and one head, or several: for pre-training and fine-tuning.

        loss = sum_k w_k loss_k(head_k(encoder(x)), y_k)

    With one head the model returns its logits; with a dict of heads, a dict of
    the same names, and targets are a dict too. So objectives of pre-training
    are put together:

        TaskModel(encoder, {"masked_tokens": MaskedLM(),
                            "next_sentence": Classification(2, dropout=0.0)})

    and so are tasks that share one encoder (MT-DNN): `keras_dl.datasets`'
    `MultiTaskBatches` gives a batch of one task weights of 0 for all others.

    **Inputs.** A dict: those of the encoder, see `BERT`, and those that a head
    reads beside them. With a `MultipleChoice` head the encoder's have one more
    axis, `(batch, choices, time)`. A pair is `"token_ids"` and `"decoder_ids"`,
    for a `TransformerDecoder`: alone, it makes a model from sequence to
    sequence, for which `keras_dl.generate(model, sources)` writes.

    Args:
        encoder: A `keras_dl.models.Encoder`, such as a `BERT`.
        heads: A head, or a dict of heads by the names of their tasks.
        **kwargs: Arguments of `keras.Model`.

    Call arguments:
        inputs: Token ids, a dict of inputs, or a pair of ids.
        training: Whether dropout is active.

    Raises:
        TypeError: If `heads` are no heads, or `encoder` is no encoder.
        ValueError: If a head does not fit the encoder, inputs have unknown
            names, or arrays hold ids that do not exist.

    Example:

    >>> ids = np.array([[2, 5, 3, 6, 3], [2, 6, 3, 5, 3]])
    >>> segments, labels = np.array([[0, 0, 0, 1, 1]] * 2), np.array([0, 1])
    >>> encoder = keras_dl.applications.BERT.of_size("bert_tiny")
    >>> model = TaskModel(encoder, keras_dl.heads.Classification(2))
    >>> model.compile(keras.optimizers.AdamW(1e-4))
    >>> x = {"token_ids": ids, "segment_ids": segments}
    >>> history = model.fit(x, labels, verbose=0)
    >>> model.predict(x, verbose=0).shape
    (2, 2)

    Reference:
        Devlin et al., "BERT", 2019; Liu et al., "Multi-task deep neural
        networks for natural language understanding", 2019.
    """

    def __init__(self, encoder, heads, **kwargs):
        # Ids may come as floats, which half precision would round.
        super().__init__(autocast=False, **kwargs)
        if not isinstance(encoder, Encoder):
            raise TypeError(
                "`encoder` must be a keras_dl.models.Encoder, such as "
                "keras_dl.applications.BERT, or a BackboneEncoder of a model. "
                f"Received: encoder={encoder!r}."
            )
        self.encoder = encoder
        self.heads = _check_heads(heads)
        for name, head in self._by_name().items():
            if not head.built:
                # On PyTorch variables of one path share their gradient.
                with (
                    keras.name_scope(self.name),
                    keras.name_scope(name or head.name),
                ):
                    head.attach(encoder)
        self.built = True
        self._change_as_saved()

    @classmethod
    def from_hugging_face(
        cls, folder, model_type=None, task=None, problem_type=None, **changes
    ):
        """A model of Hugging Face with the head that it was saved with.

        | its class ends in           | heads                                |
        |-----------------------------|--------------------------------------|
        | `ForMaskedLM`               | `MaskedLM`                           |
        | `ForPreTraining`            | `{"masked_tokens": MaskedLM,         |
        |                             | "next_sentence": Classification}`    |
        | `ForPreTraining` (ELECTRA)  | `ReplacedTokenDetection`             |
        | `ForNextSentencePrediction` | `Classification`                     |
        | `ForSequenceClassification` | by `problem_type`: `Classification`, |
        |                             | `MultilabelClassification` or        |
        |                             | `Regression`; without it, with one   |
        |                             | label: `Regression`                  |
        | `ForMultipleChoice`         | `MultipleChoice`                     |
        | `ForTokenClassification`    | `TokenClassification`                |
        | `ForQuestionAnswering`      | `ExtractiveQA`                       |

        Args:
            folder: Path of a folder, as for `BERT.from_hugging_face`.
            model_type: Family, such as `"bert"`, of a configuration that does
                not name it.
            task: End of the name of the class to read it as, such as
                `"ForMaskedLM"`; by default that of the configuration's
                `architectures`.
            problem_type: `"regression"`, `"single_label_classification"` or
                `"multi_label_classification"`, in the place of what
                `config.json` says: that may say nothing of several labels.
            **changes: Arguments of the encoder that shall differ and change
                no tensor, such as `dropout`.

        Returns:
            A `TaskModel`. One warning lists the tensors that were left
            unread: those of other heads, and buffers.

        Raises:
            ValueError: If the files are damaged, foreign or do not fit each
                other. Nothing is read then.
            ImportError: If safetensors is not installed.
        """
        file = hugging_face_folder.Folder(folder, model_type)
        family = file.family
        problem = {"problem_type": problem_type} if problem_type else {}
        config = {**file.config, **problem}
        with file.blames_config():
            kind = their_heads.task_of(config, family, task)
            arguments = hugging_face_config.arguments(config, family)
            ties = tensors.ties(file)
        _, arguments["pooler"] = kind.pooler_of(family)
        decoder = tensors.decoder(family) if ties else None
        encoder = hugging_face.make_encoder(
            BERT, file, arguments, changes, decoder
        )
        with file.blames_config():
            heads = their_heads.make_heads(kind, family, config, encoder, ties)
        file.expect(
            tensors.head_shapes(heads, kind, family, encoder.hidden_dim)
        )
        model = cls(encoder, heads)
        file.load(model._their_tensors(kind, family, decoder))
        return model

    def to_hugging_face(
        self, folder, task=None, model_type=None, vocabulary=None
    ):
        """Writes `config.json` and `model.safetensors`.

        Args:
            folder: Path of a folder, which is made if there is none.
            task: End of the name of the class there, where the head alone
                does not say it. A `Classification` that is named
                "next_sentence" is `"ForNextSentencePrediction"`, as one that
                was read is named; all others are
                `"ForSequenceClassification"`.
            model_type: Family to write it as, such as `"camembert"`; by
                default that of the encoder's `model_type`, and without one,
                what its arguments come to.
            vocabulary: `keras_dl.text.Vocabulary`, or what
                `keras_dl.text.as_vocabulary` takes: its files are written
                beside the model, see `Vocabulary.to_hugging_face`.

        Raises:
            ValueError: If no model of Hugging Face is like this one, or the
                vocabulary is not the model's, or cannot be written.
            ImportError: If safetensors is not installed.
        """
        if not isinstance(self.encoder, BERT):
            raise ValueError(
                "No model of Hugging Face is like this one, whose encoder is "
                f"no BERT. Received: encoder={self.encoder!r}."
            )
        family = family_of(self.encoder, model_type)
        kind = their_heads.task_for(self.heads, family, task)
        their_heads.check_heads(self.heads, kind, family, self.encoder)
        config = {
            **hugging_face_config.configuration(self.encoder, family),
            **their_heads.head_config(self.heads, kind, family),
            **their_heads.labels(their_heads.alone(self.heads)),
            "architectures": [their_heads.architecture(kind, family)],
        }
        tokenizer = hugging_face_tokenizers.files(vocabulary, self.encoder)
        found = self._their_tensors(kind, family, writes=True)
        hugging_face_folder.write(folder, config, found)
        hugging_face_tokenizers.write(folder, tokenizer)

    def _their_tensors(self, task, family, decoder=None, writes=False):
        pooler, _ = task.pooler_of(family)
        return [
            *hugging_face.encoder_tensors(
                self.encoder, family, pooler, decoder
            ),
            *tensors.head_tensors(self.heads, task, family, writes),
        ]

    @property
    def label_names(self):
        """The names of the head's labels by their indices, a tuple.

        `None` where there are none, or they are unknown; of several heads a
        dict.
        """
        return self._of_heads(lambda head: head.label_names)

    def _by_name(self):
        several = isinstance(self.heads, dict)
        return self.heads if several else {"": self.heads}

    def _several(self):
        return self._by_name().values()

    def build(self, input_shape):
        """Nothing: all variables are there from the beginning."""

    def call(self, inputs, training=None):
        own, others = self._split(inputs)
        flattens = any(head.flattens for head in self._several())
        texts = own
        if flattens:
            texts = {name: _flat(x) for name, x in own.items()}
        texts = self.encoder.read(texts)
        outputs = self.encoder(texts, training=training)
        given = {**own, **others, "padding_mask": texts["padding_mask"]}
        results = {
            name: head(outputs, given, encoder=self.encoder, training=training)
            for name, head in self._by_name().items()
        }
        return results if isinstance(self.heads, dict) else results[""]

    def layer_groups(self):
        """Lists of its layers, the lowest first: as the encoder's, and heads.

        The heads are together, with the pooler.
        """
        *below, pooler = self.encoder.layer_groups()
        return [*below, [*pooler, *self._several()]]

    def untrained_variables(self):
        """The pooler's, if no head reads it: it gets no gradient."""
        if any(head.reads_pooled for head in self._several()):
            return []
        pooler = self.encoder.layer_groups()[-1]
        return [v for layer in pooler for v in layer.weights]

    def _split(self, inputs):
        """The inputs of the encoder, and those of the heads."""
        if isinstance(inputs, (list, tuple)):
            inputs = dict(
                zip(("token_ids", "decoder_ids"), inputs, strict=True)
            )
        elif not isinstance(inputs, dict):
            inputs = {"token_ids": inputs}
        names = {n for head in self._several() for n in head.inputs}
        others = {name: x for name, x in inputs.items() if name in names}
        own = {name: x for name, x in inputs.items() if name not in names}
        return own, others

    def default_loss(self):
        """The heads' losses."""
        return self._of_heads(lambda head: head.default_loss())

    def default_metrics(self):
        """The heads' metrics."""
        return self._of_heads(lambda head: head.default_metrics())

    def predictions(self, outputs):
        """What the heads make of their logits."""
        if not isinstance(self.heads, dict):
            return self.heads.predictions(outputs)
        return {
            name: head.predictions(outputs[name])
            for name, head in self.heads.items()
        }

    def target_kind(self):
        """What the heads' targets are."""
        return self._of_heads(lambda head: head.target_kind())

    def check_loss(self, loss):
        losses = loss if isinstance(loss, dict) else {"": loss}
        for name, head in self._by_name().items():
            given = losses.get(name)
            if given is not None and head.returns_logits:
                check_takes_logits(given)

    def _of_heads(self, ask):
        """What each head answers, as outputs are structured."""
        if not isinstance(self.heads, dict):
            return ask(self.heads)
        return {name: ask(head) for name, head in self.heads.items()}

    def padding_mask(self, inputs):
        """Which tokens are real: as the encoder reads them."""
        own, _ = self._split(inputs)
        if any(head.flattens for head in self._several()):
            own = {name: _flat(x) for name, x in own.items()}
        return self.encoder.read(own)["padding_mask"]

    def feature_paths(self):
        """Those of the encoder."""
        return under("encoder", feature_paths(self.encoder))

    def embedding_paths(self):
        """Those of the encoder, and one of each head that looks up tokens."""
        paths = [f"encoder/{path}" for path in embedding_paths(self.encoder)]
        heads = sum(head.looks_up_tokens for head in self._several())
        return [*paths, *paths[:1] * heads]

    def check_arrays(self, x, y=None, sample_weight=None):
        if not isinstance(x, (dict, list, tuple)) and not hasattr(x, "shape"):
            return
        own, others = self._split(x)
        self.encoder.check_arrays(own)
        inputs = {**own, **others}
        for name, head in self._by_name().items():
            head.check_arrays(inputs, self.encoder)
            targets, weights = y, sample_weight
            if isinstance(self.heads, dict):
                targets, weights = (
                    part.get(name) if isinstance(part, dict) else None
                    for part in (y, sample_weight)
                )
            if isinstance(targets, np.ndarray):
                called = f"y[{name!r}]" if name else "y"
                head.check_targets(
                    called, targets, inputs, self.encoder, weights
                )

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        several = isinstance(self.heads, dict)
        return {
            **super().get_config(),
            "encoder": serialize(self.encoder),
            "heads": (
                {name: serialize(head) for name, head in self.heads.items()}
                if several
                else serialize(self.heads)
            ),
        }


def _flat(x):
    """Choices as texts of their own: `(batch * choices, ...)`."""
    return ops.reshape(x, (-1, *x.shape[2:]))


def _check_heads(heads):
    several = heads.values() if isinstance(heads, dict) else [heads]
    wrong = [head for head in several if not isinstance(head, Head)]
    if wrong or not several:
        raise TypeError(
            "`heads` must be a keras_dl.heads.Head, or a dict of them by the "
            f"names of their tasks. Received: heads={heads!r}."
        )
    flattening = sum(head.flattens for head in several)
    if flattening not in (0, len(several)):
        raise ValueError(
            "`heads` must all read texts, or all choices: MultipleChoice goes "
            f"with no other kind. Received: heads={heads!r}."
        )
    return heads
