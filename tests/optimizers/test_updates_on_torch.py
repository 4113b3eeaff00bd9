"""Fused updates on PyTorch beside Keras' own, and beside NumPy in float64."""

import weakref

import keras
import numpy as np
import pytest
from keras import optimizers
from keras.optimizers import schedules
from sequences import normal

from keras_dl import applications, backend
from keras_dl.optimizers import ParameterGroups

if backend.name != "torch":
    pytest.skip("elsewhere it is Keras' own `apply`", allow_module_level=True)

import torch
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from keras_dl.backend import torch_optimizers

SHAPES = (4, 6), (6,), (6, 5), (3, 2, 4), (1,)
NAMES = "kernel_0", "bias_0", "kernel_1", "kernel_2", "bias_1"
START = [normal(*shape, seed=i) for i, shape in enumerate(SHAPES)]
SLOPES = [
    [normal(*shape, seed=10 * step + i) for i, shape in enumerate(SHAPES)]
    for step in range(1, 101)
]
# How gradients lie in memory.
LAYOUTS = (
    lambda x: x,
    lambda x: x,
    lambda x: x.T.contiguous().T,
    lambda x: x.permute(2, 0, 1).contiguous().permute(1, 2, 0),
    lambda x: x,
)


def rate():
    return schedules.CosineDecay(0.0, 80, warmup_target=0.02, warmup_steps=10)


KINDS = {
    "adam": lambda **k: optimizers.Adam(**{"learning_rate": 0.01} | k),
    "amsgrad": lambda **k: optimizers.Adam(
        **{"learning_rate": 0.01, "amsgrad": True, "epsilon": 1e-3} | k
    ),
    "adamw": lambda **k: optimizers.AdamW(
        **{"learning_rate": 0.01, "weight_decay": 0.1} | k
    ),
    "sgd": lambda **k: optimizers.SGD(**{"learning_rate": 0.01} | k),
    "momentum": lambda **k: optimizers.SGD(
        **{"learning_rate": 0.01, "momentum": 0.9} | k
    ),
    "nesterov": lambda **k: optimizers.SGD(
        **{"learning_rate": 0.01, "momentum": 0.9, "nesterov": True} | k
    ),
}
OTHERS = {
    name: lambda name=name, **k: getattr(optimizers, name)(
        **{"learning_rate": 0.01, "weight_decay": 0.1} | k
    )
    for name in ("Adadelta", "Adagrad", "Adamax", "Lion", "RMSprop", "Nadam")
}
OPTIONS = {
    "plain": {},
    "decayed": {"weight_decay": 0.05, "learning_rate": rate},
    "norm": {"clipnorm": 1.0, "loss_scale_factor": 3.0},
    "global": {"global_clipnorm": 1.0, "loss_scale_factor": 3.0},
    "value": {"clipvalue": 0.3},
    "averaged": {"use_ema": True, "ema_momentum": 0.9},
    "overwritten": {"use_ema": True, "ema_overwrite_frequency": 7},
    "accumulated": {
        "gradient_accumulation_steps": 3,
        "global_clipnorm": 0.5,
        "loss_scale_factor": 3.0,
        "use_ema": True,
        "ema_overwrite_frequency": 4,
        "learning_rate": rate,
    },
}


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """Several parts, in some of them several variables."""
    monkeypatch.setattr(torch_optimizers, "PART", 36)


@pytest.fixture
def fused(monkeypatch):
    """The sizes of lists that fused kernels get."""
    calls = []

    def spied(kernel):
        def run(weights, *arguments, **kwargs):
            calls.append(len(weights))
            return kernel(weights, *arguments, **kwargs)

        return run

    for name in ("_fused_adam_", "_fused_sgd_"):
        monkeypatch.setattr(torch, name, spied(getattr(torch, name)))
    return calls


def weights(dtype="float32"):
    made = [
        keras.Variable(value, dtype=dtype, name=name)
        for value, name in zip(START, NAMES, strict=True)
    ]
    made[0].constraint = keras.constraints.MaxNorm(1.5)
    return made


def built(make, variables, **options):
    if callable(options.get("learning_rate")):
        options["learning_rate"] = options["learning_rate"]()
    optimizer = make(**options)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    optimizer.build(variables)
    return optimizer


def by_keras(optimizer, gradients, variables):
    with torch.no_grad():
        optimizer.apply(gradients, variables)


def train(apply, optimizer, variables, steps=SLOPES, change=lambda i, g: g):
    for number, slopes in enumerate(steps):
        gradients = [
            layout(torch.tensor(slope).to(variable.value.dtype))
            for slope, layout, variable in zip(
                slopes, LAYOUTS, variables, strict=True
            )
        ]
        apply(optimizer, change(number, gradients), variables)


def state(optimizer, variables):
    """All numbers, by name."""
    everything = [*variables, *optimizer.variables]
    return [keras.ops.convert_to_numpy(v.value) for v in everything]


def both(make, change=lambda i, g: g, dtype="float32", **options):
    """Keras' and our numbers after 100 updates."""
    for apply in (by_keras, backend.apply_gradients):
        variables = weights(dtype)
        optimizer = built(make, variables, **options)
        train(apply, optimizer, variables, change=change)
        yield state(optimizer, variables)


def assert_close(actual, expected, tolerance=1e-6):
    for a, e in zip(actual, expected, strict=True):
        largest = np.abs(np.asarray(e, "float64")).max()
        np.testing.assert_allclose(a, e, rtol=0, atol=tolerance * largest)


def assert_same(actual, expected):
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(a, e)


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_100_updates_are_keras_own(kind, option, fused):
    theirs, ours = both(KINDS[kind], **OPTIONS[option])
    assert_close(ours[: len(START)], theirs[: len(START)])
    # Of 100 equal slopes the same squares are rounded 100 times.
    assert_close(ours, theirs, 2e-6)
    assert fused and max(fused) > 1  # More than a weight at a time.


@pytest.mark.parametrize("kind", OTHERS)
def test_other_rules_are_keras_own_part_by_part(kind):
    theirs, ours = both(OTHERS[kind])
    assert_same(ours, theirs)


def test_float64():
    theirs, ours = both(KINDS["adamw"], dtype="float64", learning_rate=rate)
    assert_close(ours, theirs, 1e-14)


# In NumPy, in float64: rates, decay but of biases, gradients clipped together.


def by_numpy(rule, decay, clip):
    values = [value.astype("float64") for value in START]
    slots = [{} for _ in values]
    for step, slopes in enumerate(SLOPES):
        now = 0.02 * step / 10
        if step >= 10:
            now = 0.01 * (1 + np.cos(np.pi * (step - 10) / 80))
        now = now if step < 90 else 0.0
        slopes = [slope.astype("float64") for slope in slopes]
        norm = np.sqrt(sum((slope**2).sum() for slope in slopes))
        for i, slope in enumerate(slopes):
            if "bias" not in NAMES[i]:
                # Keras rounds it, and it is applied 100 times.
                values[i] *= np.float32(1) - np.float32(decay * now)
            slope = slope * min(1.0, clip / norm)
            values[i] -= rule(slots[i], step + 1, now, slope)
    return values


def adam(slots, step, rate, slope):
    m = slots["m"] = 0.9 * slots.get("m", 0.0) + 0.1 * slope
    v = slots["v"] = 0.999 * slots.get("v", 0.0) + 0.001 * slope**2
    alpha = rate * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
    return alpha * m / (np.sqrt(v) + 1e-3)


def nesterov(slots, step, rate, slope):
    m = slots["m"] = 0.9 * slots.get("m", 0.0) - rate * slope
    return rate * slope - 0.9 * m


@pytest.mark.parametrize("rule", [adam, nesterov])
def test_100_updates_beside_numpy(rule):
    kind, options = {
        adam: ("adamw", {"epsilon": 1e-3}),
        nesterov: ("nesterov", {}),
    }[rule]
    options |= {"weight_decay": 0.1, "learning_rate": rate}
    variables = weights("float64")
    variables[0].constraint = None
    optimizer = built(KINDS[kind], variables, global_clipnorm=2.0, **options)
    train(backend.apply_gradients, optimizer, variables)
    ours = state(optimizer, variables)[: len(START)]
    assert_close(ours, by_numpy(rule, 0.1, 2.0))


# What is left to Keras.


class Doubled(optimizers.Adam):
    def update_step(self, gradient, variable, learning_rate):
        super().update_step(2.0 * gradient, variable, learning_rate)


def halves(step, gradients):
    return [gradient.half() for gradient in gradients]


@pytest.mark.parametrize(
    "case",
    [
        {"make": lambda **k: Doubled(0.01)},
        {"make": KINDS["adam"], "dtype": "bfloat16"},
        {"make": KINDS["momentum"], "change": halves},
    ],
)
def test_what_is_left_to_keras(case, fused):
    theirs, ours = both(**case)
    assert_same(ours, theirs)
    assert not fused


def test_weights_in_another_order_of_memory(fused):
    """Kernels do not see it: they would read other numbers."""
    found = []
    for apply in (by_keras, backend.apply_gradients):
        variables = weights()
        turned = torch.tensor(START[2]).T.contiguous().T
        variables[2]._value = torch.nn.Parameter(turned)
        optimizer = built(KINDS["adamw"], variables)
        train(apply, optimizer, variables)
        found.append(state(optimizer, variables))
    assert_close(found[1], found[0])
    assert fused


def test_variables_of_two_dtypes():
    found = []
    for apply in (by_keras, backend.apply_gradients):
        variables = weights()
        variables[2] = keras.Variable(START[2], dtype="float64")
        optimizer = built(KINDS["adam"], variables, use_ema=True)
        train(apply, optimizer, variables)
        # Only those of one dtype, but averages of all.
        apply(optimizer, [torch.ones(4, 6)], variables[:1])
        found.append(state(optimizer, variables))
    assert_close(found[1], found[0])


def test_gradients_are_overwriting_and_sparse():
    found = []
    for apply in (by_keras, backend.apply_gradients):
        variables = weights()
        variables[1].overwrite_with_gradient = True
        optimizer = built(KINDS["sgd"], variables)
        train(apply, optimizer, variables, SLOPES[:3])
        embedding = keras.Variable(START[0])
        optimizer = built(KINDS["sgd"], [embedding])
        apply(optimizer, [torch.eye(4, 6).to_sparse()], [embedding])
        found.append([*state(optimizer, variables), embedding.numpy()])
    assert_same(found[1], found[0])


def test_some_variables_and_no_gradients():
    found = []
    for apply in (by_keras, backend.apply_gradients):
        variables = weights()
        optimizer = built(KINDS["adamw"], variables, use_ema=True)
        for slopes in SLOPES[:9]:
            gradients = list(map(torch.tensor, slopes))
            apply(optimizer, gradients[1:3], variables[1:3])
            apply(optimizer, [], [])
        found.append(state(optimizer, variables))
    assert_close(found[1], found[0])


def test_errors_are_keras_own():
    variables = weights()
    optimizer = built(KINDS["adam"], variables[:1])
    with pytest.raises(ValueError, match="Unknown variable"):
        backend.apply_gradients(optimizer, [torch.ones(6)], variables[1:2])
    with pytest.raises(RuntimeError):
        backend.apply_gradients(optimizer, [torch.ones(2, 3)], variables[:1])


def test_within_a_scope_variables_stay_as_they_are():
    variables = weights()
    optimizer = built(KINDS["adam"], variables)
    everything = [*variables, *optimizer.variables]
    before = state(optimizer, variables)
    gradients = list(map(torch.tensor, SLOPES[0]))
    with backend.Scope([(v, v.value.clone()) for v in everything]):
        backend.apply_gradients(optimizer, gradients, variables)
    assert_same(state(optimizer, variables), before)


# Around the update.


def scaled(**options):
    inner = optimizers.Adam(0.01, loss_scale_factor=2.0, global_clipnorm=1.0)
    return optimizers.LossScaleOptimizer(inner, dynamic_growth_steps=7)


def test_loss_scaling_with_overflows(fused):
    def change(step, gradients):
        if step % 20 == 13:
            gradients[2][1, 1] = (np.inf, -np.inf, np.nan)[step % 3]
        return [gradient * 2.0**15 for gradient in gradients]

    theirs, ours = both(scaled, change)
    assert_close(ours, theirs)
    assert np.isfinite(ours[2]).all() and fused


def test_gradients_stay_as_they_are():
    """Users may look at them afterwards, and several may be one tensor."""
    one = torch.ones(4, 6)
    for options in (
        {"clipnorm": 0.1},
        {"clipvalue": 0.1},
        {"gradient_accumulation_steps": 2},
    ):
        variables = [keras.Variable(START[0]), keras.Variable(START[0])]
        optimizer = built(KINDS["adamw"], variables, **options)
        for _ in range(4):
            backend.apply_gradients(optimizer, [one, one], variables)
        assert (one == 1.0).all()
        assert_same(variables[:1], variables[1:])


def test_keras_and_we_go_on_from_each_other():
    """What is saved, and its names, are Keras'; any backend goes on."""
    options = {"use_ema": True, "learning_rate": rate}
    found, names = [], []
    for first, second in (
        (by_keras, by_keras),
        (backend.apply_gradients, by_keras),
        (by_keras, backend.apply_gradients),
    ):
        variables, store = weights(), {}
        optimizer = built(KINDS["adamw"], variables, **options)
        train(first, optimizer, variables, SLOPES[:50])
        optimizer.save_own_variables(store)
        again = built(KINDS["adamw"], variables, **options)
        again.load_own_variables(store)
        train(second, again, variables, SLOPES[50:])
        found.append(state(again, variables))
        names.append([v.name for v in again.variables])
    assert_close(found[1], found[0])
    assert_close(found[2], found[0])
    assert names[1] == names[0]


def test_groups_are_fused(fused):
    variables = weights()
    groups = [[v] for v in variables]
    optimizer = ParameterGroups(optimizers.AdamW(0.1), groups, [1.0] * 5)
    optimizer.build(variables)
    backend.apply_gradients(
        optimizer, list(map(torch.tensor, SLOPES[0])), variables
    )
    assert fused == [1] * 5


def test_models_that_keras_trains_are_fused(fused):
    """Applications train by a step of Keras'."""
    model = applications.MLP((4,), num_outputs=2)
    model.compile(scaled())
    model.fit(normal(8, 3), np.arange(8) % 2, batch_size=4, verbose=0)
    assert fused == [4, 4]
    assert "apply" not in vars(model.optimizer)
    assert all(v.value.grad is None for v in model.trainable_variables)


class Alive(TorchDispatchMode):
    """How many numbers were in new tensors, at most, at once."""

    now = most = 0

    def __torch_dispatch__(self, function, types, arguments=(), kwargs=None):
        found = function(*arguments, **(kwargs or {}))
        if not function._schema.is_mutable:
            for tensor in tree_leaves(found):
                if isinstance(tensor, torch.Tensor):
                    self.change(tensor.numel())
                    weakref.finalize(tensor, self.change, -tensor.numel())
        return found

    def change(self, number):
        self.now += number
        self.most = max(self.most, self.now)


@pytest.mark.parametrize(
    "kind, options, limit",
    [
        ("adamw", {"use_ema": True}, 30),
        ("nesterov", {"weight_decay": 0.1, "learning_rate": rate}, 30),
        ("adam", {"gradient_accumulation_steps": 2, "clipvalue": 1.0}, 350),
        ("momentum", {"global_clipnorm": 1.0, "loss_scale_factor": 3.0}, 350),
    ],
)
def test_nothing_is_copied(kind, options, limit, monkeypatch):
    monkeypatch.setattr(torch_optimizers, "PART", 100)
    variables = [keras.Variable(normal(10, 10, seed=i)) for i in range(20)]
    optimizer = built(KINDS[kind], variables, **options)
    gradients = [torch.ones(10, 10) for _ in variables]
    for _ in range(2):
        with Alive() as alive:
            backend.apply_gradients(optimizer, gradients, variables)
        assert alive.most <= limit
    with Alive() as alive:
        for _ in range(2):
            by_keras(optimizer, gradients, variables)
    assert alive.most > 2 * limit or kind == "nesterov"


def test_a_recorded_update_goes_on_with_time():
    """Rate, count and averages' momentum are read when a graph runs."""
    options = OPTIONS["averaged"] | {"global_clipnorm": 1.0}
    options |= {"learning_rate": lambda: schedules.CosineDecay(0.02, 80)}
    found = []
    for recorded in (False, True):
        variables = weights()
        variables[0].constraint = None
        optimizer = built(KINDS["adamw"], variables, **options)

        def update(*gradients, optimizer=optimizer, variables=variables):
            backend.apply_gradients(optimizer, list(gradients), variables)
            return ()

        if recorded:
            before = state(optimizer, variables)
            update = make_fx(update)(*map(torch.tensor, SLOPES[0]))
            everything = [*variables, *optimizer.variables]
            for variable, value in zip(everything, before, strict=True):
                variable.assign(value)
        for slopes in SLOPES:
            with torch.no_grad():
                update(*map(torch.tensor, slopes))
        found.append(state(optimizer, variables))
    assert_same(found[1], found[0])
