"""Lottery tickets: masks, and the values that weights go back to."""

import re

import keras
import numpy as np
from keras import ops

from keras_dl.checks import check_seed
from keras_dl.models import WeightMask, variables_by_path

_PARTS = ("values", "masks")


class Ticket:
    """A sparse network that can be trained: masks, and first values.

        w := m w_k,  then train m w

    `find_ticket` finds one. It belongs to no model and no backend: it is
    applied to any model that has variables of its paths and shapes, and its
    file is arrays by path.

    Args:
        values: Dict of arrays by the path of a variable (see
            `keras_dl.models.variables_by_path`): what it goes back to.
        masks: Dict of arrays of zeros and ones by path, of some of these
            variables.

    Raises:
        ValueError: If a mask holds other numbers, or there is no value of its
            path and shape.

    Example: the encoder's weights, on another task.

    >>> def make(classes):
    ...     encoder = keras_dl.applications.LSTMEncoder(20, 4, 4)
    ...     head = keras_dl.heads.Classification(classes)
    ...     return keras_dl.applications.TaskModel(encoder, head)
    >>> masks = {"encoder/token_embedding/embeddings": np.eye(20, 4)}
    >>> ticket = Ticket.of(make(2), masks, keys="encoder/.*")
    >>> ticket.sparsity
    0.95
    >>> ticket.save("ticket.npz")
    >>> model = make(3)
    >>> reading = Ticket.load("ticket.npz").apply(model)
    >>> trainer = keras_dl.training.SupervisedTrainer(model, readings=reading)

    Reference:
        Frankle and Carbin, "The lottery ticket hypothesis", 2019; Chen et al.,
        "The lottery ticket hypothesis for pre-trained BERT networks", 2020.
    """

    def __init__(self, values, masks):
        self.values = {path: np.array(v) for path, v in values.items()}
        self.masks = {path: np.array(m) for path, m in masks.items()}
        for path, mask in self.masks.items():
            if not np.isin(mask, (0, 1)).all():
                raise ValueError(
                    "`masks` must hold zeros and ones. Received for "
                    f"{path!r}: {np.unique(mask)[:5]}."
                )
            value = self.values.get(path)
            if value is None or value.shape != mask.shape:
                raise ValueError(
                    f"`values` must have an array of shape {mask.shape} for "
                    f"{path!r}, which has a mask. Received: "
                    f"{None if value is None else value.shape}."
                )
            self.masks[path] = mask.astype(bool)

    @classmethod
    def of(cls, model, masks, keys=None):
        """The ticket that goes back to what a model is now.

        Args:
            model: A built model.
            masks: See above.
            keys: Regular expressions: the paths of what goes back; by default
                all variables of floating-point numbers.
        """
        variables = rewound_variables(model, keys)
        return cls({p: float_array(v) for p, v in variables.items()}, masks)

    @property
    def sparsity(self):
        """The share of the masked weights that is pruned."""
        total = sum(mask.size for mask in self.masks.values())
        kept = sum(int(mask.sum()) for mask in self.masks.values())
        return (total - kept) / total if total else 0.0

    def apply(self, model, keys=None):
        """Sets a model back to the ticket, and gives what keeps it sparse.

        Args:
            model: A built model; it need not be the one that the ticket is
                of. Its variables that are not in the ticket stay as they are.
            keys: Regular expressions: the paths that are taken from the
                ticket, such as `"encoder/.*"`, which keeps the model's own
                head; by default all of them.

        Returns:
            A `keras_dl.models.WeightMask`: a reading to train the model with.

        Raises:
            ValueError: If an expression matches nothing in the ticket, or the
                model has no variable of a path and shape. The model is as it
                was then.
        """
        paths = matching(self.values, keys, "the ticket")
        variables = variables_by_path(model)
        for path in paths:
            self._check(path, variables)
        for path in paths:
            value, mask = self.values[path], self.masks.get(path)
            variables[path].assign(value if mask is None else value * mask)
        return WeightMask({p: m for p, m in self.masks.items() if p in paths})

    def _check(self, path, variables):
        shape, variable = self.values[path].shape, variables.get(path)
        if variable is None:
            raise ValueError(
                "The model must have the variables of the ticket, or `keys` "
                f"must leave them out. Received: a ticket with {path!r}, and "
                f"a model with {list(variables)}."
            )
        if tuple(variable.shape) != shape:
            raise ValueError(
                f"The model must have the shape {shape} for {path!r}, as the "
                f"ticket has. Received: {tuple(variable.shape)}."
            )

    def reinitialized(self, seed=0):
        """The same masks, and other first values: a control.

        The values of each masked variable change places among each other: they
        are of the same distribution, whatever the initializer, and not those
        that the masks were found for.

        Args:
            seed: Integer that says which.

        Returns:
            Another `Ticket`.
        """
        shuffled = _shuffled(self.values, self.masks, seed)
        return Ticket({**self.values, **shuffled}, self.masks)

    def random(self, seed=0):
        """The same first values, and as many weights of each variable at
        random: a control.

        Args:
            seed: Integer that says which.

        Returns:
            Another `Ticket`.
        """
        return Ticket(self.values, _shuffled(self.masks, self.masks, seed))

    def save(self, path):
        """Writes an `.npz` file: arrays `values/...` and `masks/...`."""
        arrays = {
            f"{part}/{name}": array
            for part in _PARTS
            for name, array in getattr(self, part).items()
        }
        with open(path, "wb") as file:  # NumPy would add an ending.
            np.savez_compressed(file, **arrays)

    @classmethod
    def load(cls, path):
        """Reads what `save` wrote. Nothing is unpickled.

        Raises:
            ValueError: If it is another file.
        """
        parts = {part: {} for part in _PARTS}
        try:
            with np.load(path, allow_pickle=False) as file:
                for name in file.files:
                    part, rest = name.split("/", 1)
                    parts[part][rest] = file[name]
        except (ValueError, KeyError, AttributeError) as error:
            raise ValueError(
                f"`path` must be a file of `Ticket.save`. Received: {path!r}."
            ) from error
        return cls(**parts)


def matching(paths, keys, owner):
    """Those paths that one of the expressions matches in full, in order."""
    keys = [keys] if isinstance(keys, str) else keys
    for key in keys or ():
        if not any(re.fullmatch(key, path) for path in paths):
            raise ValueError(
                f"`keys` must match paths of {owner}. Received: {key!r}, "
                f"which matches none of {list(paths)}."
            )
    return [
        path
        for path in paths
        if keys is None or any(re.fullmatch(key, path) for key in keys)
    ]


def rewound_variables(model, keys=None):
    """The variables of floating-point numbers that a ticket takes back."""
    variables = {
        path: variable
        for path, variable in variables_by_path(model).items()
        if keras.backend.is_float_dtype(variable.dtype)
    }
    if not variables:
        raise ValueError(
            "The model must be built: a ticket is of its variables. Received: "
            f"{model.name!r}, which has none."
        )
    return {p: variables[p] for p in matching(variables, keys, "the model")}


def float_array(variable):
    """A copy of its values; NumPy has no bfloat16, which float32 holds."""
    array = np.array(ops.convert_to_numpy(variable))
    return array if array.dtype.kind == "f" else array.astype("float32")


def _shuffled(arrays, names, seed):
    generator = np.random.default_rng(check_seed(seed))
    return {
        name: generator.permutation(arrays[name].ravel()).reshape(
            arrays[name].shape
        )
        for name in names
    }
