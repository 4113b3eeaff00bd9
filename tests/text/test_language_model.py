"""LanguageModelBatches: windows, statefulness, orders."""

import keras
import numpy as np
import pytest

from keras_dl.text import LanguageModelBatches


@pytest.mark.parametrize("num_ids", [21, 22, 24, 25])
def test_windows(num_ids):
    batches = LanguageModelBatches(range(num_ids), length=4, batch_size=2)
    x, y = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    assert x.dtype == y.dtype == "int32"
    whole = (num_ids - 1) // 4 * 4
    np.testing.assert_array_equal(x.reshape(-1), range(whole))
    np.testing.assert_array_equal(y, x + 1)
    assert [len(x) for x, _ in batches] == [2] * (whole // 8) + [1] * (
        whole // 4 % 2
    )


def test_stride_is_that_of_numpy():
    ids = np.arange(20)
    windows = np.lib.stride_tricks.sliding_window_view(ids, 5)[::3]
    batches = LanguageModelBatches(ids, 4, batch_size=3, stride=3)
    x, y = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    np.testing.assert_array_equal(x, windows[:, :-1])
    np.testing.assert_array_equal(y, windows[:, 1:])


@pytest.mark.parametrize("num_ids", [25, 30, 48, 49])
def test_stateful_rows_go_on(num_ids):
    ids = np.random.RandomState(0).randint(9, size=num_ids)
    batches = LanguageModelBatches(ids, 4, batch_size=3, stateful=True)
    assert len(batches) == (num_ids - 1) // 12
    x, y = (
        np.concatenate(parts, axis=1) for parts in zip(*batches, strict=True)
    )
    assert x.shape == (3, 4 * len(batches))
    # Row after row they are the text, and the text one further.
    np.testing.assert_array_equal(x.reshape(-1), ids[: x.size])
    np.testing.assert_array_equal(y.reshape(-1), ids[1 : x.size + 1])


def test_a_stateful_layer_reads_on():
    """Batch by batch with its state kept, or each row at once: the same."""
    ids = np.random.RandomState(1).randint(9, size=25)
    batches = LanguageModelBatches(ids, 4, batch_size=2, stateful=True)
    embed = keras.layers.Embedding(9, 3)
    layer = keras.layers.SimpleRNN(5, return_sequences=True, stateful=True)
    parts = [layer(embed(x)) for x, _ in batches]
    layer.reset_state()
    whole = layer(embed(ids[:24].reshape(2, 12)))
    np.testing.assert_allclose(
        np.concatenate([keras.ops.convert_to_numpy(p) for p in parts], axis=1),
        keras.ops.convert_to_numpy(whole),
        atol=1e-5,
    )


def test_shuffling_keeps_windows_and_depends_on_seed_and_epoch():
    def orders(seed):
        batches = LanguageModelBatches(
            range(61), 3, batch_size=4, shuffle=True, seed=seed
        )
        for _ in range(3):
            x, y = (
                np.concatenate(parts) for parts in zip(*batches, strict=True)
            )
            np.testing.assert_array_equal(np.sort(x[:, 0]), range(0, 60, 3))
            np.testing.assert_array_equal(y, x + 1)
            np.testing.assert_array_equal(x, x[:, :1] + range(3))
            yield tuple(x[:, 0])
            batches.on_epoch_end()

    first, again, other = (list(orders(seed)) for seed in (1, 1, 2))
    assert first == again
    assert len({*first, *other}) == 6
    resumed = LanguageModelBatches(range(61), 3, 4, shuffle=True, seed=1)
    resumed.epoch = 2
    x = np.concatenate([x for x, _ in resumed])
    assert tuple(x[:, 0]) == first[2]


def test_fit_learns_a_cycle():
    ids = np.tile([1, 2, 3, 4], 60)
    batches = LanguageModelBatches(ids, 6, batch_size=7, shuffle=True)
    model = keras.Sequential(
        [keras.layers.Embedding(5, 8), keras.layers.Dense(5)]
    )
    model.compile(
        keras.optimizers.Adam(0.1),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    history = model.fit(batches, epochs=4, verbose=0).history["loss"]
    assert history[-1] < 0.1 < history[0]
    assert model.evaluate(batches, verbose=0) < 0.1


def test_tensors_are_taken():
    ids = keras.ops.convert_to_tensor(np.arange(9))
    ((x, _),) = LanguageModelBatches(ids, 4, batch_size=2)
    assert x.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"length": 0}, "`length`.*length=0"),
        ({"batch_size": 0}, "`batch_size`.*batch_size=0"),
        ({"stride": 0}, "`stride`.*stride=0"),
        ({"length": 20}, "`ids`.*at least 21.*20 ids"),
        ({"length": 5, "stateful": True}, "`ids`.*at least 21.*20 ids"),
        ({"stateful": True, "shuffle": True}, "`stateful=True`.*shuffle=True"),
        ({"stateful": True, "stride": 2}, "`stateful=True`.*stride=2"),
        ({"ids": [[1, 2]]}, r"`ids`.*one dimension.*\(1, 2\)"),
        ({"ids": [1, 2**31]}, "`ids`.*2\\*\\*31 - 1. Received: 2147483648"),
        ({"ids": [-(2**31) - 1]}, "`ids`.*Received: -2147483649"),
        ({"ids": np.array([2**64 - 1], "uint64")}, "`ids`.*Received: 1844"),
        ({"ids": [1.0, 2.0]}, "`ids`.*integers.*float64"),
        ({"drop_remainder": True, "batch_size": 99}, "not a single batch"),
    ],
)
def test_wrong_arguments(arguments, message):
    given = {"ids": range(20), "length": 2, "batch_size": 4, **arguments}
    with pytest.raises(ValueError, match=message):
        LanguageModelBatches(**given)
