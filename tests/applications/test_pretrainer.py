"""Pre-training by name: objectives, batches, the optimizer, resuming."""

import keras
import numpy as np
import pytest
from keras import ops
from masks import texts, vocabulary
from sequences import compiled

from keras_dl import heads
from keras_dl.applications import BERT, Pretrainer, TaskModel
from keras_dl.optimizers import LinearWarmupDecay
from keras_dl.text import (
    FragmentDecoding,
    MaskedBatches,
    Packed,
    SpanMasking,
    TokenMasking,
)

WORDS = vocabulary(40)
EVERYTHING = ["masked_tokens", "next_sentence", "span_boundary", "fragment"]


def encoder(**changes):
    sizes = {
        "num_layers": 1,
        "hidden_dim": 8,
        "num_heads": 2,
        "intermediate_dim": 12,
        "max_sequence_length": 16,
        "dropout": 0.0,
        "initializer_range": 0.3,
    }
    return BERT(40, **{**sizes, **changes})


def batches(masking=SpanMasking, **arguments):
    """Rows that count upwards, with all that an objective may need."""
    ids = texts(32, 16, size=40)
    start = np.arange(32)[:, None] * 5 % 32
    ids[:, 1:-1] = 5 + (start + np.arange(14)) % 35
    segments = np.tile(np.arange(16) > 7, (32, 1)).astype("int32")
    packed = Packed(ids, segments, np.arange(32, dtype="int32") % 2)
    arguments = {
        "boundaries": masking is SpanMasking,
        "extras": [FragmentDecoding(WORDS, masked_tokens=True)],
        **arguments,
    }
    return MaskedBatches(packed, masking(WORDS), WORDS, 16, **arguments)


def logits(model, inputs):
    found = compiled(model, model)(inputs)
    return keras.tree.map_structure(ops.convert_to_numpy, found)


def test_all_objectives_of_one_batch():
    """The same numbers as a TaskModel on what each of them needs."""
    model = Pretrainer(encoder(), EVERYTHING)
    model.compile(total_steps=100)
    x, y = batches()[0]
    logs = model.evaluate(x, y, batch_size=16, verbose=0, return_dict=True)
    peer = TaskModel(model.encoder, model.heads)
    peer.compile("sgd")
    targets = {**y, "span_boundary": y["masked_tokens"]}
    assert set(targets) == set(EVERYTHING)
    expected = peer.evaluate(
        x, targets, batch_size=16, verbose=0, return_dict=True
    )
    assert set(logs) - set(expected) == {
        "masked_tokens_perplexity",
        "span_boundary_perplexity",
    }
    for name, value in expected.items():
        np.testing.assert_allclose(logs[name], value, rtol=1e-5)
    for name in ("masked_tokens", "span_boundary", "fragment"):
        np.testing.assert_allclose(
            logs[f"{name}_perplexity"],
            np.exp(logs[f"{name}_loss"]),
            rtol=1e-4,
        )


@pytest.mark.parametrize("several", [True, False])
def test_what_is_not_needed_is_left_aside(several):
    """Labels of pairs, boundaries, fragments; segments, if there are none."""
    objectives = ["masked_tokens"] if several else "masked_tokens"
    model = Pretrainer(encoder(num_segments=0, pooler=None), objectives)
    assert isinstance(model.heads, dict) == several
    model.compile(keras.optimizers.Adam(0.02))
    logs = model.fit(batches(), epochs=8, verbose=0).history
    assert logs["loss"][-1] < 0.95 * logs["loss"][0]
    assert logs["perplexity"][-1] < logs["perplexity"][0]
    assert model.get_config().keys() == TaskModel.get_config(model).keys()


def test_objectives_by_name():
    kinds = {
        "masked_tokens": heads.MaskedLM,
        "next_sentence": heads.Classification,
        "sentence_order": heads.Classification,
        "span_boundary": heads.SpanBoundary,
        "fragment": heads.TransformerDecoder,
    }
    made = Pretrainer(encoder(), list(kinds)).heads
    assert {name: type(head) for name, head in made.items()} == kinds
    assert made["next_sentence"].get_config()["dropout"] == 0
    model = Pretrainer(encoder(), ["sentence_order"])
    model.compile("sgd")
    logs = model.evaluate(batches(), verbose=0, return_dict=True)
    assert 0 <= logs["accuracy"] <= 1


def test_the_optimizer_of_bert():
    model = Pretrainer(encoder())
    model.compile(total_steps=200, peak=1e-3)
    optimizer = model.optimizer
    assert isinstance(optimizer, keras.optimizers.AdamW)
    config = optimizer.get_config()
    assert config["weight_decay"] == 0.01 and config["epsilon"] == 1e-6
    assert config["global_clipnorm"] == 1
    schedule = LinearWarmupDecay(1e-3, 200, 2)
    rates = model.fit(batches(), epochs=3, verbose=0).history["learning_rate"]
    # Two batches an epoch: the rate of the next update.
    np.testing.assert_allclose(rates, [schedule(n) for n in (2, 4, 6)])


@pytest.mark.parametrize("scaled", [False, True])
def test_biases_and_normalizations_are_not_decayed(scaled, tmp_path):
    """Also not by an optimizer that comes from a file, or is wrapped."""

    def decayed(model):
        for w in model.trainable_variables:
            w.assign(np.ones(w.shape))
        model.fit(batches(), epochs=1, verbose=0)
        return {
            w.path.split("/")[-1]
            for w in model.trainable_variables
            if not np.allclose(ops.convert_to_numpy(w), 1)
        }

    optimizer = keras.optimizers.SGD(0.1, weight_decay=0.5)
    if scaled:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    model = Pretrainer(encoder(), ["masked_tokens"])
    model.compile(optimizer, loss_weights={"masked_tokens": 0.0})
    assert decayed(model) == {"kernel", "embeddings"}
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(again, Pretrainer)
    assert decayed(again) == {"kernel", "embeddings"}


class Stop(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt


def test_goes_on_after_an_interruption(tmp_path):
    def trained(seed=0, **kwargs):
        keras.utils.set_random_seed(seed)
        model = Pretrainer(encoder())
        model.compile(total_steps=8, peak=0.01)
        model.fit(batches(), epochs=4, verbose=0, **kwargs)
        return model.get_weights()

    expected = trained()
    with pytest.raises(KeyboardInterrupt):
        trained(backup_dir=tmp_path, callbacks=[Stop()])
    found = trained(seed=1, backup_dir=tmp_path)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_hugging_face(tmp_path):
    """A model of theirs goes on, whatever its head is called."""
    model = Pretrainer(encoder())
    model.to_hugging_face(tmp_path)
    again = Pretrainer.from_hugging_face(tmp_path, dropout=0.0)
    x, _ = batches()[0]
    np.testing.assert_array_equal(logits(again, x), logits(model, x))
    again.compile(total_steps=10)
    again.fit(batches(), epochs=1, verbose=0)


def test_bad_input():
    with pytest.raises(ValueError, match="`heads` must be one of"):
        Pretrainer(encoder(), ["masked_words"])
    with pytest.raises(TypeError, match="`heads` must be"):
        Pretrainer(encoder(), {"masked_tokens": "masked_tokens"})
    model = Pretrainer(encoder(), "span_boundary")
    with pytest.raises(ValueError, match="`total_steps`.*total_steps=None"):
        model.compile()
    model.compile("sgd")
    with pytest.raises(ValueError, match=r"lack \['span_left', .*SpanBoundary"):
        model.fit(batches(TokenMasking), verbose=0)
    model = Pretrainer(encoder(), {"mine": heads.MaskedLM()})
    model.compile("sgd")
    with pytest.raises(ValueError, match=r"lack \['mine'\].*'masked_tokens'"):
        model.fit(batches(), verbose=0)
