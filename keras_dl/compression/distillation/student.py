"""A student that begins with some of its teacher's layers."""

import re

import keras
import numpy as np

from keras_dl.checks import check_integer
from keras_dl.models import variables_by_path


def student_from_layers(teacher, layers=None):
    """A copy of a Transformer with some of its blocks alone.

    Embeddings, heads and whatever else is no block are the teacher's, too: as
    copies, which train on their own.

    Args:
        teacher: `keras_dl.applications.BERT`, `TransformerEncoder`, or a
            `TaskModel` of one.
        layers: Numbers of the blocks, from 0, in ascending order. By default
            half of them, the first and the last among these: 0, 2, 4, 7, 9 and
            11 of 12, as DistilBERT has. PKD takes the first ones.

    Returns:
        The student, of the teacher's class.

    Raises:
        TypeError: If `teacher` has no blocks that its config numbers.
        ValueError: If `layers` are not numbers of its blocks, or its blocks
            share their weights or have replaced layers.

    Example:

    >>> teacher = keras_dl.applications.BERT(30, 4, 8, 2, 16)
    >>> student = student_from_layers(teacher, [0, 2])
    >>> student.num_layers
    2

    Reference:
        Sanh et al., "DistilBERT, a distilled version of BERT", 2019; Sun et
        al., "Patient knowledge distillation for BERT model compression", 2019.
    """
    encoder = getattr(teacher, "encoder", teacher)
    if not hasattr(encoder, "blocks") or not hasattr(encoder, "num_layers"):
        raise TypeError(
            "`teacher` must be a BERT, a TransformerEncoder, or a TaskModel of "
            f"one. Received: teacher={teacher!r}."
        )
    number = encoder.num_layers
    _check_own_layers(encoder, teacher)
    if layers is None:
        half = max(1, number // 2)
        layers = np.rint(np.linspace(0, number - 1, half)).astype(int).tolist()
    layers = _check_layers(layers, number)
    student = _of_blocks(teacher, encoder, layers)
    copy_variables(teacher, student, layers)
    return student


def _check_own_layers(encoder, teacher):
    if len(encoder.blocks) != encoder.num_layers:
        raise ValueError(
            "`teacher` must have weights of its own in each block. Received: "
            f"{len(encoder.blocks)} of {encoder.num_layers}."
        )
    replaced = [*getattr(teacher, "replaced", ()), *encoder.replaced]
    if replaced:
        raise ValueError(
            "`teacher` must have no replaced layers: make the student first. "
            f"Received: a teacher in which are replaced {sorted(replaced)}."
        )


def _check_layers(layers, number):
    layers = [check_integer("layers", i, 0, number - 1) for i in layers]
    if not layers or layers != sorted(set(layers)):
        raise ValueError(
            "`layers` must be different numbers in ascending order, of "
            f"{number} blocks from 0. Received: layers={layers}."
        )
    return layers


def _of_blocks(teacher, encoder, layers):
    """A model of the same class with fewer blocks, its weights new."""
    config = encoder.get_config()
    for name, value in config.items():
        if name in ("num_heads", "intermediate_dim") and not np.isscalar(value):
            config[name] = [value[i] for i in layers]
    config["num_layers"] = len(layers)
    if config.get("num_distinct_layers"):
        config["num_distinct_layers"] = len(layers)
    small = type(encoder).from_config(config)
    if teacher is encoder:
        return small
    config = teacher.get_config()
    config["encoder"] = keras.saving.serialize_keras_object(small)
    student = type(teacher).from_config(config)
    if not student.built:
        student.build_from_config(teacher.get_build_config())
    return student


def copy_variables(teacher, student, layers):
    """Gives a student the weights of its teacher, of some blocks."""
    own = variables_by_path(teacher)
    for path, variable in variables_by_path(student).items():
        source = re.sub(
            r"(^|/)blocks/(\d+)/",
            lambda m: f"{m[1]}blocks/{layers[int(m[2])]}/",
            path,
        )
        variable.assign(own[source])
