"""Searches against brute force, apart from any model."""

import itertools

import numpy as np
import pytest

from keras_dl.generation import BeamSearch, Greedy, Sampling

SIZE, END = 4, 3
SEED = 14  # One with which greedy search misses the best sequence.
TABLE = np.random.default_rng(SEED).normal(size=(SIZE + 1, SIZE, SIZE)) * 2


def logits_after(tokens, table=TABLE):
    """A toy model: the next token depends on the two before it."""
    padded = [SIZE, 0, *tokens]
    return table[padded[-2], padded[-1] % SIZE]


def run(search, steps, prompts=1, table=TABLE):
    """Runs a search on the toy model."""
    search.start(prompts, END, steps)
    rows = [[] for _ in range(prompts * search.rows_per_prompt)]
    for _ in range(steps):
        logits = np.array([logits_after(row, table) for row in rows])
        tokens, parents = search.choose(logits)
        rows = [
            [*rows[parent], int(token)]
            for token, parent in zip(tokens, parents, strict=True)
        ]
        if search.done:
            break
    return search.results()


def log_probability(tokens):
    total = 0.0
    for i, token in enumerate(tokens):
        logits = logits_after(tokens[:i])
        total += logits[token] - np.log(np.exp(logits).sum())
    return total


def every_sequence(steps):
    """All that end within `steps` tokens, and all that are cut off there."""
    for length in range(1, steps + 1):
        for tokens in itertools.product(range(SIZE), repeat=length):
            ends = tokens[-1] == END
            if END not in tokens[:-1] and (ends or length == steps):
                yield list(tokens)


@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 1.0, 3.0])
@pytest.mark.parametrize("steps", [1, 2, 4])
def test_enough_beams_are_brute_force(steps, length_penalty):
    search = BeamSearch(3**steps, length_penalty)
    (found,) = run(search, steps)

    def score(tokens):
        penalty = ((5 + len(tokens)) / 6) ** length_penalty
        return log_probability(tokens) / penalty

    ranked = sorted(every_sequence(steps), key=score, reverse=True)
    best = ranked[0]
    assert found == [token for token in best if token != END]
    scores = [score for score, _ in search.ranked()[0]]
    expected = [score(tokens) for tokens in ranked]
    kept = min(len(scores), len(expected))
    np.testing.assert_allclose(scores[:kept], expected[:kept], atol=1e-9)


def test_one_beam_is_greedy():
    assert run(BeamSearch(1, 0.0), 6) == run(Greedy(), 6)


def test_a_wider_beam_finds_no_worse():
    def best(beams):
        search = BeamSearch(beams, 0.0)
        run(search, 6)
        return search.ranked()[0][0][0]

    narrow, wide = best(1), best(200)
    assert narrow < wide - 1e-3


class Patient(BeamSearch):
    """Goes on to the limit, whatever it has found."""

    def start(self, num_prompts, end_id, max_new_tokens):
        super().start(num_prompts, end_id, max_new_tokens)
        (one,) = self._beams
        judge = one._is_done
        one._is_done = lambda: len(one._alive[0]) == max_new_tokens and judge()


@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 1.5])
def test_stopping_early_loses_nothing(length_penalty):
    early = 0
    for seed in range(60):
        table = np.random.default_rng(seed).normal(size=TABLE.shape) * 2
        search, patient = (
            kind(2, length_penalty) for kind in (BeamSearch, Patient)
        )
        assert run(search, 12, table=table) == run(patient, 12, table=table)
        early += len(search._beams[0]._alive[0]) < 12
    assert early > 5


def test_prompts_do_not_mix():
    alone = run(BeamSearch(3), 5)
    assert run(BeamSearch(3), 5, prompts=2) == alone * 2


class TestSampling:
    LOGITS = np.log([[0.4, 0.3, 0.2, 0.1]])

    def test_probabilities(self):
        def probabilities(**kwargs):
            return Sampling(**kwargs).probabilities(self.LOGITS)[0]

        np.testing.assert_allclose(probabilities(), [0.4, 0.3, 0.2, 0.1])
        np.testing.assert_allclose(probabilities(top_k=2), [4 / 7, 3 / 7, 0, 0])
        np.testing.assert_allclose(
            probabilities(top_p=0.75), [4 / 9, 3 / 9, 2 / 9, 0]
        )
        squares = np.array([16, 9, 4, 1]) / 30
        np.testing.assert_allclose(probabilities(temperature=0.5), squares)

    def test_it_draws_by_them(self):
        search = Sampling(seed=1)
        search.start(20000, None, 1)
        tokens, _ = search.choose(np.repeat(self.LOGITS, 20000, 0))
        shares = np.bincount(tokens, minlength=4) / 20000
        np.testing.assert_allclose(shares, [0.4, 0.3, 0.2, 0.1], atol=0.015)

    def test_a_seed_draws_alike(self):
        assert run(Sampling(seed=3), 9) == run(Sampling(seed=3), 9)
        assert run(Sampling(seed=3), 9) != run(Sampling(seed=4), 9)

    def test_the_likeliest_alone_is_greedy(self):
        assert run(Sampling(top_k=1), 9) == run(Greedy(), 9)
        assert run(Sampling(top_p=1e-9), 9) == run(Greedy(), 9)

    @pytest.mark.parametrize(
        "kwargs",
        [{"temperature": 0}, {"top_k": 0}, {"top_p": 1.5}, {"seed": -1}],
        ids=str,
    )
    def test_errors(self, kwargs):
        with pytest.raises(ValueError, match=f"`{next(iter(kwargs))}` must"):
            Sampling(**kwargs)


@pytest.mark.parametrize("kwargs", [{"beams": 0}, {"length_penalty": -1}])
def test_errors_of_beams(kwargs):
    with pytest.raises(ValueError, match=f"`{next(iter(kwargs))}` must"):
        BeamSearch(**kwargs)
