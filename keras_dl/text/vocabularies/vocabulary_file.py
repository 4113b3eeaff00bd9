"""A vocabulary in one JSON file."""

import hashlib
import json
import os

import keras

_FORMAT = "keras_dl vocabulary"
_VERSION = 1


def write(vocabulary, path):
    """Writes a vocabulary; the file takes its name once it is complete."""
    config = vocabulary.get_config()
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "class": keras.saving.get_registered_name(type(vocabulary)),
        "sha256": _digest(config),
        "config": config,
    }
    path = os.fspath(path)
    unfinished = f"{path}.{os.getpid()}.unfinished"
    try:
        with open(unfinished, "w", encoding="ascii") as file:
            json.dump(content, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    finally:
        if os.path.exists(unfinished):
            os.remove(unfinished)


def read(expected, path):
    """Reads a vocabulary that is of the class `expected`."""
    content = _content(path)
    cls = keras.saving.get_registered_object(content["class"])
    if not isinstance(cls, type) or not issubclass(cls, expected):
        raise ValueError(
            f"{path} holds a vocabulary of the class {content['class']!r}, "
            f"not a {expected.__name__}."
        )
    return cls.from_config(content["config"])


def _content(path):
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except ValueError as error:
        raise ValueError(
            f"{path} is damaged, or not the file of a vocabulary: {error}."
        ) from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise ValueError(f"{path} is not the file of a vocabulary.")
    if content.get("version") != _VERSION:
        raise ValueError(
            f"{path} has version {content.get('version')!r} of the format; "
            f"only version {_VERSION} can be read."
        )
    config = content.get("config")
    if "class" not in content or content.get("sha256") != _digest(config):
        raise ValueError(
            f"{path} is damaged: its checksum does not fit its content."
        )
    return content


def _digest(config):
    text = json.dumps(config, sort_keys=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
