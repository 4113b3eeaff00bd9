"""Examples to train on: batches, their parts, spans, tags and pairs."""
