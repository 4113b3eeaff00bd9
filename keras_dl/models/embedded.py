"""Continuous inputs: a model of tokens, called with vectors in their place."""

import functools

from keras import ops

from keras_dl.models.features import embedding_paths
from keras_dl.models.paths import sublayer
from keras_dl.models.taps import tapped


class _Found(Exception):
    """All vectors are there: what the model would go on to do is not needed."""


def embed(model, inputs):
    """The vectors that a model looks up for the tokens of its inputs.

    What adversarial training of texts perturbs (FGM, FreeLB, VAT), and what
    saliency is a gradient by: vectors of tokens alone, before positions,
    segments and normalization are added. Only what comes before them is
    computed.

    Args:
        model: A model that looks up tokens: BERT, a language model, a
            functional model that begins with a `keras.layers.Embedding`, a
            backbone of keras-hub, and whatever holds one of these. A model
            whose layers cannot be found says which they are by a method
            `embedding_paths()`, a list with one path for each look-up.
        inputs: Its inputs.

    Returns:
        A tensor `(batch, ..., size)`, or a list of tensors in the order in
        which they are looked up, if there are several look-ups (source and
        target).

    Raises:
        ValueError: If the model looks up nothing.

    Example: which token matters most.

    >>> encoder = keras_dl.applications.BERT(30, 1, 16, 2, 32)
    >>> ids = np.array([[2, 5, 3]])
    >>> vectors = keras_dl.models.embed(encoder, ids)
    >>> vectors.shape
    (1, 3, 16)
    >>> def score(vectors):
    ...     found = keras_dl.models.call_embedded(encoder, ids, vectors)
    ...     return ops.sum(found["pooled_output"])
    >>> keras_dl.grad(score)(vectors).shape
    (1, 3, 16)
    """
    layers, found = _layers(model), []
    # Where a model does not say how many there are, it runs to its end.
    calls = len(embedding_paths(model))
    calls = calls if hasattr(model, "embedding_paths") else None

    def keep(call, *args, **kwargs):
        result = call(*args, **kwargs)
        if not _is_reverse(args, kwargs):
            found.append(result)
            if len(found) == calls:
                raise _Found
        return result

    try:
        with tapped([(layer, keep) for layer in layers]):
            model(inputs, training=False)
    except _Found:
        pass
    if not found:
        raise ValueError(
            f"`model` must look up tokens when it is called. {model.name!r} "
            "did not."
        )
    return found[0] if len(found) == 1 else found


def call_embedded(model, inputs, vectors, training=False):
    """Calls a model with vectors in place of those that it would look up.

    Args:
        model: As in `embed`.
        inputs: Its inputs: masks, positions and whatever else does not come
            from the vectors still come from them.
        vectors: What `embed` returned, or tensors like it.
        training: Whether dropout and the like are active.

    Returns:
        What the model returns.

    Raises:
        ValueError: If there are more or fewer vectors than look-ups.
    """
    vectors = list(vectors) if isinstance(vectors, (list, tuple)) else [vectors]
    with vectors_in_place(model, vectors):
        return model(inputs, training=training)


class vectors_in_place:
    """A context in which a model's look-ups give these vectors, in order.

    Args:
        model: The model.
        vectors: List of tensors.
        added: Whether they are added to what is looked up, which then gets
            its gradient as always.
    """

    def __init__(self, model, vectors, added=False):
        self._left, self._count = list(vectors), len(vectors)
        self._added = added
        self._tapped = tapped(
            [
                (layer, functools.partial(self._give, layer.compute_dtype))
                for layer in _layers(model)
            ]
        )

    def __enter__(self):
        self._tapped.__enter__()

    def __exit__(self, kind, error, trace):
        self._tapped.__exit__(kind, error, trace)
        if kind is None and self._left:
            raise self._wrong(self._count - len(self._left))

    def _give(self, dtype, call, *args, **kwargs):
        if _is_reverse(args, kwargs):
            return call(*args, **kwargs)
        if not self._left:
            raise self._wrong("more")
        vectors = ops.cast(self._left.pop(0), dtype)
        return call(*args, **kwargs) + vectors if self._added else vectors

    def _wrong(self, times):
        return ValueError(
            "`vectors` must hold one tensor for each time that the model looks "
            f"up tokens: {times}. Received: {self._count}."
        )


def _layers(model):
    paths = embedding_paths(model)
    if not paths:
        raise ValueError(
            "`model` must look up tokens by a keras.layers.Embedding, or have "
            f"a method `embedding_paths`. Received: {model!r}."
        )
    return [sublayer(model, path) for path in dict.fromkeys(paths)]


def _is_reverse(args, kwargs):
    """Whether a reversible embedding makes logits, and looks up nothing."""
    return bool(kwargs.get("reverse", args[1] if len(args) > 1 else False))
