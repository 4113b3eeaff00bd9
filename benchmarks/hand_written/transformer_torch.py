"""The Transformer's blocks as one writes them with torch.nn."""

import torch


class Blocks(torch.nn.Module):
    """torch.nn's encoder and decoder layers, trained by Adam."""

    def __init__(self, dim, heads, wide, blocks, dropout):
        super().__init__()
        self.dim = dim
        arguments = dim, heads, wide, dropout
        self.encoder = torch.nn.ModuleList(
            torch.nn.TransformerEncoderLayer(*arguments, batch_first=True)
            for _ in range(blocks)
        )
        self.decoder = torch.nn.ModuleList(
            torch.nn.TransformerDecoderLayer(*arguments, batch_first=True)
            for _ in range(blocks)
        )
        self.optimizer = torch.optim.Adam(self.parameters(), lr=1e-3, eps=1e-7)

    def forward(self, source, target):
        causal = torch.nn.Transformer.generate_square_subsequent_mask(
            target.shape[1]
        )
        for block in self.encoder:
            source = block(source)
        for block in self.decoder:
            target = block(target, source, tgt_mask=causal, tgt_is_causal=True)
        return target

    def step(self, batch):
        """One step of Adam; returns the losses."""
        x, y = batch
        self.optimizer.zero_grad()
        output = self(x[..., : self.dim], x[..., self.dim :])
        loss = torch.nn.functional.mse_loss(output, y)
        loss.backward()
        self.optimizer.step()
        return (loss.detach(),)

    def wait(self):
        """Everything is done when `step` returns, on a CPU."""
