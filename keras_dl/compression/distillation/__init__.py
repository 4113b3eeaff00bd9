"""Students that learn of teachers: terms of the loss, and where to begin."""
