"""Label-smoothed crossentropy: values, gradients, and what does not count."""

import keras
import numpy as np
import pytest
import torch
from keras import layers, ops

from keras_dl import autodiff
from keras_dl.losses import LabelSmoothedCrossentropy
from keras_dl.testing import check_loss

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(3, 4, 5)).astype("float32") * 2
TARGETS = RNG.integers(1, 5, size=(3, 4))
PADDED = np.where(np.arange(4) < [[4], [2], [1]], TARGETS, 0)


def distribution_of(targets, num_classes, smoothing, distribution):
    """The smoothed targets, one-hot."""
    one_hot = np.eye(num_classes)[targets]
    rest = 1 - one_hot if distribution == "others" else np.ones_like(one_hot)
    number = rest.sum(axis=-1, keepdims=True)
    return (1 - smoothing) * one_hot + smoothing * rest / number


def log_softmax(logits):
    logits = logits.astype("float64")
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def expected_each(targets, logits, smoothing=0.0, distribution="uniform"):
    q = distribution_of(targets, logits.shape[-1], smoothing, distribution)
    return -(q * log_softmax(logits)).sum(axis=-1)


def value(loss, *args, **kwargs):
    return ops.convert_to_numpy(loss(*args, **kwargs))


def gradient(loss, targets, logits, **kwargs):
    function = autodiff.grad(lambda y: loss(targets, y, **kwargs))
    return ops.convert_to_numpy(function(ops.convert_to_tensor(logits)))


@pytest.mark.compiled
def test_contract():
    better = (4 * np.eye(5)[TARGETS]).astype("float32")
    check_loss(
        lambda **options: LabelSmoothedCrossentropy(
            0.1, "others", ignore_class=-1, **options
        ),
        TARGETS,
        better,
        -better,
    )


@pytest.mark.parametrize(
    ("distribution", "golden"),
    [("uniform", 0.7244379396), ("others", 0.7619379396)],
)
def test_golden_numbers(distribution, golden):
    loss = LabelSmoothedCrossentropy(0.1, distribution)
    logits = np.array([[2.0, 1.0, 0.0, -1.0, 0.5]])
    np.testing.assert_allclose(value(loss, [0], logits), golden, rtol=3e-7)


@pytest.mark.parametrize("distribution", ["uniform", "others"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_each_position(smoothing, distribution):
    loss = LabelSmoothedCrossentropy(smoothing, distribution, reduction="none")
    expected = expected_each(TARGETS, LOGITS, smoothing, distribution)
    np.testing.assert_allclose(
        value(loss, TARGETS, LOGITS), expected, rtol=2e-6
    )
    np.testing.assert_allclose(
        value(loss, TARGETS[..., None], LOGITS), expected, rtol=2e-6
    )


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_like_torch(smoothing, reduction):
    torch = pytest.importorskip("torch")
    expected = torch.nn.functional.cross_entropy(
        torch.tensor(LOGITS.reshape(-1, 5), device="cpu"),
        torch.tensor(PADDED.reshape(-1), device="cpu"),
        ignore_index=0,
        reduction=reduction,
        label_smoothing=smoothing,
    )
    loss = LabelSmoothedCrossentropy(
        smoothing, ignore_class=0, reduction=reduction
    )
    actual = value(loss, PADDED, LOGITS)
    np.testing.assert_allclose(actual, expected.item(), rtol=2e-6)


def test_like_keras():
    one_hot = np.eye(5, dtype="float32")[TARGETS]
    smoothed = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=0.2
    )
    np.testing.assert_allclose(
        value(LabelSmoothedCrossentropy(0.2), TARGETS, LOGITS),
        value(smoothed, one_hot, LOGITS),
        rtol=2e-6,
    )
    sparse = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, ignore_class=0
    )
    np.testing.assert_allclose(
        value(LabelSmoothedCrossentropy(ignore_class=0), PADDED, LOGITS),
        value(sparse, PADDED, LOGITS),
        rtol=2e-6,
    )


def test_probabilities():
    probabilities = np.exp(log_softmax(LOGITS)).astype("float32")
    loss = LabelSmoothedCrossentropy(
        0.1, "others", ignore_class=0, from_logits=False, reduction="none"
    )
    expected = expected_each(PADDED, LOGITS, 0.1, "others")
    actual = value(loss, PADDED, 3 * probabilities)  # They are normalized.
    np.testing.assert_allclose(actual, expected * (PADDED != 0), rtol=5e-6)
    certain = np.array([[1.0, 0.0]], "float32")
    plain = LabelSmoothedCrossentropy(from_logits=False)
    np.testing.assert_allclose(value(plain, [0], certain), 0.0, atol=1e-7)
    worst = -np.log(keras.config.epsilon())
    np.testing.assert_allclose(value(plain, [1], certain), worst, rtol=1e-6)


@pytest.mark.parametrize("distribution", ["uniform", "others"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_gradient_is_softmax_less_target(smoothing, distribution):
    loss = LabelSmoothedCrossentropy(smoothing, distribution, ignore_class=0)
    q = distribution_of(PADDED, 5, smoothing, distribution)
    real = PADDED != 0
    expected = np.exp(log_softmax(LOGITS)) - q
    expected *= real[..., None] / real.sum()
    actual = gradient(loss, PADDED, LOGITS)
    np.testing.assert_allclose(actual, expected, atol=1e-7)
    assert not actual[~real].any()


def test_gradient_of_probabilities_by_finite_differences():
    loss = LabelSmoothedCrossentropy(0.1, "others", from_logits=False)
    p = np.exp(log_softmax(LOGITS)).astype("float32")

    def expected(p):
        q = distribution_of(TARGETS, 5, 0.1, "others")
        p = p / p.sum(axis=-1, keepdims=True)
        return -(q * np.log(p)).sum(axis=-1).mean()

    actual = gradient(loss, TARGETS, p)
    for index in [(0, 0, 0), (1, 2, 3), (2, 3, 4)]:
        step = np.zeros(p.shape)
        step[index] = 1e-6
        slope = (expected(p + step) - expected(p - step)) / 2e-6
        np.testing.assert_allclose(actual[index], slope, rtol=1e-4)


WEIGHTS = np.array([[1, 2, 0, 1], [0, 0, 0, 0], [0.5, 1, 1, 0]], "float32")


@pytest.mark.parametrize(
    ("reduction", "divisor"),
    [
        ("sum_over_batch_size", 6),
        ("mean", 6),
        ("mean_with_sample_weight", 6.5),
        ("sum", 1),
    ],
)
def test_weight_of_zero_does_not_count(reduction, divisor):
    loss = LabelSmoothedCrossentropy(0.1, reduction=reduction)
    expected = (WEIGHTS * expected_each(TARGETS, LOGITS, 0.1)).sum() / divisor
    for weights in (WEIGHTS, WEIGHTS[..., None]):
        actual = value(loss, TARGETS, LOGITS, sample_weight=weights)
        np.testing.assert_allclose(actual, expected, rtol=2e-6)


def test_weights_of_rows():
    loss = LabelSmoothedCrossentropy(ignore_class=0)
    each = expected_each(PADDED, LOGITS) * (PADDED != 0)
    rows = np.array([2.0, 0.0, 1.0])
    expected = (rows[:, None] * each).sum() / (4 + 1)
    for weights in (rows, rows[:, None]):
        actual = value(loss, PADDED, LOGITS, sample_weight=weights)
        np.testing.assert_allclose(actual, expected, rtol=2e-6)


@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.compiled("nan-0.1-True")
def test_nothing_comes_from_what_does_not_count(bad, smoothing, from_logits):
    loss = LabelSmoothedCrossentropy(
        smoothing, ignore_class=0, from_logits=from_logits
    )
    y_pred = LOGITS if from_logits else np.exp(LOGITS)
    broken = np.where(PADDED[..., None] == 0, bad, y_pred).astype("float32")
    np.testing.assert_array_equal(
        value(loss, PADDED, broken), value(loss, PADDED, y_pred)
    )
    actual = gradient(loss, PADDED, broken)
    np.testing.assert_array_equal(actual, gradient(loss, PADDED, y_pred))
    assert np.isfinite(actual).all()


def test_no_weight_comes_from_what_does_not_count():
    loss = LabelSmoothedCrossentropy(ignore_class=0)
    broken = np.where(PADDED == 0, np.nan, 1.0)
    np.testing.assert_array_equal(
        value(loss, PADDED, LOGITS, sample_weight=broken),
        value(loss, PADDED, LOGITS),
    )


@pytest.mark.parametrize(
    "reduction", ["sum_over_batch_size", "mean_with_sample_weight", "sum"]
)
def test_batch_of_padding(reduction):
    loss = LabelSmoothedCrossentropy(0.1, ignore_class=0, reduction=reduction)
    padding, broken = np.zeros_like(PADDED), np.full_like(LOGITS, np.nan)
    assert value(loss, padding, broken) == 0.0
    assert not gradient(loss, padding, broken).any()
    nothing = np.zeros(3, "float32")
    assert value(loss, TARGETS, broken, sample_weight=nothing) == 0.0


def test_targets_that_are_no_class():
    loss = LabelSmoothedCrossentropy(0.1, ignore_class=-100, reduction="none")
    targets = np.array([[0, 5, -1, -100]] * 3)
    each = value(loss, targets, LOGITS)[0]
    np.testing.assert_array_equal(np.isnan(each), [False, True, True, False])
    assert each[3] == 0.0
    mean = LabelSmoothedCrossentropy(0.1, ignore_class=-100)
    assert np.isnan(value(mean, targets, LOGITS))
    slopes = gradient(mean, targets, LOGITS)[0]
    np.testing.assert_array_equal(
        slopes.any(axis=-1), [True, False, False, False]
    )


SOFT = np.random.default_rng(3).dirichlet(np.ones(5), size=(2, 3))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.compiled
def test_probabilities_as_targets(smoothing):
    """As PyTorch takes them; one-hot ones are class indices."""
    logits = np.random.default_rng(4).normal(size=(2, 3, 5)).astype("float32")
    loss = LabelSmoothedCrossentropy(smoothing)
    theirs = torch.tensor(logits.reshape(6, 5), requires_grad=True)
    expected = torch.nn.functional.cross_entropy(
        theirs, torch.tensor(SOFT.reshape(6, 5)), label_smoothing=smoothing
    )
    expected.backward()
    soft = SOFT.astype("float32")
    np.testing.assert_allclose(
        value(loss, soft, logits), expected.detach(), rtol=1e-5
    )
    np.testing.assert_allclose(
        gradient(loss, soft, logits).reshape(6, 5), theirs.grad, atol=1e-6
    )


@pytest.mark.parametrize("distribution", ["uniform", "others"])
def test_one_hot_targets(distribution):
    """Equal to indices; all zeros are what is no class."""
    targets = np.array([[4, 0, -100], [2, -100, 1]])
    one_hot = np.eye(5)[targets.clip(0)] * (targets >= 0)[..., None]
    logits = np.random.default_rng(4).normal(size=(2, 3, 5)).astype("float32")
    loss = LabelSmoothedCrossentropy(0.1, distribution, ignore_class=-100)
    for weights in (None, np.array([0.5, 2.0]), np.abs(SOFT[..., 0])):
        np.testing.assert_allclose(
            value(loss, one_hot, logits, sample_weight=weights),
            value(loss, targets, logits, sample_weight=weights),
            rtol=1e-6,
        )
    logits[0, 2] = np.nan  # Where there is no target.
    assert np.isfinite(value(loss, one_hot, logits))
    assert np.isfinite(gradient(loss, one_hot, logits)).all()


def test_probabilities_that_are_none():
    logits = np.zeros((1, 5), "float32")
    loss = LabelSmoothedCrossentropy()
    for wrong in ([1, 1, 0, 0, 0], [2, -1, 0, 0, 0], [0, 0, 0, 0, 0]):
        assert np.isnan(value(loss, np.array([wrong]), logits))
        assert (gradient(loss, np.array([wrong]), logits) == 0).all()
    logits[0, 4] = -np.inf
    assert np.isfinite(value(loss, np.array([[0.5, 0.5, 0, 0, 0]]), logits))


def test_impossible_class():
    """A logit of minus infinity is fine, if no probability is smoothed in."""
    logits = np.array([[1.0, 1.0, -np.inf]], "float32")
    loss = LabelSmoothedCrossentropy()
    np.testing.assert_allclose(value(loss, [0], logits), np.log(2), rtol=1e-6)
    np.testing.assert_allclose(
        gradient(loss, [0], logits), [[-0.5, 0.5, 0.0]], atol=1e-6
    )
    smoothed = LabelSmoothedCrossentropy(0.1)
    assert np.isposinf(value(smoothed, [0], logits))


def test_half_precision_is_computed_in_float32():
    y_pred = ops.cast(RNG.normal(size=(2, 600)), "bfloat16")
    rounded = ops.convert_to_numpy(ops.cast(y_pred, "float32"))
    targets = [257, 599]  # bfloat16 would make 256 and 600 of them.
    loss = LabelSmoothedCrossentropy(0.1, dtype="mixed_bfloat16")
    expected = expected_each(np.array(targets), rounded, 0.1).mean()
    np.testing.assert_allclose(
        value(loss, targets, y_pred), expected, rtol=1e-6
    )
    assert loss.dtype == "float32"


@pytest.mark.compiled
def test_float64():
    loss = LabelSmoothedCrossentropy(0.1, dtype="float64")
    assert loss.dtype == "float64"
    copy = LabelSmoothedCrossentropy.from_config(loss.get_config())
    assert copy.dtype == "float64"


@keras.saving.register_keras_serializable("keras_dl_tests")
class BreakPadding(layers.Layer):
    """Makes NaN of what is masked."""

    supports_masking = True

    def call(self, inputs, mask=None):
        if mask is None:
            return inputs
        nothing = ops.full_like(inputs, float("nan"))
        return ops.where(ops.expand_dims(mask, -1), inputs, nothing)


def language_model(policy="float32"):
    return keras.Sequential(
        [
            keras.Input((4,), dtype="int32"),
            layers.Embedding(5, 8, mask_zero=True, dtype=policy),
            layers.Dense(5, dtype=policy),
            BreakPadding(dtype=policy),
        ]
    )


@pytest.mark.parametrize(
    ("policy", "tolerance"),
    [("float32", 1e-5), ("mixed_float16", 1e-2)],
)
@pytest.mark.compiled
def test_keras_mask_in_fit(policy, tolerance):
    """The mask of an embedding reaches the loss, in a compiled step too."""
    model = language_model(policy)
    model.compile("adam", LabelSmoothedCrossentropy(0.1))
    logits = model.predict(PADDED, verbose=0).astype("float32")
    each = expected_each(TARGETS, np.nan_to_num(logits), 0.1)
    expected = each[PADDED != 0].mean()
    np.testing.assert_allclose(
        model.evaluate(PADDED, TARGETS, verbose=0), expected, rtol=tolerance
    )
    losses = [model.train_on_batch(PADDED, TARGETS) for _ in range(8)]
    np.testing.assert_allclose(losses[0], expected, rtol=tolerance)
    assert losses[-1] < losses[0]
    for weight in model.get_weights():
        assert np.isfinite(weight).all()


def test_mask_weights_and_ignored_class_together():
    model = language_model()
    model.compile("sgd", LabelSmoothedCrossentropy(ignore_class=3))
    targets = TARGETS.copy()
    targets[0, 0] = 3
    targets[0, 1] = 2
    logits = np.nan_to_num(model.predict(PADDED, verbose=0))
    counted = (PADDED != 0) & (targets != 3) & (WEIGHTS != 0)
    each = WEIGHTS * expected_each(targets, logits)
    actual = model.evaluate(PADDED, targets, sample_weight=WEIGHTS, verbose=0)
    np.testing.assert_allclose(
        actual, each[counted].sum() / counted.sum(), rtol=1e-5
    )


@pytest.mark.compiled
def test_saved_in_a_compiled_model(tmp_path):
    model = language_model()
    loss = LabelSmoothedCrossentropy(
        0.1, "others", ignore_class=3, reduction="mean_with_sample_weight"
    )
    model.compile("adam", loss)
    model.train_on_batch(PADDED, TARGETS)
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(copy.loss, LabelSmoothedCrossentropy)
    assert copy.loss.get_config() == loss.get_config()
    np.testing.assert_allclose(
        copy.evaluate(PADDED, TARGETS, verbose=0),
        model.evaluate(PADDED, TARGETS, verbose=0),
        rtol=1e-6,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"label_smoothing": 1.0}, "`label_smoothing`.*below 1.*=1.0"),
        ({"label_smoothing": -0.1}, "`label_smoothing`.*=-0.1"),
        ({"label_smoothing": "a"}, "`label_smoothing`.*='a'"),
        ({"distribution": "all"}, "`distribution`.*others.*uniform.*='all'"),
        ({"ignore_class": 0.5}, "`ignore_class`.*integer.*=0.5"),
        ({"reduction": "median"}, "reduction=median"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        LabelSmoothedCrossentropy(**arguments)


def test_wrong_shapes():
    loss = LabelSmoothedCrossentropy(0.1, "others")
    with pytest.raises(ValueError, match=r"`y_true`.*\(3,\).*\(3, 4, 5\)"):
        loss(TARGETS[:, 0], LOGITS)
    with pytest.raises(ValueError, match=r"`sample_weight`.*\(3, 4, 2\)"):
        loss(TARGETS, LOGITS, sample_weight=np.ones((3, 4, 2)))
    for shape in [(4,), (5, 1), (3, 3), (2, 4)]:
        with pytest.raises(ValueError, match=r"`sample_weight`.*\(3, 4\)"):
            loss(TARGETS, LOGITS, sample_weight=np.ones(shape))
    with pytest.raises(ValueError, match=r"2 classes.*with 1"):
        loss(np.zeros(3), np.zeros((3, 1)))
