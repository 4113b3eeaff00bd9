"""What ready-made models share."""
