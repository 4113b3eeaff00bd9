"""Attention maps: what is drawn, and that training goes on as without."""

import builtins

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image
from sequences import tokenizer_with_padding

from keras_dl.applications import Seq2Seq, Transformer
from keras_dl.callbacks import AttentionMaps, draw_attention
from keras_dl.models import features
from keras_dl.text import CharacterVocabulary

LETTERS = CharacterVocabulary(list("abcdef"))
SOURCES = ["abcd", "fe", "cab", "defa"]
TARGETS = [text[::-1][:3] for text in SOURCES]


def make(kind):
    keras.utils.set_random_seed(1)
    if kind == "seq2seq":
        model = Seq2Seq(len(LETTERS), units=8, dropout=0.2)
    else:
        model = Transformer(len(LETTERS), None, 2, 8, 2, 16, dropout=0.2)
    model.compile(keras.optimizers.SGD(0.5), metrics=[])
    model(data()[0])  # Builds it.
    if kind == "seq2seq":
        # Attention that is far from uniform.
        for layer in (model.source_embedding, model.target_embedding):
            layer.set_weights([20 * layer.get_weights()[0]])
    return model


def data():
    x = LETTERS.encode_batch(SOURCES)
    target = LETTERS.encode_batch(TARGETS, start=True)
    return (x, target), LETTERS.encode_batch(TARGETS, end=True)


def fit(model, callbacks=(), epochs=2):
    x, y = data()
    keras.utils.set_random_seed(2)  # For the order of the examples.
    history = model.fit(
        x, y, epochs=epochs, verbose=0, callbacks=list(callbacks)
    )
    return history.history["loss"]


@pytest.mark.parametrize("kind", ["seq2seq", "transformer"])
@pytest.mark.compiled("transformer")
def test_training_is_the_same_with_pictures(kind, tmp_path, monkeypatch):
    """The losses, with dropout; and what is drawn is what fit has reached."""
    drawn = []

    def draw(weights, *arguments):
        drawn.append(weights)
        return draw_attention(weights, *arguments)

    monkeypatch.setattr(
        "keras_dl.callbacks.attention_maps.draw_attention", draw
    )
    maps = AttentionMaps(
        SOURCES,
        TARGETS,
        tmp_path / "new" / "{epoch:02d}.png",
        vocabulary=LETTERS,
        gif=tmp_path / "all.gif",
    )
    model, alone = make(kind), make(kind)
    maps.set_model(model)
    before = maps.weights()
    losses = fit(model, [maps])
    np.testing.assert_array_equal(losses, fit(alone))
    maps.set_model(alone)
    np.testing.assert_allclose(drawn[1], maps.weights(), atol=1e-6)
    for older, newer in ((before, drawn[0]), drawn):
        assert np.abs(older - newer).max() > 1e-4
    assert drawn[0].shape == (4, 4, 4)
    np.testing.assert_allclose(drawn[0].sum(-1), 1, atol=1e-5)
    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert names == ["01.png", "02.png"]
    with Image.open(tmp_path / "all.gif") as film:
        assert film.n_frames == 2
    assert maps.source_tokens[1] == ["f", "e"]
    assert maps.target_tokens[1] == ["e", "f", "end"]


def test_draws_every_second_epoch(tmp_path):
    path = tmp_path / "{epoch}.png"
    maps = AttentionMaps(SOURCES, TARGETS, path, vocabulary=LETTERS, every=2)
    maps.set_model(make("seq2seq"))
    for epoch in range(5):
        maps.on_epoch_end(epoch)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["2.png", "4.png"]


class Learnt(keras.Model):
    """Looks where a table says; the table is made by the first call."""

    def __init__(self):
        super().__init__()
        self.table = keras.layers.Embedding(9, 2)
        self.top = keras.layers.Dense(3)

    def call(self, inputs):
        return self.top(self.table(inputs[1]))

    def feature_paths(self):
        return {"memory_attention_weights/0": "table"}


def test_weights_are_those_of_now():
    model, ids = Learnt(), np.array([[4, 5]])
    maps = AttentionMaps(ids, ids, "{epoch}")
    maps.set_model(model)
    maps.weights()
    for value in (0.25, 0.5):
        model.table.set_weights([np.full((9, 2), value)])
        np.testing.assert_array_equal(maps.weights(), np.full((1, 2, 2), value))


def test_block_and_head_are_chosen():
    model = make("transformer")
    pair = data()[0]
    names = [f"memory_attention_weights/{i}" for i in (0, 1)]
    every = features(model, pair, names).values()

    def weights(**which):
        maps = AttentionMaps(*pair, "{epoch}", **which)
        maps.set_model(model)
        return maps.weights()

    every = [ops.convert_to_numpy(block) for block in every]
    same = np.testing.assert_allclose
    same(weights(), every[1].mean(1), atol=1e-6)
    same(weights(block=0, head=1), every[0][:, 1], atol=1e-6)
    assert np.abs(every[0] - every[1]).max() > 1e-3
    with pytest.raises(ValueError, match="`head` must be one of .* 2"):
        weights(head=2)
    with pytest.raises(ValueError, match="`block` must be one of .* 2"):
        weights(block=2)


def test_draws_tokens_and_cuts_padding(tmp_path):
    weights = np.arange(24.0).reshape(2, 3, 4) / 24
    figure = draw_attention(
        ops.convert_to_tensor(weights),
        [["a", " ", "$"], ["d"]],
        [["x", "y", "z"], ["w", "end"]],
        tmp_path / "map.png",
        title="two",
    )
    left, right = figure.axes
    np.testing.assert_allclose(left.images[0].get_array(), weights[0, :, :3])
    np.testing.assert_allclose(right.images[0].get_array(), weights[1, :2, :1])
    # One scale for all maps, whatever their largest weight.
    assert left.images[0].get_clim() == right.images[0].get_clim() == (0, 1)
    labels = [tick.get_text() for tick in left.get_xticklabels()]
    assert labels == ["a", "␣", r"\$"]
    labels = [tick.get_text() for tick in right.get_yticklabels()]
    assert labels == ["w", "end"]
    with Image.open(tmp_path / "map.png") as picture:
        assert min(picture.size) > 150


def test_labels_are_ids_or_a_list_of_strings():
    ids = np.array([[4, 5, 0]])
    maps = AttentionMaps(ids, ids, "{epoch}")
    assert maps.source_tokens == [["4", "5"]]
    names = ["[PAD]", "?", "<", ">", "A", "B"]
    maps = AttentionMaps(ids, ids, "{epoch}", vocabulary=(names, LETTERS))
    assert maps.source_tokens == [["A", "B"]]
    assert maps.target_tokens == [["b", "end"]]
    maps = AttentionMaps(ids, ids, "{epoch}", vocabulary=[names, names])
    assert maps.source_tokens == [["A", "B"]]
    maps = AttentionMaps([[0, 1]], [[1, 1]], "{epoch}", vocabulary=["a", "b"])
    assert maps.source_tokens == [["b"]]


def test_vocabularies_from_elsewhere_have_their_own_padding():
    pair = [tokenizer_with_padding(1), tokenizer_with_padding(4)]
    texts = ["a b", "b"]
    maps = AttentionMaps(texts, texts, "{epoch}", vocabulary=pair)
    np.testing.assert_array_equal(maps.source_ids, [[0, 2], [2, 1]])
    np.testing.assert_array_equal(maps.target_ids, [[2, 0, 1], [2, 1, 4]])
    assert maps.source_tokens == [["a", "b"], ["b"]]
    assert maps.target_tokens == [["a", "b", "end"], ["b", "end"]]
    ids = AttentionMaps(
        maps.source_ids, maps.target_ids, "{epoch}", vocabulary=pair
    )
    assert ids.source_tokens == maps.source_tokens
    assert ids.target_tokens == maps.target_tokens


@pytest.mark.compiled
def test_attention_is_compiled_once_for_each_model(monkeypatch):
    made = []

    def compiled(function, variables):
        made.append(function)
        return function

    monkeypatch.setattr(
        "keras_dl.callbacks.attention_maps.backend.compiled", compiled
    )
    ids = np.array([[4, 5]])
    maps = AttentionMaps(ids, ids, "{epoch}")
    models = Learnt(), Learnt()
    for model in models:
        maps.set_model(model)
        maps.weights()
        maps.weights()
    assert len(made) == 2


def test_errors(monkeypatch):
    ids = np.array([[4, 5]])
    for path in ("map.png", "{epoch}_{loss:.2f}.png", "{}{epoch}", "{epoch:x"):
        with pytest.raises(ValueError, match="`path` must hold"):
            AttentionMaps(ids, ids, path)
    for wrong in (6, -1):
        with pytest.raises(ValueError, match=f"`target`.*Received: {wrong}"):
            AttentionMaps(ids, [[2, wrong]], "{epoch}", list("abcdef"))
    with pytest.raises(ValueError, match="`source`.*Received: 4294967296"):
        AttentionMaps([[2**32]], ids, "{epoch}")
    with pytest.raises(TypeError, match="`tokenizer`.*Received: dict"):
        AttentionMaps(ids, ids, "{epoch}", vocabulary={"a": 1})
    with pytest.raises(ValueError, match="`pad_id`.*vocabulary, 0.*pad_id=1"):
        AttentionMaps(["ab"], ["ba"], "{epoch}", LETTERS, pad_id=1)
    with pytest.raises(ValueError, match="texts, which need a `vocabulary`"):
        AttentionMaps(["ab"], ["ba"], "{epoch}")
    with pytest.raises(ValueError, match="as many as each other"):
        AttentionMaps(ids, np.array([[4], [5]]), "{epoch}")
    with pytest.raises(ValueError, match="`every`"):
        AttentionMaps(ids, ids, "{epoch}", every=0)
    with pytest.raises(ValueError, match="integer ids of shape"):
        AttentionMaps([4, 5], ids, "{epoch}")
    with pytest.raises(ValueError, match="3 source tokens"):
        draw_attention([[0.5, 0.5]], ["a", "b", "c"], ["d"])
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="must have features 'memory_att"):
        model.fit(
            np.zeros((1, 2)),
            np.zeros((1, 1)),
            callbacks=[AttentionMaps(ids, ids, "{epoch}")],
            verbose=0,
        )

    real = builtins.__import__

    def without_matplotlib(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_matplotlib)
    with pytest.raises(ImportError, match=r"keras_dl\[plots\]"):
        AttentionMaps(ids, ids, "{epoch}")
