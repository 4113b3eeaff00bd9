"""The engine: `Trainer`, and what meets Keras below it."""
