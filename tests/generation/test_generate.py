"""`generate` with every model: caches, streams, texts, bad input."""

import gc
import weakref

import keras
import numpy as np
import pytest
from keras import ops
from models import END, KINDS, SIZE, language_model, made
from sequences import normal

import keras_dl
from keras_dl import generate
from keras_dl.applications import LanguageModel
from keras_dl.generation import BeamSearch, Greedy, Sampling
from keras_dl.generation.steps import steps_of
from keras_dl.text import (
    CharacterVocabulary,
    SubwordVocabulary,
    as_vocabulary,
)

PROMPTS = [[4, 5, 6, 7], [9, 4]]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.compiled("transformer_lm")
def test_cached_equals_uncached(kind):
    model = made(kind)
    found = {}
    for search in (Greedy(), Sampling(2.0, seed=1), BeamSearch(3, 1.0)):
        cached, uncached = (
            generate(model, PROMPTS, 7, search, end_id=END, use_cache=cache)
            for cache in (True, False)
        )
        assert cached == uncached
        found[type(search)] = cached
    tokens = [token for rows in found.values() for row in rows for token in row]
    assert 0 not in tokens and len(set(tokens)) > 2


@pytest.mark.parametrize("kind", ["seq2seq", "transformer_lm"])
def test_prompts_of_other_lengths_beside_it_change_nothing(kind):
    model = made(kind)
    together = generate(model, PROMPTS, 7, Sampling(top_k=1), end_id=END)
    assert [generate(model, p, 7, end_id=END) for p in PROMPTS] == together


def test_greedy_is_the_argmax_of_the_model():
    model = made("transformer_lm")
    tokens = generate(model, [4, 5], 5)
    logits = ops.convert_to_numpy(model(np.array([[4, 5, *tokens]])))[0]
    assert tokens == logits[1:-1].argmax(-1).tolist()
    assert 0 not in tokens and len(tokens) == 5


@pytest.mark.compiled
def test_the_compiled_loop_equals_single_steps():
    model = made("language_model")

    class Same(Greedy):
        """A search of the user's own is asked for each token."""

        calls = 0

        def choose(self, logits):
            self.calls += 1
            return super().choose(logits)

    for end in (None, generate(model, [4, 5], 20)[7]):
        search = Same()
        stepwise = generate(model, PROMPTS, 20, search, end_id=end)
        assert generate(model, PROMPTS, 20, end_id=end) == stepwise
        assert 1 < search.calls <= 20


def test_beam_search_finds_likelier_text_than_greedy():
    model = made("language_model")

    def log_probability(tokens):
        ids = np.array([[4, 5, *tokens]])
        logits = ops.convert_to_numpy(model(ids)).copy()
        logits[..., 0] = -np.inf  # Padding is never generated.
        logits = ops.convert_to_numpy(ops.log_softmax(logits))[0]
        return sum(logits[1 + i, t] for i, t in enumerate(tokens))

    greedy = generate(model, [4, 5], 6)
    search = BeamSearch(8, 0.0)
    beam = generate(model, [4, 5], 6, search)
    assert log_probability(beam) >= log_probability(greedy) - 1e-5
    score, tokens = search.ranked()[0][0]
    assert tokens == beam
    np.testing.assert_allclose(score, log_probability(beam), atol=1e-4)


@pytest.mark.compiled
def test_weights_may_change_between_calls():
    model = made("language_model")
    before = generate(model, [4, 5], 6)
    model.bias.assign(100.0 * np.eye(SIZE)[7])
    assert generate(model, [4, 5], 6) == [7] * 6 != before


def test_what_is_compiled_is_kept():
    model, runners = made("language_model"), []
    for use_cache in (True, False, True, False):
        runners.append(steps_of(model, use_cache))
    assert runners[0] is runners[2] is not runners[1] is runners[3]
    model.start_id = 7
    assert steps_of(model, True) is not runners[0]


@pytest.mark.compiled
def test_layers_may_change_between_calls():
    model = made("seq2seq")
    before = [generate(model, [4, 5], 6) for _ in range(3)]
    model.head.enable_lora(2)
    model.head.lora_kernel_a.assign(9.0 * normal(8, 2))
    model.head.lora_kernel_b.assign(9.0 * normal(2, SIZE))
    after = generate(model, [4, 5], 6)
    assert after == generate(model, [4, 5], 6, use_cache=False) != before[0]


@pytest.mark.compiled
def test_any_model_that_gives_logits():
    inputs = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(SIZE, 4)(inputs)
    x = keras.layers.LSTM(4, return_sequences=True)(x)
    model = keras.Model(inputs, keras.layers.Dense(SIZE)(x))
    tokens = generate(model, [[4, 5], [6]], 4, BeamSearch(2))
    assert [len(row) for row in tokens] == [4, 4]


def foreign(length=None, positions=None):
    """A functional model of Keras' layers: ids to logits."""
    inputs = keras.Input((length,), dtype="int32")
    x = keras.layers.Embedding(SIZE, 4)(inputs)
    if positions is not None:
        x = Positions(positions)(x)
    x = keras.layers.LSTM(4, return_sequences=True)(x)
    return keras.Model(inputs, keras.layers.Dense(SIZE)(x))


class Positions(keras.layers.Layer):
    """A table of positions, which says nothing of its size."""

    def __init__(self, size):
        super().__init__()
        self.table = keras.layers.Embedding(size, 4)
        self.table.build(None)

    def call(self, x):
        return x + self.table(ops.arange(x.shape[1]))

    def compute_output_shape(self, shape):
        return shape


def step_by_step(model, prompt, number):
    """What greedy search must give, by the model alone."""
    tokens = list(prompt)
    for _ in range(number):
        logits = ops.convert_to_numpy(model(np.array([tokens])))
        tokens.append(int(logits[0, -1].argmax()))
    return tokens[len(prompt) :]


def test_no_more_is_read_than_there_is_to_read():
    model = foreign(positions=20)
    for prompts in ([[4, 5, 6]], [[4, 5, 6, 7, 8], [9]]):
        for search in ("greedy", Sampling(top_k=1)):
            found = generate(model, prompts, 4, search)
            assert found == [step_by_step(model, p, 4) for p in prompts]
    assert len(generate(model, [4] * 16, 5)) == 5  # All 20 of them.


def test_an_input_of_fixed_length_is_given_that_length():
    free = foreign(positions=12)
    fixed = foreign(positions=12, length=12)
    fixed.set_weights(free.get_weights())
    assert generate(fixed, [[4, 5], [6]], 5) == generate(free, [[4, 5], [6]], 5)
    with pytest.raises(ValueError, match="has 12 positions"):
        generate(fixed, [4] * 9, 5)


def stateful():
    inputs = keras.Input(batch_shape=(1, None), dtype="int32")
    x = keras.layers.Embedding(SIZE, 4)(inputs)
    memory = keras.layers.LSTM(
        4, return_sequences=True, stateful=True, name="memory"
    )
    return keras.Model(inputs, keras.layers.Dense(SIZE)(memory(x)))


class Several(keras.Model):
    def __init__(self, kind):
        super().__init__()
        self.inner, self.kind = foreign(), kind

    def call(self, ids):
        logits = self.inner(ids)
        return {
            "last": lambda: logits[:, -1:],
            "flat": lambda: logits[:, -1],
            "dict": lambda: {"logits": logits},
            "pair": lambda: (logits, logits),
        }[self.kind]()


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (stateful, ValueError, "stateful layers.*memory"),
        (lambda: Several("last"), ValueError, r"Received: \(1, 1, 12\) for"),
        (lambda: Several("flat"), ValueError, r"Received: \(1, 12\) for"),
        (lambda: Several("dict"), ValueError, r"Received: \{'logits': \(1,"),
        (lambda: Several("pair"), ValueError, r"Received: \(\(1, 3, 12\), "),
        (lambda: "bert", TypeError, "`model` must be a Keras model"),
        (lambda: len, TypeError, "`model` must be a Keras model"),
    ],
    ids=["stateful", "last", "flat", "dict", "pair", "string", "function"],
)
def test_what_gives_no_logits_of_each_token(model, error, message):
    with pytest.raises(error, match=message):
        generate(model(), [4, 5, 6], 3)


@pytest.mark.compiled
def test_the_end_may_be_the_padding():
    model = made("language_model")
    bias = np.zeros(SIZE)
    bias[model.pad_id] = 50.0
    model.bias.assign(bias)
    for search in ("greedy", Sampling(top_k=1), BeamSearch(2)):
        assert generate(model, [4], 5, search, end_id=model.pad_id) == []
        assert len(generate(model, [4], 5, search)) == 5


def test_it_ends_with_the_end():
    model = made("language_model")
    first = generate(model, [4], 6)
    end = first[2]
    assert generate(model, [4], 6, end_id=end) == first[: first.index(end)]


def byte_fallback_tokenizer():
    """As those of Llama: bytes where there is no token, "▁" for a space."""
    import tokenizers
    from tokenizers import decoders, models, normalizers

    names = ["<unk>", "<s>", "</s>", "▁", "a", "b"]
    names += [f"<0x{byte:02X}>" for byte in range(256)]
    found = tokenizers.Tokenizer(
        models.BPE(
            {name: i for i, name in enumerate(names)},
            [],
            unk_token="<unk>",
            byte_fallback=True,
        )
    )
    found.normalizer = normalizers.Replace(" ", "▁")
    found.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
        ]
    )
    found.add_special_tokens(["<s>", "</s>", "<unk>"])
    return found


class TestText:
    VOCABULARY = CharacterVocabulary.train(["abcdefgh"])

    def model(self):
        model = made("language_model")
        model.bias.assign(-9.0 * np.eye(SIZE)[END])  # Goes on for a while.
        return model

    def test_strings_in_and_out(self):
        text = generate(self.model(), "abc", 6, vocabulary=self.VOCABULARY)
        ids = generate(self.model(), self.VOCABULARY.encode("abc"), 6, end_id=3)
        assert isinstance(text, str)
        assert text == self.VOCABULARY.decode(ids)
        texts = generate(
            self.model(), ["abc", "d"], 6, vocabulary=self.VOCABULARY
        )
        assert texts[0] == text

    @pytest.mark.parametrize("prompts", ["abc", ["abc", "d"], [5, 6]], ids=str)
    @pytest.mark.compiled("['abc', 'd']")
    def test_a_stream_adds_up(self, prompts):
        whole = generate(
            self.model(), prompts, 8, Sampling(seed=2), self.VOCABULARY
        )
        pieces = list(
            generate(
                self.model(),
                prompts,
                8,
                Sampling(seed=2),
                self.VOCABULARY,
                stream=True,
            )
        )
        assert len(pieces) > 1
        if isinstance(prompts, list) and isinstance(prompts[0], str):
            assert ["".join(p) for p in zip(*pieces, strict=True)] == whole
        elif isinstance(prompts, str):
            assert "".join(pieces) == whole
        else:
            assert [token for piece in pieces for token in piece] == whole

    def test_a_stream_waits_for_whole_characters(self):
        vocabulary = SubwordVocabulary.train(["ab"], 270, model="bpe")
        script = iter(vocabulary.encode("a😀é"))

        class Scripted(Greedy):
            def _pick(self, logits):
                return np.array([next(script)])

        model = LanguageModel(len(vocabulary), units=4)
        pieces = generate(
            model, "b", 7, Scripted(), vocabulary, end_id=3, stream=True
        )
        assert list(pieces) == ["a", "😀", "é"]

    @pytest.mark.parametrize("text", ["世界", "世世界!a", "é 😀x"])
    def test_pieces_of_a_tokenizer_that_changes_its_mind(self, text):
        """One byte more, and no character before it is there any more."""
        vocabulary = as_vocabulary(byte_fallback_tokenizer())
        script = iter(ids := vocabulary.encode(text))

        class Scripted(Greedy):
            def _pick(self, logits):
                return np.array([next(script)])

        model = LanguageModel(len(vocabulary), units=4)
        pieces = list(
            generate(model, "a", len(ids), Scripted(), vocabulary, stream=True)
        )
        assert "".join(pieces) == vocabulary.decode(ids)

    def test_two_streams_do_not_mix(self):
        model, search = made("language_model"), Greedy()
        streams = [generate(model, [t], 6, search, stream=True) for t in (4, 7)]
        pieces = list(zip(*streams, strict=True))
        for i, token in enumerate((4, 7)):
            alone = generate(model, [token], 6)
            assert [new for piece in pieces for new in piece[i]] == alone

    def test_two_vocabularies(self):
        model = made("seq2seq")
        other = CharacterVocabulary.train(["stuvwx"])
        target = CharacterVocabulary.train(["01234567"])
        text = generate(model, "tux", 5, vocabulary=(other, target))
        assert set(text) <= set("01234567")

    def test_a_source_has_its_own_size(self):
        model = made("seq2seq")  # 12 target ids, and 10 of the source.
        generate(model, [9], 2)
        with pytest.raises(ValueError, match="ids from 0 to 9 are allowed"):
            generate(model, [10], 2)


@pytest.mark.parametrize(
    ("prompts", "kwargs", "message"),
    [
        ([], {}, "`prompts` must hold at least one"),
        ([[4], []], {}, "`prompts` must not be empty"),
        ("", {"vocabulary": TestText.VOCABULARY}, "must not be empty"),
        ("abc", {}, "`vocabulary` is needed"),
        ([4, SIZE], {}, "ids from 4 to 12"),
        ([-1], {}, "ids from 0 to 11 are allowed"),
        ([[4.5]], {}, "lists of integer ids"),
        ([[4, [5]], [6]], {}, r"integer ids. Received: \[4, \[5\]\] among"),
        ([4], {"max_new_tokens": 0}, "`max_new_tokens` must be"),
        ([4], {"search": "best"}, "`search` must be one of"),
        ([4], {"search": 4}, "`search` must be a Greedy"),
        ([4], {"search": "beam", "stream": True}, "`stream` needs a search"),
        ([4] * 30, {"max_new_tokens": 20}, "has 40 positions"),
        (5, {}, "`prompts` must be a string"),
        ([4], {"end_id": SIZE}, f"`end_id` must .* at most {SIZE - 1}"),
        ([4], {"end_id": -1, "search": "beam"}, "`end_id` must"),
        ([4], {"search": BeamSearch}, "`search` must be a Greedy"),
    ],
    ids=str,
)
def test_errors(prompts, kwargs, message):
    model = KINDS["learned_positions"]()
    kwargs = {"max_new_tokens": 8, **kwargs}
    with pytest.raises(ValueError, match=message):
        generate(model, prompts, **kwargs)


def test_all_positions_can_be_used():
    model = made("learned_positions")
    for cache in (True, False):
        tokens = generate(model, [4] * 21, 20, use_cache=cache)
        assert len(tokens) == 20
    model = made("transformer", positions="learned", max_sequence_length=19)
    for cache in (True, False):
        assert len(generate(model, [4] * 19, 19, use_cache=cache)) == 19


def test_beams_wider_than_the_vocabulary_are_defined():
    model = made("language_model")
    tokens = generate(model, [4], 2, BeamSearch(3 * SIZE))
    assert len(tokens) == 2


def test_logits_that_are_nan_are_an_error():
    model = made("language_model")
    model.bias.assign(np.full(SIZE, np.nan))
    with pytest.raises(ValueError, match="logits that are NaN"):
        generate(model, [4], 2)
    model.bias.assign(np.full(SIZE, -np.inf))
    with pytest.raises(ValueError, match="all infinite"):
        generate(model, [4], 2)


def only_padding_is_finite():
    model = made("language_model")
    model.bias.assign(np.where(np.arange(SIZE) == 0, 0.0, -np.inf))
    return model


def test_padding_is_no_way_out():
    """It is never generated, so its finite logit does not help."""
    with pytest.raises(ValueError, match="all infinite"):
        generate(only_padding_is_finite(), [4], 2)


@pytest.mark.compiled
def test_padding_is_no_way_out_of_the_compiled_loop():
    model = only_padding_is_finite()  # Which its steps do not keep.
    steps = steps_of(model, True)
    ids = np.array([[4]], "int32")
    _, state = steps.prefill(ids, ids > 0, 16, 1)
    _, _, valid = steps.greedy(ids[:, 0], ids[:, 0] == 0, state, 3, None)
    assert not valid


@pytest.mark.compiled
def test_what_is_compiled_goes_with_the_model():
    model = language_model()
    generate(model, [4], 2)
    reference = weakref.ref(model)
    del model
    keras.utils.clear_session()
    gc.collect()
    assert reference() is None


def test_it_is_public():
    assert keras_dl.generate is generate
