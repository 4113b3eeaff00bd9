"""Attention: scores, masks, positions, blocks of the Transformer."""
