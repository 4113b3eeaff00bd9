"""BucketedBatches: lengths, budgets, orders, and what Keras makes of them."""

import keras
import numpy as np
import pytest

from keras_dl.callbacks import EpochOrder
from keras_dl.datasets import BucketedBatches

LENGTHS = np.random.RandomState(0).randint(1, 30, size=97)


def sequences(lengths=LENGTHS):
    """Sequences that hold their own number, plus 1."""
    return [np.full(length, i + 1) for i, length in enumerate(lengths)]


def numbers(batches):
    """The numbers of the examples, in the order read."""
    return np.concatenate([x[:, 0] - 1 for x, *_ in batches])


def shapes(batches):
    return [x.shape for x, *_ in batches]


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize(
    "size", [{"batch_size": 8}, {"tokens_per_batch": 100}], ids=str
)
def test_each_example_comes_once_and_whole(shuffle, size):
    batches = BucketedBatches(sequences(), shuffle=shuffle, seed=3, **size)
    for _ in range(3):
        np.testing.assert_array_equal(np.sort(numbers(batches)), range(97))
        for index, (x,) in enumerate(batches):
            assert x.dtype == "int32"
            rows = batches.examples(index)
            expected = keras.utils.pad_sequences(
                [sequences()[i] for i in rows], x.shape[1], padding="post"
            )
            np.testing.assert_array_equal(x, expected)
        assert len(list(batches)) == len(batches) == batches.num_batches
        batches.on_epoch_end()


def test_given_boundaries_are_the_lengths():
    batches = BucketedBatches(sequences(), batch_size=8, boundaries=[5, 20, 30])
    assert batches.boundaries == (5, 20, 30)
    for x, *_ in batches:
        lengths = LENGTHS[x[:, 0] - 1]
        below = {5: 0, 20: 5, 30: 20}[x.shape[1]]
        assert below < lengths.min() and lengths.max() <= x.shape[1]


def test_quantiles_are_the_lengths():
    batches = BucketedBatches(sequences(), batch_size=8, num_buckets=3)
    ordered = np.sort(LENGTHS)
    assert batches.boundaries == (ordered[32], ordered[64], ordered[96])
    sizes = [np.sum(limit >= LENGTHS) for limit in batches.boundaries]
    assert abs(sizes[0] - 97 / 3) < 6 and abs(sizes[1] - 97 * 2 / 3) < 6


def test_buckets_without_examples_are_left_out():
    batches = BucketedBatches([[1], [2]], batch_size=1, boundaries=[1, 2, 9])
    assert batches.boundaries == (1,)
    batches = BucketedBatches([[1], [2]], batch_size=1, num_buckets=5)
    assert batches.boundaries == (1,)


def test_few_shapes():
    def all_shapes(**arguments):
        batches = BucketedBatches(
            sequences(), batch_size=8, shuffle=True, **arguments
        )
        found = set()
        for _ in range(4):
            found.update(shapes(batches))
            batches.on_epoch_end()
        return found

    assert len(all_shapes(num_buckets=3)) <= 6
    assert len(all_shapes(num_buckets=3, drop_remainder=True)) == 3


def test_drop_remainder():
    batches = BucketedBatches(
        sequences(), batch_size=8, num_buckets=3, drop_remainder=True
    )
    assert {rows for rows, _ in shapes(batches)} == {8}
    seen = numbers(batches)
    assert len(set(seen)) == len(seen) > 97 - 3 * 8


def test_budget_of_tokens():
    batches = BucketedBatches(sequences(), tokens_per_batch=90, num_buckets=4)
    for rows, length in shapes(batches):
        assert rows * length <= 90
    fullest = {}
    for rows, length in shapes(batches):
        fullest[length] = max(rows, fullest.get(length, 0))
    assert fullest == {limit: 90 // limit for limit in batches.boundaries}


def test_budget_counts_all_lists():
    lists = (sequences(), sequences(30 - LENGTHS))
    batches = BucketedBatches(lists, sequences(), tokens_per_batch=100)
    for (a, b), y in batches:
        assert a.size + b.size + y.size <= 100


def test_padding_share():
    batches = BucketedBatches(
        sequences(), batch_size=8, num_buckets=3, shuffle=True
    )
    for _ in range(2):
        arrays = [x for (x,) in batches]
        padding = sum((x == 0).sum() for x in arrays)
        expected = padding / sum(x.size for x in arrays)
        assert np.isclose(batches.padding_share, expected)
        batches.on_epoch_end()
    one = BucketedBatches(sequences(), batch_size=8, num_buckets=1)
    assert np.isclose(
        one.padding_share, 1 - LENGTHS.sum() / (97 * LENGTHS.max())
    )
    assert batches.padding_share < one.padding_share / 2


def test_order_depends_on_seed_and_epoch_alone():
    def made(seed):
        return BucketedBatches(
            sequences(), batch_size=5, shuffle=True, seed=seed
        )

    def orders(seed):
        batches = made(seed)
        for _ in range(3):
            yield tuple(numbers(batches))
            batches.on_epoch_end()

    first, again, other = (list(orders(seed)) for seed in (1, 1, 2))
    assert first == again
    assert len({*first, *other}) == 6
    resumed = made(1)
    resumed.epoch = 2
    assert tuple(numbers(resumed)) == first[2]


def test_examples_and_batches_are_shuffled():
    batches = BucketedBatches(sequences(), batch_size=5, shuffle=True)
    together, lengths = set(), []
    for _ in range(6):
        together.update(frozenset(batches.examples(i)) for i in range(9))
        lengths.append(tuple(length for _, length in shapes(batches)))
        batches.on_epoch_end()
    assert len(together) > 40
    assert len(set(lengths)) == 6


@pytest.mark.parametrize("shuffle", [False, True])
def test_the_first_two_batches_differ_in_length(shuffle):
    long = 90 * [4] + 2 * [9]
    batches = BucketedBatches(
        sequences(long), batch_size=2, boundaries=[4, 9], shuffle=shuffle
    )
    for _ in range(5):
        assert {batches[0][0].shape[1], batches[1][0].shape[1]} == {4, 9}
        batches.on_epoch_end()


def test_the_first_two_batches_differ_in_each_list():
    """On TensorFlow a size counts as varying only if these two differ in it."""
    x = (sequences([2, 2, 4]), sequences([2, 4, 4]))
    batches = BucketedBatches(
        x, batch_size=1, boundaries=[(2, 2), (2, 4), (4, 4)]
    )
    for a, b in zip(*(batches[i][0] for i in range(2)), strict=True):
        assert a.shape[1] != b.shape[1]


@pytest.mark.parametrize(
    "values",
    [
        np.arange(12, dtype="uint8").reshape(3, 2, 2),
        np.array([[True, False], [False, False], [True, True]]),
        [[0.5, 1.0], [1.5, 2.0], [2.5, 3.0]],
        [np.float32([1, 2]), np.float32([3, 4]), np.float32([5, 6])],
        np.arange(6.0).reshape(3, 2),
        ["a", "b", "c"],
    ],
    ids=lambda values: str(np.asarray(values).dtype),
)
def test_what_has_a_fixed_shape_is_handed_on(values):
    batches = BucketedBatches([[1], [1, 2], [1]], values, batch_size=1)
    assert batches.boundaries == (1, 2)
    for index, (_, y) in enumerate(batches):
        expected = np.asarray(values)[batches.examples(index)]
        np.testing.assert_array_equal(y, expected)
        assert y.dtype == expected.dtype


def test_integers_with_two_axes_are_sequences():
    ragged = np.empty(2, dtype=object)
    ragged[:] = [[5], [6, 7]]
    for y, boundaries in (
        (np.array([[5, 0], [6, 7]]), ((1, 2),)),
        (ragged, ((1, 1), (1, 2))),
    ):
        batches = BucketedBatches([[1], [2]], y, batch_size=1)
        assert batches.boundaries == boundaries
        assert batches[0][1].dtype == "int32"


def test_several_lists_are_aligned():
    other = 31 - LENGTHS
    x = {"a": sequences(), "b": sequences(other)}
    labels = np.arange(97)
    batches = BucketedBatches(
        x, labels, batch_size=4, shuffle=True, x_pad={"a": 0, "b": -1}
    )
    for x, y in batches:
        np.testing.assert_array_equal(x["a"][:, 0], y + 1)
        np.testing.assert_array_equal(x["b"][:, 0], y + 1)
        np.testing.assert_array_equal((x["a"] > 0).sum(axis=1), LENGTHS[y])
        np.testing.assert_array_equal((x["b"] != -1).sum(axis=1), other[y])
    pairs = BucketedBatches(
        (sequences([3, 8]), sequences([2, 4])),
        [0.5, 1.5],
        batch_size=1,
        boundaries=[(4, 2), (9, 5)],
    )
    assert pairs.boundaries == ((4, 2), (9, 5))
    found = [(a.shape, b.shape, y.tolist()) for (a, b), y in pairs]
    assert found == [((1, 4), (1, 2), [0.5]), ((1, 9), (1, 5), [1.5])]


def test_targets_with_a_padding_of_their_own():
    batches = BucketedBatches(
        [[1], [2, 3]], [[4], [5, 6]], batch_size=2, num_buckets=1, y_pad=-1
    )
    ((x, y),) = batches
    assert x.tolist() == [[1, 0], [2, 3]]
    assert y.tolist() == [[4, -1], [5, 6]]


class Counter(keras.layers.Layer):
    """Adds up how often it reads each number, and in which step."""

    def __init__(self):
        super().__init__()
        self.table = self.add_weight(
            shape=(98,), initializer="zeros", trainable=False
        )
        self.step = self.add_weight(initializer="zeros", trainable=False)

    def call(self, inputs, training=None):
        if training:
            numbers = keras.ops.cast(inputs[:, 0], "int32")
            hot = keras.ops.one_hot(numbers, 98, dtype="float32")
            self.step.assign_add(1)
            self.table.assign_add(self.step * keras.ops.sum(hot, axis=0))
        return keras.ops.cast(inputs[:, 0] * 0, "float32")[:, None]


class Epochs(keras.callbacks.Callback):
    """Notes, after each epoch, in which step each example came."""

    def __init__(self, counter):
        super().__init__()
        self.counter = counter
        self.steps = []

    def on_epoch_end(self, epoch, logs=None):
        table = keras.ops.convert_to_numpy(self.counter.table)
        self.steps.append(table[1:].copy())
        for weight in self.counter.weights:
            weight.assign(np.zeros(weight.shape))


def fit(batches, callbacks=(), **arguments):
    """The step in which each example came, for each epoch of a `fit`."""
    counter = Counter()
    model = keras.Sequential([counter, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    epochs = Epochs(counter)
    model.fit(batches, callbacks=[epochs, *callbacks], verbose=0, **arguments)
    return np.array(epochs.steps)


def batches_for_fit():
    return BucketedBatches(
        sequences(),
        np.zeros((97, 1), "float32"),
        batch_size=12,
        num_buckets=3,
        shuffle=True,
        seed=5,
    )


def expected_steps(epoch):
    batches = batches_for_fit()
    batches.epoch = epoch
    steps = np.zeros(97)
    for step in range(len(batches)):
        steps[batches.examples(step)] = step + 1
    return steps


def test_fit_reads_the_orders_and_resumes():
    steps = fit(batches_for_fit(), epochs=3, shuffle=False)
    np.testing.assert_array_equal(steps, [*map(expected_steps, (1, 2, 3))])
    batches = batches_for_fit()
    resumed = fit(
        batches,
        callbacks=[EpochOrder(batches)],
        epochs=3,
        initial_epoch=2,
        shuffle=False,
    )
    np.testing.assert_array_equal(resumed, [expected_steps(2)])


def test_fit_with_the_shuffling_of_keras_reads_each_example_once():
    (steps,) = fit(batches_for_fit(), epochs=1)
    once = expected_steps(1)
    assert steps.min() > 0
    # The same batches, in another order.
    pairs = set(zip(once, steps, strict=True))
    assert len(pairs) == len(batches_for_fit()) == len(set(steps))
    assert (once != steps).any()


def test_fit_predict_and_evaluate_with_targets_of_varying_length():
    x = (sequences(), sequences(30 - LENGTHS))
    batches = BucketedBatches(x, sequences(), batch_size=40, num_buckets=2)
    a, b = (keras.Input((None,), dtype="int32") for _ in range(2))
    embed = keras.layers.Embedding(98, 4)
    summary = keras.layers.GlobalAveragePooling1D(keepdims=True)(embed(b))
    outputs = keras.layers.Dense(98)(embed(a) + summary)
    model = keras.Model((a, b), outputs)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    history = model.fit(batches, epochs=2, verbose=0).history["loss"]
    assert history[1] < history[0]
    assert np.isfinite(model.evaluate(batches, verbose=0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": None}, "either `batch_size` or `tokens_per_batch`"),
        ({"tokens_per_batch": 9}, "either `batch_size` or"),
        ({"batch_size": 0}, "`batch_size`.*batch_size=0"),
        (
            {"batch_size": None, "tokens_per_batch": 2},
            "`tokens_per_batch`.*at least 3.*tokens_per_batch=2",
        ),
        ({"num_buckets": 0}, "`num_buckets`.*num_buckets=0"),
        ({"seed": -1}, "`seed`.*seed=-1"),
        ({"boundaries": [2, 1]}, r"`boundaries`.*rising.*\[2, 1\]"),
        ({"boundaries": [3, 3]}, r"`boundaries`.*rising.*\[3, 3\]"),
        ({"boundaries": []}, r"`boundaries`.*rising.*\[\]"),
        ({"boundaries": [0, 3]}, r"`boundaries`.*at least 1.*\[0, 3\]"),
        ({"boundaries": [1.5, 3]}, r"`boundaries`.*\[1.5, 3\]"),
        ({"boundaries": [(3, 3)]}, r"`boundaries`.*tuples of 1"),
        ({"boundaries": "ab"}, "`boundaries`.*'ab'"),
        ({"boundaries": np.array([3, 1], "uint8")}, "`boundaries`.*rising"),
        ({"boundaries": [1, 2]}, r"`boundaries`.*\[2\].*example 1.*\[3\]"),
        ({"x": [[1], []]}, "`x`.*none of them empty"),
        ({"x": [[1.5], [2]]}, "`x`.*sequences of integers.*fixed shape"),
        ({"x": [[2], [1.5]]}, "`x`.*integers.*float64"),
        ({"y": [[1.5], [2, 3]]}, "`y`.*one shape"),
        ({"x": [[1], [2**31]]}, "`x`.*2\\*\\*31 - 1. Received: 2147483648"),
        ({"x": [[1], [-(2**40)]]}, "`x`.*Received: -1099511627776"),
        ({"x": []}, "`x` must hold examples"),
        ({"x": [1, 2]}, "`x` must be a list of sequences"),
        ({"y": [1]}, r"aligned.*\[1, 2\] examples"),
        ({"drop_remainder": True}, "not a single batch.*2 examples"),
        ({"x_pad": 0.5}, "`x_pad`.*x_pad=0.5"),
        ({"x_pad": (0, 1)}, r"`x_pad`.*integer.*x_pad=\(0, 1\)"),
        ({"y": {"a": [1, 2]}, "y_pad": {"b": 1}}, "`y_pad`.*y_pad={'b': 1}"),
    ],
)
def test_wrong_arguments(arguments, message):
    given = {"x": [[1], [1, 2, 3]], "batch_size": 9, **arguments}
    with pytest.raises(ValueError, match=message):
        BucketedBatches(**given)


def test_boundaries_of_two_lists_rise_in_both():
    x = ([[1], [2, 2]], [[1], [2, 2]])
    made = BucketedBatches(x, batch_size=1, boundaries=[(1, 1), (1, 2), (2, 2)])
    assert made.boundaries == ((1, 1), (2, 2))
    with pytest.raises(ValueError, match="`boundaries`.*rising"):
        BucketedBatches(x, batch_size=1, boundaries=[(1, 5), (2, 4)])


@pytest.mark.parametrize("given", [np.array([2, 4]), (2, 4), range(2, 5, 2)])
def test_boundaries_in_any_form(given):
    batches = BucketedBatches([[1], [1, 2, 3]], batch_size=1, boundaries=given)
    assert batches.boundaries == (2, 4)


def test_index_and_epoch_are_checked():
    batches = BucketedBatches([[1]], batch_size=1)
    with pytest.raises(IndexError, match="index=1"):
        batches[1]
    with pytest.raises(ValueError, match=r"`epoch`.*epoch=-1"):
        batches.epoch = -1
