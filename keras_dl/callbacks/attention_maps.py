"""Pictures of what a model's attention looks at, and how it learns to."""

import pathlib

import keras
import numpy as np
from keras import ops

from keras_dl import backend
from keras_dl.callbacks.figures import figure_class, save
from keras_dl.checks import check_int32, check_integer
from keras_dl.models import feature_paths, features
from keras_dl.text import Vocabulary, as_vocabulary

_INCHES_PER_TOKEN = 0.26
_FEATURE = "memory_attention_weights/"


class AttentionMaps(keras.callbacks.Callback):
    """Draws attention maps of a few examples while the model is trained.

    At the end of an epoch it looks at the attention of a call of
    `model((source, target))` on the source, and draws one map for each example:
    the tokens written downwards, the tokens read to the right, darker where
    more weight is. Padding is cut off. The model is only asked, not changed:
    training goes on as it would without the callback.

    **Which weights.** The features `"memory_attention_weights/0"` and so on,
    one for each block; those of the last block are drawn, or of `block`. What
    is `(batch, time_t, time_s)`, as of `Seq2Seq`, is drawn as it is; of
    `(batch, heads, time_t, time_s)`, as of `Transformer`, the mean over the
    heads, or `head`. A model of your own says by a method `feature_paths()`
    where these are: see `keras_dl.models.taps`.

    **Rows.** Row `t` shows where the model looks in order to write token `t`.
    The last row, marked as the end, is where it looks in order to stop.

    Needs matplotlib; a GIF needs Pillow, which comes with it.

    Args:
        source: The texts to read, or integer ids `(batch, time_s)`.
        target: The texts to write, or integer ids `(batch, time_t)` as the
            decoder reads them: the start first.
        path: Name of the PNG files, with `{epoch}` in it, or `{epoch:02d}`;
            epochs count from 1. Folders are made.
        vocabulary: `keras_dl.text.Vocabulary`, or what `as_vocabulary` takes,
            or list of tokens by id, or a pair of such for source and target:
            for texts, and to label the axes. `None`, with ids only: the ids
            are the labels.
        every: Number of epochs from one picture to the next.
        block: Which block's attention to draw; the last by default.
        head: Which head's; the mean of all by default.
        gif: Name of a GIF with all pictures, written when training ends.
            `None`: no GIF.
        pad_id: Id of the padding in both. `None`: each vocabulary's own, and
            0 without one.

    Raises:
        ImportError: If matplotlib is missing.
        TypeError: If `vocabulary` is none of these.
        ValueError: If `path` lacks `{epoch}`, if texts come without a
            vocabulary, if an id is not in it, or if an argument is not
            allowed; when training begins, if the model has no `attention`,
            and when a picture is drawn, if it has no such block or head.

    Example:

    >>> letters = keras_dl.text.CharacterVocabulary(list("abAB"))
    >>> batches = keras_dl.text.TeacherForcingBatches(
    ...     ["ab", "ba"], ["AB", "BA"], letters, letters, batch_size=2
    ... )
    >>> model = keras_dl.applications.Seq2Seq(letters.size, units=8)
    >>> model.compile()
    >>> maps = AttentionMaps(["ab"], ["AB"], "out/{epoch:02d}.png", letters)
    >>> history = model.fit(batches, epochs=2, verbose=0, callbacks=[maps])
    >>> sorted(path.name for path in pathlib.Path("out").iterdir())
    ['01.png', '02.png']

    Reference:
        The pictures are those of Bahdanau, Cho and Bengio, "Neural machine
        translation by jointly learning to align and translate", 2015, figure
        3; there brighter is more.
    """

    def __init__(
        self,
        source,
        target,
        path,
        vocabulary=None,
        every=1,
        block=-1,
        head=None,
        gif=None,
        pad_id=None,
    ):
        super().__init__()
        figure_class()
        self.path, self.gif = str(path), gif
        _check_path(self.path)
        self.every = check_integer("every", every, minimum=1)
        self.block = check_integer("block", block, minimum=-(2**31))
        self.head = head if head is None else check_integer("head", head, 0)
        if pad_id is not None:
            check_integer("pad_id", pad_id, minimum=0)
        self.pad_id = pad_id
        ours, theirs = _pair(vocabulary)
        self.source_ids = _read("source", source, ours, False, pad_id)
        self.target_ids = _read("target", target, theirs, True, pad_id)
        if len(self.source_ids) != len(self.target_ids):
            raise ValueError(
                "`source` and `target` must be as many as each other. Received:"
                f" {len(self.source_ids)} and {len(self.target_ids)}."
            )
        self.source_tokens = [self._labels(r, ours) for r in self.source_ids]
        self.target_tokens = [
            # Moved on by one: a row is what is written, not what was read.
            [*self._labels(row, theirs)[1:], "end"]
            for row in self.target_ids
        ]
        self.pictures = []
        self._attention = None

    def set_model(self, model):
        """Takes the model to ask; its attention is compiled once."""
        super().set_model(model)
        self._attention = None

    def on_train_begin(self, logs=None):
        if not _paths(self.model):
            raise ValueError(
                f"The model must have features {_FEATURE + '0'!r} and so on, "
                "as keras_dl.applications.Seq2Seq and Transformer have. "
                f"Received: {type(self.model).__name__}."
            )
        self.pictures = []

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every == 0:
            path = pathlib.Path(self.path.format(epoch=epoch + 1))
            tokens = self.source_tokens, self.target_tokens
            title = f"epoch {epoch + 1}"
            draw_attention(self.weights(), *tokens, path, title)
            self.pictures.append(path)

    def on_train_end(self, logs=None):
        if self.gif is not None and self.pictures:
            _write_gif(self.pictures, self.gif)

    def weights(self):
        """The maps to draw: an array `(batch, time_t, time_s)`."""
        source = ops.convert_to_tensor(self.source_ids)
        target = ops.convert_to_tensor(self.target_ids)
        if self._attention is None:
            model, paths = self.model, _paths(self.model)
            path = _chosen("block", paths, self.block, len(paths))

            def look(*pair):
                return features(model, pair, [path], stop=True)[path]

            if not model.built:
                look(source, target)  # Makes its variables.
            self._attention = backend.compiled(look, model.variables)
        weights = self._attention(source, target)
        weights = ops.convert_to_numpy(ops.cast(weights, "float32"))
        if weights.ndim == 3:
            return weights
        if self.head is None:
            return weights.mean(axis=1)
        heads = np.moveaxis(weights, 1, 0)
        return _chosen("head", heads, self.head, len(heads))

    def _labels(self, ids, vocabulary):
        pad_id = _pad_id(vocabulary) if self.pad_id is None else self.pad_id
        ids = [id for id in ids.tolist() if id != pad_id]
        if vocabulary is None:
            return list(map(str, ids))
        if isinstance(vocabulary, Vocabulary):
            return list(map(vocabulary.id_to_token, ids))
        return [vocabulary[id] for id in ids]


def draw_attention(
    weights, source_tokens, target_tokens, path=None, title=None
):
    """Draws attention maps, one beside the other.

    What lies beyond the tokens of an example, its padding, is cut off. Black
    is a weight of 1, white one of 0, on every map.

    Args:
        weights: Array or tensor `(time_t, time_s)`, with lists of tokens; or
            `(batch, time_t, time_s)`, with a list of lists of tokens for each.
        source_tokens: The tokens read: strings.
        target_tokens: The tokens written: strings.
        path: Name of the PNG to write, or `None`.
        title: Title of the picture, or `None`.

    Returns:
        The `matplotlib.figure.Figure`, which belongs to no window.

    Raises:
        ImportError: If matplotlib is missing.
        ValueError: If there are more tokens than weights.

    Example:

    >>> weights = [[0.9, 0.1], [0.2, 0.8]]
    >>> figure = draw_attention(weights, ["a", "b"], ["A", "B"], "map.png")
    """
    weights = ops.convert_to_numpy(weights)
    if weights.ndim == 2:
        weights = weights[None]
        source_tokens, target_tokens = [source_tokens], [target_tokens]
    examples = list(zip(weights, source_tokens, target_tokens, strict=True))
    for one, sources, targets in examples:
        if len(targets) > one.shape[0] or len(sources) > one.shape[1]:
            raise ValueError(
                "`weights` must have a row for each target token and a column "
                f"for each source token. Received: shape {one.shape}, "
                f"{len(targets)} target and {len(sources)} source tokens."
            )
    widths = [max(len(sources), 4) for sources in source_tokens]
    figure = _new_figure(widths, max(map(len, target_tokens)), title)
    all_axes = figure.subplots(
        1, len(examples), squeeze=False, width_ratios=widths
    )[0]
    for axes, (one, sources, targets) in zip(all_axes, examples, strict=True):
        _draw_map(axes, one[: len(targets), : len(sources)], sources, targets)
    save(figure, path)
    return figure


def _draw_map(axes, weights, source_tokens, target_tokens):
    axes.imshow(weights, cmap="Greys", vmin=0, vmax=1, aspect="auto")
    longest = max(map(len, source_tokens), default=1)
    axes.set_xticks(
        range(len(source_tokens)),
        [_visible(token) for token in source_tokens],
        rotation=0 if longest <= 2 else 90,
    )
    axes.set_yticks(
        range(len(target_tokens)), [_visible(token) for token in target_tokens]
    )
    # Reading order: the source runs along the top.
    axes.xaxis.tick_top()
    axes.tick_params(length=0, labelsize=9)
    axes.set_xticks(np.arange(0.5, len(source_tokens) - 1), minor=True)
    axes.set_yticks(np.arange(0.5, len(target_tokens) - 1), minor=True)
    axes.grid(which="minor", color="0.9", linewidth=0.5)
    axes.tick_params(which="minor", length=0)


def _visible(token):
    """A token as a label: a space is shown, and nothing is a formula."""
    return token.replace(" ", "␣").replace("\n", "↵").replace("$", r"\$")


def _new_figure(widths, height, title):
    width = _INCHES_PER_TOKEN * sum(widths) + 0.7 * len(widths)
    figure = figure_class()(
        figsize=(max(width, 2.5), _INCHES_PER_TOKEN * max(height, 4) + 0.8),
        dpi=120,
        layout="constrained",
    )
    if title is not None:
        figure.suptitle(title, fontsize=10)
    return figure


def _write_gif(pictures, path):
    from PIL import Image

    frames = [Image.open(picture).convert("P") for picture in pictures]
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Half a second each, and the last one long enough to look at.
    durations = [500] * (len(frames) - 1) + [2500]
    film = {"save_all": True, "append_images": frames[1:], "loop": 0}
    frames[0].save(path, duration=durations, **film)


def _check_path(path):
    try:
        alike = path.format(epoch=1) == path.format(epoch=2)
    except (LookupError, ValueError):
        alike = True
    if alike:
        raise ValueError(
            "`path` must hold `{epoch}`, so that each picture has a name of "
            f"its own, and no other braces. Received: path={path!r}."
        )


def _pair(vocabulary):
    """The vocabularies of source and target."""
    several = isinstance(vocabulary, (list, tuple))
    if several and len(vocabulary) == 2 and not _is_list(vocabulary):
        return tuple(map(_vocabulary, vocabulary))
    return (_vocabulary(vocabulary),) * 2


def _vocabulary(given):
    return given if given is None or _is_list(given) else as_vocabulary(given)


def _is_list(tokens):
    """Whether these are the tokens themselves, by their ids."""
    several = isinstance(tokens, (list, tuple, np.ndarray))
    return several and all(isinstance(token, str) for token in tokens)


def _pad_id(vocabulary):
    return vocabulary.pad_id if isinstance(vocabulary, Vocabulary) else 0


def _read(name, given, vocabulary, start, pad_id):
    """Ids `(batch, time)` of texts, or of ids."""
    if isinstance(given, str):
        given = [given]
    if len(given) == 0:
        raise ValueError(f"`{name}` must hold examples. Received: none.")
    if isinstance(given[0], str):
        if not isinstance(vocabulary, Vocabulary):
            raise ValueError(
                f"`{name}` holds texts, which need a `vocabulary` that can "
                f"encode them. Received: {type(vocabulary).__name__}."
            )
        if pad_id not in (None, vocabulary.pad_id):
            raise ValueError(
                "`pad_id` must be that of the vocabulary, "
                f"{vocabulary.pad_id}. Received: pad_id={pad_id}."
            )
        return vocabulary.encode_batch(given, start=start)
    ids = np.asarray(given)
    if ids.ndim != 2 or ids.dtype.kind not in "iu":
        raise ValueError(
            f"`{name}` must be texts, or integer ids of shape (batch, time). "
            f"Received: shape {ids.shape}, dtype {ids.dtype}."
        )
    if vocabulary is not None:
        wrong = ids[(ids < 0) | (ids >= len(vocabulary))]
        if wrong.size:
            raise ValueError(
                f"`{name}` must hold ids from 0 to {len(vocabulary) - 1}, "
                f"those of the vocabulary. Received: {wrong[0]}."
            )
    return check_int32(name, ids)


def _paths(model):
    """Names of the weights of a model's attention on the source, by block."""
    names = feature_paths(model)
    count = sum(name.startswith(_FEATURE) for name in names)
    return [f"{_FEATURE}{i}" for i in range(count)]


def _chosen(name, items, index, count):
    if not -count <= index < count:
        raise ValueError(
            f"`{name}` must be one of the model's {count}. "
            f"Received: {name}={index}."
        )
    return items[index]
