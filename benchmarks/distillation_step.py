"""A distillation step with features, beside keras.distillation's and by hand.

A student of 6 dense layers of 256 learns of a teacher of 12: labels, soft
targets at T = 4, and the mean squared distance of the last hidden layer, by
Adam, batch 128. Peers: `keras.distillation.Distiller` with the same three
losses, and the same step by hand in pure JAX (jit, donated state), pure
TensorFlow (tf.function, the fused Adam operation) and pure PyTorch. All start
from the same weights; their students must agree after three steps.

    KERAS_BACKEND=jax python -m benchmarks.distillation_step [--quick]
"""

import importlib

import keras
import numpy as np

from benchmarks._models import (
    BACKEND,
    Batches,
    bare_step,
    hand_loop,
    jit_compile,
    under_fit,
)
from benchmarks._timing import arguments, interleave, print_header
from keras_dl.losses import SoftTargets
from keras_dl.training import (
    FeatureDistance,
    LogitsDistillation,
    SupervisedTrainer,
)

TARGETS = {"keras": 0.80, "jax": 1.05, "tensorflow": 1.05, "torch": 1.15}
STEPS, BATCH, TEMPERATURE = 8, 128, 4.0
STUDENT, TEACHER = (256,) * 6 + (10,), (256,) * 12 + (10,)


def main():
    quick = arguments(__doc__).quick
    print_header()
    blocks, steps = (2, 2) if quick else (8, 10)
    data = batches()
    start = network(STUDENT), network(TEACHER)
    mine, theirs = trainer(*start), distiller(*start)
    hand = by_hand(*start)
    students = mine.network, theirs.student
    loops = [under_fit(one, data) for one in (mine, theirs)]
    own = hand_loop(hand, data)
    for loop in (*loops, own):
        loop(3)
    check_weights(*students, hand)
    name = "6 layers of 12"
    bare = [bare_step(one, data) for one in (mine, theirs)]
    for what, pair, target in (
        (", beside keras.distillation", loops, "keras"),
        (", bare, beside keras.distillation", bare, "keras"),
        (f", bare, beside pure {BACKEND}", (bare[0], own), BACKEND),
    ):
        interleave(name + what, BACKEND, *pair, blocks, steps, TARGETS[target])


def batches():
    random = np.random.default_rng(0)
    x = random.normal(size=(STEPS, BATCH, 784)).astype("float32")
    return Batches(x, random.integers(0, 10, (STEPS, BATCH)).astype("int32"))


def network(widths):
    """Dense layers; the last but one is called "hidden"."""
    keras.utils.set_random_seed(len(widths))
    x = inputs = keras.Input((784,))
    for i, units in enumerate(widths[:-1]):
        name = "hidden" if i == len(widths) - 2 else f"dense_{i}"
        x = keras.layers.Dense(units, activation="relu", name=name)(x)
    return keras.Model(inputs, keras.layers.Dense(widths[-1], name="logits")(x))


def copy(model):
    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    return twin


def compiled(model):
    model.compile(
        keras.optimizers.Adam(1e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        **jit_compile(False),
    )
    return model


def trainer(student, teacher):
    """Ours."""
    terms = [
        LogitsDistillation(SoftTargets(TEMPERATURE), weight=0.5, name="soft"),
        FeatureDistance("hidden", weight=0.5, name="features"),
    ]
    return compiled(
        SupervisedTrainer(copy(student), terms, copy(teacher), task_weight=0.5)
    )


def distiller(student, teacher):
    """Keras'."""
    kinds = keras.distillation
    return compiled(
        kinds.Distiller(
            copy(teacher),
            copy(student),
            distillation_losses=[
                kinds.LogitsDistillation(
                    TEMPERATURE, keras.losses.KLDivergence()
                ),
                kinds.FeatureDistillation("mse", "hidden", "hidden"),
            ],
            student_loss_weight=0.5,
        )
    )


def by_hand(student, teacher):
    module = importlib.import_module(
        f"benchmarks.hand_written.distillation_{BACKEND}"
    )
    weights = student.get_weights(), teacher.get_weights()
    return module.Distillation(*weights, TEMPERATURE)


def check_weights(ours, theirs, hand):
    """All three students have learnt the same.

    Where a slope is nearly 0, Adam's first steps have no direction, and
    PyTorch's adds epsilon elsewhere: so it is the mean that counts.
    """
    expected = hand.weights()
    for model in (ours, theirs):
        for a, b in zip(model.get_weights(), expected, strict=True):
            np.testing.assert_array_less(np.abs(a - b).mean(), 3e-4)


if __name__ == "__main__":
    main()
