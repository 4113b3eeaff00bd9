"""Masking: which tokens are hidden for a model to predict."""
