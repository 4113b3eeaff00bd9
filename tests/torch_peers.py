"""PyTorch's own Transformer layers, with the weights of our blocks."""

import numpy as np
import torch

from keras_dl.layers import TransformerDecoderBlock


def copy_attention(layer, peer):
    kernels, biases = layer.get_weights()[::2], layer.get_weights()[1::2]
    peer.in_proj_weight.copy_(torch.tensor(np.hstack(kernels[:3]).T))
    peer.in_proj_bias.copy_(torch.tensor(np.hstack(biases[:3])))
    copy_dense((kernels[3], biases[3]), peer.out_proj)


def copy_dense(weights, peer):
    peer.weight.copy_(torch.tensor(weights[0].T))
    peer.bias.copy_(torch.tensor(weights[1]))


def copy_norm(layer, peer):
    gamma, beta = layer.get_weights()
    peer.weight.copy_(torch.tensor(gamma))
    peer.bias.copy_(torch.tensor(beta))


def torch_peer(block, kind):
    """torch's layer with the block's weights, in training mode."""
    peer = kind(
        block.attention_norm.gamma.shape[0],
        block.num_heads,
        block.intermediate_dim,
        dropout=0.0,
        activation=block.activation.__name__,
        layer_norm_eps=block.layer_norm_epsilon,
        batch_first=True,
        norm_first=block.norm_first,
    )
    decoder = isinstance(block, TransformerDecoderBlock)
    norms = [block.attention_norm, block.feed_forward_norm]
    if decoder:
        norms.insert(1, block.memory_norm)
    with torch.no_grad():
        copy_attention(block.attention, peer.self_attn)
        if decoder:
            copy_attention(block.memory_attention, peer.multihead_attn)
        copy_dense(block.widen.get_weights(), peer.linear1)
        copy_dense(block.narrow.get_weights(), peer.linear2)
        for i, norm in enumerate(norms):
            copy_norm(norm, getattr(peer, f"norm{i + 1}"))
    return peer.train()
