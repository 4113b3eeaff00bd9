"""VGG16 by hand in PyTorch: nn.Module, channels first, SGD with momentum."""

import torch
from torch import nn

BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))


class VGG16:
    """The network and its optimizer.

    Args:
        side: Height and width of the images.
        classes: How many there are.
        dropout: Its rate between the dense layers.
    """

    def __init__(self, side, classes, dropout):
        layers, channels = [], 3
        for count, width in BLOCKS:
            for _ in range(count):
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
                channels = width
            layers.append(nn.MaxPool2d(2))
        layers.append(nn.Flatten())
        size = (side // 32) ** 2 * channels
        for _ in range(2):
            layers += [nn.Linear(size, 4096), nn.ReLU(), nn.Dropout(dropout)]
            size = 4096
        self.model = nn.Sequential(*layers, nn.Linear(size, classes))
        self.optimizer = torch.optim.SGD(
            self.model.parameters(), lr=1e-3, momentum=0.9
        )

    def parameter_count(self):
        return sum(p.numel() for p in self.model.parameters())

    def step(self, batch):
        """One step of SGD on images, channels last, and their classes."""
        images, labels = batch
        self.optimizer.zero_grad()
        logits = self.model(images.permute(0, 3, 1, 2))
        loss = nn.functional.cross_entropy(logits, labels)
        loss.backward()
        self.optimizer.step()
        return (loss.detach(),)

    def wait(self):
        """Everything is done when `step` returns, on a CPU."""
