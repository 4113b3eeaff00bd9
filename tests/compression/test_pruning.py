"""Pruned weights: how many, which, and that they stay so."""

import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy as array
from sequences import normal
from small_models import bert

import keras_dl
from keras_dl import applications
from keras_dl.compression import (
    MagnitudePruning,
    MovementPruning,
    PolynomialSparsity,
    sparsity,
)
from keras_dl.models import weights_read
from keras_dl.training import SupervisedTrainer
from keras_dl.training.supervised.kept_weights import read_in_steps

X, Y = normal(24, 6).astype("float32"), np.arange(24) % 3


def mlp(units=(8, 8)):
    keras.utils.set_random_seed(0)
    model = applications.MLP(units, num_outputs=3)
    model.build((None, 6))
    return model


def attached(reading, model):
    reading.attach(model)
    return reading


def masks_of(reading):
    return {path: array(mask) for path, mask in reading.masks.items()}


def test_schedules():
    gradual = PolynomialSparsity(0.8, end=100)
    for step, share in {25: 0.4625, 50: 0.7, 75: 0.7875, 200: 0.8}.items():
        assert float(gradual(step)) == pytest.approx(share, abs=1e-6)
    # A warm-up of 100 and a cool-down of 200, of 1000 steps: what is kept.
    movement = PolynomialSparsity(0.85, begin=100, end=800)
    for step, kept in {
        0: 1.0,
        100: 1.0,
        275: 0.508594,
        450: 0.25625,
        625: 0.163281,
        800: 0.15,
        1000: 0.15,
    }.items():
        assert 1 - float(movement(step)) == pytest.approx(kept, abs=1e-6)
    linear = PolynomialSparsity(0.5, 10, 20, initial=0.1, power=1)
    assert float(linear(15)) == pytest.approx(0.3)
    assert float(PolynomialSparsity(0.5, 3, 3)(2)) == 0.0
    assert (
        linear.get_config()
        == PolynomialSparsity.from_config(linear.get_config()).get_config()
    )
    for wrong in ((1.0,), (-0.1,), (0.5, -1), (0.5, 5, 4), (0.5, 0, 1, 1.0)):
        with pytest.raises(ValueError, match="must be"):
            PolynomialSparsity(*wrong)


def torch_masks(model, amount, scope):
    """Which weights PyTorch prunes of the same kernels."""
    import torch
    from torch.nn.utils import prune

    linears = []
    for layer in (model.hidden[0], model.hidden[2], model.head):
        linear = torch.nn.Linear(*layer.kernel.shape)
        linear.weight.data = torch.tensor(array(layer.kernel).T.copy())
        linears.append((linear, "weight"))
    if scope == "global":
        prune.global_unstructured(linears, prune.L1Unstructured, amount=amount)
    else:
        for linear in linears:
            prune.l1_unstructured(*linear, amount)
    return [linear.weight_mask.numpy().T for linear, _ in linears]


@pytest.mark.parametrize("scope", ["local", "global"])
@pytest.mark.parametrize("amount", [0.3, 0.85])
def test_the_smallest_as_pytorch_chooses_them(scope, amount):
    model = mlp()
    found = masks_of(attached(MagnitudePruning(amount, scope), model))
    expected = torch_masks(model, amount, scope)
    for ours, theirs in zip(found.values(), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_how_many_of_ties():
    """Of 10 weights 0.25 are 2, as PyTorch rounds; of ties the first."""
    model = applications.MLP((), num_outputs=2)
    model.build((None, 5))
    model.head.kernel.assign(np.ones((5, 2)))
    (mask,) = masks_of(attached(MagnitudePruning(0.25), model)).values()
    np.testing.assert_array_equal(mask[0], [0, 0])
    assert mask.sum() == 8
    for share, pruned in {0.35: 4, 0.9: 9, 0.0: 0}.items():
        reading = attached(MagnitudePruning(share), model)
        (mask,) = masks_of(reading).values()
        assert mask.sum() == 10 - pruned


def test_patterns():
    model = mlp()
    (mask,) = masks_of(
        attached(MagnitudePruning("2:4", paths="hidden/2/kernel"), model)
    ).values()
    sizes = np.abs(array(model.hidden[2].kernel)).T.reshape(8, 2, 4)
    order = sizes.argsort(-1).argsort(-1)
    np.testing.assert_array_equal(mask.T.reshape(8, 2, 4), order >= 2)
    with pytest.raises(ValueError, match="divides the 6 inputs of 'hidden/0"):
        MagnitudePruning("2:4").attach(model)


@pytest.mark.compiled("local")
@pytest.mark.parametrize("scope", ["local", "global"])
def test_what_is_pruned_stays_so(scope, tmp_path):
    """Under decay, momentum, moving averages; resumed within the schedule."""
    model = mlp()
    schedule = PolynomialSparsity(0.75, begin=1, end=6)
    reading = MagnitudePruning(schedule, scope, frequency=2)
    trainer = SupervisedTrainer(model, readings=reading)
    optimizer = keras.optimizers.AdamW(0.05, weight_decay=0.1, use_ema=True)
    trainer.compile(optimizer)
    trainer.fit(X, Y, batch_size=8, verbose=0)  # 3 updates.
    share = 0.75 * (1 - 0.6**3)
    sizes = [48, 64, 24]
    pruned = [round(share * n) for n in sizes]
    total = sum(pruned) if scope == "local" else round(share * sum(sizes))
    assert sparsity(model) * sum(sizes) == pytest.approx(total)
    trainer.save(tmp_path / "training.keras")
    trainer = keras.saving.load_model(tmp_path / "training.keras")
    before = masks_of(trainer.readings[0])
    trainer.fit(X, Y, batch_size=8, epochs=2, verbose=0)
    assert int(trainer.readings[0].step) == 9
    after = masks_of(trainer.readings[0])
    for path, mask in after.items():
        assert not mask[before[path] == 0].any()
    # Raw weights and averages, before anything is baked.
    averages = trainer.optimizer._model_variables_moving_average
    kernels = dict(
        zip(
            map(id, trainer.optimizer._trainable_variables),
            averages,
            strict=True,
        )
    )
    for path, variable in trainer.readings[0].of_variables.items():
        assert not array(variable)[after[path] == 0].any()
        assert not array(kernels[id(variable)])[after[path] == 0].any()
    assert sparsity(trainer.finish()) == 0.75


@pytest.mark.parametrize("kind", ["sparsity", "threshold"])
def test_movement(kind):
    """Scores get `w dL/dw'`, straight through; the lowest are not read."""
    if kind == "sparsity":
        reading = MovementPruning(
            PolynomialSparsity(0.5, end=1), frequency=1, paths="head/kernel"
        )
    else:
        reading = MovementPruning(
            threshold=PolynomialSparsity(0.5, end=2),
            penalty=3.0,
            frequency=1,
            paths="head/kernel",
        )
    model = mlp(())
    trainer = SupervisedTrainer(model, readings=reading)
    trainer.compile(keras.optimizers.SGD(0.5))
    kernel = array(model.head.kernel).astype("float64")
    logits = X @ kernel + array(model.head.bias)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    slope = X.T @ (p - np.eye(3)[Y]) / len(X)
    trainer.fit(X, Y, batch_size=24, verbose=0)
    scores = -0.5 * kernel * slope
    (found,) = map(array, reading.score_variables.values())
    np.testing.assert_allclose(found, scores, atol=1e-6)
    (mask,) = masks_of(reading).values()
    # Not read, not zeroed: it may come back.
    np.testing.assert_allclose(
        array(model.head.kernel), kernel - 0.5 * slope, atol=1e-6
    )
    if kind == "sparsity":
        order = scores.ravel().argsort()
        assert not mask.ravel()[order[:9]].any() and mask.sum() == 9
    else:
        limit = float(reading._schedule(1))
        np.testing.assert_array_equal(mask, 1 / (1 + np.exp(-scores)) > limit)
        # The penalty grows with the threshold, which was 0 before.
        expected = 3.0 * limit / 0.5 * (1 / (1 + np.exp(-scores))).mean()
        (penalty,) = map(array, trainer.losses)
        assert penalty == pytest.approx(expected, rel=1e-5)
    with weights_read([reading]):
        read = array(model(X))
    trainer.finish()
    np.testing.assert_allclose(array(model(X)), read, atol=1e-6)
    assert sparsity(model) == 1 - mask.mean()


@pytest.mark.parametrize("optimizer", ["adam", "clipped"])
def test_a_step_needs_no_mask_of_weights_that_are_zero(optimizer):
    """It is left out where that changes nothing: other weights train alike."""
    trained = []
    for always in (False, True):
        model = mlp()
        reading = MagnitudePruning(0.5)
        reading.keeps_weights = not always
        trainer = SupervisedTrainer(model, readings=reading)
        clip = {"global_clipnorm": 0.05} if optimizer == "clipped" else {}
        trainer.compile(keras.optimizers.Adam(0.05, **clip))
        found = read_in_steps(trainer.readings, trainer.optimizer)
        assert bool(found) == (always or optimizer == "clipped")
        trainer.fit(X, Y, batch_size=8, verbose=0)
        trained.append([array(v) for v in model.weights])
    for a, b in zip(*trained, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_precision_and_frozen_layers():
    """In half precision; a layer that is frozen is not pruned."""
    keras.utils.set_random_seed(0)
    model = applications.MLP((8,), num_outputs=3, dtype="mixed_bfloat16")
    model.build((None, 6))
    model.hidden[0].trainable = False
    reading = MagnitudePruning(0.5)
    trainer = SupervisedTrainer(model, readings=reading)
    trainer.compile(keras.optimizers.AdamW(0.05))
    trainer.fit(X, Y, sample_weight=np.arange(24.0), verbose=0)
    assert list(reading.masks) == ["head/kernel"]
    assert sparsity(model, "head/kernel") == 0.5
    assert sparsity(model, "hidden/0/kernel") == 0.0


def test_bert_has_what_its_tickets_prune():
    """All kernels of blocks and pooler: 85,524,480 of BERT base."""
    model = bert().encoder
    found = attached(MagnitudePruning(0.5), model).masks
    count = sum(int(np.prod(mask.shape)) for mask in found.values())

    def prunable(layers, d, wide):
        return layers * (4 * d * d + 2 * d * wide) + d * d

    assert count == prunable(2, 8, 16)
    assert prunable(12, 768, 3072) == 85_524_480


def test_configs():
    schedule = PolynomialSparsity(0.5, 1, 2, 0.1, 2.0)
    for reading in (
        MagnitudePruning(schedule, "global", 7, "a", name="mine"),
        MagnitudePruning("1:2"),
        MovementPruning(None, schedule, 0.5, "global", 7, "a"),
    ):
        again = type(reading).from_config(reading.get_config())
        assert again.get_config() == reading.get_config()
        for name in ("scope", "frequency", "paths", "name"):
            assert getattr(again, name) == getattr(reading, name)


def test_what_is_refused():
    for wrong in (1.0, -0.1, "4:2", "0:4", "half", True):
        with pytest.raises(ValueError, match="`sparsity` must be"):
            MagnitudePruning(wrong)
    with pytest.raises(ValueError, match="`scope` must be one of"):
        MagnitudePruning(0.5, "layer")
    with pytest.raises(ValueError, match="`frequency` must be an integer"):
        MagnitudePruning(0.5, frequency=0)
    with pytest.raises(ValueError, match="Give one of `sparsity` and `thres"):
        MovementPruning(0.5, 0.1)
    with pytest.raises(ValueError, match="`threshold` must be"):
        MovementPruning(threshold=1.0)
    with pytest.raises(ValueError, match="`paths` must match variables"):
        MagnitudePruning(0.5, paths="hidden/9/kernel").attach(mlp())
    model = mlp()
    reading = attached(MagnitudePruning(0.5), model)
    keras_dl.compression.remove_units(model, {"hidden/0": [0]})
    with pytest.raises(ValueError, match="before layers are replaced"):
        reading.attach(model)
