"""Layers of images: convolution, padding, normalization, blocks."""
