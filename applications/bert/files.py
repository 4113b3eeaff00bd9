"""How an encoder is made: by its size, and from the files of others."""

from keras_dl.applications.bert import (
    hugging_face,
    hugging_face_config,
    hugging_face_folder,
    hugging_face_tokenizers,
    keras_hub,
)
from keras_dl.applications.bert.hugging_face_families import family_of
from keras_dl.applications.bert.hugging_face_head_tensors import decoder
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
    def from_hugging_face(cls, folder, model_type=None, **changes):
        """The encoder of a model of Hugging Face.

        It may be a BERT, RoBERTa, XLM-RoBERTa, CamemBERT, ALBERT, DistilBERT
        or ELECTRA, with a head or without, in the names of today's files or
        of the first conversions (`LayerNorm.gamma`).

        Args:
            folder: Path of a folder with `config.json` and
                `model.safetensors`, or `model.safetensors.index.json` and
                the shards that it names.
            model_type: Family, such as `"bert"`, of a configuration that does
                not name it.
            **changes: Arguments that shall differ and change no tensor, such
                as `dropout`; `pooler`: `"tanh"` makes a new one where the
                file has none, `None` leaves the file's out; and
                `entity_stream`, which is new.

        Returns:
            A `BERT`. One warning lists the tensors that were left unread:
            those of heads, and buffers.

        Raises:
            ValueError: If the files are damaged, foreign or do not fit each
                other. Nothing is read then.
            ImportError: If safetensors is not installed.
        """
        file = hugging_face_folder.Folder(folder, model_type)
        family = file.family
        mark = f"{family.prefix}.{family.pooler}"
        has_pooler = file.has(f"{mark}.weight")
        pooler = changes.pop("pooler", "tanh" if has_pooler else None)
        with file.blames_config():
            arguments = hugging_face_config.arguments(file.config, family)
            ties = hugging_face_config.ties_embeddings(file.config)
        other = decoder(family) if ties else None
        arguments["pooler"] = pooler
        encoder = hugging_face.make_encoder(
            cls, file, arguments, changes, other
        )
        read = mark if has_pooler and pooler is not None else None
        file.load(hugging_face.encoder_tensors(encoder, family, read, other))
        return encoder

    def to_hugging_face(self, folder, model_type=None, vocabulary=None):
        """Writes `config.json` and `model.safetensors`, without a head.

        Args:
            folder: Path of a folder, which is made if there is none.
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
        family = family_of(self, model_type)
        config = hugging_face_config.configuration(self, family)
        config["architectures"] = [family.title + "Model"]
        hugging_face_config.check_pooler(self, family)
        prefix = family.prefix + "."
        pooler = prefix + family.pooler if family.pooler else None
        tensors = hugging_face.encoder_tensors(self, family, pooler)
        tokenizer = hugging_face_tokenizers.files(vocabulary, self)
        hugging_face_folder.write(folder, config, tensors, prefix)
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
