"""Two sets of different sizes: what is in their batches, in which order."""

import keras
import numpy as np
import pytest

from keras_dl.datasets import UnpairedBatches

FEW, MANY = np.arange(3.0)[:, None], 100 + np.arange(8.0)[:, None]


def orders(batches):
    """The examples of both sets in an epoch, as they come."""
    return [np.concatenate(part).ravel() for part in zip(*batches, strict=True)]


@pytest.mark.parametrize("swapped", [False, True])
def test_an_epoch_is_as_long_as_the_larger_set(swapped):
    sets = (MANY, FEW) if swapped else (FEW, MANY)
    batches = UnpairedBatches(*sets, batch_size=3, seed=1)
    assert [len(a) for a, _ in batches] == [len(b) for _, b in batches]
    assert [len(a) for a, _ in batches] == [3, 3, 2]
    few, many = orders(batches)[:: -1 if swapped else 1]
    np.testing.assert_array_equal(np.sort(many), MANY.ravel())
    # Each pass through the smaller set has all of it, in an order of its own.
    assert sorted(few[:3]) == sorted(few[3:6]) == [0, 1, 2]
    assert len(set(few[6:])) == 2


def test_sets_as_large_as_the_images_of_the_paper():
    horses, zebras = np.zeros((1067, 1)), np.zeros((1334, 1))
    assert len(UnpairedBatches(horses, zebras)) == 1334
    whole = UnpairedBatches(horses, zebras, 4, drop_remainder=True)
    assert len(whole) == 333 and len(whole[332][0]) == 4


def test_the_sets_are_shuffled_each_for_itself():
    batches = UnpairedBatches(np.arange(50), np.arange(50), 50, seed=1)
    a, b = batches[0]
    assert not np.array_equal(a, b)
    assert not np.array_equal(np.sort(a), a)


def test_orders_depend_on_seed_and_epoch_alone():
    def epochs(seed):
        batches = UnpairedBatches(FEW, MANY, 2, seed=seed)
        for _ in range(3):
            yield tuple(np.concatenate(orders(batches)))
            batches.on_epoch_end()

    first, again, other = (list(epochs(seed)) for seed in (1, 1, 2))
    assert first == again
    assert len({*first, *other}) == 6
    resumed = UnpairedBatches(FEW, MANY, 4, seed=1)
    resumed.epoch = 2
    assert tuple(np.concatenate(orders(resumed))) == first[2]


def test_without_shuffling():
    few, many = orders(UnpairedBatches(FEW, MANY, 3, shuffle=False))
    np.testing.assert_array_equal(few, [0, 1, 2, 0, 1, 2, 0, 1])
    np.testing.assert_array_equal(many, MANY.ravel())


def test_sets_of_other_kinds():
    a = keras.ops.convert_to_tensor(FEW)
    b = np.arange(5, dtype="uint8")[:, None]
    first, second = UnpairedBatches(a, {"image": b}, 2, shuffle=False)[0]
    np.testing.assert_array_equal(first, FEW[:2])
    assert second["image"].dtype == "float32"


@pytest.mark.parametrize(
    ("data", "kwargs", "error", "message"),
    [
        ((FEW, MANY), {"batch_size": 0}, ValueError, "`batch_size`"),
        ((FEW, MANY), {"seed": -1}, ValueError, "`seed`"),
        ((FEW[:0], MANY), {}, ValueError, "there are 0 and 8 examples"),
        (
            (FEW, MANY),
            {"batch_size": 9, "drop_remainder": True},
            ValueError,
            "not a single batch",
        ),
        ((iter(FEW), MANY), {}, TypeError, "`first` must be an array"),
        ((FEW, iter(MANY)), {}, TypeError, "`second` must be an array"),
    ],
)
def test_bad_arguments(data, kwargs, error, message):
    with pytest.raises(error, match=message):
        UnpairedBatches(*data, **kwargs)


def test_the_place_of_a_batch():
    batches = UnpairedBatches(FEW, MANY, 4)
    with pytest.raises(IndexError, match="`index` must be from 0 to 1"):
        batches[2]
