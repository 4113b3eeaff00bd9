"""BERT with a classifier as one trains it with transformers."""

import torch
import transformers


def _adam(weights):
    return torch.optim.Adam(weights, lr=1e-3, eps=1e-7)


class Classifier:
    """`BertForSequenceClassification` of transformers, trained by Adam.

    Args:
        dtype: Optional dtype to compute in, by autocast.
        optimizer: Optional function that makes another optimizer of weights.
        **sizes: Arguments of the config; those of `bert_base` by default.
    """

    def __init__(self, dtype=None, optimizer=None, **sizes):
        config = transformers.BertConfig(**sizes, hidden_act="gelu_new")
        self.model = transformers.BertForSequenceClassification(config)
        self.optimizer = (optimizer or _adam)(self.model.parameters())
        self.dtype = dtype

    def _forward(self, ids, labels=None):
        mask = (ids != 0).long()
        enabled = self.dtype is not None
        with torch.autocast("cpu", self.dtype, enabled=enabled):
            return self.model(ids, attention_mask=mask, labels=labels)

    def step(self, batch):
        """One step of training; returns the losses."""
        ids, labels = batch
        self.model.train()
        self.optimizer.zero_grad()
        loss = self._forward(ids.long(), labels.long()).loss
        loss.backward()
        self.optimizer.step()
        return (loss.detach(),)

    @torch.no_grad()
    def predict(self, ids):
        """The logits."""
        self.model.eval()
        return self._forward(ids.long()).logits

    def wait(self):
        """Everything is done when `step` returns, on a CPU."""
