"""The agreement table's losses, metrics and optimizers."""

import keras
import numpy as np
from cases import covers, filled, function_case, layer_case, model_case
from gans import perceptron, same_noise
from keras import ops
from sequences import normal

from keras_dl import autodiff, losses, metrics, optimizers

REAL, FAKE = normal(6, 3), normal(6, 3, seed=1)
IMAGES = normal(2, 8, 8, 3)
IDS = np.array([[1, 2, 0], [3, 0, 0], [1, 1, 1], [2, 4, 0]], "int32")
NUMBERS = normal(8, 1, seed=2)


def adversarial(loss):
    """The losses of both players."""

    def both(real, fake):
        discriminator = loss.discriminator(real, fake)
        return ops.stack([discriminator, loss.generator(fake, real)])

    return function_case(both, REAL, FAKE)


@covers(losses.MinimaxLoss)
def minimax():
    return adversarial(losses.MinimaxLoss())


@covers(losses.NonSaturatingLoss)
def non_saturating():
    return adversarial(losses.NonSaturatingLoss())


@covers(losses.LeastSquaresLoss)
def least_squares():
    return adversarial(losses.LeastSquaresLoss(0.1, 0.9, 0.8))


@covers(losses.WassersteinLoss)
def wasserstein():
    return adversarial(losses.WassersteinLoss())


@covers(losses.AdversarialHingeLoss)
def hinge():
    return adversarial(losses.AdversarialHingeLoss())


@covers(losses.GeneratorClassificationLoss)
def generator_classification():
    return adversarial(losses.GeneratorClassificationLoss(2))


@covers(losses.LabelSmoothedCrossentropy)
def label_smoothed_crossentropy():
    loss = losses.LabelSmoothedCrossentropy(0.1, ignore_class=0)
    return function_case(lambda y: loss(IDS, y), normal(4, 3, 5))


@covers(losses.SoftTargets)
def soft_targets():
    """Of two teachers, one by its probabilities, with the labels' kinds."""
    teachers, losses_ = [normal(4, 3), normal(4, 3, seed=1)], []
    for kind in ("kl", "crossentropy", "mse", "hard"):
        for activation in ("softmax", "sigmoid"):
            losses_.append(losses.SoftTargets(3.0, kind, activation))

    def call(y):
        return ops.stack(
            [
                loss.of_teachers(teachers, y, [0.3, 0.7], mean_of)
                for loss in losses_
                for mean_of in ("logits", "probabilities")
            ]
        )

    return function_case(call, normal(4, 3, seed=2))


@covers(losses.AttentionTransfer, losses.RelationalLoss)
def maps_and_relations():
    teacher, weights = normal(4, 2, 3), np.array([1, 0, 2, 1], "float32")
    every = [losses.AttentionTransfer(3.0)]
    every += map(losses.RelationalLoss, ("distance", "angle", "similarity"))

    def call(y):
        return ops.stack([loss(teacher, y, weights) for loss in every])

    return function_case(call, normal(4, 2, 5, seed=1))


@covers(losses.PerceptualLoss)
def perceptual():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(4, 3, activation="tanh", name="features"),
            keras.layers.Flatten(),
        ]
    )
    loss = losses.PerceptualLoss(filled(model))
    y_true = normal(2, 8, 8, 3, seed=1)
    return function_case(lambda y: loss(y_true, y), IMAGES)


def penalty(penalty):
    """A penalty's gradients are second derivatives of the score."""
    same_noise()
    score = filled(perceptron(3, outputs=1))
    seed = keras.random.SeedGenerator(1)

    def call(real, fake):
        return penalty(score, real, fake, seed)

    return function_case(call, REAL, FAKE, loss=lambda value: value)


@covers(losses.GradientPenalty)
def gradient_penalty():
    return penalty(losses.GradientPenalty(2.0, one_sided=True))


@covers(losses.R1Penalty)
def r1_penalty():
    return penalty(losses.R1Penalty(2.0))


@covers(losses.DriftPenalty)
def drift_penalty():
    return penalty(losses.DriftPenalty(2.0))


def measured(model, x, y, **compiling):
    return model_case(model, x, y, **{"loss": "mse", **compiling})


@covers(
    metrics.EntityF1,
    metrics.ExactMatch,
    metrics.Perplexity,
    metrics.TokenAccuracy,
)
def metrics_of_tokens():
    """Beside one another, weighted, within a compiled step."""
    layers = [keras.Input((3,), dtype="int32")]
    layers += [keras.layers.Embedding(6, 4), keras.layers.Dense(5)]
    tags = ["O", "B-A", "I-A", "B-B", "I-B"]
    return model_case(
        keras.Sequential(layers),
        IDS,
        (IDS + 1) % 5,
        (IDS > 0).astype("float32"),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        weighted_metrics=[
            metrics.EntityF1(tags),
            metrics.EntityF1(tags, strict=True, name="strict_f1"),
            metrics.ExactMatch(),
            metrics.Perplexity(),
            metrics.TokenAccuracy(),
        ],
    )


@covers(metrics.BinaryF1, metrics.MatthewsCorrelation)
def metrics_of_classes():
    return model_case(
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]),
        REAL,
        np.array([0, 1, 1, 0, 1, 0]),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[metrics.BinaryF1(), metrics.MatthewsCorrelation()],
    )


@covers(
    metrics.FrechetDistance,
    metrics.PearsonCorrelation,
    metrics.SpearmanCorrelation,
)
def metrics_of_numbers():
    return measured(
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)]),
        normal(8, 4),
        NUMBERS,
        metrics=[
            metrics.FrechetDistance(num_features=1),
            metrics.PearsonCorrelation(),
            metrics.SpearmanCorrelation(),
        ],
    )


@covers(metrics.PeakSignalNoiseRatio, metrics.StructuralSimilarity)
def metrics_of_images():
    images = np.abs(np.tanh(normal(2, 12, 12, 2)))
    return measured(
        keras.Sequential([keras.Input((12, 12, 2)), keras.layers.Conv2D(2, 1)]),
        images,
        images[:, ::-1].copy(),
        metrics=[
            metrics.PeakSignalNoiseRatio(),
            metrics.StructuralSimilarity(),
        ],
    )


@covers(metrics.ssim)
def ssim():
    other = np.tanh(normal(2, 12, 12, 2, seed=1))
    images = np.tanh(normal(2, 12, 12, 2))
    return function_case(lambda x, y: metrics.ssim(x, y, 2.0), images, other)


@covers(metrics.ModeCoverage)
def mode_coverage():
    def counted(points):
        metric = metrics.ModeCoverage(np.eye(3), std=0.5)
        metric.update_state(ops.stop_gradient(points))
        return metric.result()

    return function_case(counted, REAL)


def scheduled(schedule):
    """Steps by a schedule, which each time tells another rate."""
    layer = keras.layers.Dense(2)
    optimizer = keras.optimizers.SGD(schedule)
    return layer_case(layer, REAL, optimizer=optimizer, steps=4)


@covers(optimizers.Noam)
def noam():
    return scheduled(optimizers.Noam(4, warmup_steps=2))


@covers(optimizers.LinearWarmupDecay)
def linear_warmup_decay():
    return scheduled(optimizers.LinearWarmupDecay(0.5, 4, warmup_steps=2))


@covers(optimizers.ConstantThenLinear)
def constant_then_linear():
    return scheduled(optimizers.ConstantThenLinear(0.5, 1, 4))


@covers(
    optimizers.ParameterGroups,
    optimizers.gradual_unfreezing,
    optimizers.layer_groups,
    optimizers.layerwise_rates,
)
def parameter_groups():
    model = perceptron(3, outputs=1)
    groups = optimizers.layer_groups(model)
    rates = optimizers.gradual_unfreezing(
        optimizers.layerwise_rates(groups, 0.5), every=1
    )
    optimizer = optimizers.ParameterGroups(
        keras.optimizers.SGD(0.1, momentum=0.9), groups, rates
    )
    return measured(model, REAL, REAL[:, :1], optimizer=optimizer)


@covers(optimizers.DifferentiableUpdate)
def differentiable_update():
    """The slope of a loss after two updates by where they began."""
    update = optimizers.DifferentiableUpdate(keras.optimizers.Adam(0.1))

    def loss(w):
        return ops.sum(ops.square(ops.tanh(w) - 0.5))

    def after(w):
        values, state = [w], update.initial_state([w])
        for _ in range(2):
            slope = autodiff.grad(loss)(values[0])
            values, state = update(values, [slope], state)
        return values[0]

    return function_case(after, REAL)
