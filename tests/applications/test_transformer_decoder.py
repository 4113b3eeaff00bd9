"""A head that writes: MASS, then sequence to sequence."""

import keras
import numpy as np
import pytest
import torch
from keras import ops
from masks import END, PAD, texts, vocabulary
from sequences import compiled, normal
from torch_peers import copy_norm, torch_peer

import keras_dl
from keras_dl import autodiff
from keras_dl.applications import BERT, TaskModel
from keras_dl.generation import BeamSearch, Sampling
from keras_dl.heads import Classification, MaskedLM, TransformerDecoder
from keras_dl.text import (
    FragmentDecoding,
    FragmentMasking,
    MaskedBatches,
    TeacherForcingBatches,
    WordVocabulary,
)

SIZE = 20
SOURCE = np.array([[2, 5, 6, 7, 8, 3], [2, 9, 4, 3, 0, 0]], "int32")
TARGET = np.array([[2, 9, 8, 7], [2, 4, 0, 0]], "int32")
POSITIONS = np.array([[3, 4, 5, 6], [0, 1, 0, 0]], "int32")
SEEN = np.array([[1, 1, 0, 1, 1, 1], [1, 0, 1, 1, 1, 1]], bool)
INPUTS = {
    "token_ids": SOURCE,
    "decoder_ids": TARGET,
    "decoder_positions": POSITIONS,
    "memory_mask": SEEN,
}
FACTORIZED = {"embedding_dim": 6, "num_distinct_layers": 1}
ROBERTA = {"pad_id": 1, "first_position": 2, "num_segments": 1}


def encoder(size=SIZE, **changes):
    sizes = {
        "num_layers": 1,
        "hidden_dim": 8,
        "num_heads": 2,
        "intermediate_dim": 12,
        "max_sequence_length": 24,
        "dropout": 0.0,
        "initializer_range": 0.4,
    }
    return BERT(size, **{**sizes, **changes})


def writer(head=None, **changes):
    head = TransformerDecoder() if head is None else head
    return TaskModel(encoder(**changes), head)


def shaken(**changes):
    """A model whose weights do not depend on the backend, none 0 or 1."""
    model = writer(**changes)
    for i, w in enumerate(model.weights):
        w.assign(0.5 * normal(*w.shape, seed=i) + (len(w.shape) == 1))
    return model


def outputs(model, inputs):
    found = compiled(model, model)(inputs)
    return keras.tree.map_structure(ops.convert_to_numpy, found)


@pytest.mark.parametrize("changes", [{}, FACTORIZED], ids=["plain", "factors"])
def test_oracle(changes):
    """torch.nn.TransformerDecoder, between the same embeddings."""
    model = shaken(num_layers=2, **changes)
    head, own = model.heads, model.encoder
    layers = [
        torch_peer(b, torch.nn.TransformerDecoderLayer) for b in head.blocks
    ]
    peer = torch.nn.TransformerDecoder(layers[0], len(layers))
    peer.layers = torch.nn.ModuleList(layers)
    norm = torch.nn.LayerNorm(own.embedding_dim, eps=own.layer_norm_epsilon)
    table = own.token_embedding.get_weights()[0]
    x = table[TARGET] + head.positions.get_weights()[0][POSITIONS]
    memory = outputs(own, SOURCE)["sequence_output"]
    hidden = torch.tensor(~SEEN | (SOURCE == PAD))
    causal = torch.nn.Transformer.generate_square_subsequent_mask(4) < 0
    with torch.no_grad():
        copy_norm(head.embedding_norm, norm)
        x = dense(head.embedding_projection, norm(torch.tensor(x)))
        x = peer(
            x,
            torch.tensor(memory),
            tgt_mask=causal,
            memory_key_padding_mask=hidden,
        )
        x = dense(head.output_projection, x).numpy()
    expected = x @ table.T + ops.convert_to_numpy(head.bias)
    found = outputs(model, INPUTS)
    np.testing.assert_allclose(found, expected, atol=1e-5, rtol=1e-5)


def dense(layer, x):
    if layer is None:
        return x
    kernel, bias = map(torch.tensor, layer.get_weights())
    return x @ kernel + bias


def test_what_is_hidden_has_no_gradient():
    """Later tokens, padding of the memory, and what its mask hides."""
    model = writer()
    head, own = model.heads, model.encoder
    memory = normal(2, 6, 8)
    x = ops.convert_to_numpy(head._embed(TARGET, POSITIONS, own))
    given = {**INPUTS, "padding_mask": SOURCE != PAD}

    def loss(x, memory, weights):
        head._embed = lambda *args: x
        found = head({"sequence_output": memory}, given, encoder=own)
        del head._embed
        return ops.sum(found**3 * weights)

    run = compiled(model, autodiff.grad(loss, (0, 1)))
    for position, weights in enumerate(np.eye(4, dtype="float32")):
        by_x, by_memory = (
            ops.convert_to_numpy(g) for g in run(x, memory, weights[:, None])
        )
        assert (by_x[:, : position + 1] != 0).any(-1).all()
        assert not by_x[:, position + 1 :].any()
        visible = SEEN & (SOURCE != PAD)
        np.testing.assert_array_equal((by_memory != 0).any(-1), visible)


def test_positions_are_those_of_the_text():
    model = writer()
    pair = outputs(model, (SOURCE, TARGET))
    given = {"token_ids": SOURCE, "decoder_ids": TARGET}
    np.testing.assert_array_equal(pair, outputs(model, given))
    counted = {**given, "decoder_positions": np.tile(np.arange(4), (2, 1))}
    np.testing.assert_allclose(pair, outputs(model, counted), atol=1e-6)
    moved = {**given, "decoder_positions": POSITIONS}
    assert np.abs(pair - outputs(model, moved)).max() > 0.01


class Recorded(Sampling):
    """Keeps the logits that it chooses by."""

    def start(self, *args):
        super().start(*args)
        self.seen = []

    def choose(self, logits):
        self.seen.append(logits)
        return super().choose(logits)


@pytest.mark.parametrize(
    "changes", [{}, FACTORIZED | ROBERTA], ids=["plain", "other padding"]
)
@pytest.mark.compiled("plain")
def test_cached_equals_uncached(changes):
    model = shaken(**changes)
    prompts = [[4, 5, 6, 7], [9, 4]]
    searches = Recorded(4.0, seed=1), Recorded(4.0, seed=1)
    cached, uncached = (
        keras_dl.generate(model, prompts, 7, search, use_cache=cache)
        for search, cache in zip(searches, (True, False), strict=True)
    )
    assert cached == uncached
    tokens = {token for row in cached for token in row}
    assert model.pad_id not in tokens and len(tokens) > 2
    seen = [np.array(search.seen) for search in searches]
    np.testing.assert_allclose(*seen, atol=1e-4)
    # The shorter source, without padding.
    written = np.array([[model.start_id, *cached[1][:-1]]])
    alone = outputs(model, (np.array(prompts[1:]), written))[0]
    alone[:, model.pad_id] = -np.inf
    np.testing.assert_allclose(seen[0][:, 1], alone, atol=1e-4)


def test_beam_search():
    model, ranked = shaken(), []
    for cache in (True, False):
        search = BeamSearch(3, 1.0)
        keras_dl.generate(model, [4, 5], 5, search, end_id=END, use_cache=cache)
        ranked += search.ranked()
    assert len({tuple(tokens) for _, tokens in ranked[0]}) == 3
    for cached, uncached in zip(*ranked, strict=True):
        assert cached[1] == uncached[1]
        np.testing.assert_allclose(cached[0], uncached[0], atol=1e-4)


def test_in_half_precision():
    policy = "mixed_bfloat16"
    half = writer(TransformerDecoder(dtype=policy), dtype=policy)
    full = writer()
    full.set_weights(half.get_weights())
    found = outputs(half, INPUTS)
    assert found.dtype == "float32"
    np.testing.assert_allclose(found, outputs(full, INPUTS), atol=0.5)
    assert {v.dtype for v in half.weights} == {"float32"}
    assert len(keras_dl.generate(half, [4, 5, 6], 5)) == 5


def pretrained():
    """A model that has seen fragments of rows that count upwards."""
    words = vocabulary(SIZE)
    ids = texts(64, 10, size=SIZE)
    start = np.arange(64)[:, None] % 12
    ids[:, 1:-1] = 5 + (start + np.arange(8)) % (SIZE - 5)
    batches = MaskedBatches(
        ids,
        FragmentMasking(words),
        words,
        batch_size=32,
        extras=[FragmentDecoding(words, masked_tokens=True)],
    )
    objectives = {
        "masked_tokens": MaskedLM(),
        "fragment": TransformerDecoder(),
    }
    model = TaskModel(encoder(hidden_dim=16), objectives)
    model.compile(keras.optimizers.Adam(0.01))
    history = model.fit(batches, epochs=12, verbose=0, shuffle=False).history
    return model, batches, history


def test_pretraining_beside_masked_tokens():
    model, batches, history = pretrained()
    for name in ("loss", "fragment_loss", "masked_tokens_loss"):
        assert history[name][-1] < 0.85 * history[name][0], name
    logs = model.evaluate(batches, verbose=0, return_dict=True)
    expected = np.exp(logs["fragment_loss"])
    assert abs(logs["fragment_perplexity"] / expected - 1) < 0.05
    assert logs["fragment_accuracy"] > 0.3  # One in fifteen by chance.
    # The same head goes on alone.
    alone = TaskModel(model.encoder, model.heads["fragment"])
    x, _ = batches[0]
    del x["masked_positions"]
    np.testing.assert_allclose(
        outputs(alone, x),
        outputs(model, batches[0][0])["fragment"],
        atol=1e-5,
    )


def test_writing_backwards():
    """Sequence to sequence, by teacher forcing."""
    letters = list("abcd")
    words = WordVocabulary(letters)
    draw = np.random.RandomState(0).choice
    sources = [" ".join(draw(letters, 3)) for _ in range(128)]
    targets = [source[::-1] for source in sources]
    batches = TeacherForcingBatches(sources, targets, words, words, 32)
    model = TaskModel(
        encoder(words.size, hidden_dim=32, initializer_range=0.1),
        TransformerDecoder(),
    )
    model.compile(keras.optimizers.Adam(0.01))
    history = model.fit(batches, epochs=15, verbose=0).history
    assert history["accuracy"][-1] > 0.99 and history["loss"][-1] < 0.2
    written = keras_dl.generate(model, sources[:8], 8, vocabulary=words)
    assert written == targets[:8]


def test_padding_of_targets_counts_for_nothing():
    model = writer()
    model.compile("sgd")
    right = np.array([[9, 8, 7, 3], [4, 3, 0, 0]], "int32")
    logs = model.evaluate((SOURCE, TARGET), right, verbose=0, return_dict=True)
    logits = outputs(model, (SOURCE, TARGET))
    likely = ops.convert_to_numpy(ops.log_softmax(logits))
    likely = np.take_along_axis(likely, right[..., None], -1)[right != PAD]
    np.testing.assert_allclose(logs["loss"], -likely.mean(), rtol=1e-4)
    np.testing.assert_allclose(
        logs["perplexity"], np.exp(-likely.mean()), rtol=1e-4
    )


def test_sizes_of_its_own():
    head = TransformerDecoder(num_layers=3, num_heads=4, intermediate_dim=6)
    for model, sizes in (
        (writer(head), [(4, 6)] * 3),
        (writer(num_layers=2), [(2, 12)] * 2),
    ):
        blocks = model.heads.blocks
        assert [(b.num_heads, b.intermediate_dim) for b in blocks] == sizes
    config = head.get_config()
    assert (config["num_layers"], config["num_heads"]) == (3, 4)
    assert TransformerDecoder.from_config(config).get_config() == config


def test_bad_input():
    for name in ("num_layers", "num_heads", "intermediate_dim"):
        with pytest.raises(ValueError, match=f"`{name}`.*{name}=0"):
            TransformerDecoder(**{name: 0})
    with pytest.raises(ValueError, match="`start_id`.*at most 19"):
        writer(TransformerDecoder(start_id=20))
    model = writer()
    with pytest.raises(ValueError, match="`decoder_ids` must be from 0 to 19"):
        model.predict((SOURCE, TARGET + 15), verbose=0)
    with pytest.raises(ValueError, match="`token_ids` must be from 0 to 19"):
        model.predict((SOURCE + 15, TARGET), verbose=0)
    with pytest.raises(ValueError, match="too few"):
        keras_dl.generate(model, [4, 5], 25)
    with pytest.raises(ValueError, match="ids from 0 to 19"):
        keras_dl.generate(model, [4, 50], 5)
    other = writer(Classification(2))
    with pytest.raises(ValueError, match="TransformerDecoder as its only"):
        keras_dl.generate(other, [4, 5], 5)
    inside = outputs(model, (SOURCE, np.where(TARGET == 9, SIZE, TARGET)))
    assert np.isnan(inside[0]).any() and not np.isnan(inside[1]).any()
