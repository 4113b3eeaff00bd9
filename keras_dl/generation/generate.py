"""`generate`: sequences from any model that gives logits of tokens."""

import copy
import itertools

import numpy as np
from keras import ops

from keras_dl.checks import check_integer
from keras_dl.generation.beam_search import BeamSearch
from keras_dl.generation.models import (
    check_model,
    fixed_length,
    length_limit,
)
from keras_dl.generation.prompts import read_prompts, rounded
from keras_dl.generation.sampling import Greedy, Sampling
from keras_dl.generation.steps import has_cache, steps_of

_NAMED = {"greedy": Greedy, "sample": Sampling, "beam": BeamSearch}


def generate(
    model,
    prompts,
    max_new_tokens=64,
    search="greedy",
    vocabulary=None,
    end_id=None,
    stream=False,
    use_cache=True,
):
    """Lets a model go on from prompts, token by token.

    A language model continues the prompt. A model from sequence to sequence
    (`reads_source`) takes the prompt as its source, and begins with its
    `start_id`.

    Models of ours keep what they have read in a cache, so that a step costs
    one token. Any other Keras model that maps ids, `(batch, time)`, to logits,
    `(batch, time, vocabulary)`, works too: it is run on all tokens again in
    each step, and on no more than prompt and `max_new_tokens` come to. It must
    not look ahead, nor have stateful layers. A functional model whose input
    has a fixed length is always given that length.

    The steps are compiled, for lengths rounded up to multiples of 16 (on
    PyTorch into a graph of operations, from the second call with a shape on),
    and greedy search as a whole. Other searches, and streams, choose on NumPy.
    Greedy and beam search find the same text on every backend, up to near
    ties.

    Args:
        model: The model.
        prompts: One prompt or a list of them, each a string (with
            `vocabulary`) or a list of ids. They may differ in length.
        max_new_tokens: Number of tokens after which to stop.
        search: `"greedy"`, `"sample"` or `"beam"`, or a `Greedy`, `Sampling`
            or `BeamSearch` with arguments of your choice, which holds what it
            found last.
        vocabulary: Vocabulary (see `keras_dl.text`) of the prompts and of what
            is generated; a pair of two, where they differ.
        end_id: Id that ends a sequence; the vocabulary's by default.
        stream: Whether to return an iterator over what each step adds.
        use_cache: Whether to use the model's cache, if it has one.

    Returns:
        What was generated, without prompt and end: a string for a string, a
        list of ids for ids, a list of these for a list of prompts. With
        `stream`, an iterator over such pieces.

    Raises:
        ValueError: If a prompt is empty, holds ids that are not the model's,
            or leaves no room in the model's `max_sequence_length`; if an
            argument is not allowed; if a beam search is asked to stream; if
            the model has stateful layers or gives no such logits.
        TypeError: If `model` is no Keras model.

    Example: a model that knows the alphabet: after a letter comes the next.

    >>> letters = keras_dl.text.CharacterVocabulary(list("abcdef"))
    >>> model = keras.Sequential([keras.layers.Embedding(10, 10)])
    >>> model.build((None, None))
    >>> model.set_weights([np.roll(np.eye(10), 1, axis=1)])
    >>> generate(model, "ab", 3, vocabulary=letters)
    'cde'
    >>> list(generate(model, "ab", 3, vocabulary=letters, stream=True))
    ['c', 'd', 'e']
    >>> generate(model, ["a", "b"], 2, Sampling(0.05), vocabulary=letters)
    ['bc', 'cd']
    """
    max_new_tokens = check_integer("max_new_tokens", max_new_tokens, 1)
    search = _search(search)
    if stream and not search.streams:
        raise ValueError(
            "`stream` needs a search that settles each token at once, "
            f"'greedy' or 'sample'. Received: stream=True, search={search!r}."
        )
    prompts = read_prompts(model, prompts, vocabulary, max_new_tokens)
    check_model(model, prompts.ids[0][None].astype("int32"))
    if end_id is None and prompts.vocabulary is not None:
        end_id = prompts.vocabulary.end_id
    if stream:
        search = copy.copy(search)  # Another stream may use it meanwhile.
    # A search of the user's own may choose otherwise than the compiled loop.
    whole = type(search) is Greedy and not stream
    steps = _run(
        model, prompts, max_new_tokens, search, end_id, use_cache, whole
    )
    if stream:
        return _pieces(steps, search, prompts)
    for _ in steps:
        pass
    return prompts.answer(search.results())


def _search(search):
    if isinstance(search, str):
        if search not in _NAMED:
            raise ValueError(
                f"`search` must be one of {sorted(_NAMED)}, or a search. "
                f"Received: search={search!r}."
            )
        return _NAMED[search]()
    if isinstance(search, type) or not hasattr(search, "choose"):
        raise ValueError(
            "`search` must be a Greedy, Sampling or BeamSearch, or one of "
            f"{sorted(_NAMED)}. Received: search={search!r}."
        )
    return search


def _run(model, prompts, max_new_tokens, search, end_id, use_cache, whole):
    """Runs the search; yields after each step."""
    ids, mask = prompts.padded(length_limit(model))
    search.start(len(ids), end_id, max_new_tokens)
    cached = use_cache and has_cache(model)
    steps = steps_of(model, cached)
    length = _room(model, prompts, ids.shape[1], max_new_tokens, cached)
    logits, state = steps.prefill(
        ops.convert_to_tensor(ids),
        ops.convert_to_tensor(mask),
        length,
        search.rows_per_prompt,
    )
    if end_id is not None:
        check_integer("end_id", end_id, 0, logits.shape[-1] - 1)
    beam = search.rows_per_prompt > 1
    tokens, parents = search.choose(_allowed(logits, model, end_id))
    yield
    left = max_new_tokens - 1
    if whole and left and not search.done:
        found = steps.greedy(tokens, search.finished, state, left, end_id)
        tokens, count, valid = map(ops.convert_to_numpy, found)
        _check(valid)
        for step in range(count):
            search.take(tokens[:, step])
            yield
        return
    while left and not search.done:
        logits, state = steps.step(
            ops.convert_to_tensor(tokens.astype("int32")),
            ops.convert_to_tensor(parents.astype("int32")) if beam else None,
            state,
        )
        tokens, parents = search.choose(_allowed(logits, model, end_id))
        yield
        left -= 1


def _room(model, prompts, width, max_new_tokens, cached):
    """For how many tokens there is room, of which programs are compiled.

    A model without a cache is run on all of it. Where it does not say how much
    it can read, that is no more than what is needed.
    """
    pair = getattr(model, "reads_source", False)
    if cached:
        return rounded((1 if pair else width) + max_new_tokens)
    fixed, limit = fixed_length(model), length_limit(model)
    if fixed is not None:
        return fixed
    read = 1 if pair else max(map(len, prompts.ids))
    needed = read + max_new_tokens - 1
    return needed if limit is None else min(rounded(needed), limit)


def _allowed(logits, model, end_id):
    """The logits as an array; padding is only generated if it is the end."""
    logits = ops.convert_to_numpy(logits)
    pad_id = getattr(model, "pad_id", None)
    if pad_id is not None and pad_id != end_id:
        logits = logits.copy()
        logits[:, pad_id] = -np.inf
    _check(np.isfinite(logits.max(-1)).all())
    return logits


def _check(valid):
    if not valid:
        raise ValueError(
            "`model` gave logits that are NaN, or all infinite: its weights "
            "may be. Nothing can be generated from them."
        )


def _pieces(steps, search, prompts):
    """What each step adds, in the form of the prompts.

    A text is shown as far as two steps agree on it: what tokens decode to may
    change with the next one, as where a character comes in several of them.
    """
    start = "" if prompts.text else []
    shown = before = [start] * len(prompts.ids)
    for last in itertools.chain((False for _ in steps), [True]):
        whole = prompts.answers(search.results())
        settled = whole
        if prompts.text and not last:
            settled = list(map(_agreed, before, whole))
        before = whole
        new = [
            text[len(old) :] if text[: len(old)] == old else start
            for text, old in zip(settled, shown, strict=True)
        ]
        shown = [old + piece for old, piece in zip(shown, new, strict=True)]
        if any(len(piece) for piece in new):
            yield new[0] if prompts.single else new


def _agreed(before, text):
    """What two texts begin with alike, without what is no character yet."""
    letters = zip(before, text, strict=False)
    same = itertools.takewhile(lambda pair: pair[0] == pair[1], letters)
    return "".join(letter for letter, _ in same).rstrip("\ufffd")
