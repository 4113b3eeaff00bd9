"""Models quantize where Keras' own layers do, and their files keep it."""

import functools
import json
import pathlib

import keras
import numpy as np
import pytest
from keras import layers, quantizers
from processes import losses, start
from reloaded import arrays
from sequences import normal, numpy

import keras_dl
from keras_dl import applications, backend, heads
from keras_dl.applications import BERT, MLP, TaskModel, TransformerLanguageModel
from keras_dl.layers import Dense, EqualizedDense
from keras_dl.models import ConfiguredModel, sublayers

pytestmark = [
    # Keras says of each layer without weights that it cannot be quantized.
    pytest.mark.filterwarnings("ignore:Layer .* does not have a"),
    # Keras transposes the scales of embeddings, a vector.
    pytest.mark.filterwarnings("ignore:The use of `x.T` on tensors"),
]

IDS = np.array([[1, 2, 3, 4, 5], [5, 4, 3, 0, 0]], "int32")
# Those of Keras that `quantize` knows, and what extends them.
KINDS = (layers.Dense, layers.EinsumDense, layers.Embedding)


def bert(**kwargs):
    return BERT(20, 1, 8, 2, 16, max_sequence_length=8, **kwargs)


def objectives():
    kinds = {"tokens": heads.MaskedLM(), "next": heads.Classification(2)}
    return TaskModel(bert(embedding_dim=6), kinds)


def pixels():
    model = applications.VGG16(3, dense_units=(8,), base=1, batch_norm=True)
    return model, normal(2, 32, 32, 3)


# Name: a model, its inputs, and how many layers Keras' classes quantize.
MODELS = {
    "mlp": (lambda: MLP((8,), num_outputs=3, batch_norm=True), normal(2, 4), 2),
    "vgg16": (lambda: pixels()[0], pixels()[1], 2),
    # Two embeddings, six in a block, and the pooler.
    "bert": (bert, IDS, 9),
    # Beside these, the projection of the embedding and a layer in each head.
    "heads": (objectives, IDS, 12),
    "writer": (
        lambda: TaskModel(bert(), heads.TransformerDecoder()),
        (IDS, IDS),
        19,
    ),
    "language_model": (lambda: applications.LanguageModel(20, 8), IDS, 1),
    "transformer": (
        lambda: applications.Transformer(
            20, None, 1, hidden_dim=8, num_heads=2, intermediate_dim=16
        ),
        (IDS, IDS),
        17,
    ),
    "decoder": (lambda: TransformerLanguageModel(20, 1, 8, 2), IDS, 7),
    "seq2seq": (
        lambda: applications.Seq2Seq(20, units=8, num_layers=1),
        (IDS, IDS),
        6,
    ),
}
SOME = ("heads",)


@functools.cache
def quantized(name):
    """A model in int8, and what it gave before and gives now."""
    make, x, _ = MODELS[name]
    model = make()
    before = numpy(model(x))
    model.quantize("int8")
    return model, before, numpy(model(x))


def reloaded(model, folder, **kwargs):
    path = folder / "model.keras"
    model.save(path)
    layers.Dense(1), layers.LSTM(1)  # Numbers in names are others now.
    return keras.models.load_model(path, **kwargs)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.compiled(*SOME)
def test_every_layer_that_keras_can_is_quantized(name):
    model, before, after = quantized(name)
    found = [x for x in model._flatten_layers() if isinstance(x, KINDS)]
    assert len(found) == MODELS[name][2]
    assert {layer.quantization_mode for layer in found} == {"int8"}
    for old, new in zip(before, after, strict=True):
        np.testing.assert_allclose(new, old, atol=0.1 * np.abs(old).max())
    assert any((a != b).any() for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("name", ["mlp", "writer", "decoder", "seq2seq"])
def test_the_file_keeps_it(name, tmp_path):
    model, _, after = quantized(name)
    again = reloaded(model, tmp_path)
    for layer, same in zip(
        model._flatten_layers(), again._flatten_layers(), strict=True
    ):
        assert layer.quantization_mode == same.quantization_mode
        assert layer.dtype_policy == same.dtype_policy
    for old, new in zip(after, numpy(again(MODELS[name][1])), strict=True):
        np.testing.assert_array_equal(old, new)
    configs = [json.dumps(m.get_config()) for m in (again, model)]
    assert configs[0] == configs[1]


def test_in_a_fresh_process(tmp_path):
    expected = {}
    for name in SOME:
        model, x = quantized(name)[0], MODELS[name][1]
        model.save(tmp_path / f"{name}.keras")
        given = x if isinstance(x, tuple) else (x,)
        text = json.dumps([part.tolist() for part in given])
        (tmp_path / f"{name}.json").write_text(text)
        expected[name] = arrays(model(x))
    script = pathlib.Path(__file__).parents[1] / "reloaded.py"
    process = start(script, keras.backend.backend(), str(tmp_path))
    assert losses(process) == expected


@pytest.mark.parametrize("name", ["mlp", "decoder"])
def test_a_copy_by_config_reads_the_weights(name, tmp_path):
    model, _, after = quantized(name)
    model.save_weights(tmp_path / "m.weights.h5")
    copy = type(model).from_config(model.get_config())
    copy = type(copy).from_config(copy.get_config())  # Not built, perhaps.
    copy(MODELS[name][1])
    copy.load_weights(tmp_path / "m.weights.h5")
    for old, new in zip(after, numpy(copy(MODELS[name][1])), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_file_of_floats_says_nothing_of_it():
    assert "quantization" not in MLP(num_outputs=2).get_config()


@pytest.mark.parametrize(
    "config",
    [
        quantizers.Int8QuantizationConfig(activation_quantizer=None),
        quantizers.Int4QuantizationConfig(block_size=4),
        quantizers.Int4QuantizationConfig(block_size=None),
        quantizers.Float8QuantizationConfig(),
    ],
    ids=lambda config: f"{config.mode}-{getattr(config, 'block_size', '')}",
)
def test_modes_and_their_configs(config, tmp_path):
    model, x = MLP((8, 8), num_outputs=3), normal(2, 4)
    model(x)
    model.quantize(config=config, filters="^dense")
    assert [d.quantization_mode for d in (model.hidden[0], model.head)] == [
        config.mode,
        None,
    ]
    again = reloaded(model, tmp_path)
    np.testing.assert_array_equal(*numpy([model(x), again(x)]))
    first = again.hidden[0]
    assert first.dtype_policy == model.hidden[0].dtype_policy
    assert first.quantization_config.get_config() == config.get_config()


def test_half_precision():
    encoder = bert(dtype="mixed_bfloat16")
    model = TaskModel(encoder, heads.MaskedLM(dtype="mixed_bfloat16"))
    before = numpy(model(IDS))[0]
    model.quantize("int8")
    after = numpy(model(IDS))[0]
    np.testing.assert_allclose(after, before, atol=0.1 * np.abs(before).max())


def test_float8_with_a_history_of_its_own(tmp_path):
    model, x = MLP((8,), num_outputs=3), normal(2, 4)
    model(x)
    model.head.dtype_policy = keras.dtype_policies.QuantizedFloat8DTypePolicy(
        "float8", "float32", amax_history_length=3
    )
    again = reloaded(model, tmp_path)
    assert again.head.inputs_amax_history.shape == (3,)
    np.testing.assert_array_equal(*numpy([model(x), again(x)]))


class Letters:
    """What Keras asks of a tokenizer."""

    def tokenize(self, text):
        return np.array([ord(letter) % 20 for letter in text])


@pytest.mark.filterwarnings("ignore:Invalid quantization mode")  # Embeddings.
@pytest.mark.parametrize("kind", ["GPTQConfig", "AWQConfig"])
def test_calibrated_modes(kind):
    model = TransformerLanguageModel(20, 1, 8, 2)
    model(IDS)
    structure = {
        "pre_block_layers": [model.embedding],
        "sequential_blocks": model.blocks,
    }
    config = getattr(quantizers, kind)(
        dataset=["a text to look at"],
        tokenizer=Letters(),
        num_samples=1,
        sequence_length=4,
        group_size=4,
        quantization_layer_structure=structure,
    )
    model.quantize(config.mode, config=config)
    assert model.blocks[0].narrow.quantization_mode == config.mode
    # Not by a file: Keras 3.15 writes Dense without its `kernel_zero` in these
    # modes, its own too, and cannot read that.
    again = TransformerLanguageModel.from_config(model.get_config())
    again(IDS)
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(*numpy([model(IDS), again(IDS)]))


@pytest.mark.parametrize("name", ["language_model", "decoder"])
@pytest.mark.compiled("language_model")
def test_generation(name):
    """Before and after, by steps that were compiled before, and cached."""
    model = MODELS[name][0]()
    before = keras_dl.generate(model, [1, 2, 3], 4)
    assert len(before) == 4
    model.quantize("int8")
    words = IDS[:1, :3]
    for _ in range(4):
        best = numpy(model(words))[0][0, -1]
        best[0] = -np.inf  # Padding is never generated.
        words = np.append(words, [[best.argmax()]], axis=1).astype("int32")
    assert keras_dl.generate(model, [1, 2, 3], 4) == words[0, 3:].tolist()


def test_a_quantized_model_learns_what_is_left():
    """The biases, and low-rank updates, which its file merges."""
    model, x = MLP((8,), num_outputs=3), normal(16, 4)
    model(x)
    model.quantize("int8")
    model.head.enable_lora(2)
    model.compile(keras.optimizers.SGD(0.1))
    before = [numpy(w)[0] for w in model.trainable_variables]
    assert len(before) == 4
    model.fit(x, np.arange(16) % 3, epochs=2, verbose=0)
    for old, new in zip(before, model.trainable_variables, strict=True):
        assert (old != numpy(new)[0]).any(), new.path


def test_low_rank_updates_are_merged(tmp_path):
    model, x = MLP((8,), num_outputs=3), normal(16, 4)
    model(x)
    model.quantize("int8")
    before = numpy(model(x))[0]
    model.head.enable_lora(2)
    model.head.lora_kernel_b.assign(normal(2, 3))
    after = numpy(model(x))[0]
    again = reloaded(model, tmp_path)
    assert not again.head.lora_enabled
    found = numpy(again(x))[0]
    assert np.abs(found - after).max() < 0.1 * np.abs(after - before).max()


def test_short_calls_are_quantized_too():
    """`run_network` keeps the nodes of a network, and `call` goes round."""
    network = keras.Sequential([keras.Input((4,)), Dense(3), Dense(2)])
    x = keras.ops.convert_to_tensor(normal(2, 4))
    before = numpy(keras_dl.run_network(network, x))[0]
    network.quantize("int8")
    after = numpy(network(x))[0]
    assert (before != after).any()
    np.testing.assert_array_equal(
        numpy(keras_dl.run_network(network, x))[0], after
    )
    dense = network.layers[0]
    np.testing.assert_array_equal(*numpy([backend.call(dense, x), dense(x)]))


class Tower(ConfiguredModel):
    """A model of the user's own."""

    def __init__(self, depth=2, **kwargs):
        super().__init__(**kwargs)
        self.depth = depth
        self.parts = {"body": [Dense(4) for _ in range(depth)]}
        self.top = keras.Sequential([layers.Dense(4), Dense(2)])

    def build(self, shape):
        for dense in self.parts["body"]:
            dense.build(shape)
        self.top.build(shape)

    def call(self, x):
        for dense in self.parts["body"]:
            x = dense(x)
        return self.top(x)

    def get_config(self):
        return {**super().get_config(), "depth": self.depth}


def test_a_model_of_the_users_own(tmp_path):
    model, x = Tower(), normal(2, 4)
    assert list(sublayers(model, by_place=True)) == [
        "parts/body/0",
        "parts/body/1",
        "top",
        "top/layers/0",
        "top/layers/1",
    ]
    model(x)
    model.quantize(
        "int8", filters=lambda layer: layer is not model.top.layers[0]
    )
    again = reloaded(model, tmp_path, custom_objects={"Tower": Tower})
    np.testing.assert_array_equal(*numpy([model(x), again(x)]))
    assert [d.quantization_mode for d in again.top.layers] == [None, "int8"]


def test_layers_that_there_are_not():
    model = MLP((8,), num_outputs=2)
    model.build((None, 3))
    model.quantize("int8")
    config = {**model.get_config(), "units": ()}
    smaller = MLP.from_config(config)
    with pytest.raises(ValueError, match=r"does not have: \['hidden/0'\]"):
        smaller.build((None, 3))


class Halved(Dense):
    """Computes something else than Keras' layer."""

    def call(self, inputs, training=None):
        return super().call(inputs) / 2


@pytest.mark.parametrize("kind", [Halved, EqualizedDense])
def test_a_class_that_extends_ours_is_refused(kind):
    layer = kind(3)
    layer.build((None, 4))
    with pytest.raises(NotImplementedError, match="`quantize` method"):
        layer.quantize("int8")


def test_hugging_face_has_no_quantized_tensors(tmp_path):
    with pytest.raises(ValueError, match="is quantized to int8"):
        quantized("bert")[0].to_hugging_face(tmp_path)
