"""Training of one model: its task, terms, teachers, readings, perturbation."""
