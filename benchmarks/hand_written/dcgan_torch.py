"""The DCGAN step by hand in PyTorch: nn.Module, channels first, autograd."""

import math

import torch
from torch import nn
from torch.nn import functional

LATENT, SLOPE = 100, 0.2


class DCGAN:
    """Two networks and their optimizers; `step(images)` trains both.

    Args:
        generator, discriminator: Lists of arrays, as `get_weights()` of the
            two Keras networks (channels first) gives them.
        dropout: The discriminator's dropout rate.
    """

    def __init__(self, generator, discriminator, dropout):
        self.generator = generator_of(generator)
        self.discriminator = discriminator_of(discriminator, dropout)
        self.g_optimizer, self.d_optimizer = (
            torch.optim.Adam(
                network.parameters(), lr=2e-4, betas=(0.5, 0.999), eps=1e-7
            )
            for network in (self.generator, self.discriminator)
        )

    def parameter_count(self):
        return sum(
            p.numel()
            for network in (self.generator, self.discriminator)
            for p in network.parameters()
        )

    def wait(self):
        """Nothing is under way on a CPU when a step returns."""

    def step(self, images, noise=(None, None)):
        first, second = (
            torch.randn(len(images), LATENT) if n is None else n for n in noise
        )
        with torch.no_grad():
            fake = self.generator(first)
        d_loss = _cross_entropy(
            torch.ones_like, self.discriminator(images)
        ) + _cross_entropy(torch.zeros_like, self.discriminator(fake))
        self.d_optimizer.zero_grad()
        d_loss.backward()
        self.d_optimizer.step()

        # The generator's loss needs no gradient for the discriminator.
        self.discriminator.requires_grad_(False)
        g_loss = _cross_entropy(
            torch.ones_like, self.discriminator(self.generator(second))
        )
        self.g_optimizer.zero_grad()
        g_loss.backward()
        self.g_optimizer.step()
        self.discriminator.requires_grad_(True)
        return d_loss.detach(), g_loss.detach()


def generator_of(weights):
    """Noise to images."""
    size = weights[0].shape[1]
    narrow, wide = weights[5].shape[2:]
    side = math.isqrt(size // wide)
    network = nn.Sequential(
        nn.Linear(LATENT, size, bias=False),
        nn.BatchNorm1d(size, eps=1e-3, momentum=0.01),
        nn.ReLU(),
        nn.Unflatten(1, (wide, side, side)),
        nn.ConvTranspose2d(wide, narrow, 4, 2, 1, bias=False),
        nn.BatchNorm2d(narrow, eps=1e-3, momentum=0.01),
        nn.ReLU(),
        nn.ConvTranspose2d(narrow, 1, 4, 2, 1),
        nn.Tanh(),
    )
    load(network, weights)
    return network


def discriminator_of(weights, dropout=0.0):
    """Images to one logit."""
    narrow, wide = weights[2].shape[2:]
    network = nn.Sequential(
        nn.Conv2d(1, narrow, 4, 2, 1),
        nn.LeakyReLU(SLOPE),
        nn.Dropout(dropout),
        nn.Conv2d(narrow, wide, 4, 2, 1),
        nn.LeakyReLU(SLOPE),
        nn.Dropout(dropout),
        nn.Flatten(),
        nn.Linear(len(weights[4]), 1),
    )
    load(network, weights)
    return network


def _cross_entropy(labels_like, logits):
    return functional.binary_cross_entropy_with_logits(
        logits, labels_like(logits)
    )


def load(network, weights):
    """Copies Keras weights: the same order, some of them transposed."""
    weights = iter(weights)
    for layer in network.modules():
        tensors = [
            *layer.parameters(recurse=False),
            *(b for b in layer.buffers(recurse=False) if b.ndim),
        ]
        for tensor in tensors:
            array = torch.tensor(next(weights))
            if array.ndim == 4:
                array = array.permute(3, 2, 0, 1)
            with torch.no_grad():
                tensor.copy_(array.T if array.ndim == 2 else array)
