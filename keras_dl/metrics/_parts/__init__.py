"""What metrics share: sums over an epoch, weights, classes, pyramids."""
