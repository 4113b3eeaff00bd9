"""What a model weighs and computes, beside PyTorch's own count."""

import zlib

import keras
import matplotlib.image
import numpy as np
import pytest
from keras import layers
from sequences import normal
from small_models import IDS, bert, cnn, mlp, vgg

from keras_dl import applications, compression, heads
from keras_dl.compression import (
    SizeReport,
    compress,
    draw_sizes,
    flops,
    size_report,
    size_table,
)

# Keras says of each layer without weights that it cannot be quantized.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Layer .* does not have a", "ignore:The use of `x.T` on tensors"
)
X, Y = normal(6, 4).astype("float32"), np.arange(6) % 3


def counted(model, x):
    """PyTorch's count; it knows no fused attention on CPU."""
    counter = pytest.importorskip("torch.utils.flop_counter")
    with counter.FlopCounterMode(display=False) as found:
        model(x)
    return found.get_total_flops()


def convolutions():
    return keras.Sequential(
        [
            keras.Input((8, 8, 4)),
            layers.SeparableConv2D(6, 3),
            layers.DepthwiseConv2D(2, depth_multiplier=2),
            layers.Conv2DTranspose(4, 3, strides=2),
            layers.Conv2D(6, 3, groups=2),
            layers.Reshape((-1, 6)),
            layers.EinsumDense("abc,cde->abde", (None, 2, 3)),
            layers.Reshape((-1, 6)),
            layers.Dense(2),
        ]
    )


def attention():
    x = keras.Input((5, 6))
    y = layers.MultiHeadAttention(2, 3, value_dim=4)(x, x)
    return keras.Model(x, y)


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (convolutions, (8, 8, 4)),
        (attention, (5, 6)),
        (cnn, (6, 6, 2)),
        (vgg, (32, 32, 3)),
    ],
)
def test_flops_beside_pytorch(make, shape):
    model, x = make(), normal(2, *shape).astype("float32")
    assert sum(flops(model, x).values()) == counted(model, x[:1])


@pytest.mark.parametrize("tied", ["plain", "factorized", "int8"])
def test_flops_of_a_bert(tied):
    """Attention: 2 blocks, 4 x 4 pairs of vectors of 8, twice."""
    encoder = applications.BERT(20, 2, 8, 2, 16, max_sequence_length=6)
    model = applications.TaskModel(encoder, heads.MaskedLM())
    number = 2 * 2 * 4 * 4 * 8 * 2
    if tied == "factorized":
        model = compression.factorize(model, ".*token_embedding", rank=3)
    expected = counted(model, IDS[:1]) + number
    if tied == "int8":  # PyTorch sees products of other numbers.
        model.quantize("int8")
    found = flops(model, IDS)
    assert sum(found.values()) == expected
    assert found["encoder/blocks/1/attention"] == number // 2


def test_recurrent_layers_by_hand_and_what_is_not_known():
    body = applications.LSTMEncoder(20, 4, units=5)
    model = applications.TaskModel(body, heads.Classification(3))
    found = flops(model, IDS)
    steps = [n for path, n in found.items() if "forward" in path]
    assert steps == [2 * (4 * 20 + 5 * 20) * 4]
    translator = applications.Seq2Seq(20, units=8, num_layers=1)
    translator((IDS, IDS))
    found = flops(translator, (IDS, IDS))
    assert [path for path, n in found.items() if n is None] == ["decoder"]
    report = size_report(translator, (IDS, IDS), repeats=0)
    assert report.uncounted == ("decoder",)


def test_what_a_model_weighs(tmp_path):
    model = mlp()
    model.head.kernel.assign(np.eye(5, 3))
    report = size_report(model)
    assert report.parameters == model.count_params()
    arrays = [keras.ops.convert_to_numpy(w) for w in model.weights]
    zeros = sum(int((a == 0).sum()) for a in arrays)
    assert report.nonzeros == report.parameters - zeros
    assert report.bytes == 4 * report.parameters
    assert report.packed_bytes == sum(
        len(zlib.compress(a.tobytes())) for a in arrays
    )
    assert isinstance(report, SizeReport)
    assert (report.flops, report.seconds, report.quality) == (None, None, {})
    large = keras.Sequential([keras.Input((64,)), layers.Dense(512)])
    large.save_weights(tmp_path / "w.weights.h5")
    on_disk = (tmp_path / "w.weights.h5").stat().st_size
    assert 0 <= on_disk - size_report(large).bytes < 20_000
    before = size_report(large).bytes
    large.quantize("int8")
    assert size_report(large).bytes < 0.3 * before


def test_quality_is_that_of_evaluate():
    """Compiled or not; and a model that is not stays so."""
    model = mlp()
    found = size_report(model, X, Y, repeats=1)
    assert found.seconds > 0 and not model.compiled
    model.compile()
    expected = model.evaluate(X, Y, verbose=0, return_dict=True)
    assert found.quality == pytest.approx(expected)
    assert size_report(model, X, Y, repeats=0).quality == found.quality


def test_steps_are_measured_one_by_one(tmp_path):
    model = bert(num_layers=1)
    y = np.array([0, 2])
    steps = {
        "heads": lambda m: compression.remove_heads(m, {0: [0]}),
        "thin": lambda m: compression.factorize(m, ".*/widen", rank=2),
    }
    whole = model.count_params()
    model, reports = compress(model, steps, IDS, y, repeats=0)
    assert list(reports) == ["before", "heads", "thin"]
    sizes = [report.parameters for report in reports.values()]
    assert sizes[0] == whole and sizes[2] == model.count_params()
    assert sizes[0] > sizes[1] > sizes[2]
    operations = [report.flops for report in reports.values()]
    assert operations[0] > operations[1] > operations[2]
    lines = size_table(reports).splitlines()
    assert len({len(line) for line in lines}) == 1
    cells = lines[1].split()
    assert cells[:2] == ["before", f"{whole:,}"] and "-" in cells
    assert lines[0].split()[-1] == "accuracy"

    figure = draw_sizes(reports, "accuracy", tmp_path / "a" / "sizes.png")
    drawn = [text.get_text() for text in figure.legends[0].get_texts()]
    assert drawn == list(reports)
    points = [line.get_xydata()[0] for line in figure.axes[0].lines]
    assert points[2][0] == reports["thin"].packed_bytes
    assert matplotlib.image.imread(tmp_path / "a" / "sizes.png").std() > 0.01


def test_bad_arguments():
    model = mlp()
    with pytest.raises(ValueError, match="The model must be built"):
        size_report(applications.MLP((2,), num_outputs=2))
    with pytest.raises(ValueError, match="`repeats` must be an integer"):
        size_report(model, X, repeats=-1)
    plain = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    with pytest.raises(ValueError, match="`loss` must be given"):
        size_report(plain, X, Y, repeats=0)
    with pytest.raises(ValueError, match="other names than 'before'"):
        compress(model, {"before": lambda m: m})
    with pytest.raises(TypeError, match=r"`steps\['quantize'\]` must return"):
        compress(model, {"quantize": lambda m: None})
    with pytest.raises(ValueError, match="`reports` must have a report"):
        size_table({})
    reports = {"whole": size_report(model)}
    with pytest.raises(ValueError, match="must have been measured.*'whole'"):
        draw_sizes(reports, "accuracy")
    with pytest.raises(ValueError, match="`size` must be one of"):
        draw_sizes(reports, "accuracy", size="weight")
