"""Looking inside any model, in one forward pass."""

import collections.abc
import contextlib
import difflib
import inspect
import re

import keras

from keras_dl.models.paths import sublayer, sublayers
from keras_dl.models.taps import tapped

OUTPUTS = "outputs"
_PATH = re.compile(r"(?P<path>[^:@]+)(:(?P<what>\w+))?(@(?P<call>\d+))?")
_WHAT = ("output", "input", "weights", "logits")


@contextlib.contextmanager
def taps(model, paths, stop=False):
    """A context in which a call of a model leaves what its layers made.

    The same call on every backend, eager and compiled; nothing is computed
    twice. It works on functional (keras.applications, keras-hub), sequential
    and subclassed models, and gradients flow through what it finds. Within a
    compiled step, use what was found in that step.

    | path                    | is                                            |
    |-------------------------|-----------------------------------------------|
    | `"block3_conv3"`        | the output of that sublayer; the first one of |
    |                         | several. See `sublayers` for paths            |
    | `"block_1:input"`       | its first input                               |
    | `"block_1:memory"`      | its argument of that name                     |
    | `"block_1/attention:weights"` | the weights of an attention, after the  |
    |                         | softmax, `(batch, heads, queries, keys)`      |
    | `"block_1/attention:logits"`  | what went into the softmax, before the  |
    |                         | mask                                          |
    | `"block_1@2"`           | that of its third call, where there are       |
    |                         | several (from 0)                              |
    | `"hidden_states/3"`     | what comes out of the third block; 0 is what  |
    |                         | goes into the first                           |
    | `"attention_weights/0"`, `"attention_logits/0"` | those of the first    |
    |                         | block                                         |
    | `"embeddings"`          | the vectors of the tokens, as they are looked |
    |                         | up                                            |
    | `"encoder_hidden_states/3"`, `"decoder_hidden_states/3"` | the same of   |
    |                         | models with a source and a target, which have |
    |                         | all these names twice                         |
    | `"memory_attention_weights/0"`, `"memory_attention_logits/0"` | those of |
    |                         | the decoder's attention on the source         |
    | `"outputs"`             | what the model returns                        |

    From `"hidden_states/3"` on, all but the last are there for models that
    have such parts: those of `keras_dl.applications` and whatever else is made
    of blocks with attention. `feature_paths(model)` says what they stand for.

    Args:
        model: A Keras layer or model.
        paths: List of paths.
        stop: Whether the call of the model ends, by an exception, as soon as
            all are found: see `features`, which takes care of it.

    Yields:
        A mapping of paths and tensors, to be read after the call.

    Raises:
        ValueError: If a path names nothing, at once; or, when it is read, if
            its layer was not called, or several times and no `@` says which.

    Example:

    >>> encoder = keras_dl.applications.BERT(30, 2, 16, 2, 32)
    >>> with keras_dl.models.taps(encoder, ["hidden_states/1"]) as found:
    ...     results = encoder(np.ones((2, 5), "int32"))
    >>> found["hidden_states/1"].shape
    (2, 5, 16)
    """
    names = feature_paths(model)
    requests = {path: _Request(model, path, names) for path in paths}

    def check():
        if stop and all(request.is_found() for request in requests.values()):
            raise _AllFound

    for request in requests.values():
        request.found = check
    pairs = [pair for request in requests.values() for pair in request.pairs()]
    with tapped(pairs):
        yield _Found(requests)


def features(model, inputs, paths, training=False, stop=False):
    """What layers of a model make of inputs, in one forward pass.

    Args:
        model: A Keras layer or model.
        inputs: Its inputs.
        paths: List of paths: see `keras_dl.models.taps`.
        training: Whether dropout and the like are active.
        stop: Whether to compute no further than is needed to find them all.
            Compiled code computes no further anyway. Layers are then taken to
            be called once, or as often as `@` says.

    Returns:
        Dict of tensors by path.

    Raises:
        ValueError: If a path names nothing.

    Example:

    >>> model = keras.Sequential(
    ...     [keras.Input((3,)), keras.layers.Dense(4, name="hidden"),
    ...      keras.layers.Dense(1)]
    ... )
    >>> keras_dl.models.features(model, np.ones((2, 3)), ["hidden"])[
    ...     "hidden"
    ... ].shape
    (2, 4)
    """
    if not model.built:
        # Keras may have to try the layers out before it calls them.
        model(inputs, training=False)
    with contextlib.suppress(_AllFound), taps(model, paths, stop) as found:
        model(inputs, training=training)
    return {path: found[path] for path in paths}


class _AllFound(Exception):
    """What else the model would compute is not needed."""


def feature_paths(model):
    """The standard names of a model's features, and the paths they stand for.

    A model may say so itself, by a method of this name: see
    `keras_dl.models.SupervisedModel`. Of others those sublayers that hold an
    attention count as blocks, if each holds one.

    Args:
        model: A Keras layer or model.

    Returns:
        Dict of names, such as `"hidden_states/0"`, and paths; empty for a
        model without blocks.

    Example:

    >>> encoder = keras_dl.applications.BERT(30, 1, 16, 2, 32)
    >>> keras_dl.models.feature_paths(encoder)["hidden_states/1"]
    'blocks/0@0'
    """
    if hasattr(model, "feature_paths"):
        return model.feature_paths()
    holders = [
        path.rpartition("/")[0]
        for path, layer in sublayers(model).items()
        if is_attention(layer)
    ]
    names = {}
    if holders and all(holders) and len(set(holders)) == len(holders):
        names = block_paths(
            [(block, _attention_in(model, block)) for block in holders]
        )
    for path in embedding_paths(model)[:1]:
        layer = sublayer(model, path)
        # What it is called for later is to make logits.
        again = "reverse" in inspect.signature(layer.call).parameters
        names["embeddings"] = f"{path}@0" if again else path
    return names


def block_paths(blocks, prefix=""):
    """The standard names of blocks.

    Args:
        blocks: For each application of a block, in order: its path, and that
            of its attention, or `None` if it has none.
        prefix: What the names begin with, where a model has several stacks.

    Returns:
        Dict of names and paths.
    """
    names, calls = {}, collections.Counter()
    for i, (block, attention) in enumerate(blocks):
        at = f"@{calls[block]}"
        calls[block] += 1
        if i == 0:
            names[f"{prefix}hidden_states/0"] = f"{block}:input{at}"
        names[f"{prefix}hidden_states/{i + 1}"] = f"{block}{at}"
        if attention is not None:
            for what in ("weights", "logits"):
                names[f"{prefix}attention_{what}/{i}"] = (
                    f"{attention}:{what}{at}"
                )
    return names


def stack_paths(model, blocks, prefix=""):
    """The standard names of blocks that each have an `attention`.

    Args:
        model: The model.
        blocks: The paths of the blocks as they are applied; where a block is
            shared, its first path is meant.
        prefix: As for `block_paths`.
    """
    first = {}
    for path in blocks:
        first.setdefault(id(sublayer(model, path)), path)
    paths = [first[id(sublayer(model, path))] for path in blocks]
    return block_paths([(p, f"{p}/attention") for p in paths], prefix)


def under(prefix, names):
    """Names of features of a part, for the model that holds it at `prefix`."""
    return {name: f"{prefix}/{path}" for name, path in names.items()}


def embedding_paths(model):
    """Paths of the layers that look up the tokens of a model's inputs.

    A model may say so itself, by a method of this name. Of others it is the
    one called `token_embedding`, or all that are `keras.layers.Embedding`, or
    have `is_embedding`.
    """
    if hasattr(model, "embedding_paths"):
        return model.embedding_paths()
    found = []
    for path, layer in sublayers(model).items():
        inside = any(path.startswith(f"{outer}/") for outer in found)
        if not inside and _looks_up(layer):
            found.append(path)
    tokens = [p for p in found if p.split("/")[-1] == "token_embedding"]
    return tokens or found


def _looks_up(layer):
    return isinstance(layer, keras.layers.Embedding) or getattr(
        layer, "is_embedding", False
    )


def padding_mask(model, inputs):
    """Which tokens of the inputs of a model are real.

    As the model's encoder reads them, as an input of that name says, or, of a
    model with a single input, as an embedding with `mask_zero` does.

    Args:
        model: A Keras layer or model.
        inputs: Its inputs.

    Returns:
        A boolean tensor `(batch, time)`, or `None` if nothing says so.
    """
    if hasattr(model, "padding_mask"):
        return model.padding_mask(inputs)
    if isinstance(inputs, dict) and "padding_mask" in inputs:
        return keras.ops.cast(inputs["padding_mask"], "bool")
    alone = not isinstance(inputs, (dict, list, tuple))
    if alone and any(
        _looks_up(layer) and layer.mask_zero
        for layer in sublayers(model).values()
    ):
        return keras.ops.not_equal(inputs, 0)
    return None


def is_attention(layer):
    """Whether a layer is an attention of several heads, ours or Keras'."""
    arguments = inspect.signature(layer.call).parameters
    return "return_attention_scores" in arguments and any(
        path == "softmax" for path in sublayers(layer)
    )


def _attention_in(model, block):
    inside = sublayers(sublayer(model, block)).items()
    path = next(path for path, layer in inside if is_attention(layer))
    return f"{block}/{path}"


class _Request:
    """One path, and what calls left of it."""

    def __init__(self, model, path, names):
        self.model, self.asked = model, path
        matched = _PATH.fullmatch(names.get(path, path))
        if not matched:
            raise self._malformed()
        parts = matched.groupdict()
        self.what = parts["what"] or "output"
        self.call = None if parts["call"] is None else int(parts["call"])
        self.values = []
        self.layer = self._layer(parts["path"], names)
        if self.what in ("weights", "logits"):
            self._check_attention()
        self.signature = inspect.signature(self.layer.call)
        arguments = list(self.signature.parameters)
        if self.what not in (*_WHAT, *arguments):
            raise self._malformed(f" or {arguments}")

    def _malformed(self, more=""):
        return ValueError(
            "A path is `sublayer`, and then perhaps `:` and one of "
            f"{_WHAT}{more}, and `@` and the number of a call. Received: "
            f"{self.asked!r}."
        )

    def _layer(self, path, names):
        if path == OUTPUTS:
            return self.model
        try:
            return sublayer(self.model, path)
        except ValueError as error:
            near = difflib.get_close_matches(path, names, n=3, cutoff=0.8)
            if not near and not _STANDARD.fullmatch(path.split("/")[0]):
                raise
            there = near or sorted(names) or "none of the standard ones"
            raise ValueError(
                f"{self.model.name!r} has no feature {path!r}. It has: "
                f"{there}; `sublayers(model)` lists its paths."
            ) from error

    def _check_attention(self):
        arguments = inspect.signature(self.layer.call).parameters
        has_weights = "return_attention_scores" in arguments
        if self.what == "weights" and has_weights:
            return
        if not is_attention(self.layer):
            raise ValueError(
                f"{self.asked!r} must name an attention"
                + (", with a softmax of its own." if has_weights else ".")
                + f" Received: the path of a {type(self.layer).__name__}."
            )

    def pairs(self):
        """What to listen to: pairs for `tapped`."""
        if self.what not in ("weights", "logits"):
            return [(self.layer, self._around)]
        if not is_attention(self.layer):
            return [(self.layer, self._last)]
        softmax = sublayer(self.layer, "softmax")
        return [(self.layer, _by_parts), (softmax, self._around)]

    def _around(self, call, *args, **kwargs):
        if self.what in ("output", "weights"):
            result = call(*args, **kwargs)
            self._keep(result if self.asked == OUTPUTS else _first(result))
            return result
        if self.what in ("input", "logits"):
            value = args[0] if args else next(iter(kwargs.values()))
        else:
            given = self.signature.bind(*args, **kwargs)
            given.apply_defaults()
            value = given.arguments[self.what]
        self._keep(_first(value))
        return call(*args, **kwargs)

    def _keep(self, value):
        self.values.append(value)
        self.found()

    def is_found(self):
        """Whether there is a value already."""
        return len(self.values) > (self.call or 0)

    def _last(self, call, *args, return_attention_scores=False, **kwargs):
        """Around an attention whose weights are its last output."""
        *others, weights = call(*args, return_attention_scores=True, **kwargs)
        self._keep(weights)
        if return_attention_scores:
            return *others, weights
        return tuple(others) if len(others) > 1 else others[0]

    def value(self):
        """What was found."""
        calls = len(self.values)
        if self.call is None and calls > 1:
            raise ValueError(
                f"The layer of {self.asked!r} was called {calls} times: say "
                f"which call is meant, such as {self.asked + '@0'!r}."
            )
        if not self.is_found():
            raise ValueError(
                f"The layer of {self.asked!r} was called {calls} times while "
                "the taps were open."
            )
        return self.values[self.call or 0]


_STANDARD = re.compile(
    "((encoder|decoder|memory)_)?"
    "(hidden_states|attention_weights|attention_logits|embeddings)"
)


class _Found(collections.abc.Mapping):
    """What was found, by path."""

    def __init__(self, requests):
        self._requests = requests

    def __getitem__(self, path):
        return self._requests[path].value()

    def __iter__(self):
        return iter(self._requests)

    def __len__(self):
        return len(self._requests)


def _first(value):
    return value[0] if isinstance(value, (list, tuple)) else value


def _by_parts(call, *args, return_attention_scores=False, **kwargs):
    """Calls an attention so that its softmax runs, and is not fused away."""
    result, weights, *others = call(
        *args, return_attention_scores=True, **kwargs
    )
    if return_attention_scores:
        return result, weights, *others
    return (result, *others) if others else result
