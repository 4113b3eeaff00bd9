"""Lottery tickets: bit by bit, and nothing of another model's."""

import itertools

import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy as array
from sequences import normal
from small_models import IDS, bert

from keras_dl import applications, compression, heads, training
from keras_dl.compression import Ticket, find_ticket
from keras_dl.models import variables_by_path

X, Y = normal(24, 4).astype("float32"), np.arange(24) % 3


def mlp(units=8, **kwargs):
    model = applications.MLP((units,), num_outputs=3, **kwargs)
    model.build((None, 4))
    return model


def fit(model, readings, epochs=2, x=X, y=Y):
    keras.utils.set_random_seed(1)
    trainer = training.SupervisedTrainer(model, readings=readings)
    trainer.compile(keras.optimizers.AdamW(0.05))
    trainer.fit(x, y, batch_size=8, epochs=epochs, shuffle=False, verbose=0)


def values(model):
    return {p: array(v) for p, v in variables_by_path(model).items()}


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for path, value in expected.items():
        np.testing.assert_array_equal(found[path], value, err_msg=path)


def without(weights, masks):
    return {p: w * masks.get(p, 1) for p, w in weights.items()}


@pytest.mark.parametrize("scope", ["global", "local"])
def test_rounds_prune_what_is_nearest_to_0(scope):
    """Beside NumPy: of each round, the smallest of what is left."""
    start, seen, tickets = mlp(batch_norm=True), [], []

    def watched(model, readings):
        masks = tickets[-1].masks if tickets else {}
        assert_same(values(model), without(first, masks))
        fit(model, readings)
        seen.append(values(model))

    first = values(start)
    ticket = find_ticket(
        lambda: start, watched, 3, 0.3, scope=scope, on_round=tickets.append
    )
    assert tickets[-1] is ticket and len(tickets) == 3
    assert_same(ticket.values, first)
    paths = list(ticket.masks)
    assert paths == ["hidden/0/kernel", "head/kernel"]
    kept = {p: np.ones(first[p].shape, bool) for p in paths}
    for trained, found in zip(seen, tickets, strict=True):
        for group in [paths] if scope == "global" else [[p] for p in paths]:
            sizes = np.concatenate(
                [np.abs(trained[p][kept[p]]).ravel() for p in group]
            )
            number = round(0.3 * len(sizes))
            limit = np.sort(sizes)[number - 1]
            for p in group:
                kept[p] &= np.abs(trained[p]) > limit
        assert_same(found.masks, kept)
    # 56, 39, 27, 19 together; 32, 22, 15, 11 and 24, 17, 12, 8 alone.
    assert sum(int(mask.sum()) for mask in ticket.masks.values()) == 19
    assert ticket.sparsity == 37 / 56


def test_what_is_pruned_never_comes_back():
    """Even where others are 0, too."""

    def lose(model, readings):
        fit(model, readings, 1)
        model.head.kernel.assign(np.zeros((8, 3)))

    tickets = []
    find_ticket(mlp, lose, 3, 0.25, keys="head/kernel", on_round=tickets.append)
    masks = [ticket.masks["head/kernel"] for ticket in tickets]
    assert [int(mask.sum()) for mask in masks] == [18, 14, 10]
    for old, new in itertools.pairwise(masks):
        assert not (new & ~old).any()


@pytest.mark.compiled
def test_late_rewinding_is_exact():
    """As training that stops there, batch statistics too."""
    keras.utils.set_random_seed(0)
    start = mlp(batch_norm=True)
    again = mlp(batch_norm=True)
    again.set_weights(start.get_weights())
    ticket = find_ticket(lambda: start, fit, 2, 0.5, rewind_to=3)
    fit(again, [], epochs=1)
    assert_same(ticket.values, values(again))


def test_masks_hold_through_training():
    ticket = find_ticket(mlp, fit, 2, 0.5)
    model = mlp()
    reading = ticket.apply(model)
    assert_same(values(model), without(ticket.values, ticket.masks))
    fit(model, reading)
    for path, mask in ticket.masks.items():
        weights = values(model)[path]
        assert not weights[~mask].any() and weights[mask].all()


def task(classes, seed):
    keras.utils.set_random_seed(seed)
    body = bert().encoder
    keras.utils.set_random_seed(seed)
    head = heads.Classification(classes)
    return applications.TaskModel(body, head)


def test_a_ticket_of_pretrained_weights_goes_to_another_head(tmp_path):
    """As BERT-Tickets: the encoder's kernels, and the head is kept."""
    y = np.array([0, 1])
    pretrained = task(2, 0)
    first = values(pretrained)
    head_before = first["heads/logits/kernel"]
    ticket = find_ticket(
        lambda: pretrained,
        lambda model, readings: fit(model, readings, 1, IDS, y),
        2,
        keys="encoder/.*",
    )
    assert all(path.startswith("encoder/") for path in ticket.values)
    assert "encoder/token_embedding/embeddings" not in ticket.masks
    assert (values(pretrained)["heads/logits/kernel"] != head_before).any()
    assert_same(ticket.values, {p: first[p] for p in ticket.values})

    ticket.save(tmp_path / "ticket.npz")
    loaded = Ticket.load(tmp_path / "ticket.npz")
    assert_same(loaded.values, ticket.values)
    assert_same(loaded.masks, ticket.masks)
    other = task(3, 5)
    own = values(other)
    reading = loaded.apply(other)
    new = values(other)
    for path in own:
        if path in ticket.values:
            expected = ticket.values[path] * ticket.masks.get(path, 1)
            np.testing.assert_array_equal(new[path], expected)
        else:
            np.testing.assert_array_equal(new[path], own[path])
    fit(other, reading, 1, IDS, y)
    assert compression.sparsity(other, list(ticket.masks)) == ticket.sparsity


def test_controls():
    ticket = find_ticket(mlp, fit, 2, 0.5)
    random, fresh = ticket.random(3), ticket.reinitialized(3)
    assert_same(random.values, ticket.values)
    assert_same(fresh.masks, ticket.masks)
    for path, mask in ticket.masks.items():
        assert random.masks[path].sum() == mask.sum()
        assert (random.masks[path] != mask).any()
        old, new = ticket.values[path], fresh.values[path]
        np.testing.assert_array_equal(np.sort(old, None), np.sort(new, None))
        assert (old != new).any()
    assert_same(ticket.random(3).masks, random.masks)
    assert (ticket.random(4).masks[path] != random.masks[path]).any()


def test_half_precision_is_kept_bit_by_bit():
    model = mlp(dtype="bfloat16")
    expected = values(model)
    ticket = Ticket.of(model, {})
    fit(model, [], 1)
    ticket.apply(model)
    assert_same(values(model), expected)


def test_a_ticket_that_does_not_fit_changes_nothing():
    ticket = Ticket.of(mlp(), {"head/kernel": np.ones((8, 3))})
    model = mlp(units=6)
    before = values(model)
    message = r"shape \(4, 8\) for 'hidden/0/kernel'.*Received: \(4, 6\)"
    with pytest.raises(ValueError, match=message):
        ticket.apply(model)
    flat = applications.MLP((), num_outputs=3)
    flat.build((None, 4))
    with pytest.raises(ValueError, match="a ticket with 'hidden/0/kernel'"):
        ticket.apply(flat)
    with pytest.raises(ValueError, match="`keys` must match paths of the tick"):
        ticket.apply(model, keys="encoder/.*")
    assert_same(values(model), before)
    with pytest.raises(ValueError, match=r"The model must be built"):
        Ticket.of(applications.MLP((3,), num_outputs=2), {})
    with pytest.raises(ValueError, match=r"shape \(1, 3\) for 'head/kernel'"):
        Ticket(ticket.values, {"head/kernel": np.ones((1, 3))})
    with pytest.raises(ValueError, match="`masks` must hold zeros and ones"):
        Ticket(ticket.values, {"head/kernel": np.full((8, 3), 0.5)})


def test_files_that_are_no_tickets(tmp_path):
    np.savez(tmp_path / "other.npz", weights=np.ones(2))
    pickled = np.array([{"a": 1}], dtype=object)
    np.savez(tmp_path / "pickled.npz", **{"values/a": pickled})
    (tmp_path / "text.npz").write_text("no arrays")
    for name in ("other", "pickled", "text"):
        with pytest.raises(ValueError, match="must be a file of `Ticket.save`"):
            Ticket.load(tmp_path / f"{name}.npz")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rounds": 0}, "`rounds` must be an integer of at least 1"),
        ({"rate": 1.0}, "`rate` must be a number of at least 0 and below 1"),
        ({"rewind_to": -1}, "`rewind_to` must be an integer of at least 0"),
        ({"rewind_to": 7}, "number of updates that `fit` makes.*of 6"),
        ({"scope": "all"}, "`scope` must be one of"),
        ({"keys": "encoder/.*"}, "`keys` must match paths of the model"),
        ({"paths": "encoder/.*"}, "`paths` must match variables"),
        (
            {"keys": "head/.*", "paths": ".*kernel"},
            r"not the keys: \['hidden/0/kernel'\]",
        ),
        ({"fit": lambda model, readings: None}, "`fit` must train with the"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        find_ticket(**{"make": mlp, "fit": fit, "rounds": 1} | arguments)


def test_weights_that_are_lost():
    def diverge(model, readings):
        fit(model, readings, 1)
        model.head.kernel.assign(np.full((8, 3), np.nan))

    with pytest.raises(ValueError, match="finite weights.*'head/kernel'"):
        find_ticket(mlp, diverge, 1)
