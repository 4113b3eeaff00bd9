"""Packing: documents cut into rows of one length."""
