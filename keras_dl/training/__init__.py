"""Training methods on top of one small engine."""

from keras_dl.training.engine.named_optimizers import NamedOptimizers
from keras_dl.training.engine.trainer import Trainer
from keras_dl.training.gan.cycle_consistent_gan import CycleConsistentGAN
from keras_dl.training.gan.gan import GAN
from keras_dl.training.gan.image_pool import ImagePool
from keras_dl.training.gan.image_to_image_gan import ImageToImageGAN
from keras_dl.training.gan.mode_regularized_gan import ModeRegularizedGAN
from keras_dl.training.gan.multi_generator_gan import MultiGeneratorGAN
from keras_dl.training.supervised.batch import SupervisedBatch
from keras_dl.training.supervised.feature_distance import FeatureDistance
from keras_dl.training.supervised.gate import EntropyGate, Gate, ScheduledGate
from keras_dl.training.supervised.logits_distillation import LogitsDistillation
from keras_dl.training.supervised.loss_term import LossTerm
from keras_dl.training.supervised.masked_mean import masked_mean
from keras_dl.training.supervised.perturbation import (
    InputNoise,
    InputPerturbation,
    PerturbedTask,
)
from keras_dl.training.supervised.supervised_trainer import SupervisedTrainer
from keras_dl.training.supervised.teachers import StoredOutputs

__all__ = [
    "GAN",
    "CycleConsistentGAN",
    "EntropyGate",
    "FeatureDistance",
    "Gate",
    "ImagePool",
    "ImageToImageGAN",
    "InputNoise",
    "InputPerturbation",
    "LogitsDistillation",
    "LossTerm",
    "ModeRegularizedGAN",
    "MultiGeneratorGAN",
    "NamedOptimizers",
    "PerturbedTask",
    "ScheduledGate",
    "StoredOutputs",
    "SupervisedBatch",
    "SupervisedTrainer",
    "Trainer",
    "masked_mean",
]
