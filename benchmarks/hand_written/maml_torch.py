"""The MAML step by hand in PyTorch: functional layers, double backward."""

import torch
from torch.nn import functional

INNER_RATE = 0.01


class MAML:
    """Holds the parameters and the optimizer; `step(batch)` trains.

    Args:
        weights: The three layers' kernels and biases, in Keras' layout.
    """

    def __init__(self, weights):
        self.parameters = [
            torch.tensor(w.T.copy()).requires_grad_() for w in weights
        ]
        self.optimizer = torch.optim.Adam(self.parameters, lr=1e-3, eps=1e-7)

    def wait(self):
        """Nothing is under way on a CPU when a step returns."""

    def step(self, batch):
        losses = [self._loss_after(*task) for task in zip(*batch, strict=True)]
        loss = torch.stack(losses).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return (loss.detach(),)

    def _loss_after(self, x, y, x_query, y_query):
        loss = _squared_error(self.parameters, x, y)
        gradients = torch.autograd.grad(
            loss, self.parameters, create_graph=True
        )
        fast = [
            p - INNER_RATE * g
            for p, g in zip(self.parameters, gradients, strict=True)
        ]
        return _squared_error(fast, x_query, y_query)


def _squared_error(parameters, x, y):
    w1, b1, w2, b2, w3, b3 = parameters
    x = functional.relu(functional.linear(x, w1, b1))
    x = functional.relu(functional.linear(x, w2, b2))
    return functional.mse_loss(functional.linear(x, w3, b3), y)
