"""Ready-made models, assembled from the parts of Keras and keras_dl."""

from keras_dl.applications.bert.bert import BERT
from keras_dl.applications.gan import (
    DCGAN,
    MADGAN,
    MRGAN,
    SRGAN,
    WGAN,
    WGANGP,
    CycleGAN,
    Pix2Pix,
    ProgressiveGAN,
    StackGAN,
    UnrolledGAN,
)
from keras_dl.applications.mlp import MLP
from keras_dl.applications.pretrainer import Pretrainer
from keras_dl.applications.sequence.encoders import (
    LSTMEncoder,
    TransformerEncoder,
)
from keras_dl.applications.sequence.language_model import LanguageModel
from keras_dl.applications.sequence.seq2seq import Seq2Seq
from keras_dl.applications.sequence.transformer import (
    Transformer,
    TransformerLanguageModel,
)
from keras_dl.applications.task_model import TaskModel
from keras_dl.applications.vision.imagenet_pixels import ImageNetPixels
from keras_dl.applications.vision.vgg16 import VGG16

__all__ = [
    "BERT",
    "DCGAN",
    "MADGAN",
    "MLP",
    "MRGAN",
    "SRGAN",
    "VGG16",
    "WGAN",
    "WGANGP",
    "CycleGAN",
    "ImageNetPixels",
    "LSTMEncoder",
    "LanguageModel",
    "Pix2Pix",
    "Pretrainer",
    "ProgressiveGAN",
    "Seq2Seq",
    "StackGAN",
    "TaskModel",
    "Transformer",
    "TransformerEncoder",
    "TransformerLanguageModel",
    "UnrolledGAN",
]
