"""BERT and its family: the encoder, its sizes, and the files of others."""
