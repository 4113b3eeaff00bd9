"""BERT with a classifier as one trains it with transformers."""

import torch
import transformers


class Classifier:
    """`BertForSequenceClassification` of transformers, trained by Adam."""

    def __init__(self, dtype=None, **sizes):
        config = transformers.BertConfig(**sizes, hidden_act="gelu_new")
        self.model = transformers.BertForSequenceClassification(config)
        self.optimizer = torch.optim.Adam(
            self.model.parameters(), lr=1e-3, eps=1e-7
        )
        self.dtype = dtype

    def _forward(self, ids, labels=None):
        mask = (ids != 0).long()
        enabled = self.dtype is not None
        with torch.autocast("cpu", self.dtype, enabled=enabled):
            return self.model(ids, attention_mask=mask, labels=labels)

    def step(self, batch):
        """One step of Adam; returns the losses."""
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
