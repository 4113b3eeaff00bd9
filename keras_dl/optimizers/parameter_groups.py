"""One optimizer, with a rate for each group of variables."""

import copy
import dataclasses

import keras
import numpy as np
from keras import ops, tree

from keras_dl import backend
from keras_dl.backend import keras_names
from keras_dl.optimizers.updates import check_learning_rate

# What the whole has, and its groups have not.
_SHARED = (
    "clipnorm",
    "clipvalue",
    "global_clipnorm",
    "use_ema",
    "ema_momentum",
    "ema_overwrite_frequency",
    "loss_scale_factor",
    "gradient_accumulation_steps",
)
# In its file: the group of each variable.
_GROUPING = "group_of_variable"


@dataclasses.dataclass
class _Group:
    """Variables, named by their paths, and the optimizer that updates them."""

    paths: list
    # A number or a schedule: what the learning rate is multiplied by.
    rate: object
    optimizer: keras.optimizers.Optimizer


# Overridden below.
keras_names.require(
    keras.optimizers.Optimizer,
    "_backend_apply_gradients",
    "_backend_update_step",
)


@keras.saving.register_keras_serializable("keras_dl")
class ParameterGroups(keras.optimizers.Optimizer):
    """An optimizer whose learning rate differs between groups of variables.

        rate of group k at update t = learning_rate(t) rates[k](t)

    With constants it is discriminative fine-tuning, or layer-wise decay of
    rates; see `layerwise_rates`. A schedule that begins with 0 lets a group
    stand still for a while: gradual unfreezing; see `gradual_unfreezing`.
    Nothing is compiled anew, and the model stays as it is.

    **Groups.** Each works by a copy of the given optimizer, with a count of
    updates of its own. Everything else is that of the whole: `learning_rate`,
    as a number, to be set at any time, or as a schedule; clipping,
    accumulation of gradients, moving averages and loss scaling, as the given
    optimizer has them. Decoupled weight decay goes with the rate of its group.
    Where all rates are 1, the updates are those of the given optimizer.

    **Frozen groups.** While its rate is 0, a group's optimizer does not run:
    weights stay what they are to the last bit, and so do the moments, on which
    gradients have no influence, nor on the norm of `global_clipnorm`. Once the
    rate is above 0 it begins, or goes on, where it stands: with fresh moments,
    whose bias is corrected as in its own first update (with the count of all
    updates, Adam's first steps would be more than 6 times too long). The
    gradients are computed all the same: what is never to be trained costs
    nothing only by `layer.trainable = False`. On several replicas of
    `tf.distribute` the rates must be numbers.

    Args:
        optimizer: A Keras optimizer that has not been built, or its name. It
            is copied.
        groups: A list of groups. Each is a layer, a variable, the path of a
            variable, or a list of these. Together they are the trainable
            variables, each in one of them; see `layer_groups`.
        rates: For each group a positive number, or a
            `keras.optimizers.schedules.LearningRateSchedule`: a function of
            the number of updates made, 0 at the first.
        name: String.

    Raises:
        ValueError: If the optimizer is built, or delegates to others; if a
            group is empty, or shares variables with another; if a rate is not
            allowed. When it is built: if there is no variable of a path, or a
            trainable variable is in no group. When a file is loaded: if its
            groups are others.

    Example: the rate falls by 0.9 from layer to layer; for 100 updates only
    the heads are trained, then one more layer each 100 updates.

    >>> encoder = keras_dl.applications.BERT.of_size("bert_tiny")
    >>> head = keras_dl.heads.Classification(2)
    >>> model = keras_dl.applications.TaskModel(encoder, head)
    >>> groups = keras_dl.optimizers.layer_groups(model)
    >>> rates = keras_dl.optimizers.layerwise_rates(groups, 0.9)
    >>> rates = keras_dl.optimizers.gradual_unfreezing(rates, every=100)
    >>> optimizer = keras.optimizers.AdamW(3e-5)
    >>> model.compile(ParameterGroups(optimizer, groups, rates))
    >>> history = model.fit(np.ones((4, 8)), np.zeros(4), verbose=0)

    Reference:
        Howard and Ruder, "Universal language model fine-tuning for text
        classification", 2018. The name is PyTorch's.

    Where it differs: `keras.optimizers.MultiOptimizer` gives variables to
    optimizers that share nothing.
    """

    def __init__(self, optimizer, groups, rates, name=None):
        optimizer = keras.optimizers.get(optimizer)
        _check_optimizer(optimizer)
        super().__init__(
            learning_rate=_learning_rate(optimizer),
            name=name,
            **{key: getattr(optimizer, key) for key in _SHARED},
        )
        groups, rates = list(groups), list(rates)
        if not groups or len(groups) != len(rates):
            raise ValueError(
                "`rates` must hold one for each of `groups`, at least one. "
                f"Received: {len(rates)} rates for {len(groups)} groups."
            )
        self._groups = [
            _Group(_paths(group), _check_rate(rate), _copy(optimizer))
            for group, rate in zip(groups, rates, strict=True)
        ]
        _check_distinct(self._groups)
        # Of each variable, in the model's order: the path by which `groups`
        # knows it, and the number of its group.
        self._known_as, self._group_of = [], []

    @property
    def variables(self):
        own = super().variables
        return own + [v for g in self._groups for v in g.optimizer.variables]

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._known_as = self._recognized([v.path for v in variables])
        group_of = {
            path: number
            for number, group in enumerate(self._groups)
            for path in group.paths
        }
        self._group_of = [group_of[path] for path in self._known_as]
        members = self._parts(variables)
        for group, (its,) in zip(self._groups, members, strict=True):
            group.optimizer.build(its)

    def _recognized(self, paths):
        """The paths of variables, as `groups` has them."""
        grouped = {path for group in self._groups for path in group.paths}
        if set(paths) == grouped:
            return paths
        if len(self._known_as) == len(paths):
            # After loading, layers may have other names, if Keras made them.
            return self._known_as
        strange = sorted(grouped - set(paths))
        if strange:
            raise ValueError(
                f"`groups` holds variables that are not trained: {strange}. "
                f"Trained are: {paths}."
            )
        raise ValueError(
            "Each trainable variable must be in one of `groups`. Missing are: "
            f"{[path for path in paths if path not in grouped]}."
        )

    def _parts(self, variables, *others):
        """Splits lists, the first of them of variables, by group."""
        parts = [[[] for _ in (variables, *others)] for _ in self._groups]
        for row in zip(variables, *others, strict=True):
            part = parts[self._number(row[0])]
            for values, value in zip(part, row, strict=True):
                values.append(value)
        return parts

    def _number(self, variable):
        """Of the group of a variable."""
        return self._group_of[self._get_variable_index(variable)]

    # Keras calls this before it accumulates and clips.
    def _backend_apply_gradients(self, grads, trainable_variables):
        if self.global_clipnorm:
            grads = self._without_frozen(grads, trainable_variables)
        super()._backend_apply_gradients(grads, trainable_variables)

    def _without_frozen(self, gradients, variables):
        """Zeros for the gradients of variables that stand still."""
        moves = {
            number: group.rate(self.iterations) > 0
            for number, group in enumerate(self._groups)
            if callable(group.rate)
        }
        numbers = map(self._number, variables)
        return [
            ops.where(moves[number], backend.densify(gradient), 0.0)
            if number in moves
            else gradient
            for gradient, number in zip(gradients, numbers, strict=True)
        ]

    # And this after that; it goes on with moving averages and constraints.
    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        parts = self._parts(trainable_variables, grads)
        for group, (variables, gradients) in zip(
            self._groups, parts, strict=True
        ):
            if variables:
                self._update(group, variables, gradients, learning_rate)

    def _update(self, group, variables, gradients, learning_rate):
        optimizer, rate = group.optimizer, group.rate
        scheduled = callable(rate)
        if scheduled:
            rate = rate(self.iterations)

        def update():
            optimizer.learning_rate = learning_rate * rate
            backend.update(optimizer, gradients, variables)
            optimizer.iterations.assign_add(1)

        if scheduled:
            written = [*variables, *optimizer.variables]
            backend.run_if(rate > 0, update, written)
        else:
            update()

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        """As `keras.optimizers.Optimizer`'s, in every group."""
        for group in self._groups:
            group.optimizer.exclude_from_weight_decay(var_list, var_names)

    def save_own_variables(self, store):
        """Saves the state of all groups, and which variable is in which."""
        super().save_own_variables(store)
        store[_GROUPING] = np.array(self._group_of, "int32")

    def load_own_variables(self, store):
        names = list(store.keys())
        saved = {name: store[name] for name in names}
        grouping = np.array(saved.pop(_GROUPING, [])).tolist()
        if grouping and self.built and grouping != self._group_of:
            raise ValueError(
                "The saved optimizer has other groups of variables. Saved, the "
                f"group of each: {grouping}. Here: {self._group_of}."
            )
        super().load_own_variables(saved)

    def get_config(self):
        own = super().get_config()
        optimizer = keras.saving.serialize_keras_object(
            self._groups[0].optimizer
        )
        for key in (*_SHARED, "learning_rate"):
            optimizer["config"][key] = own[key]
        return {
            "name": self.name,
            "optimizer": optimizer,
            "groups": [group.paths for group in self._groups],
            "rates": [
                keras.saving.serialize_keras_object(group.rate)
                for group in self._groups
            ],
            "known_as": list(self._known_as),
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = copy.deepcopy(config)  # Keras writes into it.
        known_as = config.pop("known_as")
        for key in ("optimizer", "rates"):
            config[key] = keras.saving.deserialize_keras_object(
                config[key], custom_objects=custom_objects
            )
        optimizer = cls(**config)
        optimizer._known_as = known_as
        return optimizer


def _check_optimizer(optimizer):
    update = type(optimizer).update_step
    if update is keras.optimizers.Optimizer.update_step:
        raise ValueError(
            "`optimizer` must have a rule of its own by which it updates a "
            f"variable. Received: a {type(optimizer).__name__}, which "
            "delegates to others; put ParameterGroups inside it."
        )
    if optimizer.built:
        raise ValueError(
            "`optimizer` must not have been built: it is copied, without its "
            f"state. Received: a {type(optimizer).__name__} that was built."
        )


def _learning_rate(optimizer):
    """The schedule, or the number, that an optimizer was made with."""
    rate = optimizer._learning_rate
    if isinstance(rate, keras.Variable):
        return float(ops.convert_to_numpy(rate))
    return rate


def _copy(optimizer):
    """An optimizer of the same rule, without what the whole cares for."""
    config = {
        **optimizer.get_config(),
        **dict.fromkeys(_SHARED),
        "learning_rate": 0.0,
    }
    made = type(optimizer).from_config(config)
    # No part of a config.
    for name, value in vars(optimizer).items():
        if name.startswith("_exclude_from_weight_decay"):
            setattr(made, name, value)
    return made


def _check_rate(rate):
    if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
        _check_serializable(rate)
        return rate
    if rate == 0:
        raise ValueError(
            "`rates` must not hold 0: what is never to be trained is frozen "
            "by `layer.trainable = False`. Received: 0."
        )
    return check_learning_rate("rates", rate)


def _check_serializable(schedule):
    try:
        schedule.get_config()
    except NotImplementedError as error:
        raise ValueError(
            "`rates` must be numbers or schedules with a `get_config`, of "
            f"which copies can be made. Received: {type(schedule).__name__}, "
            "which has none."
        ) from error


def _paths(group):
    """The paths of a group's variables."""
    paths = []
    for member in tree.flatten(group):
        if isinstance(member, keras.Layer):
            paths += [v.path for v in member.trainable_variables]
        elif isinstance(member, keras.Variable):
            paths.append(member.path)
        elif isinstance(member, str):
            paths.append(member)
        else:
            raise TypeError(
                "`groups` must hold layers, variables, paths of variables and "
                f"lists of these. Received: {member!r}."
            )
    if not paths:
        raise ValueError(
            "Each of `groups` must hold trainable variables. Received one "
            f"without: {group!r}. Is the model built?"
        )
    return list(dict.fromkeys(paths))


def _check_distinct(groups):
    owner = {}
    for number, group in enumerate(groups):
        for path in group.paths:
            if owner.setdefault(path, number) != number:
                raise ValueError(
                    "A variable must be in one of `groups` only, and variables "
                    "of several must not have the same path. Received: "
                    f"{path!r} in groups {owner[path]} and {number}."
                )
