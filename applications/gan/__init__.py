"""Generative adversarial networks: ready-made, and their networks."""

from keras_dl.applications.gan.dcgan import DCGAN, WGAN, WGANGP, UnrolledGAN
from keras_dl.applications.gan.mode_seeking import MADGAN, MRGAN
from keras_dl.applications.gan.networks import (
    dcgan_discriminator,
    dcgan_generator,
)
from keras_dl.applications.gan.patch_networks import (
    patch_discriminator,
    receptive_field,
)
from keras_dl.applications.gan.point_networks import (
    mlp_discriminator,
    mlp_generator,
)
from keras_dl.applications.gan.progressive import ProgressiveGAN
from keras_dl.applications.gan.stackgan import StackGAN
from keras_dl.applications.gan.super_resolution_networks import (
    srgan_discriminator,
    srgan_generator,
)
from keras_dl.applications.gan.translation import SRGAN, CycleGAN, Pix2Pix
from keras_dl.applications.gan.translation_networks import (
    resnet_generator,
    unet_generator,
)

__all__ = [
    "DCGAN",
    "MADGAN",
    "MRGAN",
    "SRGAN",
    "WGAN",
    "WGANGP",
    "CycleGAN",
    "Pix2Pix",
    "ProgressiveGAN",
    "StackGAN",
    "UnrolledGAN",
    "dcgan_discriminator",
    "dcgan_generator",
    "mlp_discriminator",
    "mlp_generator",
    "patch_discriminator",
    "receptive_field",
    "resnet_generator",
    "srgan_discriminator",
    "srgan_generator",
    "unet_generator",
]
