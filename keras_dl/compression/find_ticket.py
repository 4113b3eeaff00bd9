"""Iterative magnitude pruning, which finds lottery tickets."""

import types

import numpy as np
from keras import ops

from keras_dl.checks import check_choice, check_fraction, check_integer
from keras_dl.compression.masks import (
    SCOPES,
    kernels,
    masks_of,
    number_pruned,
)
from keras_dl.compression.tickets import (
    Ticket,
    float_array,
    rewound_variables,
)
from keras_dl.models import WeightReading


def find_ticket(
    make,
    fit,
    rounds,
    rate=0.2,
    rewind_to=0,
    scope="global",
    keys=None,
    paths=None,
    on_round=None,
):
    """Finds a lottery ticket by iterative magnitude pruning.

        train; prune the `rate` of what is left that is nearest to 0; go back
        to the weights after `rewind_to` updates; and again, `rounds` times

    **How many.** Of n weights that are left, `round(rate * n)` go in a round
    (halves to the even number), of all together or of each variable: of
    1,000,000 are left, at a rate of 0.2, 107,374 after 10 rounds. What is
    pruned never comes back.

    **Where to.** `rewind_to=0` are the weights of `make`: an initialization,
    or pre-trained ones. A small number of updates is late rewinding, which
    larger networks need. Values are kept bit by bit; of all variables, also
    the statistics of batch normalization, but for the state of random seeds.

    **Heads.** With `keys="encoder/.*"` only those weights are pruned and go
    back, and a ticket has only them; the head goes on learning from round to
    round, as in the code of BERT-Tickets.

    Args:
        make: Function without arguments that returns a built model.
        fit: Function `fit(model, readings)` that trains the model by a
            `keras_dl.training.SupervisedTrainer` with these readings of its
            weights, and whatever else: terms, teachers, a perturbation. It
            makes and compiles a trainer anew each time.
        rounds: Number of rounds.
        rate: Share of what is left that a round prunes, in [0, 1).
        rewind_to: Number of updates.
        scope: `"global"`: the smallest of all weights; `"local"`: of each
            variable.
        keys: Regular expressions for the paths of what goes back (see
            `keras_dl.models.variables_by_path`); by default all.
        paths: Regular expressions for the paths of what is pruned; by default
            all kernels among `keys`.
        on_round: Function that is called with the `Ticket` of each round, to
            save it or to follow a curve.

    Returns:
        The `Ticket` of the last round.

    Raises:
        ValueError: If an argument is not allowed, an expression matches
            nothing, what is pruned would not go back, training made fewer
            updates than `rewind_to`, or weights became NaN.

    Example:

    >>> x, y = np.random.normal(size=(8, 4)), np.arange(8) % 3
    >>> def make():
    ...     model = keras_dl.applications.MLP((8,), num_outputs=3)
    ...     model.build((None, 4))
    ...     return model
    >>> def fit(model, readings):
    ...     trainer = keras_dl.training.SupervisedTrainer(
    ...         model, readings=readings
    ...     )
    ...     trainer.compile(keras.optimizers.Adam(1e-2))
    ...     trainer.fit(x, y, epochs=3, verbose=0)
    >>> ticket = find_ticket(make, fit, rounds=2, rate=0.5, rewind_to=1)
    >>> ticket.sparsity
    0.75
    >>> model = make()
    >>> fit(model, ticket.apply(model))

    Reference:
        Frankle and Carbin, "The lottery ticket hypothesis", 2019; late
        rewinding: Frankle et al., "Linear mode connectivity and the lottery
        ticket hypothesis", 2020; Chen et al., "The lottery ticket hypothesis
        for pre-trained BERT networks", 2020. Frankle and Carbin prune layer by
        layer, and an output layer at half the rate; here all go alike.
    """
    check_integer("rounds", rounds, 1)
    check_fraction("rate", rate, "the share of what is left that is pruned")
    check_integer("rewind_to", rewind_to, 0)
    check_choice("scope", scope, SCOPES)
    model = make()
    pruned = _pruned(model, keys, paths)
    masks = {path: np.ones(v.shape, bool) for path, v in pruned.items()}
    ticket = Ticket.of(model, masks, keys)
    for number in range(rounds):
        reading = ticket.apply(model)
        if rewind_to and not number:
            start = _RewindPoint(rewind_to, keys)
            fit(model, [reading, start])
            ticket = Ticket(start.values(), masks)
        else:
            fit(model, [reading])
        if not reading.masks:
            raise ValueError(
                "`fit` must train with the `readings` that it is given, by a "
                "`SupervisedTrainer`. It did not use them."
            )
        masks = _fewer(pruned, ticket.masks, rate, scope)
        ticket = Ticket(ticket.values, masks)
        if on_round is not None:
            on_round(ticket)
    return ticket


def _pruned(model, keys, paths):
    """The variables that masks are made for, by path."""
    back = rewound_variables(model, keys)
    chosen = kernels(model, paths)
    if paths is None:
        chosen = {path: v for path, v in chosen.items() if path in back}
    left = [path for path in chosen if path not in back]
    if left or not chosen:
        raise ValueError(
            "`paths` must be of variables that go back, which `keys` names. "
            f"Received: keys={keys!r}, paths={paths!r}; among the paths but "
            f"not the keys: {left}."
        )
    return chosen


def _fewer(variables, masks, rate, scope):
    """Masks without the smallest of the weights that the old ones keep."""
    scores, pruned, left = [], [], []
    for path, variable in variables.items():
        sizes = np.abs(float_array(variable)).astype("float32")
        if not np.isfinite(sizes).all():
            raise ValueError(
                f"`fit` must leave finite weights. Received: {path!r} with "
                "NaN or infinity."
            )
        # What is pruned is below all that is not, zeros too.
        scores.append(ops.convert_to_tensor(np.where(masks[path], sizes, -1)))
        left.append(int(masks[path].sum()))
        pruned.append(sizes.size - left[-1])
    if scope == "global":
        numbers = sum(pruned) + number_pruned(rate, sum(left))
    else:
        numbers = [
            before + number_pruned(rate, now)
            for before, now in zip(pruned, left, strict=True)
        ]
    found = masks_of(scores, numbers, scope)
    return dict(zip(variables, map(ops.convert_to_numpy, found), strict=True))


class _RewindPoint(WeightReading):
    """Reads nothing otherwise; remembers weights after so many updates."""

    def __init__(self, updates, keys, **kwargs):
        super().__init__(**kwargs)
        self.updates, self.keys = updates, keys
        self.count = self.add_weight(
            shape=(), initializer="zeros", dtype="int32", trainable=False
        )
        self._copies = {}

    def attach(self, model):
        variables = rewound_variables(model, self.keys)
        # Keras shall not take them for ours.
        self._rewound = types.SimpleNamespace(variables=variables)
        for i, (path, variable) in enumerate(variables.items()):
            if path not in self._copies:
                self._copies[path] = self.add_weight(
                    shape=variable.shape,
                    initializer="zeros",
                    dtype=variable.dtype,
                    trainable=False,
                    name=f"copy_{i}",
                )

    def after_update(self):
        self.count.assign(self.count + 1)
        due = ops.equal(self.count, self.updates)
        for path, copy in self._copies.items():
            now = ops.convert_to_tensor(self._rewound.variables[path])
            copy.assign(ops.where(due, now, ops.convert_to_tensor(copy)))

    def values(self):
        """Arrays by path."""
        count = int(self.count)
        if count < self.updates:
            raise ValueError(
                "`rewind_to` must be at most the number of updates that `fit` "
                f"makes. Received: rewind_to={self.updates}, of {count}."
            )
        return {path: float_array(copy) for path, copy in self._copies.items()}
