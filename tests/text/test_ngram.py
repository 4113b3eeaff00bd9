"""The n-gram baseline: its formula, and what it is for."""

import collections
import itertools
import math

import numpy as np
import pytest

from keras_dl.text import NGram, ngram_perplexity

TEXT = [4, 5, 4, 5, 4, 6, 4, 5, 0, 4, 5, 6]


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_probabilities_sum_to_one(order):
    model = NGram(TEXT, order, size=8)
    for context in itertools.product(range(8), repeat=order - 1):
        probabilities = model.probabilities(context)
        assert probabilities.shape == (8,)
        assert probabilities.min() > 0
        assert math.isclose(probabilities.sum(), 1, abs_tol=1e-12)
        assert probabilities[5] == model.probability(5, context)


def test_a_case_by_hand():
    # Pairs: 4 5 three times, 4 6 once, 5 4 twice, 6 4 once; d = 2 / (2 + 2).
    # Before 4: {5, 6}; before 5: {4}; before 6: {4}; d = 2 / (2 + 2).
    model = NGram([4, 5, 4, 5, 4, 6, 4, 5], order=2, size=7)
    uniform = 1 / 7
    left = 0.5 * 3 / 4 * uniform
    alone = {
        4: 1.5 / 4 + left,
        5: 0.5 / 4 + left,
        6: 0.5 / 4 + left,
        0: left,
    }
    for token, probability in alone.items():
        assert math.isclose(model.probability(token), probability)
    after_4 = {5: 2.5 / 4, 6: 0.5 / 4, 4: 0, 0: 0}
    for token, seen in after_4.items():
        expected = seen + 0.5 * 2 / 4 * alone[token]
        assert math.isclose(model.probability(token, [4]), expected)
    # A context that was never seen says nothing.
    assert model.probability(5, [0]) == model.probability(5)


def oracle(ids, order, size, token, context):
    """The formula as it stands, counted anew for every probability."""
    length = len(context) + 1
    counts = collections.Counter()
    before = collections.defaultdict(set)
    for t in range(len(ids) - length + 1):
        gram = tuple(ids[t : t + length])
        counts[gram] += 1
        if t > 0:
            before[gram].add(ids[t - 1])
    if length < order:
        counts = {gram: len(tokens) for gram, tokens in before.items()}
    values = list(counts.values())
    once, twice = values.count(1), values.count(2)
    d = once / (once + 2 * twice) if once and twice else 0.5
    lower = 1 / size
    if context:
        lower = oracle(ids, order, size, token, context[1:])
    after = {g: c for g, c in counts.items() if g[:-1] == tuple(context)}
    total = sum(after.values())
    if not total:
        return lower
    seen = max(after.get((*context, token), 0) - d, 0)
    return seen / total + d * len(after) / total * lower


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_like_an_oracle(order):
    ids = np.random.RandomState(order).randint(3, size=40).tolist()
    model = NGram(ids, order, size=4)
    for length in range(order):
        for context in itertools.product(range(3), repeat=length):
            expected = [oracle(ids, order, 4, w, context) for w in range(4)]
            np.testing.assert_allclose(
                model.probabilities(context), expected, rtol=1e-12
            )


def test_perplexity_is_that_of_its_probabilities():
    model = NGram(TEXT, 3, size=8)
    test = [5, 4, 6, 7, 4]
    contexts = [test[max(t - 2, 0) : t] for t in range(1, 5)]
    logs = [
        math.log(model.probabilities(context)[token])
        for token, context in zip(test[1:], contexts, strict=True)
    ]
    expected = math.exp(-sum(logs) / 4)
    assert math.isclose(model.perplexity(test), expected)
    found = ngram_perplexity(np.array(TEXT), np.array(test), 3, 8)
    assert math.isclose(found, expected)


def test_it_finds_the_source():
    """A Markov chain: perplexity nears exp(entropy), from above."""
    generator = np.random.RandomState(0)
    chain = generator.dirichlet(np.full(6, 0.3), size=6)
    ids = [0]
    for _ in range(12000):
        ids.append(int(generator.choice(6, p=chain[ids[-1]])))
    train, test = ids[:10000], ids[10000:]
    logs = [math.log(chain[a, b]) for a, b in itertools.pairwise(test)]
    best = math.exp(-np.mean(logs))
    found = [ngram_perplexity(train, test, order, 6) for order in (1, 2, 3)]
    assert best < found[1] < 1.01 * best
    assert found[1] < found[2] < 1.05 * best
    assert 1.2 * best < found[0] < 6


def test_long_contexts_are_cut():
    model = NGram(TEXT, 2, size=8)
    assert model.probability(5, [6, 6, 4]) == model.probability(5, [4])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"order": 0}, "`order`.*order=0"),
        ({"size": None}, "`size`.*size=None"),
        ({"size": 6}, "`ids`.*0 to 5.*Received: 6"),
        ({"test_ids": [8, 1]}, "`ids`.*0 to 7.*Received: 8"),
        ({"test_ids": [1]}, "`ids`.*at least 2 ids.*1"),
        ({"test_ids": [1, 2**32]}, "`ids`.*Received: 4294967296"),
        ({"train_ids": [1, 2]}, "`ids`.*at least 3 ids.*2"),
        ({"train_ids": [[1, 2, 3]]}, r"`ids`.*one dimension.*\(1, 3\)"),
    ],
)
def test_wrong_arguments(arguments, message):
    given = {"train_ids": TEXT, "test_ids": TEXT, "order": 3, "size": 8}
    with pytest.raises(ValueError, match=message):
        ngram_perplexity(**{**given, **arguments})


def test_size_has_no_default():
    with pytest.raises(TypeError, match="missing.*'size'"):
        NGram(TEXT, 3)
    with pytest.raises(TypeError, match="missing.*'size'"):
        ngram_perplexity(TEXT, TEXT, 3)
