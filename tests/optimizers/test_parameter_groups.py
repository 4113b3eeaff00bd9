"""Rates of groups: against torch.optim, frozen variables, Keras' manners."""

import keras
import numpy as np
import pytest
import torch
from keras import ops
from trainers import Supervised, TwoPlayers, network, normal

from keras_dl.optimizers import LinearWarmupDecay, ParameterGroups
from keras_dl.testing import check_optimizer

X, Y = normal(16, 3), normal(16, 2)
# XLA takes its time on TensorFlow; one test waits for it.
QUICK = False if keras.backend.backend() == "tensorflow" else "auto"
Constant = keras.optimizers.schedules.PiecewiseConstantDecay
# Three layers.
LAYERS = [
    [f"net/{name}/{part}" for part in ("kernel", "bias")]
    for name in ("first", "second", "third")
]


def unfrozen(after, rate=1.0):
    """A rate that is 0 for some updates."""
    return Constant([after - 1], [0.0, rate])


def model():
    units = {"first": 5, "second": 4, "third": 2}
    made = keras.Sequential(
        [
            keras.Input((3,)),
            *[
                keras.layers.Dense(size, activation="tanh", name=name)
                for name, size in units.items()
            ],
        ],
        name="net",
    )
    made.set_weights([normal(*w.shape) * 0.5 for w in made.get_weights()])
    return made


def compiled(optimizer, made=None, jit_compile=QUICK):
    made = made or model()
    made.compile(optimizer, loss="mse", jit_compile=jit_compile)
    return made


def train(made, steps):
    return [float(made.train_on_batch(X, Y)) for _ in range(steps)]


def state(variables):
    return [np.array(ops.convert_to_numpy(v)) for v in variables]


def assert_same(actual, expected):
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(a, e)


def assert_close(actual, expected, **tolerance):
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, e, **tolerance)


OPTIMIZERS = {
    "clipped": lambda: keras.optimizers.SGD(
        0.1, momentum=0.9, nesterov=True, clipnorm=0.1
    ),
    "averaged": lambda: keras.optimizers.AdamW(
        0.01,
        weight_decay=0.1,
        use_ema=True,
        ema_momentum=0.5,
        ema_overwrite_frequency=2,
    ),
    "accumulated": lambda: keras.optimizers.RMSprop(
        0.01, gradient_accumulation_steps=3, clipvalue=0.01
    ),
    "scheduled": lambda: keras.optimizers.Lion(
        LinearWarmupDecay(0.1, 9, 3), global_clipnorm=0.1
    ),
    "scaled": lambda: keras.optimizers.Adagrad(0.1, loss_scale_factor=8.0),
}


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.compiled("averaged")
def test_with_rates_of_1_it_is_the_given_optimizer(kind):
    make = OPTIMIZERS[kind]
    plain = compiled(make())
    ours = compiled(ParameterGroups(make(), LAYERS, [1.0, 1, 1.0]))
    for made in (plain, ours):
        made.fit(X, Y, batch_size=8, epochs=4, shuffle=False, verbose=0)
    # On PyTorch the last digit is rounded elsewhere: updates are fused.
    assert_close(ours.get_weights(), plain.get_weights(), rtol=0, atol=1e-6)
    assert int(ours.optimizer.iterations) == int(plain.optimizer.iterations)
    config = ours.optimizer.get_config()
    again = ParameterGroups.from_config(config)
    assert again.get_config() == config
    given = config["optimizer"]["config"]
    assert given == plain.optimizer.get_config() | {"name": given["name"]}


def by_torch(rates, starts, steps, clip=None):
    """Weights after training by torch.optim with parameter groups."""
    tensors = [
        torch.tensor(w, requires_grad=True) for w in model().get_weights()
    ]
    groups = [tensors[:2], tensors[2:4], tensors[4:]]
    optimizer = torch.optim.AdamW(
        [
            {"params": group, "lr": 0.02 * rate}
            for group, rate in zip(groups, rates, strict=True)
        ],
        eps=1e-12,
        weight_decay=0.1,
    )
    x, y = torch.tensor(X), torch.tensor(Y)
    for step in range(steps):
        for group, start in zip(groups, starts, strict=True):
            for tensor in group:
                tensor.requires_grad_(step >= start)
        h = x
        for kernel, bias in groups:
            h = torch.tanh(h @ kernel + bias)
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(h, y).backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(tensors, clip)
        optimizer.step()
    return [tensor.detach().numpy() for tensor in tensors]


@pytest.mark.parametrize(
    ("starts", "clip"), [((0, 0, 0), None), ((9, 4, 0), 0.05)]
)
@pytest.mark.compiled("starts1-0.05")
def test_it_is_adamw_of_torch_with_parameter_groups(starts, clip):
    rates = [0.25, 0.5, 1.0]
    optimizer = ParameterGroups(
        keras.optimizers.AdamW(
            0.02, weight_decay=0.1, epsilon=1e-12, global_clipnorm=clip
        ),
        LAYERS,
        [
            unfrozen(start, rate) if start else rate
            for start, rate in zip(starts, rates, strict=True)
        ],
    )
    ours = compiled(optimizer, jit_compile="auto")
    train(ours, 20)
    expected = by_torch(rates, starts, 20, clip)
    assert_close(ours.get_weights(), expected, rtol=1e-5, atol=1e-5)
    others = by_torch([1.0] * 3, starts, 20, clip)
    assert np.abs(expected[0] - others[0]).max() > 1e-2


@pytest.mark.compiled
def test_a_frozen_group_stands_still_to_the_last_bit():
    """Its weights, moments and count, even if it is frozen once more."""
    pause = Constant([2, 5], [1.0, 0.0, 1.0])
    inner = keras.optimizers.AdamW(0.01, weight_decay=0.5)
    optimizer = ParameterGroups(inner, LAYERS, [unfrozen(4), pause, 1.0])
    ours = compiled(optimizer)
    optimizer.build(ours.trainable_variables)
    for step in range(9):
        weights = ours.get_weights()
        moments = [state(g.optimizer.variables) for g in optimizer._groups]
        train(ours, 1)
        moved = [step >= 4, step < 3 or step >= 6, True]
        for number, group in enumerate(optimizer._groups):
            own = slice(2 * number, 2 * number + 2)
            after = state(group.optimizer.variables)
            if moved[number]:
                assert (weights[own][0] != ours.get_weights()[own][0]).all()
                assert (moments[number][2] != after[2]).all()
            else:
                assert_same(ours.get_weights()[own], weights[own])
                assert_same(after, moments[number])
    counts = [int(g.optimizer.iterations) for g in optimizer._groups]
    assert counts == [5, 6, 9]


@pytest.mark.parametrize("kind", ["accumulated", "scheduled"])
@pytest.mark.compiled("accumulated")
def test_frozen_is_as_if_it_were_not_trainable(kind):
    make = OPTIMIZERS[kind]
    rates = [unfrozen(9), unfrozen(9), 1.0]
    ours = compiled(ParameterGroups(make(), LAYERS, rates))
    plain = model()
    for layer in plain.layers[:2]:
        layer.trainable = False
    compiled(make(), plain)
    for made in (plain, ours):
        made.fit(X, Y, batch_size=8, epochs=3, shuffle=False, verbose=0)
    tolerance = {"rtol": 1e-6, "atol": 1e-7}
    assert_close(ours.get_weights(), plain.get_weights(), **tolerance)


@pytest.mark.compiled(on="tensorflow")
def test_training_that_is_resumed_goes_on(tmp_path):
    def ours():
        inner = keras.optimizers.AdamW(
            LinearWarmupDecay(0.05, 20, 4), use_ema=True, global_clipnorm=0.1
        )
        rates = [unfrozen(6, 0.3), unfrozen(3, 0.6), 1.0]
        return compiled(ParameterGroups(inner, LAYERS, rates))

    through = ours()
    losses = train(through, 10)
    first = ours()
    assert train(first, 5) == losses[:5]
    first.save(tmp_path / "model.keras")
    second = keras.models.load_model(tmp_path / "model.keras")
    assert train(second, 5) == losses[5:]
    assert_same(second.get_weights(), through.get_weights())


def test_accumulated_gradients_count_as_one_update():
    inner = keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)
    ours = compiled(ParameterGroups(inner, LAYERS, [unfrozen(2), 0.5, 1.0]))
    whole = keras.optimizers.SGD(0.1)
    at_once = compiled(ParameterGroups(whole, LAYERS, [unfrozen(2), 0.5, 1.0]))
    for update in range(4):
        before = ours.get_weights()
        train(ours, 1)
        assert_same(ours.get_weights(), before)
        train(ours, 1)
        train(at_once, 1)
        assert (ours.get_weights()[0] != before[0]).any() == (update >= 2)
    assert_close(
        ours.get_weights(), at_once.get_weights(), rtol=1e-5, atol=1e-6
    )


@pytest.mark.compiled
def test_the_rate_is_set_by_hand_and_by_callbacks():
    optimizer = ParameterGroups(keras.optimizers.SGD(0.5), LAYERS, [0.5] * 3)
    ours = compiled(optimizer)
    halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    logs = ours.fit(X, Y, epochs=2, callbacks=[halve], verbose=0).history
    np.testing.assert_allclose(logs["learning_rate"], [0.25, 0.125])
    optimizer.learning_rate = 0.0
    before = ours.get_weights()
    train(ours, 1)
    assert_same(ours.get_weights(), before)
    assert optimizer.get_config()["optimizer"]["config"]["learning_rate"] == 0


def test_averages_are_of_the_weights_that_there_are():
    inner = keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.75)
    ours = compiled(ParameterGroups(inner, LAYERS, [0.5, unfrozen(2), 1.0]))
    train(ours, 1)
    expected = ours.get_weights()
    for _ in range(4):
        train(ours, 1)
        new = ours.get_weights()
        expected = [
            0.75 * e + 0.25 * w for e, w in zip(expected, new, strict=True)
        ]
    ours.optimizer.finalize_variable_values(ours.trainable_variables)
    assert_close(ours.get_weights(), expected, rtol=1e-5, atol=1e-6)


def test_constraints_are_kept():
    made = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(5, kernel_constraint="unit_norm", name="first"),
            keras.layers.Dense(2, name="second"),
        ],
        name="net",
    )
    optimizer = ParameterGroups("adam", LAYERS[:2], [unfrozen(2), 0.5])
    compiled(optimizer, made)
    train(made, 4)
    norms = np.linalg.norm(made.get_weights()[0], axis=0)
    np.testing.assert_allclose(norms, 1.0, rtol=1e-5)


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_is_excluded_from_weight_decay(when):
    inner = keras.optimizers.AdamW(0.0, weight_decay=0.5)
    if when == "before":
        inner.exclude_from_weight_decay(var_names=["bias"])
    optimizer = ParameterGroups(inner, [*LAYERS[:2], *LAYERS[2]], [1.0] * 4)
    if when == "after":
        optimizer.exclude_from_weight_decay(var_names=["bias"])
    ours = compiled(optimizer)
    before = ours.get_weights()
    optimizer.learning_rate = 0.1
    train(ours, 1)
    # Adam moves each weight by the rate, decay further by a twentieth.
    for old, new in zip(before, ours.get_weights(), strict=True):
        share = 0.05 if old.ndim == 2 else 0.0
        moved = np.abs(new - (1 - share) * old)
        np.testing.assert_allclose(moved, 0.1, rtol=1e-3)


def test_a_trainer_with_several():
    trainer = TwoPlayers()
    layers = trainer.generator.layers
    groups = [layers[:2], layers[2:]]
    trainer.compile(
        optimizer={
            "generator": ParameterGroups("adam", groups, [unfrozen(2), 1.0]),
            "discriminator": "adam",
        }
    )
    x = normal(12, 3)
    before = trainer.generator.get_weights()
    trainer.fit(x, batch_size=6, epochs=1, verbose=0)
    after = trainer.generator.get_weights()
    np.testing.assert_array_equal(before[0], after[0])
    assert (before[-1] != after[-1]).any()
    trainer.fit(x, batch_size=6, epochs=1, verbose=0)
    assert (before[0] != trainer.generator.get_weights()[0]).any()


@pytest.mark.parametrize("kind", ["model", "trainer"])
@pytest.mark.compiled
def test_mixed_precision_with_a_loss_scale(kind):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        net = model() if kind == "model" else network(5, inputs=3, outputs=2)
    finally:
        keras.config.set_dtype_policy("float32")
    groups = [layer for layer in net.layers if layer.weights]
    rates = [unfrozen(2)] + [1.0] * (len(groups) - 1)
    ours = net if kind == "model" else Supervised(net)
    compiled(ParameterGroups("adam", groups, rates), ours)
    assert isinstance(ours.optimizer, keras.optimizers.LossScaleOptimizer)
    before = net.get_weights()
    for update in range(3):
        ours.fit(X, Y, batch_size=16, verbose=0)
        assert (net.get_weights()[0] != before[0]).any() == (update == 2)
    assert (net.get_weights()[-1] != before[-1]).any()


@pytest.mark.compiled
def test_a_trainer_that_updates_a_part():
    class Alternating(Supervised):
        def training_step(self, data):
            x, y = data
            own = self.network.layers[-1].trainable_variables
            return {
                "loss": self.minimize(
                    lambda: self.compute_loss(x, y, self(x)), own
                )
            }

    net = model()
    trainer = Alternating(net)
    compiled(ParameterGroups("adam", LAYERS, [0.5, 0.5, 1.0]), trainer)
    before = net.get_weights()
    trainer.fit(X, Y, verbose=0)
    assert_same(net.get_weights()[:4], before[:4])
    assert (net.get_weights()[4] != before[4]).any()
    counts = [int(g.optimizer.iterations) for g in trainer.optimizer._groups]
    assert counts == [0, 0, 1]


@keras.saving.register_keras_serializable("keras_dl_tests")
class Unnamed(keras.Model):
    """Keras makes up the names of its layers, anew each time."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.low, self.high = keras.layers.Dense(5), keras.layers.Dense(2)

    def build(self, input_shape):
        self.low.build(input_shape)
        self.high.build((None, 5))

    def call(self, x):
        return self.high(self.low(x))


def test_layers_without_names_of_their_own(tmp_path):
    made = Unnamed()
    made.build((None, 3))
    groups = [made.low, [made.high.kernel, made.high.bias]]
    compiled(ParameterGroups("adam", groups, [unfrozen(6), 0.5]), made)
    train(made, 2)
    for _ in range(2):
        made.save(tmp_path / "model.keras")
        again = keras.models.load_model(tmp_path / "model.keras")
        assert again.low.kernel.path != made.low.kernel.path
        losses = train(made, 3)
        assert train(again, 3) == losses
        made = again


def test_saved_before_training(tmp_path):
    inputs = keras.Input((3,))
    low, high = keras.layers.Dense(5), keras.layers.Dense(2)
    made = keras.Model(inputs, high(low(inputs)))
    ours = compiled(ParameterGroups("adam", [low, high], [0.5, 1.0]), made)
    ours.save(tmp_path / "model.keras")
    with pytest.warns(UserWarning, match="Skipping variable loading"):
        again = keras.models.load_model(tmp_path / "model.keras")
    assert train(again, 2) == train(ours, 2)


def test_state_of_other_groups_is_refused(tmp_path):
    first = compiled(ParameterGroups("adam", LAYERS, [1.0] * 3))
    train(first, 1)
    first.save_weights(tmp_path / "model.weights.h5")
    groups = [LAYERS[1], LAYERS[0], LAYERS[2]]
    second = compiled(ParameterGroups("adam", groups, [1.0] * 3))
    train(second, 1)
    with pytest.raises(ValueError, match=r"other groups.*\[0, 0, 1, 1, 2, 2\]"):
        second.load_weights(tmp_path / "model.weights.h5")
    plain = compiled(keras.optimizers.Adam())
    train(plain, 1)
    plain.save_weights(tmp_path / "model.weights.h5")
    with pytest.warns(UserWarning, match="Skipping variable loading"):
        second.load_weights(tmp_path / "model.weights.h5")


def test_contract():
    groups = ["sequential/dense/kernel", "sequential/dense/bias"]
    check_optimizer(
        lambda: ParameterGroups(
            keras.optimizers.Adam(0.1), groups, [1.0, unfrozen(5, 0.5)]
        )
    )


def loss_scaled():
    return keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD())


def built():
    optimizer = keras.optimizers.SGD()
    optimizer.build(model().trainable_variables)
    return optimizer


class Nameless(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule that no copy can be made of."""

    def __call__(self, step):
        return 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("adam", LAYERS, [1.0]), "`rates`.*1 rates for 3 groups"),
        (("adam", [], []), "at least one.*0 rates"),
        (("adam", LAYERS, [0.0, 1.0, 1.0]), "`rates`.*trainable = False"),
        (("adam", LAYERS, [-1.0, 1.0, 1.0]), "`rates`.*above 0.*-1"),
        (("adam", LAYERS, ["a", 1.0, 1.0]), "`rates`.*number"),
        (("adam", LAYERS, [Nameless(), 1.0, 1.0]), "`rates`.*: Nameless, wh"),
        (("adam", [[], *LAYERS[1:]], [1.0] * 3), "`groups`.*trainable"),
        (
            ("adam", [keras.layers.Dense(2), LAYERS[1]], [1.0] * 2),
            "`groups`.*Is the model built",
        ),
        (
            ("adam", [LAYERS[0], LAYERS[1], "net/first/bias"], [1.0] * 3),
            "one of `groups` only.*'net/first/bias' in groups 0 and 2",
        ),
        ((loss_scaled(), LAYERS, [1.0] * 3), "LossScaleOptimizer.*inside"),
        ((built(), LAYERS, [1.0] * 3), "must not have been built.*SGD"),
        (
            (ParameterGroups("sgd", LAYERS, [1.0] * 3), LAYERS, [1.0] * 3),
            "a ParameterGroups, which",
        ),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        ParameterGroups(*arguments)


def test_wrong_members():
    with pytest.raises(TypeError, match="`groups` must hold layers.*3"):
        ParameterGroups("adam", [3], [1.0])


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([*LAYERS, ["fourth/kernel"]], "not trained: .'fourth/kernel'"),
        (LAYERS[:2], "Missing are: .'net/third/kernel', 'net/third/bias'"),
    ],
)
def test_groups_that_do_not_fit_the_model(groups, message):
    optimizer = ParameterGroups("adam", groups, [1.0] * len(groups))
    with pytest.raises(ValueError, match=message):
        optimizer.build(model().trainable_variables)
