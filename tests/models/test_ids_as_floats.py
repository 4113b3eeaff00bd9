"""Ids, positions and classes that come as floats, under mixed precision.

Half precision knows no 257: what takes ids must not cast them as it does
other inputs. Keras' own `Embedding` does not either.
"""

import keras
import numpy as np
import pytest
from sequences import numpy

import keras_dl
from keras_dl import applications, heads, layers
from keras_dl.applications import TaskModel
from keras_dl.models import BackboneEncoder
from keras_dl.training import GAN, SupervisedTrainer

SIZE, TIME = 4200, 300
RNG = np.random.default_rng(0)
# Above 256 and 2048: what bfloat16 and float16 round.
IDS = 2 * RNG.integers(1024, 2090, size=(2, 6)) + 1
SHORT = RNG.integers(1, SIZE, size=(2, TIME))
PLACES = np.array([[257, 299, 1], [259, 261, 263]])


def bert(**kwargs):
    return applications.BERT(
        SIZE, 1, 8, 2, 16, max_sequence_length=TIME, **kwargs
    )


def backbone():
    inputs = {
        "token_ids": keras.Input((None,), dtype="int32", name="token_ids")
    }
    x = keras.layers.Embedding(SIZE, 8)(inputs["token_ids"])
    return keras.Model(inputs, keras.layers.Dense(4)(x))


def conditional_gan():
    generator = applications.gan.dcgan_generator(
        (8, 8, 1), 2, base=2, num_classes=600
    )
    critic = applications.gan.dcgan_discriminator(
        (8, 8, 1), base=2, num_classes=600
    )
    return GAN(generator, critic)


def two_layers():
    return keras.layers.Embedding(SIZE, 4), keras.layers.Dense(3)


class Own(keras.Model):
    """A model of a user's own that leaves ids alone, as Keras says."""

    def __init__(self):
        super().__init__(autocast=False)
        self.parts = two_layers()

    def call(self, x):
        return self.parts[1](self.parts[0](x))


def places(*names):
    return {"token_ids": SHORT, **dict.fromkeys(names, PLACES)}


def with_head(head, encoder=bert):
    return lambda: TaskModel(encoder(), head())


def with_entities():
    stream = layers.EntityStream(SIZE, 4, 2, 1, returns_entities=True)
    return bert(entity_stream=stream, pooler=None)


SEQUENCE = {"sequence_output": np.ones((2, 6, 8), "float32")}
MODELS = {
    "bert": (bert, {"token_ids": IDS, "segment_ids": IDS % 2}),
    "roberta": (lambda: bert(first_position=2), IDS),
    "entities": (
        with_entities,
        {"token_ids": IDS, "entity_ids": np.roll(IDS, 1)},
    ),
    "lstm": (lambda: applications.LSTMEncoder(SIZE, 4, 4), IDS),
    "transformer_encoder": (
        lambda: applications.TransformerEncoder(SIZE, 1, 8, 2, 16),
        IDS,
    ),
    "backbone": (lambda: BackboneEncoder(backbone()), IDS),
    "task_of_backbone": (
        with_head(
            lambda: heads.Classification(2), lambda: BackboneEncoder(backbone())
        ),
        IDS,
    ),
    "language_model": (lambda: applications.LanguageModel(SIZE, 4), IDS),
    "decoder": (
        lambda: applications.TransformerLanguageModel(SIZE, 1, 8, 2),
        IDS,
    ),
    "seq2seq": (lambda: applications.Seq2Seq(SIZE, units=4), (IDS, IDS + 2)),
    "transformer": (
        lambda: applications.Transformer(
            SIZE, None, 1, hidden_dim=8, num_heads=2, intermediate_dim=16
        ),
        (IDS, IDS + 2),
    ),
    "masked": (with_head(heads.MaskedLM), places("masked_positions")),
    "boundary": (
        with_head(lambda: heads.SpanBoundary(300, 4)),
        places("span_left", "span_right", "span_offset"),
    ),
    "writer": (
        with_head(heads.TransformerDecoder),
        {
            "token_ids": IDS,
            "decoder_ids": IDS[:, :3],
            "decoder_positions": PLACES,
        },
    ),
    "choices": (
        with_head(heads.MultipleChoice),
        {"token_ids": np.stack([IDS, IDS[:, ::-1]], 1)},
    ),
    "trainer": (
        lambda: SupervisedTrainer(with_head(lambda: heads.Classification(2))()),
        IDS,
    ),
    "gan": (
        conditional_gan,
        [np.ones((2, 2), "float32"), np.array([299, 513])],
    ),
    "own": (lambda: keras_dl.Trainer(Own()), IDS),
}
LAYERS = {
    "learned": lambda: layers.LearnedPositions(SIZE),
    "sinusoid": lambda: layers.SinusoidPositions(),
}
POLICIES = ["mixed_bfloat16", "mixed_float16"]


@pytest.fixture(params=POLICIES)
def policy(request):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(before)


def floats(x, dtype):
    return keras.tree.map_structure(
        lambda part: part.astype(dtype) if part.dtype.kind == "i" else part, x
    )


def whole(x):
    return keras.tree.map_structure(
        lambda part: part.astype("int32") if part.dtype.kind == "i" else part, x
    )


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.compiled("mixed_bfloat16-bert")
def test_models(policy, name):
    make, x = MODELS[name]
    model = make()
    expected = numpy(model(whole(x)))
    assert not np.allclose(expected[0], expected[0][::-1])
    for dtype in ("float32", "float64"):
        for found in (
            model(floats(x, dtype)),
            model(keras.tree.map_structure(keras.ops.array, floats(x, dtype))),
        ):
            for a, b in zip(numpy(found), expected, strict=True):
                np.testing.assert_array_equal(a, b)
    for a, b in zip(
        keras.tree.flatten(model.predict(floats(x, "float32"), verbose=0)),
        keras.tree.flatten(model.predict(whole(x), verbose=0)),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.compiled("mixed_bfloat16-learned")
def test_positions(policy, name):
    layer = LAYERS[name]()
    x = RNG.normal(size=(2, 6, 4)).astype("float32")
    expected = layer(x, positions=IDS.astype("int32"))
    assert keras.backend.standardize_dtype(expected.dtype) == policy[6:]
    for dtype in ("float32", "float64"):
        found = layer(x, positions=IDS.astype(dtype))
        np.testing.assert_array_equal(*numpy([found, expected]))


def test_entities(policy):
    stream = layers.EntityStream(SIZE, 4, 2, 1)
    for dtype in ("float32", "float64"):
        found, expected = stream(IDS.astype(dtype)), stream(IDS.astype("int32"))
        for a, b in zip(numpy(found), numpy(expected), strict=True):
            np.testing.assert_array_equal(a, b)


def test_training(policy):
    """The same step, and in the same precision as ever."""
    weights = []
    for dtype in ("int32", "float32"):
        keras.utils.set_random_seed(0)
        model = TaskModel(
            bert(dropout=0.0), heads.Classification(2, dropout=0.0)
        )
        model.compile(keras.optimizers.SGD(0.1))
        model.fit(IDS.astype(dtype), np.array([0, 1]), verbose=0)
        weights.append(model.get_weights())
        found = model.encoder(IDS.astype(dtype))["sequence_output"]
        assert keras.backend.standardize_dtype(found.dtype) == policy[6:]
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)
