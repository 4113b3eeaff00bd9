"""Integers after training, the grid in training, and that they are the same."""

import keras
import numpy as np
import pytest
from keras import layers, ops, quantizers
from keras.ops import convert_to_numpy as array
from sequences import normal

import keras_dl
from keras_dl import applications, heads
from keras_dl.compression import (
    FakeQuantization,
    QuantizationReport,
    StaticQuantizer,
    calibrate,
    quantization_report,
    quantize,
)
from keras_dl.compression.grid import fake_quantize, value_range, weight_axes
from keras_dl.models import WeightMask, sublayers, weights_read
from keras_dl.training import SupervisedTrainer

pytestmark = [
    # Keras says of each layer without weights that it cannot be quantized.
    pytest.mark.filterwarnings("ignore:Layer .* does not have a"),
    # Keras transposes the scales of embeddings, a vector.
    pytest.mark.filterwarnings("ignore:The use of `x.T` on tensors"),
]

X, Y = normal(12, 4).astype("float32"), np.arange(12) % 3
IDS = np.array([[2, 5, 6, 3], [2, 9, 3, 0]], "int32")


def mlp(seed=0, dtype=None):
    keras.utils.set_random_seed(seed)
    model = applications.MLP((8,), num_outputs=3, dtype=dtype)
    model.build((None, 4))
    return model


def bert():
    keras.utils.set_random_seed(0)
    encoder = applications.BERT(20, 1, 8, 2, 16, max_sequence_length=6)
    model = applications.TaskModel(encoder, heads.Classification(3))
    model(IDS)
    return model


def trained(model, *readings, x=X, y=Y, epochs=2):
    trainer = SupervisedTrainer(model, readings=readings)
    trainer.compile(keras.optimizers.SGD(0.1))
    trainer.fit(x, y, epochs=epochs, batch_size=4, verbose=0)
    return trainer


def copy_of(model, x=X):
    copy = type(model).from_config(model.get_config())
    copy(x)
    copy.set_weights(model.get_weights())
    return copy


VALUES = np.array([-10, -0.3, 0, 0.26, 0.5, 1.7, 9], "float32")


@pytest.mark.compiled
def test_goldens():
    def total(x):
        return ops.sum(fake_quantize(x, -1.0, 1.5, 8, False))

    found = fake_quantize(ops.convert_to_tensor(VALUES), -1.0, 1.5, 8, False)
    expected = [-1, -0.303922, 0, 0.264706, 0.5, 1.5, 1.5]
    np.testing.assert_allclose(array(found), expected, atol=1e-6)
    slopes = keras_dl.compiled(lambda x: keras_dl.grad(total)(x))(VALUES)
    np.testing.assert_array_equal(array(slopes), [0, 1, 1, 1, 1, 0, 0])
    x = ops.convert_to_tensor(np.array([0.5, -1.27, 0.013, 0], "float32"))
    found = fake_quantize(x, *value_range(x, 0, True), 8, True)
    expected = np.array([50, -127, 1, 0]) / 99.99999
    np.testing.assert_allclose(array(found), expected, rtol=1e-6)


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_grids_are_those_of_keras_and_of_torch(bits):
    import torch

    w = ops.convert_to_tensor(normal(6, 5).astype("float32"))
    last = 2 ** (bits - 1) - 1
    integers, scale = quantizers.abs_max_quantize(w, 0, (-last, last))
    found = fake_quantize(w, *value_range(w, 0, True), bits, True)
    # To the very bit: what is baked is on Keras' grid.
    np.testing.assert_array_equal(
        array(found), array(ops.cast(integers, "float32") / scale)
    )
    low, high = value_range(w, 0, False)
    found = fake_quantize(w, low, high, bits, False)
    last = 2**bits - 1
    scales = (array(high) - array(low))[0] / last
    zeros = np.round(-array(low)[0] / scales)
    expected = torch.fake_quantize_per_channel_affine(
        torch.tensor(array(w)),
        torch.tensor(scales),
        torch.tensor(zeros, dtype=torch.float32),
        axis=1,
        quant_min=0,
        quant_max=last,
    )
    np.testing.assert_allclose(array(found), expected.numpy(), atol=1e-5)
    for i in range(5):
        one = quantizers.fake_quant_with_min_max_vars(
            w[:, i], low[0, i], high[0, i], bits
        )
        np.testing.assert_allclose(array(found)[:, i], array(one), atol=1e-5)


def test_channels_are_those_of_keras():
    query = layers.EinsumDense("abc,cde->abde", (None, 2, 3))
    odd = layers.EinsumDense("ab,cb->ac", (3,))
    for layer, shape in ((query, (2, 3, 4)), (odd, (2, 4))):
        layer.build(shape)
        w = ops.convert_to_tensor(layer.kernel)
        axes = weight_axes(layer, layer.kernel)
        grid = fake_quantize(w, *value_range(w, axes, True), 8, True)
        x = ops.convert_to_tensor(normal(*shape).astype("float32"))
        expected = ops.einsum(layer.equation, x, grid)
        layer.quantize(
            config=quantizers.Int8QuantizationConfig(activation_quantizer=None),
            mode="int8",
        )
        np.testing.assert_allclose(array(layer(x)), array(expected), atol=1e-5)
    for layer, shape, axes in (
        (layers.EinsumDense("...cd,cde->...e", 3), (2, 5, 4), (0, 1)),
        (layers.Embedding(5, 3), (2, 4), (1,)),
        (layers.Conv2D(3, 2), (1, 4, 4, 2), (0, 1, 2)),
        (layers.Conv2DTranspose(3, 2), (1, 4, 4, 2), (0, 1, 3)),
        (layers.DepthwiseConv2D(2), (1, 4, 4, 2), (0, 1)),
    ):
        layer.build(shape)
        assert weight_axes(layer, layer.weights[0]) == axes


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("activations", [None, "dynamic", "moving_average"])
@pytest.mark.compiled("dynamic-8", "moving_average-4")
def test_what_is_trained_is_what_is_converted(activations, bits):
    reading = FakeQuantization(bits, activations=activations, momentum=0.9)
    trainer = trained(mlp(), reading)
    expected = trainer.predict_logits(X, verbose=0)
    model = trainer.finish()
    for dense in (model.hidden[0], model.head):
        kernel = array(dense.kernel)
        last = 2 ** (bits - 1) - 1
        levels = kernel / (np.abs(kernel).max(axis=0) / last)
        np.testing.assert_allclose(levels, np.round(levels), atol=1e-4 * last)
        for channel in kernel.T:
            assert len(np.unique(channel)) <= 2 * last + 1
    model = reading.convert(model)
    mode = "int4" if bits == 4 else "int8"
    assert {
        model.hidden[0].quantization_mode,
        model.head.quantization_mode,
    } == {mode}
    np.testing.assert_allclose(array(model(X)), expected, atol=1e-4)


def test_keras_own_int8_keeps_the_outputs():
    """8 bits, dynamic: what a plain `quantize("int8")` does."""
    trainer = trained(mlp(), FakeQuantization(activations="dynamic"))
    expected = trainer.predict_logits(X, verbose=0)
    model = trainer.finish()
    model.quantize("int8")
    np.testing.assert_allclose(array(model(X)), expected, atol=1e-4)


def test_a_text_model_with_its_embeddings():
    reading = FakeQuantization(
        8,
        activations="moving_average",
        paths=".*(kernel|embeddings)",
        momentum=0.5,
    )
    trainer = trained(bert(), reading, x=IDS, y=np.array([0, 2]))
    expected = trainer.predict_logits(IDS, verbose=0)
    model = reading.convert(trainer.finish())
    assert model.encoder.token_embedding.quantization_mode == "int8"
    np.testing.assert_allclose(array(model(IDS)), expected, atol=1e-4)


def test_masked_weights_stay_0_in_any_order():
    mask = np.arange(32).reshape(4, 8) % 2
    for symmetric in (True, False):
        for first in (0, 1):
            readings = [
                WeightMask({"hidden/0/kernel": mask}),
                FakeQuantization(3, symmetric=symmetric),
            ]
            trainer = trained(mlp(), *readings[first:], *readings[:first])
            kernel = array(trainer.finish().hidden[0].kernel)
            assert not kernel[mask == 0].any() and kernel[mask == 1].any()


def test_gradients_are_those_of_what_is_read():
    """Straight through: the gradient at the grid, for the weights."""
    model, reading = mlp(), FakeQuantization(2)
    reading.attach(model)
    baked = copy_of(model)
    for path in ("hidden", "head"):
        dense, other = (
            getattr(m, path)[0] if path == "hidden" else m.head
            for m in (model, baked)
        )
        kernel = ops.convert_to_tensor(dense.kernel)
        low, high = value_range(kernel, 0, True)
        other.kernel.assign(fake_quantize(kernel, low, high, 2, True))

    def loss(model, readings):
        with weights_read(readings, training=True):
            return ops.sum(ops.square(model(X)))

    slopes = [
        keras_dl.variable_gradients(
            lambda m=m, r=r: loss(m, r), m.trainable_variables
        )
        for m, r in ((model, [reading]), (baked, []))
    ]
    for a, b in zip(slopes[0][1], slopes[1][1], strict=True):
        np.testing.assert_allclose(array(a), array(b), rtol=1e-4, atol=1e-5)


@pytest.mark.compiled
def test_moving_averages_are_of_training_alone():
    model = mlp()
    reading = FakeQuantization(
        activations="moving_average", momentum=0.75, symmetric=False
    )
    trainer = SupervisedTrainer(model, readings=reading)
    trainer.compile(keras.optimizers.SGD(0.0))
    # Without a range yet, activations are as they are.
    trainer.evaluate(X, Y, verbose=0)
    weights = FakeQuantization(symmetric=False)
    weights.attach(model)
    with weights_read([weights]):
        expected = array(model(X))
    np.testing.assert_allclose(array(trainer(X)), expected, atol=1e-6)
    assert reading.ranges() == {}
    for rows in (X[:4], 3 * X[4:8]):
        trainer.train_on_batch(rows, Y[: len(rows)])
    found = reading.ranges()["hidden/0"]
    for of, value in zip((np.min, np.max), found, strict=True):
        first, second = of(X[:4]), of(3 * X[4:8])
        expected = 0.75 * 0.25 * first + 0.25 * second
        assert value == pytest.approx(expected / (1 - 0.75**2), rel=1e-5)
    trainer.evaluate(100 * X, Y, verbose=0)
    trainer.predict(100 * X, verbose=0)
    assert reading.ranges()["hidden/0"] == found


def test_saved_and_resumed(tmp_path):
    def make():
        reading = FakeQuantization(
            4, activations="moving_average", momentum=0.5
        )
        trainer = SupervisedTrainer(mlp(), readings=reading)
        trainer.compile(keras.optimizers.Adam(0.01))
        return trainer

    def steps(trainer, number):
        for _ in range(number):
            trainer.train_on_batch(X, Y)

    whole, part = make(), make()
    steps(whole, 4)
    steps(part, 2)
    part.save(tmp_path / "t.keras")
    again = keras.saving.load_model(tmp_path / "t.keras")
    assert again.readings[0].ranges() == part.readings[0].ranges()
    steps(again, 2)
    for a, b in zip(
        whole.finish().weights, again.finish().weights, strict=True
    ):
        np.testing.assert_allclose(array(a), array(b), atol=1e-6)


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision(dtype):
    reading = FakeQuantization(8, activations="dynamic")
    x = np.concatenate([X, np.zeros_like(X)])  # Rows without a range.
    trainer = trained(mlp(dtype=dtype), reading, x=x, y=np.tile(Y, 2))
    expected = trainer.predict_logits(x, verbose=0).astype("float32")
    model = trainer.finish()
    assert all(np.isfinite(array(w)).all() for w in model.weights)
    assert np.isfinite(expected).all()
    if dtype == "mixed_bfloat16":  # Keras refuses int8 in the other.
        found = array(ops.cast(reading.convert(model)(x), "float32"))
        np.testing.assert_allclose(found, expected, atol=0.02)


def test_calibration_and_static_quantization(tmp_path):
    model = mlp()
    ranges = calibrate(model, X, batch_size=5)
    assert ranges["hidden/0"] == (X.min(), X.max())
    half = calibrate(model, X, batch_size=12, percentile=50)
    assert half["hidden/0"][1] == pytest.approx(np.median(np.abs(X)))
    quantized = quantize(copy_of(model), activations=ranges)
    x = np.concatenate([X, 50 * X])  # The range stays, and clips.
    limit = max(-ranges["hidden/0"][0], ranges["hidden/0"][1])
    scale = 127 / (limit + 1e-7)
    inputs = np.clip(np.round(x * scale), -127, 127) / scale
    dense = model.hidden[0]
    w = ops.convert_to_tensor(dense.kernel)
    w = array(fake_quantize(w, *value_range(w, 0, True), 8, True))
    np.testing.assert_allclose(
        array(quantized.hidden[0](x)), array(dense.activation(inputs @ w)),
        atol=1e-5,
    )  # fmt: skip
    quantized.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(array(again(X)), array(quantized(X)))
    assert (
        again.head.inputs_quantizer.limit
        == quantized.head.inputs_quantizer.limit
    )


def test_within_a_recurrence_nothing_is_noted():
    """Where loops are compiled, there are no numbers to take ranges of."""
    model = applications.Seq2Seq(20, units=4, num_layers=1)
    inputs = (IDS, IDS[:, :-1])
    model(inputs)
    found = calibrate(model, inputs)
    assert next(iter(found)) == "bridge/0"
    assert not [path for path in found if path.startswith("decoder/")]
    model = quantize(model, activations=found)
    parts = sublayers(model)
    inside = [
        part.inputs_quantizer
        for path, part in parts.items()
        if path.startswith("decoder/") and isinstance(part, layers.Dense)
    ]
    assert inside
    assert not any(isinstance(one, StaticQuantizer) for one in inside)


def test_bits_and_paths():
    for bits in (2, 3, 4, 8):
        model = quantize(mlp(), bits, None, paths="head/kernel")
        assert model.hidden[0].quantization_mode is None
        if bits != 4:
            last = 2 ** (bits - 1) - 1
            assert np.abs(array(model.head.kernel)).max() == last
    plain, same = mlp(), quantize(mlp())
    plain.quantize("int8")
    np.testing.assert_array_equal(array(plain(X)), array(same(X)))


def test_the_report():
    model = bert()
    quantized = quantize(copy_of(model, IDS), 8, calibrate(model, IDS))
    report = quantization_report(model, quantized, IDS, batch_size=1)
    assert isinstance(report, QuantizationReport)
    rows = {row.path: row for row in report.layers}
    assert next(iter(rows)) == "encoder/token_embedding"
    before = sum(int(np.prod(v.shape)) * 4 for v in model.weights)
    assert report.bytes_before == before > report.bytes_after
    widen = rows["encoder/blocks/0/widen"]
    assert (widen.weights, widen.inputs) == ("int8", "static")
    # 8 * 16 of one byte, and 16 scales and 16 biases.
    assert widen.bytes_after == 8 * 16 + 2 * 16 * 4
    w = array(model.encoder.blocks[0].widen.kernel)
    scale = 127 / np.abs(w).max(axis=0)
    far = np.abs(w - np.round(w * scale) / scale) / np.abs(w).max()
    np.testing.assert_allclose(
        widen.weight_error, (far.max(), far.mean()), rtol=1e-3
    )
    norm = next(r for r in report.layers if r.kind == "LayerNormalization")
    assert norm.weights == "float32" and "dense layers" in norm.reason
    assert norm.weight_error == (0.0, 0.0) and norm.output_error[0] > 0
    ours, theirs = array(model(IDS)), array(quantized(IDS))
    np.testing.assert_allclose(report.outputs_before[0], ours, atol=1e-6)
    far = np.abs(ours - theirs).max() / np.abs(ours).max()
    assert report.output_error[0] == pytest.approx(far, rel=1e-3)
    assert "| encoder/blocks/0/widen | Dense | int8 | static |" in str(report)
    nothing = quantization_report(model, copy_of(model, IDS))
    assert nothing.output_error is None
    assert {row.reason for row in nothing.layers} == {
        "not chosen",
        "Keras quantizes dense layers and embeddings",
    }


def test_the_report_of_other_layers():
    """Scales in the order of outputs; four bits; groups; functional models."""

    def make():
        keras.utils.set_random_seed(0)
        x = inputs = keras.Input((3, 4))
        x = layers.EinsumDense("abc,cde->abed", (3, 5, 2))(x)
        return keras.Model(inputs, layers.Dense(3)(x))

    x = normal(2, 3, 4)
    for change, worst in (
        (lambda m: m.quantize("int8"), 0.5 / 127),
        (lambda m: quantize(m, 4), 0.5 / 7),
        (lambda m: m.quantize("int4"), None),
    ):
        model = make()
        change(model)
        report = quantization_report(make(), model, x)
        for row in report.layers:
            if worst is None:
                assert row.weight_error is None
            else:
                assert 0.5 * worst < row.weight_error[0] < 1.01 * worst


def test_configs():
    reading = FakeQuantization(
        3, False, False, "moving_average", 5, 0.5, "a.*", name="mine"
    )
    again = FakeQuantization.from_config(reading.get_config())
    assert again.get_config() == reading.get_config()
    for name, value in {
        "bits": 3,
        "per_channel": False,
        "symmetric": False,
        "activations": "moving_average",
        "activation_bits": 5,
        "momentum": 0.5,
        "paths": ("a.*",),
        "name": "mine",
    }.items():
        assert getattr(again, name) == value
    static = StaticQuantizer(2.0, 4)
    again = StaticQuantizer.from_config(static.get_config())
    assert (again.limit, again.bits, again.output_dtype) == (2.0, 4, "int8")


def test_bad_input():
    model = mlp()
    for call, message in {
        lambda: FakeQuantization(1): "`bits` must be .* at least 2 and at most",
        lambda: FakeQuantization(9): "`bits` must be",
        lambda: FakeQuantization(activation_bits=9): "`activation_bits`",
        lambda: FakeQuantization(activations="all"): "`activations` must be",
        lambda: FakeQuantization(momentum=1.0): "`momentum` must be",
        lambda: FakeQuantization(paths="x/.*").attach(model): "`paths` must",
        lambda: FakeQuantization(
            activations="dynamic", paths="head/bias", symmetric=False
        ).convert(model): "symmetric=False",
        lambda: quantize(model, 1): "`bits` must be",
        lambda: quantize(model, activations="static"): "`activations` must be",
        lambda: quantize(model, activations={"no": (0, 1)}): r"\['no'\]",
        lambda: quantize(model, paths="no"): "'no', which matches none",
        lambda: quantize(
            applications.MLP((2,), num_outputs=3)
        ): "must be built",
        lambda: calibrate(
            applications.MLP((2,), num_outputs=3), X
        ): "must be built",
        lambda: calibrate(model, X[:0]): "`x` must hold at least one example",
        lambda: calibrate(model, X, percentile=0): "`percentile` must be",
        lambda: StaticQuantizer(-1.0): "`limit` must be",
        lambda: quantization_report(model, bert()): "must have the layers",
    }.items():
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(TypeError, match="must be a Keras model"):
        quantize(layers.Dense(2))
    assert model.head.quantization_mode is None
    with pytest.raises(ValueError, match="floating point"):
        FakeQuantization(paths="head/kernel").attach(quantize(model))
    with pytest.raises(ValueError, match="goes into dense layers"):
        conv = keras.Sequential([keras.Input((4, 4, 1)), layers.Conv2D(2, 2)])
        FakeQuantization(activations="dynamic").attach(conv)
