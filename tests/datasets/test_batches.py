"""Batches: what is in them, in which order, and what Keras makes of them."""

import keras
import numpy as np
import pytest

from keras_dl.datasets import Batches, BucketedBatches, Split


def examples(num_examples):
    """Examples that carry their own number."""
    numbers = np.arange(num_examples)
    x = np.stack([numbers, -numbers], axis=1).astype("float32")
    return Split(x, numbers.astype("int32"))


def order(batches):
    return np.concatenate([y for _, y in batches])


@pytest.mark.parametrize(
    ("drop_remainder", "sizes"), [(False, [4, 4, 2]), (True, [4, 4])]
)
def test_sizes(drop_remainder, sizes):
    batches = examples(10).batches(4, drop_remainder=drop_remainder)
    assert len(batches) == len(sizes)
    assert [len(y) for _, y in batches] == sizes
    with pytest.raises(IndexError, match=f"index={len(sizes)}"):
        batches[len(sizes)]


def test_unshuffled_batches_keep_the_order():
    np.testing.assert_array_equal(order(examples(10).batches(4)), range(10))


def test_shuffling_is_a_permutation_that_keeps_pairs_together():
    batches = examples(50).batches(8, shuffle=True)
    x = np.concatenate([x for x, _ in batches])
    y = order(batches)
    np.testing.assert_array_equal(np.sort(y), range(50))
    np.testing.assert_array_equal(x, np.stack([y, -y], axis=1))
    assert not np.array_equal(y, np.arange(50))


def test_order_depends_on_seed_and_epoch_alone():
    def orders(seed):
        batches = examples(50).batches(8, shuffle=True, seed=seed)
        for _ in range(3):
            yield tuple(order(batches))
            batches.on_epoch_end()

    first, again, other = (list(orders(seed)) for seed in (1, 1, 2))
    assert first == again
    assert len({*first, *other}) == 6
    resumed = examples(50).batches(3, shuffle=True, seed=1)
    resumed.epoch = 2
    assert tuple(order(resumed)) == first[2]


class Recorder(keras.layers.Layer):
    """Writes down the examples that a training step sees."""

    def __init__(self):
        super().__init__()
        self.seen = self.add_weight(
            shape=(30,), initializer="zeros", trainable=False
        )
        self.step = self.add_weight(initializer="zeros", trainable=False)

    def call(self, inputs, training=None):
        if training:
            number = keras.ops.cast(inputs[:, 0], "int32")
            ones = keras.ops.one_hot(number, 30, dtype="float32")
            self.step.assign_add(1)
            self.seen.assign_add(self.step * keras.ops.sum(ones, axis=0))
        return inputs


class Epochs(keras.callbacks.Callback):
    """Notes, after each epoch, in which step each example came."""

    def __init__(self, recorder):
        super().__init__()
        self.recorder = recorder
        self.steps = []

    def on_epoch_end(self, epoch, logs=None):
        self.steps.append(keras.ops.convert_to_numpy(self.recorder.seen))
        for weight in self.recorder.weights:
            weight.assign(np.zeros(weight.shape))


def fit(batches, **arguments):
    """The step in which each example came, for each epoch of a `fit`."""
    recorder = Recorder()
    model = keras.Sequential([recorder, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    epochs = Epochs(recorder)
    model.fit(batches, callbacks=[epochs], verbose=0, **arguments)
    return np.array(epochs.steps)


def expected_steps(epoch):
    batches = examples(30).batches(8, shuffle=True, seed=5)
    batches.epoch = epoch
    steps = np.zeros(30)
    for step, (_, numbers) in enumerate(batches, start=1):
        steps[numbers] = step
    return steps


def test_fit_reads_the_orders_one_by_one():
    batches = examples(30).batches(8, shuffle=True, seed=5)
    steps = fit(batches, epochs=3, shuffle=False)
    expected = [expected_steps(epoch) for epoch in (1, 2, 3)]
    np.testing.assert_array_equal(steps, expected)


def test_fit_resumes_where_it_stopped():
    batches = examples(30).batches(8, shuffle=True, seed=5)
    batches.epoch = 2
    steps = fit(batches, epochs=4, initial_epoch=2, shuffle=False)
    expected = [expected_steps(epoch) for epoch in (3, 4)]
    np.testing.assert_array_equal(steps, expected)


def test_evaluate_and_predict():
    split = examples(10)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(loss="mse")
    by_arrays = model.evaluate(split.x, split.y, batch_size=4, verbose=0)
    by_batches = model.evaluate(split.batches(4), verbose=0)
    np.testing.assert_allclose(by_batches, by_arrays, rtol=1e-5)
    predictions = model.predict(split.batches(4), verbose=0)
    np.testing.assert_allclose(
        predictions, model.predict(split.x, verbose=0), rtol=1e-5
    )


def test_pixels_become_float_and_are_not_scaled():
    pixels = np.full((3, 2, 2, 1), 255, "uint8")
    ((batch,),) = Split(pixels).batches(3)
    assert batch.dtype == "float32"
    np.testing.assert_array_equal(batch, pixels)


def test_dict_of_arrays():
    x = {"number": np.arange(5), "name": np.array(list("abcde"), dtype=object)}
    split = Split(x)
    assert len(split) == 5
    batches = split.batches(2, shuffle=True)
    for (batch,) in batches:
        letters = [chr(ord("a") + number) for number in batch["number"]]
        assert list(batch["name"]) == letters


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "`batch_size`.*at least 1.*batch_size=0"),
        ({"batch_size": 2.0}, "`batch_size`.*integer.*batch_size=2.0"),
        ({"batch_size": True}, "`batch_size`.*batch_size=True"),
        ({"seed": -3}, "`seed`.*seed=-3"),
        (
            {"batch_size": 9, "drop_remainder": True},
            "not a single batch.*5 examples.*batch_size=9",
        ),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        examples(5).batches(**arguments)


def test_empty_split_has_no_batches():
    with pytest.raises(ValueError, match=r"not a single batch.*0 examples"):
        examples(0).batches(2)


def test_epoch_is_checked():
    batches = Batches(np.zeros((2, 1)))
    with pytest.raises(ValueError, match=r"`epoch`.*epoch=-1"):
        batches.epoch = -1


def shuffled_frame():
    """Rows whose label, feature and target all differ, out of order."""
    import pandas

    frame = pandas.DataFrame(
        {"feature": [1.0, 2.0, 3.0, 4.0, 5.0], "target": [10, 20, 30, 40, 50]}
    )
    return frame.sample(frac=1, random_state=3)


@pytest.mark.parametrize("name", ["by label", "by text", "by position"])
def test_rows_of_pandas_stay_with_their_targets(name):
    frame = shuffled_frame()
    if name == "by text":
        frame.index = list("vwxyz")
    if name == "by position":
        frame = frame.reset_index(drop=True)
    batches = Batches(
        frame[["feature"]], frame["target"], batch_size=2, shuffle=True
    )
    for x, y in batches:
        np.testing.assert_array_equal(10 * x[:, 0], y)
    split = Split(frame["feature"], frame["target"]).take(np.array([4, 0]))
    np.testing.assert_array_equal(10 * split.x, split.y)
    buckets = BucketedBatches(
        [[1], [2], [3], [4], [5]], frame["target"], batch_size=2
    )
    wanted = frame["target"].to_numpy()
    for x, y in buckets:
        np.testing.assert_array_equal(wanted[x[:, 0] - 1], y)


@pytest.mark.parametrize(
    "form",
    [
        lambda a: a.tolist(),
        keras.ops.convert_to_tensor,
        lambda a: memoryview(a),
        lambda a: {"a": a.tolist()},
        lambda a: (a, a.tolist()),
        lambda a: [a, a],
    ],
    ids=["lists", "tensors", "buffer", "dict", "tuple", "list"],
)
def test_other_forms(form):
    x = np.arange(10.0).reshape(5, 2)
    batches = Batches(form(x), list(range(5)), batch_size=2, shuffle=True)
    for found, y in batches:
        for part in keras.tree.flatten(found):
            np.testing.assert_array_equal(part, x[y])


@pytest.mark.parametrize(
    ("x", "y", "error", "message"),
    [
        ((i for i in "ab"), None, TypeError, "`x`.*Received: generator"),
        (np.ones(3), np.ones(2), ValueError, "3 of x, 2 of y"),
        (
            {"a": np.ones(3), "b": np.ones(2)},
            None,
            ValueError,
            "2 of x\\['b'\\]",
        ),
        ([[1, 2], [3]], None, ValueError, "rows of one length"),
        (np.ones(3), "abc", TypeError, "`y`.*Received: str"),
    ],
    ids=["generator", "fewer", "fewer in a dict", "ragged", "text"],
)
def test_what_is_no_data(x, y, error, message):
    for kind in (Batches, Split):
        with pytest.raises(error, match=message):
            kind(x, y)
