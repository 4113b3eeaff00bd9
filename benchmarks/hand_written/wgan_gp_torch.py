"""The WGAN-GP step by hand in PyTorch: channels first, double backward."""

import torch

from benchmarks.hand_written.dcgan_torch import (
    LATENT,
    discriminator_of,
    generator_of,
)

CRITIC_STEPS, WEIGHT = 5, 10.0


class WGANGP:
    """Two networks and their optimizers; `step(images)` trains both.

    Args:
        generator, critic: Lists of arrays, as `get_weights()` of the two Keras
            networks (channels first) gives them.
    """

    def __init__(self, generator, critic):
        self.generator = generator_of(generator)
        self.critic = discriminator_of(critic)
        self.g_optimizer, self.c_optimizer = (
            torch.optim.Adam(
                network.parameters(), lr=1e-4, betas=(0.0, 0.9), eps=1e-7
            )
            for network in (self.generator, self.critic)
        )

    def parameter_count(self):
        return sum(
            p.numel()
            for network in (self.generator, self.critic)
            for p in network.parameters()
        )

    def wait(self):
        """Nothing is under way on a CPU when a step returns."""

    def step(self, images, noise=None, shares=None):
        parts = images.chunk(CRITIC_STEPS)
        count = len(parts[0])
        if noise is None:
            noise = torch.randn(CRITIC_STEPS + 1, count, LATENT)
        if shares is None:
            shares = torch.rand(CRITIC_STEPS, count, 1, 1, 1)
        losses = []
        for real, z, share in zip(parts, noise, shares, strict=False):
            with torch.no_grad():
                fake = self.generator(z)
            loss = self._critic_loss(real, fake, share)
            self.c_optimizer.zero_grad()
            loss.backward()
            self.c_optimizer.step()
            losses.append(loss.detach())

        # The generator's loss needs no gradient for the critic.
        self.critic.requires_grad_(False)
        g_loss = -self.critic(self.generator(noise[-1])).mean()
        self.g_optimizer.zero_grad()
        g_loss.backward()
        self.g_optimizer.step()
        self.critic.requires_grad_(True)
        return torch.stack(losses).mean(), g_loss.detach()

    def _critic_loss(self, real, fake, share):
        mixed = (real + share * (fake - real)).requires_grad_()
        (slopes,) = torch.autograd.grad(
            self.critic(mixed).sum(), mixed, create_graph=True
        )
        norms = slopes.flatten(1).norm(dim=1)
        distance = self.critic(real).mean() - self.critic(fake).mean()
        return WEIGHT * (norms - 1).square().mean() - distance
