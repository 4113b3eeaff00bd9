"""Looking ahead: variables as an optimizer would leave them, differentiably."""

from keras import ops

from keras_dl.autodiff import substitute, variable_gradients
from keras_dl.optimizers import DifferentiableUpdate


def unrolled(loss_fn, variables, optimizer, steps):
    """A context in which variables read as they would after some updates.

    The variables themselves stay as they are. Gradients flow through the
    updates into whatever `loss_fn` depends on.

    Args:
        loss_fn: Function without arguments that returns the scalar that the
            updates minimize.
        variables: The `keras.Variable`s that they change.
        optimizer: Their built optimizer, one that `DifferentiableUpdate`
            takes: updates go on from its state.
        steps: Number of updates.
    """
    update = DifferentiableUpdate(optimizer)
    values = [ops.convert_to_tensor(variable) for variable in variables]
    state = update.current_state(variables)
    for _ in range(steps):
        with substitute(variables, values):
            _, gradients = variable_gradients(loss_fn, variables)
        values, state = update(values, gradients, state)
    return substitute(variables, values)
