"""Scripts that time keras_dl beside a peer, both in one run."""
