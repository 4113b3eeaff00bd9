"""Models of sequences: recurrent, and Transformers."""
