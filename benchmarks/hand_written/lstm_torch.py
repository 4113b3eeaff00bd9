"""The LSTM language model as one writes it in PyTorch."""

import torch


class LanguageModel(torch.nn.Module):
    """Embedding, two LSTMs, a linear output.

    Args:
        weights: Arrays in Keras' order and layout, to start from.
        rate: Learning rate of Adam.
    """

    def __init__(self, weights, rate):
        super().__init__()
        words, units = weights[0].shape
        self.embedding = torch.nn.Embedding(words, units)
        self.recurrent = torch.nn.LSTM(
            units, units, num_layers=2, batch_first=True
        )
        self.head = torch.nn.Linear(units, words)
        with torch.no_grad():
            self.embedding.weight.copy_(torch.tensor(weights[0]))
            for layer in range(2):
                kernel, recurrent, bias = weights[1 + 3 * layer : 4 + 3 * layer]
                for name, value in (
                    ("weight_ih", kernel.T),
                    ("weight_hh", recurrent.T),
                    ("bias_ih", bias),
                    ("bias_hh", 0 * bias),
                ):
                    target = getattr(self.recurrent, f"{name}_l{layer}")
                    target.copy_(torch.tensor(value))
            self.head.weight.copy_(torch.tensor(weights[-2].T))
            self.head.bias.copy_(torch.tensor(weights[-1]))
        self.optimizer = torch.optim.Adam(self.parameters(), lr=rate, eps=1e-7)

    def step(self, batch):
        """One step of Adam; returns the losses."""
        ids, targets = batch
        self.optimizer.zero_grad()
        logits = self.head(self.recurrent(self.embedding(ids))[0])
        loss = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), targets.flatten().long()
        )
        loss.backward()
        self.optimizer.step()
        return (loss.detach(),)

    def wait(self):
        """Everything is done when `step` returns, on a CPU."""
