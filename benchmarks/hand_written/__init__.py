"""The peers: the same training steps, written by hand for one framework."""
