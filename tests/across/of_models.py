"""The agreement table's applications and heads."""

import keras
import numpy as np
from cases import covers, filled, layer_case, model_case
from gans import same_noise
from masks import texts, vocabulary
from sequences import normal

from keras_dl import applications, heads
from keras_dl.applications import BERT, TaskModel
from keras_dl.testing import Case
from keras_dl.text import FragmentDecoding, MaskedBatches, Packed, SpanMasking

SIZE = 20
IDS = np.random.RandomState(0).randint(3, SIZE, size=(4, 6)).astype("int32")
IDS[::3, 4:] = 0
CLASSES = IDS[:, 0] % 3
TAGS = np.where(IDS > 0, IDS % 3, -1).astype("int32")
IMAGES = np.tanh(normal(2, 32, 32, 3))


@covers(applications.MLP)
def mlp():
    normalizer = keras.layers.Normalization()
    normalizer.adapt(normal(8, 4, seed=1))
    model = applications.MLP(
        (5, 4), "multiclass", 3, normalizer=normalizer, batch_norm=True
    )
    return model_case(model, normal(4, 4), CLASSES)


@covers(applications.VGG16)
def vgg16():
    model = applications.VGG16(
        3, dense_units=(4,), dropout=0.0, base=2, normalizer="imagenet"
    )
    images = (128 + 100 * IMAGES).astype("float32")
    slow = keras.optimizers.SGD(1e-3)
    return model_case(model, images, CLASSES[:2], optimizer=slow)


@covers(applications.ImageNetPixels)
def image_net_pixels():
    return layer_case(applications.ImageNetPixels(), IMAGES)


@covers(applications.LanguageModel)
def language_model():
    model = applications.LanguageModel(SIZE, units=8, num_layers=2)
    return model_case(model, IDS[:, :-1], IDS[:, 1:])


def sequence_to_sequence(model):
    inputs = IDS, IDS[:, :-1]
    return model_case(model, inputs, IDS[:, 1:])


@covers(applications.Seq2Seq)
def seq2seq():
    model = applications.Seq2Seq(SIZE, SIZE, units=8, num_layers=1)
    return sequence_to_sequence(model)


@covers(applications.Transformer)
def transformer():
    return sequence_to_sequence(
        applications.Transformer(
            SIZE, num_layers=1, hidden_dim=8, num_heads=2, dropout=0.0
        )
    )


@covers(applications.TransformerLanguageModel)
def transformer_language_model():
    model = applications.TransformerLanguageModel(
        SIZE, num_layers=1, hidden_dim=8, num_heads=2, dropout=0.0
    )
    return model_case(model, IDS[:, :-1], IDS[:, 1:])


def encoder(size=SIZE, **changes):
    sizes = {
        "num_layers": 1,
        "hidden_dim": 8,
        "num_heads": 2,
        "intermediate_dim": 12,
        "max_sequence_length": 8,
        "dropout": 0.0,
        "initializer_range": 0.3,
    }
    return BERT(size, **{**sizes, **changes})


def task(head, y, ids=IDS, **inputs):
    inputs = {"token_ids": ids, **inputs}
    return model_case(TaskModel(encoder(), head), inputs, y)


@covers(BERT)
def bert():
    """One with all that its family has."""
    ids = {
        "token_ids": IDS,
        "segment_ids": IDS % 2,
        "attention_pattern": np.arange(4, dtype="int32"),
    }
    model = encoder(
        num_layers=2, num_segments=6, embedding_dim=4, num_distinct_layers=1
    )
    model(ids)
    filled(model)
    model = TaskModel(model, heads.TokenClassification(3, 0.0))
    return model_case(model, ids, TAGS)


@covers(heads.Classification, TaskModel)
def classification():
    segments = np.array(4 * [[0, 0, 0, 1, 1, 1]], "int32")
    head = heads.Classification(3, 0.0)
    return task(head, CLASSES, segment_ids=segments)


@covers(heads.Regression)
def regression():
    return task(heads.Regression(0.0), IDS[:, 0] / 20)


@covers(heads.MultilabelClassification)
def multilabel_classification():
    head = heads.MultilabelClassification(3, 0.0)
    return task(head, (IDS[:, :3] % 2).astype("float32"))


@covers(heads.MultipleChoice)
def multiple_choice():
    choices = np.stack([IDS, IDS[:, ::-1], np.roll(IDS, 1, 1)], 1)
    return task(heads.MultipleChoice(0.0), CLASSES, choices)


@covers(heads.TokenClassification)
def token_classification():
    return task(heads.TokenClassification(3, 0.0), TAGS)


@covers(heads.ReplacedTokenDetection)
def replaced_token_detection():
    return task(heads.ReplacedTokenDetection(), np.minimum(TAGS, 1))


@covers(heads.ExtractiveQA)
def extractive_qa():
    first = np.argmax(IDS, 1)
    return task(heads.ExtractiveQA(), np.stack([first, first], 1))


MASKED = np.tile([1, 3, 0], (4, 1)).astype("int32")
HIDDEN = np.take_along_axis(IDS, MASKED, 1)
HIDDEN[:, 2] = -1


@covers(heads.MaskedLM)
def masked_lm():
    return task(heads.MaskedLM(), HIDDEN, masked_positions=MASKED)


@covers(heads.MaskedLM)
def untied_masked_lm():
    head = heads.MaskedLM(tie_weights=False, activation="relu")
    return task(head, HIDDEN, masked_positions=MASKED)


@covers(heads.SpanBoundary)
def span_boundary():
    return task(
        heads.SpanBoundary(),
        HIDDEN,
        span_left=0 * MASKED,
        span_right=0 * MASKED + 2,
        span_offset=0 * MASKED,
    )


@covers(heads.TransformerDecoder)
def transformer_decoder():
    head = heads.TransformerDecoder()
    return task(head, IDS[:, 1:], decoder_ids=IDS[:, :-1])


@covers(applications.Pretrainer)
def pretrainer():
    """All objectives on one batch."""
    words = vocabulary(40)
    ids = texts(4, 16, size=40)
    segments = np.tile(np.arange(16) > 7, (4, 1)).astype("int32")
    packed = Packed(ids, segments, np.arange(4, dtype="int32") % 2)
    batches = MaskedBatches(
        packed,
        SpanMasking(words),
        words,
        4,
        boundaries=True,
        extras=[FragmentDecoding(words, masked_tokens=True)],
    )
    model = applications.Pretrainer(
        encoder(40, max_sequence_length=16),
        ["masked_tokens", "next_sentence", "span_boundary", "fragment"],
    )
    return model_case(model, *batches[0])


# GANs of images: a step of each, with noise that is everywhere one. Their
# trainers take twenty steps of small networks in of_trainers.py.
SMALL = {"latent_dim": 5, "base": 2, "seed": 0}
DIGITS = np.tanh(normal(4, 8, 8, 1))
PAIR = np.tanh(normal(4, 8, 8, 3)), np.tanh(normal(4, 8, 8, 3, seed=1))


def step(gan, *data):
    same_noise()
    names = gan.default_optimizers()
    gan.compile({name: keras.optimizers.SGD(1e-2) for name in names})
    return Case(gan, inputs=data if len(data) > 1 else data[0], steps=1)


@covers(applications.DCGAN)
def dcgan():
    gan = applications.DCGAN((8, 8, 1), num_classes=3, **SMALL)
    return step(gan, DIGITS, np.array([0, 1, 2, 1]))


@covers(applications.WGAN)
def wgan():
    gan = applications.WGAN((8, 8, 1), discriminator_steps=1, **SMALL)
    return step(gan, DIGITS)


@covers(applications.WGANGP)
def wgan_gp():
    gan = applications.WGANGP((8, 8, 1), discriminator_steps=1, **SMALL)
    return step(gan, DIGITS)


@covers(applications.UnrolledGAN)
def unrolled_gan():
    gan = applications.UnrolledGAN((8, 8, 1), unrolled_steps=1, **SMALL)
    return step(gan, DIGITS)


@covers(applications.MADGAN)
def mad_gan():
    gan = applications.MADGAN((8, 8, 1), num_generators=2, **SMALL)
    return step(gan, DIGITS)


@covers(applications.MRGAN)
def mr_gan():
    gan = applications.MRGAN((8, 8, 1), **SMALL, manifold=True)
    return step(gan, DIGITS)


@covers(applications.Pix2Pix)
def pix2pix():
    gan = applications.Pix2Pix((8, 8, 3), base=2, patch_layers=1, seed=0)
    for layer in gan.generator.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    return step(gan, *PAIR)


@covers(applications.CycleGAN, tolerance=1e-4)
def cycle_gan():
    gan = applications.CycleGAN(
        (8, 8, 3), base=2, blocks=1, patch_layers=1, pool_size=2, seed=0
    )
    return step(gan, *PAIR)


@covers(applications.SRGAN)
def srgan():
    gan = applications.SRGAN((8, 8, 3), scale=2, blocks=1, base=2, seed=0)
    return step(gan, np.tanh(normal(4, 4, 4, 3)), PAIR[0])
