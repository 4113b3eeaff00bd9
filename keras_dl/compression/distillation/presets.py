"""Published ways to distil: arguments of `SupervisedTrainer`, to begin with.

Each returns a dict with the terms of the loss and the weight of the task's own:
`SupervisedTrainer(student, teachers=teacher, **patient(student, teacher))`.
"""

from keras_dl.compression.distillation.layer_map import (
    hidden_layers,
    layer_map,
)
from keras_dl.losses import SoftTargets
from keras_dl.models.features import OUTPUTS
from keras_dl.training import FeatureDistance, LogitsDistillation

STAGES = (1, 2)


def patient(
    student,
    teacher,
    alpha=0.5,
    beta=100.0,
    temperature=10.0,
    layers="skip",
    projection=False,
    output=OUTPUTS,
):
    """Patient knowledge distillation (PKD): the first token of hidden layers.

        (1 - alpha) task + alpha T^2 KL(p_t || p_s)
        + beta mean_m mean_d (h_m / |h_m| - h_g(m) / |h_g(m)|)_d^2

    Args:
        student, teacher: Models with hidden states, such as a `TaskModel`.
        alpha: Weight of the soft targets, in [0, 1].
        beta: Weight of the hidden states; 10 to 1000 in the paper.
        temperature: T; 5 to 20 in the paper.
        layers: Which layers: see `layer_map`.
        projection: Whether to learn matrices to the teacher's width.
        output: Path of the output, of a model with several.

    Returns:
        Dict with `terms` and `task_weight`, for `SupervisedTrainer`.

    Raises:
        ValueError: If an argument is not allowed.

    Example:

    >>> def bert(num_layers):
    ...     encoder = keras_dl.applications.BERT(30, num_layers, 8, 2, 16)
    ...     head = keras_dl.heads.Classification(2)
    ...     return keras_dl.applications.TaskModel(encoder, head)
    >>> student, teacher = bert(2), bert(4)
    >>> trainer = keras_dl.training.SupervisedTrainer(
    ...     student, teachers=teacher, **patient(student, teacher)
    ... )
    >>> [term.name for term in trainer.terms]
    ['soft_targets', 'patience']

    Reference:
        Sun et al., "Patient knowledge distillation for BERT model
        compression", 2019; the student begins with the teacher's first layers,
        see `student_from_layers`. The paper sums over vectors where its code,
        and this, take means; the code's soft targets are 1 / C of these.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(
            f"`alpha` must be in [0, 1]. Received: alpha={alpha!r}."
        )
    pairs = _pairs(layers, student, teacher)
    return {
        "terms": [
            _soft_targets(temperature, alpha, output),
            FeatureDistance(
                *_hidden_states(pairs),
                "normalized_mse",
                projection,
                token=0,
                weight=beta / len(pairs),
                name="patience",
            ),
        ],
        "task_weight": 1.0 - alpha,
    }


def distilbert(
    student,
    teacher,
    temperature=2.0,
    soft_weight=5.0,
    task_weight=2.0,
    cosine_weight=1.0,
    output=OUTPUTS,
    ignore_class=None,
):
    """DistilBERT: soft targets, the task, and the direction of hidden states.

        5 T^2 KL(p_t || p_s) + 2 task + (1 - cos(h_M, h_N))

    over all real tokens. Pre-training, the task is that of
    `keras_dl.heads.MaskedLM`; any other will do.

    Args:
        student, teacher: Models with hidden states of the same width.
        temperature: T.
        soft_weight, task_weight, cosine_weight: Weights.
        output: Path of the output, such as `"outputs/masked_tokens"`.
        ignore_class: Target of the tokens whose soft targets do not count: -1
            with `masked_positions`, or for masked tokens alone.

    Returns:
        Dict with `terms` and `task_weight`, for `SupervisedTrainer`.

    Example: the first and the last layer of three make the student.

    >>> encoder = keras_dl.applications.BERT(30, 3, 8, 2, 16)
    >>> teacher = keras_dl.applications.TaskModel(
    ...     encoder, keras_dl.heads.MaskedLM()
    ... )
    >>> student = keras_dl.compression.student_from_layers(teacher, [0, 2])
    >>> trainer = keras_dl.training.SupervisedTrainer(
    ...     student, teachers=teacher, **distilbert(student, teacher)
    ... )
    >>> trainer.compile(keras.optimizers.AdamW(5e-4, beta_2=0.98))

    Reference:
        Sanh et al., "DistilBERT, a distilled version of BERT", 2019. Its code
        takes means over all tokens of a batch, this first those of a text.
    """
    m, n = hidden_layers("student", student), hidden_layers("teacher", teacher)
    return {
        "terms": [
            _soft_targets(temperature, soft_weight, output, ignore_class),
            FeatureDistance(
                f"hidden_states/{m}",
                f"hidden_states/{n}",
                "cosine",
                weight=cosine_weight,
                name="cosine",
            ),
        ],
        "task_weight": task_weight,
    }


def tinybert(
    student,
    teacher,
    stage=1,
    temperature=1.0,
    layers="uniform",
    output=OUTPUTS,
):
    """TinyBERT: embeddings, attention and hidden states; then predictions.

        stage 1: MSE(E_s W, E_t) + sum_m MSE(h_m W_m, h_g(m))
                 + sum_m MSE(A_m, A_g(m))
        stage 2: - T^2 sum_c p_c(t) log p_c(s)

    A are the scores of attention before the softmax, and g(m) = m N / M. The
    labels of the task play no part. Stage 1 is for pre-training, on any texts,
    as well as for a task. See `keras_dl.text.WordReplacement` for more texts.

    Args:
        student, teacher: Models with attention, of as many heads.
        stage: 1 or 2.
        temperature: T.
        layers: Which layers: see `layer_map`.
        output: Path of the output, of a model with several.

    Returns:
        Dict with `terms` and `task_weight`, for `SupervisedTrainer`.

    Raises:
        ValueError: If an argument is not allowed.

    Example:

    >>> def bert(num_layers, hidden_dim):
    ...     encoder = keras_dl.applications.BERT(
    ...         30, num_layers, hidden_dim, 2, 16
    ...     )
    ...     head = keras_dl.heads.Classification(2)
    ...     return keras_dl.applications.TaskModel(encoder, head)
    >>> student, teacher = bert(1, 4), bert(2, 8)
    >>> for stage in (1, 2):
    ...     trainer = keras_dl.training.SupervisedTrainer(
    ...         student, teachers=teacher, **tinybert(student, teacher, stage)
    ...     )
    ...     trainer.compile(keras.optimizers.AdamW(1e-3))
    ...     history = trainer.fit(np.ones((2, 4), "int32"), verbose=0)

    Reference:
        Jiao et al., "TinyBERT: distilling BERT for natural language
        understanding", 2020. Its code has one matrix, with a bias, for all
        layers, compares attention of padding, too, and takes the mean over
        classes: a weight of 1 / C.
    """
    if stage not in STAGES:
        raise ValueError(
            f"`stage` must be one of {list(STAGES)}. Received: stage={stage!r}."
        )
    if stage == 2:
        loss = SoftTargets(temperature, "crossentropy")
        term = LogitsDistillation(loss, output, name="soft_targets")
        return {"terms": [term], "task_weight": 0.0}
    pairs = _pairs(layers, student, teacher)
    terms = [
        FeatureDistance("hidden_states/0", projection=True, name="embeddings"),
        FeatureDistance(
            *_hidden_states(pairs), projection=True, name="hidden_states"
        ),
        FeatureDistance(
            [f"attention_logits/{m - 1}" for m, _ in pairs],
            [f"attention_logits/{n - 1}" for _, n in pairs],
            name="attention",
        ),
    ]
    return {"terms": terms, "task_weight": 0.0}


def bilstm(weight=1.0, task_weight=1.0, output=OUTPUTS):
    """BERT into a BiLSTM: its logits, and the labels where there are any.

        weight mean_c (t_c - s_c)^2 + task_weight task

    The student may be anything that reads the same inputs, such as a
    `TaskModel` of a `keras_dl.applications.LSTMEncoder`.

    Args:
        weight: Weight of the logits.
        task_weight: Weight of the labels; with 0 there need be none.
        output: Path of the output, of a model with several.

    Returns:
        Dict with `terms` and `task_weight`, for `SupervisedTrainer`.

    Example:

    >>> student, teacher = (
    ...     keras_dl.applications.TaskModel(
    ...         encoder, keras_dl.heads.Classification(2)
    ...     )
    ...     for encoder in (
    ...         keras_dl.applications.LSTMEncoder(30, 8, 6),
    ...         keras_dl.applications.BERT(30, 2, 8, 2, 16),
    ...     )
    ... )
    >>> trainer = keras_dl.training.SupervisedTrainer(
    ...     student, teachers=teacher, **bilstm(task_weight=0.0)
    ... )

    Reference:
        Tang et al., "Distilling task-specific knowledge from BERT into simple
        neural networks", 2019: Adadelta, LSTMs of 150 or 300 in each direction.
    """
    loss = SoftTargets(kind="mse")
    term = LogitsDistillation(loss, output, weight=weight, name="logits")
    return {"terms": [term], "task_weight": task_weight}


def _pairs(layers, student, teacher):
    return layer_map(
        layers,
        hidden_layers("student", student),
        hidden_layers("teacher", teacher),
    )


def _hidden_states(pairs):
    """Paths of the student's and of the teacher's."""
    students, teachers = zip(*pairs, strict=True)
    return [
        [f"hidden_states/{i}" for i in numbers]
        for numbers in (students, teachers)
    ]


def _soft_targets(temperature, weight, output, ignore_class=None):
    return LogitsDistillation(
        SoftTargets(temperature),
        output,
        ignore_class=ignore_class,
        weight=weight,
        name="soft_targets",
    )
