"""The arithmetic of runs, beside plain loops."""

import numpy as np
import pytest

from keras_dl.text.masking.token_runs import (
    choose_runs,
    fill,
    number_runs,
    run_sizes,
    spread,
)


def test_fill_is_greedy():
    generator = np.random.RandomState(0)
    sizes = generator.randint(0, 7, size=(300, 20))
    budget = generator.randint(0, 40, size=300)
    taken = fill(sizes, budget)
    for row, most, got in zip(sizes, budget, taken, strict=True):
        left, expected = most, []
        for size in row:
            expected.append(0 < size <= left)
            left -= size * expected[-1]
        assert got.tolist() == expected


def test_what_is_behind_a_refused_size_in_its_phrase_is_refused():
    generator = np.random.RandomState(0)
    sizes = generator.randint(1, 5, size=(500, 20))
    budget = generator.randint(0, 30, size=500)
    begins = generator.random_sample(sizes.shape) < 0.3
    taken = fill(sizes, budget, begins)
    for row, most, begin, got in zip(sizes, budget, begins, taken, strict=True):
        left, open, expected = most, True, []
        for size, new in zip(row, begin, strict=True):
            open = (open or new) and size <= left
            left -= size * open
            expected.append(open)
        assert got.tolist() == expected


def test_numbers_sizes_and_spreading():
    begins = np.array([[0, 1, 0, 1, 0, 1], [0, 0, 0, 0, 0, 0]], bool)
    members = np.array([[0, 1, 1, 1, 0, 1], [0, 0, 0, 0, 0, 0]], bool)
    numbers = number_runs(begins, members)
    assert numbers.tolist() == [[-1, 0, 0, 1, -1, 2], [-1] * 6]
    assert run_sizes(numbers).tolist() == [[2, 1, 1], [0, 0, 0]]
    values = np.array([[7, 8, 9], [7, 8, 9]])
    assert spread(values, numbers).tolist() == [[-1, 7, 7, 8, -1, 9], [-1] * 6]


@pytest.mark.parametrize("shape", [(0, 4), (3, 0)])
def test_nothing_to_pick_from(shape):
    numbers = np.zeros(shape, "int")
    budget = np.zeros(shape[0], "int")
    assert choose_runs(numbers, budget, np.random.RandomState(0)).shape == shape


def test_each_run_is_as_likely_as_any_other():
    numbers = np.tile(np.arange(9), (40000, 1))
    picked = choose_runs(numbers, np.full(40000, 3), np.random.RandomState(0))
    assert (np.count_nonzero(picked >= 0, axis=1) == 3).all()
    shares = np.mean(picked >= 0, axis=0)
    # The standard deviation of a share is 0.0024.
    np.testing.assert_allclose(shares, 1 / 3, atol=0.01)
    pairs = np.mean((picked[:, :-1] >= 0) & (picked[:, 1:] >= 0), axis=0)
    np.testing.assert_allclose(pairs, 1 / 12, atol=0.006)
