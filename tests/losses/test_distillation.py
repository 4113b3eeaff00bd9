"""Losses of students: goldens, SciPy and PyTorch, and what they ignore."""

import keras
import numpy as np
import pytest
import torch
from keras import ops
from keras.ops import convert_to_numpy as array
from scipy.spatial.distance import pdist, squareform
from torch.nn import functional

import keras_dl
from keras_dl.losses import AttentionTransfer, RelationalLoss, SoftTargets
from keras_dl.testing import check_loss

TEACHER = np.array([[2, 1, 0.1], [0, -1, 3]])
SECOND = np.array([[0, 3, 1], [1, 1, 1]])
STUDENT = np.array([[1, 2, 0.5], [0.5, 0.5, 1]])
RANDOM = np.random.default_rng(0)
T, S = RANDOM.normal(size=(2, 5, 4, 3))


@pytest.mark.compiled("SoftTargets")
@pytest.mark.parametrize(
    ("make", "y_true", "worse"),
    [(SoftTargets, TEACHER, STUDENT), (AttentionTransfer, T, S)],
    ids=["SoftTargets", "AttentionTransfer"],
)
def test_contract(make, y_true, worse):
    y_true, worse = y_true.astype("float32"), worse.astype("float32")
    check_loss(make, y_true, 0.9 * y_true + 0.1 * worse, worse)


@pytest.mark.parametrize(
    "loss",
    [
        SoftTargets(3.0, "mse", "sigmoid", False, True, "sum", "soft"),
        AttentionTransfer(3, "sum", "maps"),
        RelationalLoss("angle", "none", "angles"),
    ],
    ids=lambda loss: loss.name,
)
def test_configs(loss):
    config = keras.saving.serialize_keras_object(loss)
    again = keras.saving.deserialize_keras_object(config)
    assert again.get_config() == loss.get_config()
    np.testing.assert_array_equal(array(again(T, S)), array(loss(T, S)))


@pytest.mark.parametrize(
    ("temperature", "kind", "factor", "golden"),
    [
        (1, "kl", 1, 0.488212),
        (2, "kl", 1, 0.710026),
        (3, "kl", 1, 0.757969),
        (4, "kl", 1, 0.766406),
        (1000, "kl", 1, 0.717622),
        (1, "crossentropy", 1 / 3, 0.349579),  # TinyBERT's mean.
        (5, "kl", 1 / 3, 0.255164),  # PKD's.
        (2, "crossentropy", 1 / 4, 1.066619),  # TextBrewer's, without T^2.
    ],
)
def test_soft_targets_are_those_of_published_code(
    temperature, kind, factor, golden
):
    loss = SoftTargets(temperature, kind, dtype="float64")
    found = float(loss(TEACHER, STUDENT))
    assert factor * found == pytest.approx(golden, abs=1e-6)


@pytest.mark.parametrize(
    ("mean_of", "golden"), [("logits", 0.101904), ("probabilities", 0.090791)]
)
def test_mean_of_teachers(mean_of, golden):
    both = SoftTargets(2.0).of_teachers(
        [TEACHER, SECOND], STUDENT, mean_of=mean_of
    )
    assert array(both).mean() == pytest.approx(golden, abs=1e-6)
    alone = SoftTargets(2.0).of_teachers(
        [TEACHER, SECOND], STUDENT, [1.0, 0.0], mean_of
    )
    np.testing.assert_allclose(
        array(alone), array(SoftTargets(2.0).call(TEACHER, STUDENT)), rtol=1e-5
    )


@pytest.mark.parametrize("kind", ["kl", "crossentropy", "mse", "hard"])
def test_like_torch(kind):
    t, s = (torch.tensor(z[:, 0]) for z in (T, S))
    p, q = (functional.log_softmax(z / 3, -1) for z in (t, s))
    expected = {
        "kl": 9 * functional.kl_div(q, p.exp(), reduction="batchmean"),
        "crossentropy": 9 * functional.cross_entropy(s / 3, p.exp()),
        "mse": functional.mse_loss(s, t),
        "hard": functional.cross_entropy(s, t.argmax(-1)),
    }[kind]
    found = float(SoftTargets(3.0, kind)(T[:, 0], S[:, 0]))
    assert found == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("kind", ["kl", "crossentropy", "hard"])
def test_a_yes_or_no_is_two_classes(kind):
    t, s = T[:, 0, :1], S[:, 0, :1]
    both = [np.concatenate([z, 0 * z], axis=-1) for z in (t, s)]
    expected = float(SoftTargets(2.0, kind)(*both))
    found = float(SoftTargets(2.0, kind, "sigmoid")(t, s))
    assert found == pytest.approx(expected, rel=1e-5)
    several = SoftTargets(2.0, kind, "sigmoid").of_teachers(
        [t, t], s, mean_of="probabilities"
    )
    assert array(several).mean() == pytest.approx(expected, rel=1e-4)


def test_probabilities_of_a_teacher():
    p = array(ops.softmax(TEACHER))
    found = SoftTargets(3.0, teacher_from_logits=False)(p, STUDENT)
    assert float(found) == pytest.approx(0.757969, abs=1e-5)
    p = array(ops.sigmoid(TEACHER[:, :1]))
    loss = SoftTargets(3.0, "kl", "sigmoid", teacher_from_logits=False)
    expected = SoftTargets(3.0, "kl", "sigmoid")(TEACHER[:, :1], STUDENT[:, :1])
    assert float(loss(p, STUDENT[:, :1])) == pytest.approx(
        float(expected), rel=1e-4
    )


def test_a_high_temperature_is_half_the_squared_difference():
    """Of the gradient: the difference of the centred logits by B C."""
    t, s = (z - z.mean(axis=-1, keepdims=True) for z in (TEACHER, STUDENT))
    slopes = keras_dl.grad(
        lambda s: SoftTargets(1000.0)(TEACHER.astype("float32"), s)
    )(ops.convert_to_tensor(STUDENT, "float32"))
    np.testing.assert_allclose(
        array(slopes), (s - t) / s.size, rtol=1e-3, atol=2e-4
    )


def test_classes_that_cannot_be_count_for_nothing():
    t, s = TEACHER.astype("float32"), STUDENT.astype("float32")
    expected = float(SoftTargets(2.0)(t[:, :2], s[:, :2]))
    t[:, 2] = s[:, 2] = -np.inf

    def loss(s):
        return SoftTargets(2.0)(t, s)

    found, slopes = keras_dl.value_and_grad(loss)(ops.convert_to_tensor(s))
    assert float(found) == pytest.approx(expected, rel=1e-5)
    assert np.isfinite(array(slopes)).all() and not array(slopes)[:, 2].any()


def flat(x, power=2):
    return (np.abs(x) ** power).mean(axis=-1).reshape(len(x), -1)


@pytest.mark.parametrize("power", [1, 2])
def test_attention_transfer(power):
    """As in the code of the paper, but for its mean over places."""
    wide = RANDOM.normal(size=(5, 4, 7))
    maps = [
        functional.normalize(torch.tensor(flat(x, power))) for x in (T, wide)
    ]
    expected = float((maps[0] - maps[1]).pow(2).mean()) * 4
    found = float(AttentionTransfer(power)(T, wide))
    assert found == pytest.approx(expected, rel=1e-5)


def relations(x, relation):
    x = x.reshape(len(x), -1)
    if relation == "distance":
        far = squareform(pdist(x))
        return far / far[far > 0].mean()
    if relation == "similarity":
        return functional.normalize(torch.tensor(x @ x.T), dim=1).numpy()
    unit = functional.normalize(torch.tensor(x[:, None] - x[None]), dim=-1)
    return torch.einsum("ijd,ikd->ijk", unit, unit).numpy()


@pytest.mark.parametrize(
    ("relation", "distance"),
    [
        ("distance", functional.smooth_l1_loss),
        ("angle", functional.smooth_l1_loss),
        ("similarity", functional.mse_loss),
    ],
)
def test_relations(relation, distance):
    wide = 3 * RANDOM.normal(size=(5, 7))
    pair = [torch.tensor(relations(x, relation)) for x in (wide, T)]
    found = float(RelationalLoss(relation)(T, wide))
    assert found == pytest.approx(float(distance(*pair)), rel=1e-4)
    # An example of weight 0 is none.
    weights = np.array([1.0, 1, 0, 1, 1])
    some = weights > 0
    left_out = 0.8 * float(RelationalLoss(relation)(T[some], wide[some]))
    for value in (0.0, 50.0):
        wide[2] = value
        found = float(RelationalLoss(relation)(T, wide, weights))
        assert found == pytest.approx(left_out, rel=1e-4)


@pytest.mark.compiled("distance")
@pytest.mark.parametrize("relation", ["distance", "angle", "similarity"])
def test_examples_that_are_alike_have_a_gradient(relation):
    same = ops.convert_to_tensor(np.zeros((3, 2)), "float32")
    loss = RelationalLoss(relation)
    slopes = keras_dl.grad(lambda s: loss(T[:3], s))(same)
    assert np.isfinite(array(slopes)).all()


def test_what_is_wrong_is_named():
    with pytest.raises(ValueError, match="`temperature` must be a positive"):
        SoftTargets(0.0)
    with pytest.raises(ValueError, match="`kind` must be one of"):
        SoftTargets(kind="soft")
    with pytest.raises(ValueError, match="`activation` must be one of"):
        SoftTargets(activation="relu")
    with pytest.raises(ValueError, match="`power` must be a positive"):
        AttentionTransfer(-1)
    with pytest.raises(ValueError, match="`relation` must be one of"):
        RelationalLoss("likeness")
    with pytest.raises(ValueError, match=r"same classes.*\(2, 3\).*\(2, 2\)"):
        SoftTargets()(TEACHER, STUDENT[:, :2])
    with pytest.raises(ValueError, match='`activation` must be "sigmoid"'):
        SoftTargets()(TEACHER[:, :1], STUDENT[:, :1])
    with pytest.raises(ValueError, match="same places"):
        AttentionTransfer()(T, S[:, :2])
