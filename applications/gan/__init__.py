"""Generative adversarial networks: ready-made, and their networks."""

from keras_dl.applications.gan.cyclegan import CycleGAN
from keras_dl.applications.gan.dcgan import DCGAN
from keras_dl.applications.gan.dcgan_networks import (
    dcgan_discriminator,
    dcgan_generator,
)
from keras_dl.applications.gan.mad_gan import MADGAN
from keras_dl.applications.gan.mr_gan import MRGAN
from keras_dl.applications.gan.patch_networks import (
    patch_discriminator,
    receptive_field,
)
from keras_dl.applications.gan.pix2pix import Pix2Pix
from keras_dl.applications.gan.point_networks import (
    mlp_discriminator,
    mlp_generator,
)
from keras_dl.applications.gan.progressive_gan import ProgressiveGAN
from keras_dl.applications.gan.srgan import SRGAN
from keras_dl.applications.gan.srgan_networks import (
    srgan_discriminator,
    srgan_generator,
)
from keras_dl.applications.gan.stackgan import StackGAN
from keras_dl.applications.gan.translation_networks import (
    resnet_generator,
    unet_generator,
)
from keras_dl.applications.gan.unrolled_gan import UnrolledGAN
from keras_dl.applications.gan.wgan import WGAN, WGANGP

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
