"""Training methods on top of one small engine."""

from keras_dl.training.engine.named_optimizers import NamedOptimizers
from keras_dl.training.engine.trainer import Trainer
from keras_dl.training.gan.cycle_consistent_gan import CycleConsistentGAN
from keras_dl.training.gan.gan import GAN
from keras_dl.training.gan.image_pool import ImagePool
from keras_dl.training.gan.image_to_image_gan import ImageToImageGAN
from keras_dl.training.gan.mode_regularized_gan import ModeRegularizedGAN
from keras_dl.training.gan.multi_generator_gan import MultiGeneratorGAN

__all__ = [
    "GAN",
    "CycleConsistentGAN",
    "ImagePool",
    "ImageToImageGAN",
    "ModeRegularizedGAN",
    "MultiGeneratorGAN",
    "NamedOptimizers",
    "Trainer",
]
