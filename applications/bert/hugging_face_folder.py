"""Folders of Hugging Face: `config.json`, `model.safetensors`, or shards."""

import contextlib
import importlib
import json
import pathlib
import warnings

import numpy as np

from keras_dl.applications.bert.hugging_face_families import FAMILIES

_CONFIG = "config.json"
_WEIGHTS = "model.safetensors"
_INDEX = "model.safetensors.index.json"
# What an encoder's tensors begin with where it stands alone.
_BODY = (
    "embeddings.",
    "embeddings_project.",
    "encoder.",
    "transformer.",
    "pooler.",
)
_OLD_ENDS = {"gamma": "weight", "beta": "bias"}
# Of other models than the one that is read: heads, buffers, a loss's weights.
_HEADS = (
    "cls.",
    "lm_head.",
    "predictions.",
    "sop_classifier.",
    "classifier.",
    "pre_classifier.",
    "qa_outputs.",
    "vocab_transform.",
    "vocab_layer_norm.",
    "vocab_projector.",
    "discriminator_predictions.",
    "generator_predictions.",
    "generator_lm_head.",
    "sequence_summary.",
    "loss_fct.weight",
)
_BUFFERS = ("embeddings.position_ids", "embeddings.token_type_ids", "pooler.")


class Folder:
    """The files of a model, read with every doubt named before any use.

    Args:
        path: Path of the folder.
        model_type: Name of the family, where the configuration has none.
    """

    def __init__(self, path, model_type=None):
        self.path = pathlib.Path(path)
        self.config = self._json(_CONFIG)
        self.family = FAMILIES[self._model_type(model_type)]
        self._files = _Tensors(self.path)
        self._names = self._standard_names()

    def _model_type(self, given):
        found = self.config.get("model_type")
        kind = given if found is None else found
        if not isinstance(kind, str) or kind not in FAMILIES:
            raise ValueError(
                f"`model_type` in {self.path / _CONFIG} must be one of "
                f"{sorted(FAMILIES)}; where there is none, the argument "
                f"`model_type` names it. Received: model_type={kind!r}."
            )
        if given not in (None, kind):
            raise ValueError(
                f"`model_type` must be that of {self.path / _CONFIG}, which is "
                f"{kind!r}. Received: model_type={given!r}."
            )
        return kind

    def _json(self, name):
        try:
            return _read_json(self.path / name)
        except (OSError, ValueError) as error:
            raise ValueError(
                f"`folder` must hold a {name} of Hugging Face. Received: "
                f"{self.path / name}: {error}."
            ) from error

    @contextlib.contextmanager
    def blames_config(self, changes=()):
        """Errors inside name the configuration, if nothing was changed."""
        try:
            yield
        except (TypeError, ValueError) as error:
            if changes:
                raise
            raise ValueError(f"{self.path / _CONFIG}: {error}") from error

    def _standard_names(self):
        """The names in the files, by those that they have today."""
        prefix = self.family.prefix + "."
        names = {}
        for name in sorted(self._files.shapes):
            start, dot, end = name.rpartition(".")
            standard = start + dot + _OLD_ENDS.get(end, end)
            if standard.startswith(_BODY):
                standard = prefix + standard
            # Of two for one, neither is more right: the second is foreign.
            free = standard not in names and (
                standard == name or standard not in self._files.shapes
            )
            names[standard if free else name] = name
        return names

    def has(self, name):
        """Whether there is a tensor, with or without the family's prefix."""
        return name in self._names

    def expect(self, shapes, decoder=None):
        """Refuses a file whose tensors have other shapes.

        Args:
            shapes: Pairs of name and shape.
            decoder: Name of what can stand for the first of them.
        """
        for name, shape in shapes:
            if decoder and not self.has(name) and self.has(decoder):
                name = decoder
            decoder = None
            self._check(name, shape)

    def are_equal(self, one, other):
        """Whether two tensors, which need not be there, hold the same."""
        if not (self.has(one) and self.has(other)):
            return True
        return np.array_equal(self._array(one), self._array(other))

    def load(self, tensors):
        """Reads all of the tensors, or none, and warns of what it left.

        Args:
            tensors: List of `Tensor`.

        Raises:
            ValueError: Names the first tensor that is missing, does not fit,
                cannot be read, or belongs to nothing.
        """
        wanted = [(self._source(tensor), tensor) for tensor in tensors]
        for name, tensor in wanted:
            self._check(name, tensor.shape)
        rest = set(self._names) - {name for name, _ in wanted}
        for name, tensor in wanted:
            copies = rest.intersection((tensor.name, *tensor.others))
            rest -= {copy for copy in copies if self.are_equal(name, copy)}
            rest -= set(tensor.idle)
        self._check_rest(rest)
        arrays = [self._array(name) for name, _ in wanted]
        for array, (_, tensor) in zip(arrays, wanted, strict=True):
            tensor.read(array)
        if rest:
            unread = sorted(self._names[name] for name in rest)
            warnings.warn(
                f"{self.path}: left unread, for this model has no such part: "
                f"{', '.join(unread)}.",
                stacklevel=3,
            )

    def _source(self, tensor):
        """The name of what is there of a tensor."""
        names = (tensor.name, *tensor.others)
        return next((name for name in names if self.has(name)), tensor.name)

    def _check_rest(self, rest):
        """Refuses what belongs to no known part of any such model."""
        prefix = self.family.prefix + "."
        known = (*_HEADS, *(prefix + name for name in _BUFFERS))
        for name in sorted(rest):
            if not name.startswith(known):
                raise self._error(name, "belongs to no part of this model")

    def _check(self, name, expected):
        if not self.has(name):
            raise self._error(name, "is missing")
        shape = self._files.shapes[self._names[name]]
        if shape != tuple(expected):
            raise self._error(
                name, f"must have the shape {tuple(expected)}", f"{shape}"
            )

    def _array(self, name):
        try:
            array = self._files.read(self._names[name])
        except Exception as error:  # Whatever the reader or NumPy says.
            raise self._error(name, f"cannot be read: {error}") from error
        if array.dtype.kind not in "fV":
            raise self._error(name, "must hold floats", f"{array.dtype}")
        return array.astype("float32")

    def _error(self, name, problem, received=None):
        received = "" if received is None else f" Received: {received}."
        theirs = self._names.get(name, name)
        return ValueError(
            f"{self._files.path_of(theirs)}: tensor {theirs!r} {problem}."
            f"{received}"
        )


class _Tensors:
    """The tensors of one file, or of all shards."""

    def __init__(self, folder):
        self._folder = folder
        self._readers = {}
        self._file_of = {}
        self.shapes = {}
        whole, index = folder / _WEIGHTS, folder / _INDEX
        self._main = whole if whole.is_file() or not index.is_file() else index
        if self._main == whole:
            self._open(whole)
            return
        places = _read_index(index)
        for name in sorted(set(places.values())):
            self._open(folder / name)
        for tensor, name in sorted(places.items()):
            if self._file_of.get(tensor) != folder / name:
                raise ValueError(
                    f"{index} says that {name} holds the tensor {tensor!r}. "
                    f"Received: {folder / name}, without it."
                )

    def _open(self, path):
        if not path.is_file():
            raise ValueError(
                f"`folder` must hold a {path.name}; files that have to be "
                f"unpickled are not read. Received: {self._folder}, without "
                "one."
            )
        safetensors = import_safetensors()
        try:
            file = safetensors.safe_open(path, framework="numpy")
            for name in file.keys():  # noqa: SIM118
                if name in self._file_of:
                    raise ValueError(
                        f"{path}: tensor {name!r} is in "
                        f"{self._file_of[name].name}, too."
                    )
                self._file_of[name] = path
                self.shapes[name] = tuple(file.get_slice(name).get_shape())
        except (OSError, safetensors.SafetensorError) as error:
            raise ValueError(f"{path} is damaged: {error}.") from error
        self._readers[path] = file

    def path_of(self, name):
        """The path of the file of a tensor, which need not be there."""
        return self._file_of.get(name, self._main)

    def read(self, name):
        """The array of a tensor."""
        return self._readers[self._file_of[name]].get_tensor(name)


def _read_index(path):
    """Names of tensors to names of files, which lie in the same folder."""
    try:
        places = _read_json(path).get("weight_map")
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {error}.") from error
    if not isinstance(places, dict) or not places:
        raise ValueError(
            f"`weight_map` of {path} must be an object of names of tensors "
            f"and files. Received: weight_map={places!r}."
        )
    for tensor, name in places.items():
        if not isinstance(name, str) or pathlib.Path(name).name != name:
            raise ValueError(
                f"`weight_map` of {path} must hold names of files beside it. "
                f"Received: {tensor}={name!r}."
            )
    return places


def _read_json(path):
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise ValueError("it must hold one JSON object")
    return found


def write(folder, config, tensors, prefix=""):
    """Writes `config.json` and `model.safetensors`.

    Args:
        folder: Path of the folder.
        config: Dict.
        tensors: List of `Tensor`.
        prefix: What is left out at the beginning of names.
    """
    safetensors = import_safetensors("safetensors.numpy")
    path = pathlib.Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    text = json.dumps(config, indent=2, sort_keys=True) + "\n"
    (path / _CONFIG).write_text(text, encoding="utf-8")
    safetensors.save_file(
        {
            tensor.name.removeprefix(prefix): tensor.write()
            for tensor in tensors
        },
        path / _WEIGHTS,
        {"format": "pt"},
    )


def import_safetensors(name="safetensors"):
    """The package `safetensors`, or an error that says how to install it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            "Hugging Face's weights need safetensors, which is not installed: "
            'pip install "keras_dl[nlp]".'
        ) from error
