"""Which of a teacher's layers teach which of a student's."""

import re

from keras_dl.checks import check_choice, check_integer
from keras_dl.models import feature_paths

KINDS = ("uniform", "skip", "last")


def layer_map(kind, num_student_layers, num_teacher_layers):
    """Pairs of layers, of a student of M and a teacher of N.

        uniform   m -> m N / M         m = 1 .. M      (TinyBERT)
        skip      m -> m N / M         m = 1 .. M - 1  (PKD-Skip)
        last      m -> N - M + m       m = 1 .. M - 1  (PKD-Last)

    rounded down. The last two leave out the last layer, which the outputs
    teach.

    Args:
        kind: `"uniform"`, `"skip"` or `"last"`.
        num_student_layers: M.
        num_teacher_layers: N, at least M.

    Returns:
        List of pairs of numbers from 1, those of `"hidden_states/m"`; that of
        the attention in layer m is `"attention_logits/m-1"`.

    Raises:
        ValueError: If an argument is not allowed, or no pair is left.

    Example:

    >>> layer_map("uniform", 4, 12)
    [(1, 3), (2, 6), (3, 9), (4, 12)]
    >>> layer_map("skip", 6, 12)
    [(1, 2), (2, 4), (3, 6), (4, 8), (5, 10)]

    Reference:
        Jiao et al., "TinyBERT", 2020; Sun et al., "Patient knowledge
        distillation for BERT model compression", 2019.
    """
    check_choice("kind", kind, KINDS)
    m = check_integer("num_student_layers", num_student_layers, 1)
    n = check_integer("num_teacher_layers", num_teacher_layers, 1)
    if m > n:
        raise ValueError(
            "`num_student_layers` must be at most those of the teacher. "
            f"Received: {m} layers of the student and {n} of the teacher."
        )
    if kind != "uniform" and m == 1:
        raise ValueError(
            f"`kind` must be 'uniform' for a student of one layer: {kind!r} "
            "leaves its last one out."
        )
    of = (lambda i: n - m + i) if kind == "last" else (lambda i: i * n // m)
    return [(i, of(i)) for i in range(1, m + (kind == "uniform"))]


def hidden_layers(name, model):
    """The number of layers of a model with hidden states.

    Args:
        name: What the model is called in an error.
        model: A Keras layer or model, with standard names of features.
    """
    found = [
        int(match[1])
        for path in feature_paths(model)
        if (match := re.fullmatch(r"hidden_states/(\d+)", path))
    ]
    if not found:
        raise ValueError(
            f"`{name}` must have features 'hidden_states/0' and so on: see "
            "`keras_dl.models.feature_paths`. Received: "
            f"{name}={model.name!r}, which has {sorted(feature_paths(model))}."
        )
    return max(found)
