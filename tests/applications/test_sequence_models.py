"""The recurrent models and the Transformer."""

import keras
import numpy as np
import pytest
import torch
from keras import ops
from models import IDS, KINDS, SIZE, TARGETS, inputs_of, made
from sequences import compiled, numpy

from keras_dl import autodiff
from keras_dl.applications import (
    LanguageModel,
    Seq2Seq,
    Transformer,
    TransformerLanguageModel,
)
from keras_dl.losses import LabelSmoothedCrossentropy
from keras_dl.models import features

Y = np.array([[5, 6, 7, 8, 3], [4, 5, 3, 0, 0]], "int32")


def targets_of(model):
    return Y[:, :4] if model.reads_source else Y


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "learned_positions"])
class TestEach:
    @pytest.mark.compiled("seq2seq")
    def test_it_learns_saves_and_goes_on(self, kind, tmp_path):
        model = KINDS[kind](num_layers=1, dropout=0.0)
        model.compile(keras.optimizers.Adam(0.03))
        x, y = inputs_of(model), targets_of(model)
        history = model.fit(x, y, epochs=12, verbose=0).history
        assert history["loss"][-1] < 0.8 * history["loss"][0]
        # Padding counts in neither.
        np.testing.assert_allclose(
            history["perplexity"], np.exp(history["loss"]), rtol=1e-4
        )
        model.save(tmp_path / "model.keras")
        copy = keras.models.load_model(tmp_path / "model.keras")
        assert copy.get_config() == model.get_config()
        np.testing.assert_allclose(
            copy.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6
        )
        assert copy.optimizer.iterations == model.optimizer.iterations

    def test_every_variable_gets_a_gradient(self, kind):
        model = made(kind)
        x, y = inputs_of(model), targets_of(model)
        loss = LabelSmoothedCrossentropy(ignore_class=0)
        _, gradients = compiled(
            model,
            lambda: autodiff.variable_gradients(
                lambda: loss(y, model(x)), model.trainable_variables
            ),
        )()
        for variable, gradient in zip(
            model.trainable_variables, gradients, strict=True
        ):
            # A bias of the keys moves all scores of a query alike.
            if not variable.path.endswith("key/bias"):
                assert np.any(numpy(gradient)[0] != 0), variable.path

    def test_padding_and_later_tokens_change_nothing(self, kind):
        model = made(kind)
        call = compiled(model, model)
        if not model.reads_source:
            changed = np.concatenate([IDS[:, :3], IDS[:, ::-1][:, :2]], 1)
            found = numpy([call(IDS), call(changed)])
            np.testing.assert_array_equal(found[0][:, :3], found[1][:, :3])
            assert np.abs(found[0][0, 4] - found[1][0, 4]).max() > 1e-4
            return
        longer = np.pad(IDS, ((0, 0), (0, 3)))
        later = TARGETS.copy()
        later[:, 2:] = 5
        expected = numpy(call((IDS, TARGETS)))[0]
        np.testing.assert_allclose(
            numpy(call((longer, TARGETS)))[0][0], expected[0], atol=1e-5
        )
        np.testing.assert_allclose(
            numpy(call((IDS, later)))[0][:, :2], expected[:, :2], atol=1e-6
        )

    def test_mixed_precision(self, kind):
        model = KINDS[kind](num_layers=1, dtype="mixed_bfloat16")
        model.compile("sgd")
        x, y = inputs_of(model), targets_of(model)
        loss = model.fit(x, y, verbose=0).history["loss"][0]
        assert np.isfinite(loss)
        assert {v.dtype for v in model.trainable_variables} == {"float32"}

    @pytest.mark.compiled("language_model")
    def test_ids_outside_the_vocabulary(self, kind):
        model = made(kind)
        model.compile("sgd")
        x, y = inputs_of(model), targets_of(model)
        bad = keras.tree.map_structure(lambda a: a + 9, x)
        for call in (
            lambda: model.fit(bad, y),
            lambda: model.evaluate(bad, y),
            lambda: model.predict(bad),
            lambda: model.fit(x, y + SIZE),
        ):
            with pytest.raises(ValueError, match="`[xy]` must be from 0 to"):
                call()
        # Inside compiled code they are read as the unknown token.
        call = compiled(model, model)
        unknown = keras.tree.map_structure(lambda a: np.where(a > 8, 1, a), x)
        strange = keras.tree.map_structure(lambda a: np.where(a > 8, 99, a), x)
        np.testing.assert_array_equal(*numpy([call(strange), call(unknown)]))

    def test_a_batch_of_padding_is_defined(self, kind):
        model = made(kind)
        model.compile("sgd")
        x = keras.tree.map_structure(np.zeros_like, inputs_of(model))
        logs = model.test_on_batch(x, np.zeros_like(targets_of(model)))
        assert logs[0] == 0
        assert np.all(np.isfinite(model.predict_on_batch(x)))


def parameters(make, **kwargs):
    """The number of a model with 37,000 tokens, whose values are not made."""
    with keras.StatelessScope(initialize_variables=False):
        model = make(37_000, **kwargs)
        model.build([(None, None), (None, None)])
        return model.count_params()


@pytest.mark.parametrize(
    ("make", "expected"),
    [(Transformer.base, 63_045_632), (Transformer.big, 214_171_648)],
)
def test_parameter_counts_of_the_paper(make, expected):
    assert parameters(make) == expected


def test_parameters_of_torch():
    with torch.device("meta"):
        peer = torch.nn.Transformer(512, 8, 6, 6, 2048, batch_first=True)
    expected = sum(p.numel() for p in peer.parameters())
    assert expected == 44_140_544
    # torch adds a last normalization on each side.
    ours = parameters(Transformer.base, attention_bias=True) + 2 * 2 * 512
    assert ours - 37_000 * 512 == expected


def test_shared_and_separate_vocabularies():
    shared = made("transformer")
    names = [v.path.split("/")[1] for v in shared.trainable_variables]
    assert "source_embedding" not in names and "embedding" in names
    separate = Transformer(
        SIZE, 10, num_layers=1, hidden_dim=8, num_heads=2, intermediate_dim=8
    )
    assert separate((IDS, TARGETS)).shape == (2, 4, SIZE)
    assert separate.input_sizes == (10, SIZE)


def features_of(model, *names):
    """Features, found by compiled code."""
    look = compiled(model, lambda x: features(model, x, list(names)))
    found = look(inputs_of(model))
    return numpy([found[name] for name in names])


def test_attention_can_be_looked_at():
    for kind, shape in (("seq2seq", (2, 4, 5)), ("transformer", (2, 2, 4, 5))):
        (weights,) = features_of(made(kind), "memory_attention_weights/0")
        assert weights.shape == shape
        np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)
        assert np.all(weights[1, ..., 3:] == 0)


def test_hidden_states_of_the_transformer():
    """Those of its blocks, called one by one."""
    model = made("transformer", num_layers=2)
    memory, mask = model.encode(ops.convert_to_tensor(IDS))
    x = model._embed_target(ops.convert_to_tensor(TARGETS))
    expected = {
        "encoder_hidden_states/2": memory,
        "decoder_hidden_states/0": x,
    }
    for i, block in enumerate(model.decoder):
        x, own, of_memory = block(
            x,
            memory,
            inputs_mask=TARGETS != 0,
            memory_mask=mask,
            return_attention_scores=True,
        )
        expected[f"decoder_hidden_states/{i + 1}"] = x
        expected[f"decoder_attention_weights/{i}"] = own
        expected[f"memory_attention_weights/{i}"] = of_memory
    found = features_of(model, *expected)
    for name, one, other in zip(
        expected, found, numpy(list(expected.values())), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-5, err_msg=name)
    (logits,) = features_of(model, "memory_attention_logits/1")
    hidden = ops.where(mask[:, None, None], logits, -1e9)
    np.testing.assert_allclose(
        *numpy([ops.softmax(hidden), of_memory]), atol=1e-5
    )


@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("kind", ["language_model", "seq2seq"])
def test_hidden_states_of_recurrent_models(kind, num_layers):
    """They have the residuals in them, from layer to layer and to logits."""
    model = made(kind, num_layers=num_layers, dropout=0.2)
    several = range(num_layers)
    stacks = {"": [f"recurrent/{i}" for i in several]}
    if kind == "seq2seq":
        above = [f"above/{i}" for i in several[:-1]]
        stacks = {
            "encoder_": [f"encoder/{i}" for i in several],
            "decoder_": ["decoder", *above],
        }
    for prefix, layers in stacks.items():
        names = [f"{prefix}hidden_states/{i}" for i in range(num_layers + 1)]
        embedded, *found = features_of(
            model, f"{prefix}embeddings", *layers, *names
        )
        added, states = found[:num_layers], found[num_layers:]
        np.testing.assert_array_equal(states[0], embedded)
        np.testing.assert_array_equal(states[1], added[0])
        for i in range(1, num_layers):
            np.testing.assert_allclose(
                states[i + 1], states[i] + added[i], atol=1e-6
            )
        if prefix == "encoder_":
            memory, *_ = model.encode(ops.convert_to_tensor(IDS))
            np.testing.assert_allclose(states[-1], numpy([memory])[0], 1e-5)
    if kind == "seq2seq":
        logits = model.head(states[-1])
    else:
        logits = model.embedding(states[-1], reverse=True) + model.bias
    np.testing.assert_allclose(
        *numpy([logits, model(inputs_of(model))]), atol=1e-5
    )


@pytest.mark.parametrize("kind", ["seq2seq", "transformer"])
def test_features_of_a_model_that_has_not_been_called(kind):
    model = KINDS[kind](num_layers=1)
    name = "memory_attention_weights/0"
    features(model, (IDS, TARGETS), [name], stop=True)
    model.compile("sgd")
    model.evaluate((IDS, TARGETS), Y[:, :4], verbose=0)


def test_tied_output_shares_the_matrix():
    tied, free = (
        made("language_model", tied=tied).count_params() for tied in (1, 0)
    )
    assert free - tied == SIZE * 8


def test_layers_above_the_first_are_residual():
    model = made("language_model")
    for layer in model.recurrent[1:]:
        for weight in layer.weights:
            weight.assign(ops.zeros(weight.shape))
    one = LanguageModel(SIZE, units=8, num_layers=1)
    one(IDS)
    kept = [w for w in model.get_weights() if w.any()]
    one.set_weights([np.zeros(SIZE), *kept])
    np.testing.assert_allclose(*numpy([model(IDS), one(IDS)]), atol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LanguageModel(1), "`vocabulary_size` must be"),
        (lambda: LanguageModel(9, units=0), "`units` must be"),
        (lambda: LanguageModel(9, dropout=1), "`dropout` must be"),
        (lambda: Seq2Seq(9, units=7), "`units` must be even"),
        (lambda: Seq2Seq(9, score="no"), "`score` must be one of"),
        (lambda: Transformer(9, hidden_dim=9), "`hidden_dim` must be even"),
        (lambda: Transformer(9, positions="no"), "`positions` must be"),
        (
            lambda: TransformerLanguageModel(9, positions="learned"),
            "`max_sequence_length` is needed",
        ),
        (
            lambda: TransformerLanguageModel(9, 1, 8, 2, max_sequence_length=3)(
                IDS
            ),
            "longer than `max_sequence_length`",
        ),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
