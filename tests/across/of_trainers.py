"""The agreement table's trainers, by twenty steps each, and the engine."""

import gans
import trainers
from cases import covers, filled, function_case
from sequences import normal

import keras_dl
from keras_dl import applications, training

TWENTY = {"tolerance": 1e-4}
# Twenty steps of Adam make much of rounding where a gradient is 0, as it is
# by a bias before batch normalization: not all weights have digits to agree in.
LOSSES = {**TWENTY, "only": "_loss of step"}

covers(keras_dl.Trainer)(trainers.dense_case)
covers(keras_dl.grad, keras_dl.value_and_grad, **TWENTY)(
    trainers.second_order_case
)
covers(keras_dl.variable_gradients, keras_dl.substitute, **TWENTY)(
    trainers.maml_case
)
covers(training.NamedOptimizers, **TWENTY)(trainers.gradient_penalty_case)
covers(keras_dl.Trainer, **TWENTY)(trainers.input_gradient_case)
for case in (
    gans.vanilla_case,
    gans.conditional_case,
    gans.wgan_case,
    gans.wgan_gp_case,
    gans.unrolled_case,
):
    covers(training.GAN, **LOSSES)(case)
covers(training.MultiGeneratorGAN, **LOSSES)(gans.mad_gan_case)
covers(training.ModeRegularizedGAN, **LOSSES)(gans.mode_regularized_case)
covers(training.ImageToImageGAN, **LOSSES)(gans.image_to_image_case)
covers(training.CycleConsistentGAN, training.ImagePool, **LOSSES)(
    gans.cycle_gan_case
)
covers(applications.ProgressiveGAN, **LOSSES)(gans.progressive_case)
covers(applications.StackGAN, **LOSSES)(gans.stacked_case)


@covers(keras_dl.compiled, keras_dl.run_network)
def compiled_network():
    model = filled(gans.perceptron(3, outputs=2))
    quick = keras_dl.compiled(lambda x: keras_dl.run_network(model, x))
    return function_case(quick, normal(4, 3))
