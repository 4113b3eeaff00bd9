"""Seeded, stratified partition of examples into train, validation and test."""

import numpy as np

from keras_dl.checks import check_fraction, check_seed

DEFAULT_FRACTIONS = {"validation": 0.1, "test": 0.2}


def partition(num_examples, validation, test, seed, labels=None):
    """Deals the examples out to three splits that share none.

    With `labels` the splits are stratified: each holds every class in the
    proportion that it has in the whole. Where that is impossible (a class with
    one example, or fewer examples in a split than there are classes) the
    examples are dealt out regardless of class.

    Args:
        num_examples: Number of examples.
        validation: Fraction of them for validation, at least 0 and below 1.
        test: Fraction of them for test, at least 0 and below 1.
        seed: Integer; the same seed gives the same splits on every platform.
        labels: Integer array of shape `(num_examples,)`, or `None`.

    Returns:
        Three integer arrays of positions: train, validation, test.

    Raises:
        ValueError: If a fraction or the seed is out of range, or if nothing is
            left to train on.
    """
    check_seed(seed)
    labels = None if labels is None else np.asarray(labels)
    fraction = check_fraction("validation", validation)
    num_validation = round(fraction * num_examples)
    num_test = round(check_fraction("test", test) * num_examples)
    if num_validation + num_test >= num_examples:
        raise ValueError(
            "`validation` and `test` leave nothing to train on: their sum must "
            f"be below 1. Received: validation={validation}, test={test}, for "
            f"{num_examples} examples."
        )
    everything = np.arange(num_examples)
    rest, for_test = _cut(everything, num_test, seed, labels)
    train, for_validation = _cut(rest, num_validation, seed, labels)
    return train, for_validation, for_test


def _cut(positions, count, seed, labels):
    """Shuffles `positions` and takes `count` of them out, for the second."""
    if count and labels is not None and _can_stratify(labels[positions], count):
        from sklearn.model_selection import train_test_split

        return train_test_split(
            positions,
            test_size=count,
            stratify=labels[positions],
            random_state=seed,
        )
    shuffled = np.random.RandomState(seed).permutation(positions)
    return shuffled[count:], shuffled[:count]


def _can_stratify(labels, count):
    _, sizes = np.unique(labels, return_counts=True)
    smaller_side = min(count, len(labels) - count)
    return sizes.min() >= 2 and smaller_side >= len(sizes)
