"""Every private name of Keras that we use, and what breaks without it.

A canary: it fails with the version of Keras that renames one of them. A name
that is not in the list fails, too: look for the public way first.
"""

import ast
import pathlib
import re
import tomllib

import keras
import pytest
from keras import layers, ops, optimizers

from keras_dl.backend import keras_names
from keras_dl.layers import LSTM

ROOT = pathlib.Path(__file__).parents[1]


def functional():
    x = keras.Input((2,))
    return keras.Model(x, layers.Dense(1)(x))


def sequential():
    return keras.Sequential([keras.Input((2,)), layers.Dense(1)])


def compiled():
    model = sequential()
    model.compile("sgd", "mse")
    return model


def built(optimizer):
    optimizer.build([keras.Variable([1.0])])
    return optimizer


def excluding():
    optimizer = built(optimizers.AdamW())
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    return optimizer


def masked():
    return layers.Masking()(ops.ones((1, 1, 1)))


# What `backend.watched` does not look at, by name: without it more is compared
# in each step.
SKIPPED = {
    "_auto_config", "_build_shapes_dict", "_call_has_context_arg",
    "_compiled_trainable_state", "_eval_epoch_iterator", "_inbound_nodes",
    "_loss_ids", "_losses", "_nodes", "_non_persistent_buffers_set",
    "_operations_by_depth", "_outbound_nodes", "_torch_params", "_tracker",
}  # fmt: skip
# Name: what has it, and what breaks without it.
NAMES = {
    "_accumulated_gradients": (
        lambda: built(optimizers.SGD(gradient_accumulation_steps=2)),
        "updates on PyTorch accumulate by it: AttributeError",
    ),
    "_apply_weight_decay": (
        lambda: optimizers.AdamW(),
        "`backend.update` decays weights by it: AttributeError",
    ),
    "_backend_apply_gradients": (
        lambda: optimizers.SGD(),
        "ParameterGroups overrides it: `require`",
    ),
    "_backend_reset_gradient_accumulators": (
        lambda: optimizers.SGD(),
        "updates on PyTorch accumulate by it: AttributeError",
    ),
    "_backend_update_step": (
        lambda: optimizers.SGD(),
        "ParameterGroups overrides it: `require`",
    ),
    "_call_context_args": (
        layers.Identity,
        "networks are run without Keras' call: AttributeError",
    ),
    "_compile_config": (
        compiled,
        "trainers take a compiled model's metrics: `require`",
    ),
    "_distribute_strategy": (
        sequential,
        "trainers build on TensorFlow before they trace: AttributeError",
    ),
    "_exclude_from_weight_decay": (
        excluding,
        "ParameterGroups would decay what is excluded: "
        "test_what_is_excluded_from_weight_decay",
    ),
    "_flatten_layers": (
        sequential,
        "trainers ask whether all parts are built: AttributeError",
    ),
    "_flatten_metrics_in_order": (
        sequential,
        "trainers override it, so that the loss comes first: `require`",
    ),
    "_forward_hooks": (
        layers.Identity,
        "PyTorch's: layers with hooks are called in full: AttributeError",
    ),
    "_forward_pre_hooks": (
        layers.Identity,
        "PyTorch's: layers with hooks are called in full: AttributeError",
    ),
    "_functional": (
        sequential,
        "the nodes of a sequential model: AttributeError",
    ),
    "_get_variable_index": (
        lambda: optimizers.SGD(),
        "ParameterGroups, DifferentiableUpdate and updates on PyTorch find "
        "slots: AttributeError",
    ),
    "_iterations": (
        lambda: optimizers.SGD(),
        "updates on PyTorch count by it: AttributeError",
    ),
    "_keras_mask": (
        masked,
        "masks within networks that are run: `require`",
    ),
    "_learning_rate": (
        lambda: optimizers.SGD(),
        "ParameterGroups reads the schedule: AttributeError",
    ),
    "_loss_tracker": (
        sequential,
        "trainers leave Keras' mean loss out of their metrics: AttributeError",
    ),
    "_maybe_symbolic_build": (
        sequential,
        "trainers override it, on TensorFlow: test_trainer.py",
    ),
    "_model_variables_moving_average": (
        lambda: built(optimizers.SGD(use_ema=True)),
        "updates on PyTorch, and pruned weights' averages: AttributeError",
    ),
    "_modules": (
        sequential,
        "PyTorch's: sublayers by path: test_features.py",
    ),
    "_momentums": (
        lambda: built(optimizers.Adam()),
        "unrolled GANs go on from Adam's state: AttributeError",
    ),
    "_nodes_by_depth": (
        functional,
        "the nodes of a functional model: AttributeError",
    ),
    "_overwrite_model_variables_with_average_value": (
        lambda: optimizers.SGD(),
        "updates on PyTorch average by it: AttributeError",
    ),
    "_post_build": (
        sequential,
        "models are quantized as their files say: `require`",
    ),
    "_post_quantize": (
        sequential,
        "models are quantized as their files say: AttributeError",
    ),
    "_remat_mode": (
        layers.Identity,
        "layers that are computed again are called in full: AttributeError",
    ),
    "_stateful_handle_non_finite_grads": (
        lambda: optimizers.LossScaleOptimizer(optimizers.SGD()),
        "updates on PyTorch skip by it: AttributeError",
    ),
    "_symbolic_build": (
        sequential,
        "trainers override it: `require`",
    ),
    "_tracker": (
        sequential,
        "layers are replaced in what Keras tracks: AttributeError",
    ),
    "_trainable_variables": (
        lambda: built(optimizers.SGD()),
        "loss scaling on JAX, averages of masked weights: AttributeError",
    ),
    "_trainable_variables_indices": (
        lambda: built(optimizers.SGD()),
        "updates on PyTorch ask what is known: AttributeError",
    ),
    "_use_weight_decay": (
        lambda: optimizers.AdamW(),
        "updates ask what is decayed: AttributeError",
    ),
    "_value": (
        lambda: keras.Variable(1.0),
        "regularizers within `substitute`: AttributeError",
    ),
    "_velocities": (
        lambda: built(optimizers.Adam()),
        "unrolled GANs go on from Adam's state: AttributeError",
    ),
    "_velocity_hats": (
        lambda: built(optimizers.Adam(amsgrad=True)),
        "updates on PyTorch find slots by it: AttributeError",
    ),
}
# Names of our own that objects of Keras of another kind happen to have.
CHANCE = {
    "_indices",
    "_initializer",
    "_inputs",
    "_layers",
    "_losses",
    "_name",
    "_nodes",
    "_operations",
    "_outputs",
    "_path",
    "_values",
    "_variables",
    "_version",
}
# On one backend alone.
ALONE = {
    "_distribute_strategy": "tensorflow",
    "_maybe_symbolic_build": "tensorflow",
    "_forward_hooks": "torch",
    "_modules": "torch",
    "_forward_pre_hooks": "torch",
}


def used():
    """Names with an underscore: attributes, strings, and what we define."""
    for folder in ("keras_dl", "applications"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                for part in ("attr", "value", "name"):
                    name = getattr(node, part, None)
                    if isinstance(name, str) and name.isidentifier():
                        yield name


def keras_own():
    """Private names that Keras' own objects have."""
    things = [functional(), sequential(), layers.Dense(1), layers.LSTM(1)]
    things += [keras.Variable(1.0), keras.Input((2,)), excluding()]
    things += [built(optimizers.Adam()), optimizers.RMSprop()]
    things += [optimizers.LossScaleOptimizer(optimizers.SGD())]
    things += [keras.metrics.Mean(), keras.losses.MeanSquaredError()]
    names = {name for thing in things for name in dir(thing)}
    names.add("_keras_mask")  # Of tensors, which are not Keras'.
    return {name for name in names if re.match("_[a-z]", name)}


def test_the_list_is_complete():
    found = set(used()) & keras_own() - CHANCE - SKIPPED
    assert found <= set(NAMES), found - set(NAMES)
    assert set(NAMES) <= set(used()), set(NAMES) - set(used())


@pytest.mark.compiled
@pytest.mark.parametrize("name", NAMES)
def test_it_is_there(name):
    backend = keras.backend.backend()
    if ALONE.get(name, backend) != backend:
        pytest.skip(f"asked for on {ALONE[name]} only")
    make, why = NAMES[name]
    assert hasattr(make(), name), why


def test_the_kernel_of_recurrent_layers_is_our_own():
    assert not hasattr(layers.LSTM, "_kernel") and hasattr(LSTM, "_kernel")


def test_what_is_missing_is_named():
    keras_names.require(keras.Model, "call", "_symbolic_build")
    with pytest.raises(ImportError, match=r"\['_gone'\] of Layer.*keras 3"):
        keras_names.require(keras.Layer, "call", "_gone")
    with pytest.raises(ImportError, match=r"\['_gone'\] of Dense"):
        keras_names.require(layers.Dense(1), "_gone")


def test_the_newest_keras_that_was_tried_is_a_ceiling():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (wanted,) = (d for d in project["dependencies"] if d.startswith("keras"))
    ceiling = re.search(r"<(\d+)\.(\d+)", wanted)
    tried = keras.__version__.split(".")[:2]
    assert [int(n) for n in ceiling.groups()] == [
        int(tried[0]),
        int(tried[1]) + 1,
    ]
