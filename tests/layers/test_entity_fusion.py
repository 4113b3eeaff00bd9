"""Blocks that fuse tokens and entities, against NumPy in double precision."""

import keras
import numpy as np
import pytest
from keras import ops
from sequences import compiled, masked, normal, numpy

from keras_dl import autodiff
from keras_dl.layers import (
    EntityFusionBlock,
    EntityStream,
    TransformerEncoderBlock,
)

X, E = normal(2, 5, 6), normal(2, 5, 4, seed=1)
REAL = np.array([[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]], bool)
THERE = np.array([[1, 0, 1, 0, 1], [0, 1, 0, 0, 1]], bool)


def shaken(**options):
    """A block whose variables are all different from what they start at."""
    options = {"activation": "relu", "layer_norm_epsilon": 0.1, **options}
    block = EntityFusionBlock(2, 8, entity_heads=2, **options)
    block.build(X.shape, E.shape)
    for i, w in enumerate(block.weights):
        w.assign(w + 0.3 * normal(*w.shape, seed=i))
    return block


def run(block, x=X, e=E, **kwargs):
    kwargs = {"mask": REAL, "entities_mask": THERE, **kwargs}
    return numpy(compiled(block, lambda x, e: block(x, e, **kwargs))(x, e))


class Peer:
    """The same of the paper's formulas, token by token."""

    def __init__(self, block):
        self.block = block

    def weights(self, name):
        layer = self.block
        for part in name.split("."):
            layer = getattr(layer, part)
        return [w.astype("float64") for w in layer.get_weights()]

    def dense(self, name, x):
        kernel, *bias = self.weights(name)
        return x @ kernel + (bias[0] if bias else 0)

    def norm(self, name, x):
        gamma, beta = self.weights(name)
        x = x - x.mean(-1, keepdims=True)
        spread = (x**2).mean(-1, keepdims=True)
        return gamma * x / np.sqrt(spread + 0.1) + beta

    def attention(self, name, x, seen):
        """Of one row: `x` of shape `(time, size)`."""
        q, k, v = (
            self.dense(f"{name}.{part}_dense", x)
            for part in ("query", "key", "value")
        )
        heads, size = [], x.shape[-1] // 2
        for head in range(2):
            of = slice(head * size, (head + 1) * size)
            scores = q[:, of] @ k[seen][:, of].T / np.sqrt(size)
            weights = np.exp(scores - scores.max(-1, keepdims=True))
            weights /= weights.sum(-1, keepdims=True)
            heads.append(weights @ v[seen][:, of])
        return self.dense(f"{name}.output_dense", np.concatenate(heads, -1))

    def added(self, x, norm, sublayer):
        if self.block.norm_first:
            return x + sublayer(self.norm(norm, x))
        return self.norm(norm, x + sublayer(x))

    def row(self, x, e, real, there):
        there = there & real
        w = self.added(
            x, "attention_norm", lambda x: self.attention("attention", x, real)
        )
        v = self.added(
            e,
            "entity_attention_norm",
            lambda x: self.attention("entity_attention", x, there),
        )
        from_w, from_v = w, v
        if self.block.norm_first:
            from_w = self.norm("feed_forward_norm", w)
            from_v = self.norm("entity_norm", v)
        hidden = self.dense("widen", from_w)
        hidden[there] += self.dense("entity_widen", from_v)[there]
        hidden = np.maximum(hidden, 0)
        return (
            self.added(
                w, "feed_forward_norm", lambda _: self.dense("narrow", hidden)
            ),
            self.added(
                v, "entity_norm", lambda _: self.dense("entity_narrow", hidden)
            ),
        )

    def __call__(self, *arrays):
        rows = [self.row(*row) for row in zip(*arrays, strict=True)]
        return [np.stack(part) for part in zip(*rows, strict=True)]


@pytest.mark.parametrize("norm_first", [False, True])
def test_oracle(norm_first):
    block = shaken(norm_first=norm_first)
    tokens, entities = run(block)
    expected = Peer(block)(
        X.astype("float64"), E.astype("float64"), REAL, THERE
    )
    both = THERE & REAL
    np.testing.assert_allclose(tokens[REAL], expected[0][REAL], atol=1e-5)
    np.testing.assert_allclose(entities[both], expected[1][both], atol=1e-5)


@pytest.mark.parametrize("norm_first", [False, True])
def test_tokens_alone(norm_first):
    """The same tokens from fewer variables."""
    block = shaken(norm_first=norm_first)
    alone = shaken(norm_first=norm_first, returns_entities=False)
    values = {path(w): w for w in block.weights}
    for w in alone.weights:
        w.assign(values.pop(path(w)))
    left = {name.split("/")[0] for name in values}
    assert left - {"entity_norm"} == {"entity_narrow"}
    assert ("entity_norm" in left) != norm_first
    (tokens,) = run(alone)
    np.testing.assert_allclose(tokens, run(block)[0], atol=1e-6)


def path(variable):
    return variable.path.split("/", 1)[1]


def test_tokens_without_an_entity_are_as_in_a_plain_block():
    """Whatever the entities of others are."""
    block = shaken()
    plain = TransformerEncoderBlock(2, 8, layer_norm_epsilon=0.1)
    plain.build(X.shape)
    for w, value in zip(plain.weights, weights_of_tokens(block), strict=True):
        w.assign(value)
    (expected,) = numpy(plain(X, mask=REAL))
    for entities in (E, 3 * E):
        tokens, _ = run(block, e=entities)
        free = REAL & ~THERE
        np.testing.assert_allclose(tokens[free], expected[free], atol=1e-5)
        other = REAL & THERE
        assert (np.abs(tokens[other] - expected[other]).max(-1) > 1e-3).all()


def weights_of_tokens(block):
    return [w for w in block.weights if not path(w).startswith("entity")]


def test_what_is_masked_has_no_effect():
    """Neither on values nor on gradients, NaN too."""
    block = shaken()

    def loss(x, e):
        tokens, entities = block(x, e, mask=REAL, entities_mask=THERE)
        tokens = ops.where(REAL[..., None], tokens, 0.0)
        entities = ops.where((THERE & REAL)[..., None], entities, 0.0)
        return ops.sum(tokens**3) + ops.sum(entities**3)

    run = compiled(block, autodiff.value_and_grad(loss, (0, 1)))
    value, (of_x, of_e) = run(X, E)
    bad_x, bad_e = X.copy(), E.copy()
    bad_x[~REAL], bad_e[~(THERE & REAL)] = np.nan, np.nan
    again, gradients = run(bad_x, bad_e)
    np.testing.assert_allclose(float(again), float(value), rtol=1e-5)
    for found, expected, real in (
        (gradients[0], of_x, REAL),
        (gradients[1], of_e, THERE & REAL),
    ):
        found, expected = map(ops.convert_to_numpy, (found, expected))
        np.testing.assert_allclose(found, expected, atol=1e-4)
        assert not found[~real].any() and (found[real] != 0).any(-1).all()


def test_attention_masks_hold_for_both_streams():
    block = shaken()
    all_there = np.ones_like(THERE)
    causal = np.tril(np.ones((1, 5, 5), bool))
    options = {"mask": None, "attention_mask": causal}
    options["entities_mask"] = all_there
    tokens, entities = run(block, **options)
    other_x, other_e = X.copy(), E.copy()
    other_x[:, 3:] += 1
    other_e[:, 3:] += 1
    later = run(block, other_x, other_e, **options)
    for one, other in zip((tokens, entities), later, strict=True):
        np.testing.assert_allclose(one[:, :3], other[:, :3], atol=1e-6)
        assert np.abs(one[:, 3:] - other[:, 3:]).max() > 1e-2


def test_rows_without_entities():
    block = shaken()
    tokens, _ = run(block, entities_mask=np.zeros_like(THERE))
    assert np.isfinite(tokens).all()


def test_masks_come_along():
    block = shaken()
    expected = run(block)
    x, e = masked(X, REAL), masked(E, THERE)
    for found, value in zip(numpy(block(x, e)), expected, strict=True):
        np.testing.assert_allclose(found, value, atol=1e-5)


def test_scores_and_shapes():
    block = shaken(dropout=0.2)
    tokens, entities = run(block)
    found = run(block, return_attention_scores=True)
    for one, other in zip((tokens, entities), found, strict=False):
        np.testing.assert_allclose(one, other, atol=1e-5)
    assert found[2].shape == (2, 2, 5, 5) and not found[2][0, :, :, 4].any()
    inputs = keras.Input((None, 6)), keras.Input((None, 4))
    specs = block(*inputs, return_attention_scores=True)
    shapes = [(None, None, 6), (None, None, 4), (None, 2, None, None)]
    assert [spec.shape for spec in specs] == shapes
    alone = EntityFusionBlock(2, 8, 2, returns_entities=False)
    assert alone(*inputs).shape == (None, None, 6)


@pytest.mark.parametrize("norm_first", [False, True])
def test_every_variable_gets_a_gradient(norm_first):
    block = shaken(norm_first=norm_first)

    def loss():
        return sum(
            ops.sum(y**3) for y in block(X, E, mask=REAL, entities_mask=THERE)
        )

    def gradients():
        return autodiff.variable_gradients(loss, block.trainable_variables)[1]

    for variable, gradient in zip(
        block.trainable_variables,
        numpy(compiled(block, gradients)()),
        strict=True,
    ):
        # Softmax takes no notice of a bias that all keys share.
        reached = np.abs(gradient).max() > 0
        assert reached or variable.path.endswith("key/bias"), variable.path


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.compiled
def test_mixed_precision(policy):
    block, full = shaken(dtype=policy), shaken()
    full.set_weights(block.get_weights())
    for found, expected in zip(run(block), run(full), strict=True):
        assert str(found.dtype) == policy.removeprefix("mixed_")
        real = THERE & REAL
        np.testing.assert_allclose(
            found[real].astype("float32"), expected[real], atol=0.15
        )


def test_a_stream_of_given_vectors():
    vectors = normal(7, 4)
    stream = EntityStream.of_vectors(vectors, num_heads=2, num_layers=3)
    assert (stream.num_entities, stream.dim) == (7, 4)
    found, there = numpy(stream(np.array([[0, -1, 6]])))
    np.testing.assert_array_equal(found[0, [0, 2]], vectors[[0, 6]])
    assert there.tolist() == [[True, False, True]]


def test_vectors_are_trained_if_one_asks_for_it():
    frozen, trained = EntityStream(7, 4), EntityStream(7, 4, trainable=True)
    assert not frozen.trainable_variables and len(frozen.variables) == 1
    assert not frozen.variables[0].trainable  # In a model, too.
    assert len(trained.trainable_variables) == 1
    again = EntityStream.from_config(trained.get_config())
    assert again.get_config() == trained.get_config()
    assert len(again.trainable_variables) == 1
    frozen.trainable = True
    assert len(frozen.trainable_variables) == 1


def test_entities_that_there_are_not():
    found, _ = numpy(EntityStream(7, 4)(np.array([[7, -2, 3, -1]])))
    assert np.isnan(found[0, :2]).all() and np.isfinite(found[0, 2:]).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EntityStream(0), "`num_entities` must be"),
        (lambda: EntityStream(3, 6), "`dim` must be a multiple of `num_heads`"),
        (lambda: EntityStream(3, num_layers=0), "`num_layers` must be"),
        (lambda: EntityStream.of_vectors([1.0]), r"`vectors`.*\(1,\)"),
        (lambda: EntityStream.of_vectors([["a"]]), "`vectors`.*<U1"),
        (lambda: EntityFusionBlock(2, 8, 0), "`entity_heads` must be"),
    ],
)
def test_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("norm_first", [False, True])
def test_dropout_is_of_what_the_layers_add(norm_first):
    """In both streams, and never of what goes past them."""
    block = shaken(dropout=0.5, attention_dropout=0.0, norm_first=norm_first)

    def both():
        return [numpy(block(X, E, training=t)) for t in (False, True)]

    for usual, trained in zip(*both(), strict=True):
        assert np.abs(usual - trained).max() > 0.1
    for layer in (
        block.attention.output_dense,
        block.entity_attention.output_dense,
        block.narrow,
        block.entity_narrow,
    ):
        layer.set_weights([0 * w for w in layer.get_weights()])
    for usual, trained in zip(*both(), strict=True):
        np.testing.assert_allclose(usual, trained, atol=1e-6)
