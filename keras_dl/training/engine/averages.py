"""The moving averages of weights that optimizers keep."""

from keras import ops


def averages_of(optimizer):
    """Moving averages by the `id` of their variables; without `use_ema` none.

    Args:
        optimizer: An optimizer, or one that holds others.
    """
    parts = getattr(optimizer, "optimizers", None)
    found = {}
    for one in parts if isinstance(parts, list) else [optimizer]:
        one = getattr(one, "inner_optimizer", one)
        if one.use_ema:
            averages = one._model_variables_moving_average
            for variable, average in zip(
                one._trainable_variables, averages, strict=True
            ):
                found[id(variable)] = average
    return found


def part_from_weights(optimizer):
    """Gives averages arrays of their own again, after Keras' `fit`.

    At its end Keras puts them in the place of the weights, on JAX the very
    arrays, which the next run over data deletes.
    """
    for average in averages_of(optimizer).values():
        average.assign(ops.copy(average))
