"""An encoder with heads: training, several tasks, pre-training, errors."""

import keras
import numpy as np
import pytest
from keras import ops
from sequences import compiled

from keras_dl import heads
from keras_dl.applications import BERT, TaskModel
from keras_dl.datasets import Batches, MultiTaskBatches

IDS = np.random.RandomState(0).randint(3, 20, size=(32, 6)).astype("int32")
IDS[::3, 4:] = 0
TAGS = np.where(IDS > 0, IDS % 3, -1).astype("int32")
SPANS = np.stack([np.argmax(IDS, 1), np.argmax(IDS, 1)], 1).astype("int32")
MASKED = np.tile([1, 3, 0], (32, 1)).astype("int32")
MASKED_TARGETS = np.take_along_axis(IDS, MASKED, 1)
MASKED_TARGETS[:, 2] = -1
BOUNDARIES = {
    "span_left": 0 * MASKED,
    "span_right": 0 * MASKED + 2,
    "span_offset": 0 * MASKED,
}


def encoder(**changes):
    sizes = {
        "num_layers": 1,
        "hidden_dim": 16,
        "num_heads": 2,
        "intermediate_dim": 16,
        "max_sequence_length": 8,
        "dropout": 0.0,
        "initializer_range": 0.2,
    }
    return BERT(20, **{**sizes, **changes})


def choices(ids):
    return np.stack([ids, ids[:, ::-1], np.roll(ids, 1, 1)], 1)


# Head, inputs, targets, and the shape of logits.
CASES = {
    "classification": (
        lambda: heads.Classification(3, 0.0),
        {"token_ids": IDS},
        IDS[:, 0] % 3,
        (32, 3),
    ),
    "labels": (
        lambda: heads.MultilabelClassification(3, 0.0),
        {"token_ids": IDS},
        (IDS[:, :1] > np.array([5, 10, 15])).astype("int32"),
        (32, 3),
    ),
    "regression": (
        lambda: heads.Regression(0.0),
        {"token_ids": IDS},
        IDS[:, 0] / 20.0,
        (32, 1),
    ),
    "multiple choice": (
        lambda: heads.MultipleChoice(0.0),
        {"token_ids": choices(IDS)},
        IDS[:, 0] % 3,
        (32, 3),
    ),
    "tagging": (
        lambda: heads.TokenClassification(3, 0.0),
        {"token_ids": IDS},
        TAGS,
        (32, 6, 3),
    ),
    "spans": (heads.ExtractiveQA, {"token_ids": IDS}, SPANS, (32, 2, 6)),
    "masked": (
        heads.MaskedLM,
        {"token_ids": IDS, "masked_positions": MASKED},
        MASKED_TARGETS,
        (32, 3, 20),
    ),
    "untied": (
        lambda: heads.MaskedLM(tie_weights=False, activation="tanh"),
        {"token_ids": IDS},
        np.where(IDS > 4, IDS, -1),
        (32, 6, 20),
    ),
    "replaced": (
        heads.ReplacedTokenDetection,
        {"token_ids": IDS},
        np.minimum(TAGS, 1),
        (32, 6, 2),
    ),
    "boundaries": (
        heads.SpanBoundary,
        {"token_ids": IDS, **BOUNDARIES},
        MASKED_TARGETS,
        (32, 3, 20),
    ),
    "decoder": (
        heads.TransformerDecoder,
        {"token_ids": IDS, "decoder_ids": IDS[:, :-1]},
        IDS[:, 1:],
        (32, 5, 20),
    ),
}


def logits(model, inputs):
    return ops.convert_to_numpy(compiled(model, model)(inputs))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.compiled("masked")
def test_heads(case, tmp_path):
    """Shapes, learning, every variable trained, saved with the encoder."""
    make, inputs, targets, shape = CASES[case]
    model = TaskModel(encoder(), make())
    assert logits(model, inputs).shape == shape
    before = [w.copy() for w in model.get_weights()]
    model.compile(keras.optimizers.Adam(0.01))
    history = model.fit(
        inputs, targets, epochs=6, batch_size=16, verbose=0
    ).history
    assert history["loss"][-1] < 0.95 * history["loss"][0]
    for old, variable in zip(before, model.weights, strict=True):
        path = variable.path
        unused = "pooler" in path and len(shape) > 2
        unused = unused or path.endswith("key/bias")
        # Segments: the second is never there; positions: 6 of 8 are.
        changed = np.abs(old - ops.convert_to_numpy(variable)).max() > 0
        assert changed or unused, path
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(logits(again, inputs), logits(model, inputs))
    assert again.get_config() == model.get_config()


def test_padding_cannot_be_the_answer():
    found = logits(TaskModel(encoder(), heads.ExtractiveQA()), IDS)
    assert (found[::3, :, 4:] < -1e8).all()
    assert (found[1::3] > -1e8).all()


def test_choices_are_read_one_by_one():
    model = TaskModel(encoder(), heads.MultipleChoice())
    texts = choices(IDS)
    together = logits(model, texts)
    alone = logits(model, texts[:, 1:2])
    np.testing.assert_allclose(together[:, 1:2], alone, atol=1e-5)


def test_only_masked_positions_are_asked():
    model = TaskModel(encoder(), heads.MaskedLM())
    everywhere = logits(model, IDS)
    some = logits(model, {"token_ids": IDS, "masked_positions": MASKED})
    np.testing.assert_allclose(
        some, np.take_along_axis(everywhere, MASKED[..., None], 1), atol=1e-5
    )


def test_objectives_of_pretraining_add_up():
    objectives = {
        "masked_tokens": heads.MaskedLM(),
        "next_sentence": heads.Classification(2, dropout=0.0),
    }
    model = TaskModel(encoder(), objectives)
    model.compile(keras.optimizers.SGD(0.0))
    x = {"token_ids": IDS, "masked_positions": MASKED}
    y = {"masked_tokens": MASKED_TARGETS, "next_sentence": IDS[:, 0] % 2}
    logs = model.evaluate(x, y, batch_size=32, verbose=0, return_dict=True)
    parts = logs["masked_tokens_loss"] + logs["next_sentence_loss"]
    np.testing.assert_allclose(logs["loss"], parts, rtol=1e-5)
    assert {"masked_tokens_accuracy", "next_sentence_accuracy"} <= set(logs)
    found = logits_of_dict(model, x)
    top = found["masked_tokens"][:, :2].argmax(-1)
    np.testing.assert_allclose(
        logs["masked_tokens_accuracy"],
        (top == MASKED_TARGETS[:, :2]).mean(),
        rtol=1e-5,
    )


def logits_of_dict(model, x):
    found = compiled(model, model)(x)
    return keras.tree.map_structure(ops.convert_to_numpy, found)


def mixed(**kwargs):
    tasks = {
        "kind": Batches({"token_ids": IDS}, IDS[:, 0] % 3, batch_size=8),
        "size": Batches({"token_ids": IDS[:16]}, IDS[:16, 0] / 20.0, 8),
        "tags": Batches({"token_ids": IDS[:24]}, TAGS[:24], 8),
    }
    return MultiTaskBatches(tasks, **kwargs)


def three_tasks():
    return TaskModel(
        encoder(),
        {
            "kind": heads.Classification(3, 0.0),
            "size": heads.Regression(0.0),
            "tags": heads.TokenClassification(3, 0.0),
        },
    )


def test_tasks_are_mixed_batch_by_batch():
    data = mixed(seed=3)
    assert len(data) == 4 + 2 + 3
    orders = []
    for _ in range(2):
        order = []
        for _, y, weights in data:
            (task,) = (name for name, w in weights.items() if w.any())
            assert (weights[task] == 1).all() and len(weights) == 3
            assert {k: v.shape for k, v in y.items()} == {
                "kind": (8,),
                "size": (8,),
                "tags": (8, 6),
            }
            order.append(task)
        orders.append(order)
        data.on_epoch_end()
    assert sorted(orders[0]) == sorted(orders[1]) != orders[0]
    assert orders[0] != orders[1]
    again = mixed(seed=3)
    again.epoch = 1
    assert [
        np.argmax([w.any() for w in ws.values()]) for _, _, ws in again
    ] == [["kind", "size", "tags"].index(task) for task in orders[1]]


@pytest.mark.compiled
def test_a_batch_of_one_task_teaches_no_other():
    model = three_tasks()
    model.compile(keras.optimizers.SGD(0.1))
    data = mixed()
    x, y, weights = next(item for item in data if item[2]["size"].any())
    before = {h: w.get_weights() for h, w in model.heads.items()}
    model.train_on_batch(x, y, weights)
    for name, head in model.heads.items():
        same = all(
            np.array_equal(a, b)
            for a, b in zip(before[name], head.get_weights(), strict=True)
        )
        assert same == (name != "size")


def test_several_tasks_share_one_encoder():
    model = three_tasks()
    model.compile(keras.optimizers.Adam(0.01))
    history = model.fit(mixed(), epochs=5, verbose=0, shuffle=False).history
    for name in ("loss", "kind_loss", "tags_loss"):
        assert history[name][-1] < history[name][0], name
    # Rows of other tasks count for nothing.
    assert history["tags_accuracy"][-1] > 0.4
    assert history["kind_accuracy"][-1] > 0.34


def test_bad_input():
    with pytest.raises(TypeError, match="`heads` must be"):
        TaskModel(encoder(), keras.layers.Dense(2))
    with pytest.raises(TypeError, match="`heads` must be"):
        TaskModel(encoder(), {})
    with pytest.raises(ValueError, match="must all read texts, or all choices"):
        TaskModel(
            encoder(),
            {"a": heads.MultipleChoice(), "b": heads.Classification(2)},
        )
    with pytest.raises(ValueError, match="needs an encoder with a pooler"):
        TaskModel(encoder(pooler=None), heads.Classification(2))
    with pytest.raises(ValueError, match="`num_classes` must be"):
        heads.Classification(1)
    model = TaskModel(encoder(), heads.Classification(2))
    with pytest.raises(ValueError, match="`token_ids` must be from 0 to 19"):
        model.predict(IDS + 10, verbose=0)
    with pytest.raises(ValueError, match="'token_ids' and any of"):
        model({"token_ids": IDS, "masked_positions": MASKED})
    with pytest.raises(ValueError, match="`tasks` must be a dict"):
        MultiTaskBatches({})
    batches = Batches({"token_ids": IDS}, IDS[:, 0])
    others = Batches({"ids": IDS}, IDS[:, 0])
    with pytest.raises(ValueError, match="inputs of the same names"):
        MultiTaskBatches({"a": batches, "b": others})
    with pytest.raises(IndexError, match="`index` must be from 0 to 8"):
        mixed()[9]
