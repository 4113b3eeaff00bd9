"""Groups of a model's layers, and what their rates may be."""

import keras

from keras_dl.checks import check_integer
from keras_dl.optimizers.updates import check_learning_rate


def layer_groups(model):
    """The trainable variables of a model, layer by layer, the lowest first.

    | model                        | groups                                  |
    |------------------------------|-----------------------------------------|
    | with a method `layer_groups` | as it says                              |
    | `BERT`                       | embeddings, each block, pooler          |
    | `TaskModel`                  | as its encoder; heads with the pooler   |
    | Sequential, functional       | each layer; of a model in it, its own   |

    Blocks that share their weights are one.

    Args:
        model: A built `keras.Model`.

    Returns:
        A list of lists of variables, without empty ones: `groups` of
        `ParameterGroups`.

    Raises:
        ValueError: If the model does not tell the order of its layers, or it
            leaves trainable variables out.

    Example: the embeddings, two blocks, and the pooler.

    >>> encoder = keras_dl.applications.BERT.of_size("bert_tiny")
    >>> len(layer_groups(encoder))
    4
    """
    trainable = {id(v): v for v in model.trainable_variables}
    groups = []
    for layers in _layers(model):
        ids = [id(v) for layer in layers for v in layer.trainable_variables]
        groups.append([trainable.pop(key) for key in ids if key in trainable])
    if trainable:
        raise ValueError(
            f"The layers of {type(model).__name__} {model.name!r} do not hold "
            f"all of its variables: {[v.path for v in trainable.values()]} are "
            "missing. Make the groups yourself."
        )
    return [group for group in groups if group]


def _layers(model):
    """Lists of layers, the lowest first."""
    if hasattr(model, "layer_groups"):
        return model.layer_groups()
    if not isinstance(model, keras.Model):
        return [[model]]
    if not (
        isinstance(model, keras.Sequential) or hasattr(model, "operations")
    ):
        raise ValueError(
            f"The order of the layers of {type(model).__name__} "
            f"{model.name!r} is not known. Give it a method `layer_groups()`, "
            "which returns lists of layers, the lowest first, or make the "
            "groups yourself."
        )
    return [group for layer in model.layers for group in _layers(layer)]


def layerwise_rates(groups, decay):
    """Rates that fall from layer to layer: discriminative fine-tuning.

        rate_k = decay^(n - 1 - k),  k = 0 ... n - 1

    so that the highest of n groups, the heads, has 1.

    Args:
        groups: The groups, the lowest first; see `layer_groups`.
        decay: What the rate is multiplied by from one group down to the next,
            above 0.

    Returns:
        A list of numbers: `rates` of `ParameterGroups`.

    Raises:
        ValueError: If an argument is not allowed.

    Example:

    >>> layerwise_rates(["embeddings", "block", "head"], decay=0.5)
    [0.25, 0.5, 1.0]

    Reference:
        Howard and Ruder, "Universal language model fine-tuning for text
        classification", 2018, who divide by 2.6; Clark et al., "ELECTRA",
        2020, with a decay of 0.8 or 0.9.
    """
    decay = check_learning_rate("decay", decay)
    highest = len(groups) - 1
    return [decay ** (highest - k) for k in range(len(groups))]


def gradual_unfreezing(rates, every):
    """Rates of groups that begin to learn one after another, from the top.

        rate_k(t) = 0 for t < (n - 1 - k) every, then rates[k]

    with t updates made. The highest of n groups learns from the beginning,
    all of them after (n - 1) every updates.

    Args:
        rates: A list of numbers, such as `layerwise_rates` gives, or
            `[1.0] * len(groups)`.
        every: Number of updates until one more group learns, such as those of
            an epoch.

    Returns:
        A list of a number and schedules: `rates` of `ParameterGroups`.

    Raises:
        ValueError: If an argument is not allowed.

    Example:

    >>> rates = gradual_unfreezing([0.25, 0.5, 1.0], every=100)
    >>> [float(rate(100)) for rate in rates[:2]]
    [0.0, 0.5]

    Reference:
        Howard and Ruder, "Universal language model fine-tuning for text
        classification", 2018, with an epoch.
    """
    every = check_integer("every", every, minimum=1)
    rates = [check_learning_rate("rates", rate) for rate in rates]
    highest = len(rates) - 1
    return [
        # Keras holds the first value up to the boundary, and at it.
        keras.optimizers.schedules.PiecewiseConstantDecay(
            [(highest - k) * every - 1], [0.0, rate]
        )
        if k < highest
        else rate
        for k, rate in enumerate(rates)
    ]
