"""`generate`: sequences from any model that gives logits of tokens."""

import numpy as np
from keras import ops

from keras_dl.checks import check_integer
from keras_dl.generation.beam_search import BeamSearch
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
    each step; it must not look ahead. The steps are compiled, for lengths
    rounded up to multiples of 16; the search itself runs on NumPy: so greedy
    and beam search find the same text on every backend, up to near ties.

    Args:
        model: The model.
        prompts: One prompt or a list of them, each a string (with
            `vocabulary`) or a list of ids. They may differ in length.
        max_new_tokens: Number of tokens after which to stop.
        search: `"greedy"`, `"sample"` or `"beam"`, or a `Greedy`, `Sampling`
            or `BeamSearch` with arguments of your choice.
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
            or leaves no room in the model's `max_length`; if an argument is
            not allowed; if a beam search is asked to stream.

    Example:

    >>> generate(model, "def ", 100, Sampling(0.8), vocabulary=vocabulary)
    'main(args):'
    >>> for piece in generate(model, "def ", stream=True, vocabulary=v):
    ...     print(piece, end="")
    """
    max_new_tokens = check_integer("max_new_tokens", max_new_tokens, 1)
    search = _search(search)
    if stream and not search.streams:
        raise ValueError(
            "`stream` needs a search that settles each token at once, "
            f"'greedy' or 'sample'. Received: stream=True, search={search!r}."
        )
    prompts = read_prompts(model, prompts, vocabulary, max_new_tokens)
    _build(model, prompts)
    if end_id is None and prompts.vocabulary is not None:
        end_id = prompts.vocabulary.end_id
    steps = _run(model, prompts, max_new_tokens, search, end_id, use_cache)
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
    if not hasattr(search, "choose"):
        raise ValueError(
            "`search` must be a Greedy, Sampling or BeamSearch, or one of "
            f"{sorted(_NAMED)}. Received: search={search!r}."
        )
    return search


def _build(model, prompts):
    """Makes the variables of a model that has not been called yet."""
    if not model.built:
        ids = prompts.ids[0][None].astype("int32")
        pair = getattr(model, "reads_source", False)
        model((ids, ids[:, :1]) if pair else ids)


def _run(model, prompts, max_new_tokens, search, end_id, use_cache):
    """Runs the search; yields after each step."""
    ids, mask = prompts.padded()
    search.start(len(ids), end_id, max_new_tokens)
    beam = search.rows_per_prompt > 1
    cached = use_cache and has_cache(model)
    prefill, step = steps_of(model, cached)
    read = 1 if getattr(model, "reads_source", False) else ids.shape[1]
    length = rounded(read + max_new_tokens)
    if not cached:
        length = min(length, getattr(model, "max_length", None) or length)
    logits, state = prefill(
        ops.convert_to_tensor(ids),
        ops.convert_to_tensor(mask),
        length,
        search.rows_per_prompt,
    )
    for number in range(max_new_tokens):
        tokens, parents = search.choose(_allowed(logits, model))
        yield
        if search.done or number == max_new_tokens - 1:
            return
        logits, state = step(
            ops.convert_to_tensor(tokens.astype("int32")),
            ops.convert_to_tensor(parents.astype("int32")) if beam else None,
            state,
        )


def _allowed(logits, model):
    """The logits as an array; padding is never generated."""
    logits = ops.convert_to_numpy(logits)
    if np.isnan(logits).any():
        raise ValueError(
            "`model` gave logits that are NaN: its weights may be. Nothing "
            "can be generated from them."
        )
    pad_id = getattr(model, "pad_id", None)
    if pad_id is not None:
        logits = logits.copy()
        logits[:, pad_id] = -np.inf
    return logits


def _pieces(steps, search, prompts):
    """What each step adds, in the form of the prompts."""
    shown = [0] * len(prompts.ids)
    for _ in steps:
        whole = prompts.answers(search.results())
        new = [text[n:] for text, n in zip(whole, shown, strict=True)]
        shown = [len(text) for text in whole]
        if any(len(piece) for piece in new):
            yield new[0] if prompts.single else new
