"""What readings of weights cost a step, and what is to be done after it."""

from keras_dl.training.engine.averages import averages_of

# Of Keras' optimizers those that update each number by its own gradient alone.
_ELEMENTWISE = {
    "SGD",
    "RMSprop",
    "Adagrad",
    "Adadelta",
    "Adam",
    "AdamW",
    "Adamax",
    "Nadam",
    "Lion",
}


def settle(readings):
    """Brings weights to what readings keep them at."""
    for reading in readings:
        reading.settle()


def after_update(readings, optimizer):
    """What follows an update: of weights, and of their moving averages."""
    averages = averages_of(optimizer) if readings else {}
    for reading in readings:
        reading.after_update()
        if averages:
            reading.settle(lambda variable: averages.get(id(variable)))


def read_in_steps(readings, optimizer):
    """The readings that a training step cannot do without.

    Weights that are kept at 0 need no mask: they are 0. Their gradients are
    not, which is of no effect where an optimizer looks at each by itself, and
    does not clip them by their norm.
    """
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    kind = type(optimizer)
    own = kind.__module__.startswith("keras.")  # PyTorch has other classes.
    if not own or kind.__name__ not in _ELEMENTWISE:
        return readings
    if optimizer.clipnorm or optimizer.global_clipnorm:
        return readings
    needed, changed = [], set()
    for reading in readings:
        variables = set(map(id, reading.of_variables.values()))
        if not reading.keeps_weights or variables & changed:
            needed.append(reading)
            changed |= variables
    return needed
