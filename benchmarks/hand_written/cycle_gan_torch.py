"""The CycleGAN step by hand in PyTorch: nn.Module, channels first."""

import itertools
import random

import torch
from torch import nn
from torch.nn import functional

from benchmarks.hand_written.dcgan_torch import load

CYCLE, IDENTITY = 10.0, 5.0
POOL, SLOPE = 50, 0.2


class CycleGAN:
    """Four networks and two optimizers; `step((a, b))` trains all.

    Args:
        forth, back, judge_of_b, judge_of_a: Lists of arrays, as Keras'
            `get_weights()` of the networks gives them.
    """

    def __init__(self, forth, back, judge_of_b, judge_of_a):
        self.forth, self.back = generator_of(forth), generator_of(back)
        self.judges = nn.ModuleList(
            [judge_of(judge_of_b), judge_of(judge_of_a)]
        )
        self.g_optimizer, self.d_optimizer = (
            torch.optim.Adam(parameters, lr=2e-4, betas=(0.5, 0.999), eps=1e-7)
            for parameters in (
                itertools.chain(
                    self.forth.parameters(), self.back.parameters()
                ),
                self.judges.parameters(),
            )
        )
        self.pools = Pool(), Pool()

    def parameter_count(self):
        return sum(
            p.numel()
            for network in (self.forth, self.back, self.judges)
            for p in network.parameters()
        )

    def wait(self):
        """Nothing is under way on a CPU when a step returns."""

    def step(self, images):
        a, b = images
        # The generators' loss needs no gradient for the discriminators.
        self.judges.requires_grad_(False)
        fakes = self.forth(a), self.back(b)
        fooling = sum(
            (judge(fake) - 1).square().mean()
            for judge, fake in zip(self.judges, fakes, strict=True)
        )
        cycle = functional.l1_loss(self.back(fakes[0]), a)
        cycle = cycle + functional.l1_loss(self.forth(fakes[1]), b)
        identity = functional.l1_loss(self.back(a), a)
        identity = identity + functional.l1_loss(self.forth(b), b)
        g_loss = fooling + CYCLE * cycle + IDENTITY * identity
        self.g_optimizer.zero_grad()
        g_loss.backward()
        self.g_optimizer.step()
        self.judges.requires_grad_(True)

        d_loss = 0.0
        for judge, real, fake, pool in zip(
            self.judges, (b, a), fakes, self.pools, strict=True
        ):
            d_loss = d_loss + (judge(real) - 1).square().mean()
            d_loss = d_loss + judge(pool(fake.detach())).square().mean()
        d_loss = 0.5 * d_loss
        self.d_optimizer.zero_grad()
        d_loss.backward()
        self.d_optimizer.step()
        return d_loss.detach(), g_loss.detach()


class Pool:
    """Older images, for the discriminator; one at a time."""

    def __init__(self):
        self.images = []

    def __call__(self, fake):
        if len(self.images) < POOL:
            self.images.append(fake)
        elif random.random() < 0.5:
            slot = random.randrange(POOL)
            fake, self.images[slot] = self.images[slot], fake
        return fake


class Residual(nn.Sequential):
    """Layers and a way past them."""

    def forward(self, x):
        return x + super().forward(x)


def generator_of(weights):
    """Images to images, through residual blocks."""
    # Kernels are (out, in, height, width) there, (..., in, out) here.
    widths = [(w.shape[-2], w.shape[-1]) for w in weights[::2]]
    first, down_1, down_2, *blocks, up_1, up_2, last = widths
    layers = [nn.ReflectionPad2d(3), *_normed(nn.Conv2d(*first, 7))]
    for down in (down_1, down_2):
        layers += _normed(nn.Conv2d(*down, 3, 2, 1))
    for one, other in zip(blocks[::2], blocks[1::2], strict=True):
        layers.append(
            Residual(
                nn.ReflectionPad2d(1),
                *_normed(nn.Conv2d(*one, 3)),
                nn.ReflectionPad2d(1),
                *_normed(nn.Conv2d(*other, 3))[:-1],
            )
        )
    for out, into in (up_1, up_2):
        layers += _normed(nn.ConvTranspose2d(into, out, 3, 2, 1, 1))
    layers += [nn.ReflectionPad2d(3), nn.Conv2d(*last, 7), nn.Tanh()]
    network = nn.Sequential(*layers)
    load(network, weights)
    return network


def _normed(convolution):
    channels = convolution.out_channels
    return convolution, nn.InstanceNorm2d(channels), nn.ReLU(inplace=True)


def judge_of(weights):
    """Images to logits of patches."""
    first, *middle, narrow, last = (
        (w.shape[-2], w.shape[-1]) for w in weights[::2]
    )
    layers = [nn.Conv2d(*first, 4, 2, 1), nn.LeakyReLU(SLOPE, inplace=True)]
    for widths, stride in [*((w, 2) for w in middle), (narrow, 1)]:
        layers += [
            nn.Conv2d(*widths, 4, stride, 1),
            nn.InstanceNorm2d(widths[1]),
            nn.LeakyReLU(SLOPE, inplace=True),
        ]
    network = nn.Sequential(*layers, nn.Conv2d(*last, 4, 1, 1))
    load(network, weights)
    return network
