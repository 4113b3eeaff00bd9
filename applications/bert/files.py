"""How an encoder is made: by its size, and from the files of others."""

from keras_dl.applications.bert import (
    hugging_face,
    hugging_face_tokenizers,
    keras_hub,
)
from keras_dl.applications.bert.sizes import SIZES
from keras_dl.checks import check_choice
from keras_dl.models import Encoder


class PublishedModel(Encoder):
    """The class methods of `BERT`, and what writes its files."""

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
                as `dropout`; `pooler`: `"tanh"` makes a new one where the
                file has none, `None` leaves the file's out; and
                `entity_stream`, which is new.

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

    def to_hugging_face(self, folder, vocabulary=None):
        """Writes `config.json` and `model.safetensors`, without a head.

        Args:
            folder: Path of a folder, which is made if there is none.
            vocabulary: `keras_dl.text.Vocabulary`, or what
                `keras_dl.text.as_vocabulary` takes: its files are written
                beside the model, see `Vocabulary.to_hugging_face`.

        Raises:
            ValueError: If no model of Hugging Face is like this one, or the
                vocabulary is not the model's, or cannot be written.
            ImportError: If safetensors is not installed.
        """
        family = hugging_face.family_of(self)
        config = hugging_face.configuration(self, family)
        config["architectures"] = [hugging_face.CLASSES[family.name] + "Model"]
        tensors = hugging_face.encoder_tensors(self, family)
        tokenizer = hugging_face_tokenizers.files(vocabulary, self)
        hugging_face.write(folder, config, tensors, prefix=False)
        hugging_face_tokenizers.write(folder, tokenizer)

    @classmethod
    def from_keras_hub(cls, backbone, **changes):
        """A copy of a backbone of keras-hub, or of keras-nlp.

        Args:
            backbone: A `BertBackbone`, `AlbertBackbone`, `RobertaBackbone` or
                `DistilBertBackbone`.
            **changes: Arguments that shall differ and change no variable,
                such as `dropout`; and `entity_stream`, which is new.

        Returns:
            A `BERT`.

        Raises:
            ValueError: If it is another backbone.
        """
        encoder = cls(**{**keras_hub.arguments(backbone), **changes})
        keras_hub.copy(backbone, encoder)
        return encoder
