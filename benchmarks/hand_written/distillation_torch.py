"""A distillation step by hand in PyTorch."""

import torch
from torch import nn
from torch.nn import functional


class Distillation:
    """A student and its teacher; `step((x, y))` trains the student.

    Args:
        student, teacher: Lists of kernels and biases, in turn.
        temperature: That of the soft targets.
    """

    def __init__(self, student, teacher, temperature):
        self.student, self.teacher = network(student), network(teacher)
        self.temperature = temperature
        self.adam = torch.optim.Adam(
            [p for part in self.student for p in part.parameters()],
            lr=1e-3,
            eps=1e-7,
        )

    def wait(self):
        """Nothing is under way on a CPU when a step returns."""

    def weights(self):
        return [
            p.detach().numpy().T
            for part in self.student
            for p in part.parameters()
        ]

    def step(self, batch):
        x, y = batch
        temperature = self.temperature
        with torch.no_grad():
            t_hidden = self.teacher[0](x)
            t = self.teacher[1](t_hidden)
            p = functional.log_softmax(t / temperature, dim=-1)
        hidden = self.student[0](x)
        s = self.student[1](hidden)
        soft = functional.kl_div(
            functional.log_softmax(s / temperature, dim=-1),
            p,
            reduction="batchmean",
            log_target=True,
        )
        loss = 0.5 * (
            functional.cross_entropy(s, y.long())
            + temperature**2 * soft
            + functional.mse_loss(hidden, t_hidden)
        )
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()
        return [loss.detach()]


def network(weights):
    """The layers up to the last hidden one, and the last one."""
    layers = []
    for w, b in zip(weights[::2], weights[1::2], strict=True):
        linear = nn.Linear(*w.shape)
        linear.weight.data = torch.tensor(w.T.copy())
        linear.bias.data = torch.tensor(b)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-2]), layers[-2]
