"""Training methods on top of one small engine."""

from keras_dl.training.cycle_consistent_gan import CycleConsistentGAN
from keras_dl.training.gan import GAN
from keras_dl.training.image_pool import ImagePool
from keras_dl.training.image_to_image import ImageToImageGAN
from keras_dl.training.mode_regularized_gan import ModeRegularizedGAN
from keras_dl.training.multi_generator_gan import MultiGeneratorGAN
from keras_dl.training.named_optimizers import NamedOptimizers
from keras_dl.training.trainer import Trainer

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
