"""Training methods on top of one small engine."""

from keras_dl.training.cycle_gan import CycleGAN
from keras_dl.training.gan import GAN
from keras_dl.training.image_pool import ImagePool
from keras_dl.training.image_to_image import ImageToImageGAN
from keras_dl.training.mad_gan import MADGAN
from keras_dl.training.mode_regularized_gan import ModeRegularizedGAN
from keras_dl.training.named_optimizers import NamedOptimizers
from keras_dl.training.trainer import Trainer

__all__ = [
    "GAN",
    "MADGAN",
    "CycleGAN",
    "ImagePool",
    "ImageToImageGAN",
    "ModeRegularizedGAN",
    "NamedOptimizers",
    "Trainer",
]
