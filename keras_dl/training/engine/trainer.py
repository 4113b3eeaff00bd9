"""`Trainer`: one training step, written once, under Keras' own `fit`."""

import keras

from keras_dl import autodiff, backend
from keras_dl.models import Task
from keras_dl.models.checked_data import run_checked
from keras_dl.models.target_fit import TargetFit
from keras_dl.training.engine.averages import part_from_weights
from keras_dl.training.engine.named_optimizers import (
    NamedOptimizers,
    as_optimizer,
)
from keras_dl.training.engine.step_checks import check_structure
from keras_dl.training.engine.stepped_model import Compiled, SteppedModel


@keras.saving.register_keras_serializable("keras_dl")
class Trainer(SteppedModel):
    """A model whose training step is one plain method, on every backend.

    A subclass writes `training_step(data)` in plain stateful style: it calls
    layers, updates metrics, calls `minimize` as often as it likes, and returns
    a dict of scalars. The step runs unchanged, and compiled, on TensorFlow,
    JAX and PyTorch under Keras' `fit`, with its callbacks, checkpoints and
    distribution. What the step returns is logged as means over the epoch,
    weighted by batch size; a value under the name of one of the model's
    metrics is taken to be that metric's result and logged as it is.

    Masks and sample weights: `data` is `x`, or a tuple of the parts `(x, y)` or
    `(x, y, sample_weight)` of the arguments of `fit`, or of what a dataset, a
    loader or a generator yields, lists included. `fit((a, b))` and
    `fit({"a": a, "b": b})`, of names that `expects` has, are `fit(a, b)`; with
    `expects = ("x", "y?")` and the like they are the inputs of a network, and
    `data` is `(x,)`. Masks travel with the tensors as in any Keras model.

    Precision: under `mixed_float16` each optimizer is wrapped in a
    `keras.optimizers.LossScaleOptimizer` of its own; `minimize` scales the
    loss before, and the gradients after, differentiation.

    Args:
        network: Optional main network: what `call`, `predict` and the default
            `evaluation_step` run. Without it a subclass overrides `call`.
        name: Optional string.
        kwargs: Arguments of `keras.Model`.

    **The network's task.** What the main network says that it trains on (see
    `keras_dl.models.SupervisedModel`), or, of one that was compiled, what it
    was compiled with, are the defaults of `compile`; `predict` and metrics get
    its predictions, and only the variables that it trains are trained.

    Class attributes:
        asks_network: Whether this is so; not where the network is a player
            among others.
        expects: Optional tuple of names: what `training_step` expects of
            `data`, such as `("x", "y", "sample_weight?")`. A question mark
            allows the part to be missing. Other data is refused by name
            before the step runs.

    Raises:
        TypeError: If `network` is not a Keras layer or model.

    Example: a generator and a discriminator, each with its optimizer.

    ```python
    class GAN(keras_dl.Trainer):
        def __init__(self, generator, discriminator):
            super().__init__(generator)
            self.generator, self.discriminator = generator, discriminator
            self.bce = keras.losses.BinaryCrossentropy(from_logits=True)
            self.seed = keras.random.SeedGenerator(0)

        def training_step(self, images):
            shape = (ops.shape(images)[0], 64)
            noise = keras.random.normal(shape, seed=self.seed)

            def discriminator_loss():
                real = self.discriminator(images, training=True)
                fake = self.discriminator(
                    self.generator(noise, training=True), training=True
                )
                return self.bce(ops.ones_like(real), real) + self.bce(
                    ops.zeros_like(fake), fake
                )

            def generator_loss():
                fake = self.discriminator(
                    self.generator(noise, training=True), training=True
                )
                return self.bce(ops.ones_like(fake), fake)

            d_loss = self.minimize(
                discriminator_loss, optimizer="discriminator"
            )
            g_loss = self.minimize(generator_loss, optimizer="generator")
            return {"d_loss": d_loss, "g_loss": g_loss}

    gan = GAN(generator, discriminator)
    gan.compile(optimizer={"generator": "adam", "discriminator": "adam"})
    gan.fit(images, epochs=10)
    ```
    """

    asks_network = True
    _target_fit = TargetFit(None)
    _trains_partly = False  # Whether a loss may leave out variables, unwarned.

    def __init__(self, network=None, name=None, **kwargs):
        if network is not None:
            # Its inputs are the network's to cast: they may be ids.
            kwargs["autocast"] = False
        super().__init__(name=name, **kwargs)
        if network is not None and not isinstance(network, keras.Layer):
            raise TypeError(
                "`network` must be a Keras layer or model. "
                f"Received: {network!r}"
            )
        self.network = network
        self._task = Task(network if self.asks_network else None)

    # What a subclass writes.

    def training_step(self, data):
        """One step of training. To be written by the subclass.

        Args:
            data: One batch, as the dataset yields it.

        Returns:
            A dict of names and scalars, the same names in every step.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must implement `training_step(self, data)`."
        )

    def evaluation_step(self, data):
        """One step of `evaluate`; returns a dict like `training_step`.

        The default computes the compiled loss and metrics of
        `self(x, training=False)` against `y`.
        """
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        y_pred = self(x, training=False)
        logs = {}
        if self.loss is not None:
            logs["loss"] = self.compute_loss(
                x, y, y_pred, sample_weight, training=False
            )
        logs.update(self.compute_metrics(x, y, y_pred, sample_weight))
        if not logs:
            raise ValueError(
                f"{type(self).__name__} has nothing to evaluate: compile it "
                "with `loss` or `metrics`, or implement `evaluation_step`."
            )
        return logs

    def call(self, inputs, training=None):
        """Runs the main network."""
        if self.network is None:
            raise NotImplementedError(
                f"{type(self).__name__} has no main network: pass `network`, "
                "or implement `call(self, inputs, training=None)`."
            )
        return backend.run_network(self.network, inputs)

    def optimizer_variables(self, name=None):
        """The variables that the optimizer `name` updates.

        The default is the trainable variables of the attribute of that name
        (a layer or model), and all trainable variables for a single, unnamed
        optimizer. Override it where names and networks differ.
        """
        if name is None:
            return self.trainable_variables
        part = getattr(self, name, None)
        if not isinstance(part, keras.Layer):
            raise ValueError(
                f"Optimizer {name!r} does not name a layer or model of "
                f"{type(self).__name__}. Name it after one, or override "
                "`optimizer_variables(self, name)`."
            )
        return part.trainable_variables

    # What a step calls.

    def minimize(self, loss_fn, variables=None, optimizer=None, has_aux=False):
        """Takes one optimizer step on the loss that `loss_fn()` returns.

        Args:
            loss_fn: A function without arguments that computes a scalar loss
                from the model's variables, or `(loss, aux)` if `has_aux`.
            variables: The variables to update; those of the optimizer if not
                given.
            optimizer: The name of the optimizer, where several are compiled.
            has_aux: Whether `loss_fn` returns a pair.

        Returns:
            The loss, or `(loss, aux)`, as plain values: nothing
            differentiates through them.

        Raises:
            ValueError: If there is no optimizer of that name, a variable is
                not one of the optimizer's, the loss is not a scalar, or it
                depends on none of the variables. Variables that it does not
                depend on are named in a warning and left as they are.
        """
        result, gradients = self.compute_gradients(
            loss_fn, variables, optimizer, has_aux
        )
        self.apply_gradients(gradients, variables, optimizer)
        return result

    def compute_gradients(
        self, loss_fn, variables=None, optimizer=None, has_aux=False
    ):
        """The first half of `minimize`, for steps that change the gradients.

        Under mixed precision the gradients are scaled as `apply_gradients`
        of the same optimizer expects them: add and average them, but do not
        compare them with numbers.

        Returns:
            `(loss, gradients)`, or `((loss, aux), gradients)`; a gradient is
            `None` where the loss does not depend on the variable.
        """
        optimizer_ = self._optimizer_named(optimizer)
        result, gradients = autodiff._variable_gradients(
            loss_fn,
            self._variables_to_update(variables, optimizer),
            has_aux,
            scale=lambda loss: optimizer_.scale_loss(
                backend.scale_by_replicas(loss)
            ),
            partly=self._trains_partly,
        )
        self._compiled.minimized.append(result[0])
        return (result if has_aux else result[0]), gradients

    def apply_gradients(self, gradients, variables=None, optimizer=None):
        """The second half of `minimize`: one optimizer step.

        Args:
            gradients: One for each variable, or `None` to leave it alone.
            variables, optimizer: As in `minimize`.
        """
        variables = self._variables_to_update(variables, optimizer)
        if len(gradients) != len(variables):
            raise ValueError(
                "`gradients` must hold one gradient for each variable. "
                f"Received: {len(gradients)} gradients for {len(variables)} "
                "variables"
            )
        pairs = zip(gradients, variables, strict=True)
        pairs = [pair for pair in pairs if pair[0] is not None]
        backend.apply_gradients(
            self._optimizer_named(optimizer),
            [gradient for gradient, _ in pairs],
            [variable for _, variable in pairs],
        )

    def _optimizer_named(self, name):
        several = isinstance(self.optimizer, NamedOptimizers)
        if several and name is not None:
            return self.optimizer[name]
        if several:
            raise ValueError(
                "Several optimizers are compiled: name the one to use by "
                f"`optimizer=`, one of {self.optimizer.names}."
            )
        if name is not None:
            raise ValueError(
                f"There is no optimizer named {name!r}: a single one is "
                f"compiled. Use `compile(optimizer={{{name!r}: ...}})`."
            )
        return self.optimizer

    def _variables_to_update(self, variables, optimizer):
        if optimizer not in self._compiled.variables:
            self._optimizer_named(optimizer)
            self._compiled.variables[optimizer] = list(
                self.optimizer_variables(optimizer)
            )
        own = self._compiled.variables[optimizer]
        if variables is None:
            return own
        variables = list(variables)
        known = set(map(id, own))
        strange = [v for v in variables if id(v) not in known]
        if strange:
            whose = f"optimizer {optimizer!r}" if optimizer else "the optimizer"
            raise ValueError(
                f"`variables` holds some that {whose} of "
                f"{type(self).__name__} does not update: "
                f"{[getattr(v, 'path', v) for v in strange]}"
            )
        return variables

    def compute_loss(
        self,
        x=None,
        y=None,
        y_pred=None,
        sample_weight=None,
        training=True,
    ):
        """The compiled loss, with regularization: as `keras.Model`'s.

        Raises:
            ValueError: If there is a compiled loss, and no `y` for it.
        """
        self._check_targets(x, y)
        y, weights = self.targets(y), self.targets(sample_weight)
        self._target_fit.check(y, y_pred)
        weights = self._target_fit.weights(weights, y_pred)
        return super().compute_loss(x, y, y_pred, weights, training)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """Updates the metrics, with the network's predictions."""
        self._check_targets(x, y)
        y, weights = self.targets(y), self.targets(sample_weight)
        self._target_fit.check(y, y_pred)
        predictions = self._task.predictions(y_pred)
        return super().compute_metrics(x, y, predictions, weights)

    def _check_targets(self, x, y):
        if y is None and self.loss is not None:
            kind = type(self).__name__
            check_structure((x,), ("x", "y", "sample_weight?"), kind)

    def fit(self, x=None, y=None, *args, **kwargs):
        """As `keras.Model.fit`, with the network's check of the data.

        `class_weight` weighs what has a class, as in `SupervisedModel.fit`.
        """
        history = self._checked(super().fit, x, y, *args, **kwargs)
        part_from_weights(self.optimizer)
        return history

    def evaluate(self, x=None, y=None, *args, **kwargs):
        """As `keras.Model.evaluate`, with the network's check of the data."""
        return self._checked(super().evaluate, x, y, *args, **kwargs)

    def train_on_batch(self, x, y=None, *args, **kwargs):
        """As `keras.Model.train_on_batch`, with a check of the data."""
        return self._checked(super().train_on_batch, x, y, *args, **kwargs)

    def test_on_batch(self, x, y=None, *args, **kwargs):
        """As `keras.Model.test_on_batch`, with a check of the data."""
        return self._checked(super().test_on_batch, x, y, *args, **kwargs)

    def predict(self, x, *args, **kwargs):
        """Predictions: what the network's task makes of its outputs."""
        return self._as_predictions(self.predict_logits(x, *args, **kwargs))

    def predict_logits(self, x, *args, **kwargs):
        """As `predict`, but what a call returns."""
        return self._checked(
            super().predict, x, *args, check=self.check_predicted, **kwargs
        )

    def predict_on_batch(self, x):
        """Predictions for a single batch; see `predict`."""
        outputs = self._checked(
            super().predict_on_batch, x, check=self.check_predicted
        )
        return self._as_predictions(outputs)

    def check_arrays(self, x, y=None, sample_weight=None):
        """Refuses arrays that hold what cannot be: as the network does."""
        self._task.check_arrays(x, y, sample_weight)

    def check_predicted(self, x, y=None, sample_weight=None):
        """Refuses what `predict` cannot take; by default as `check_arrays`."""
        self.check_arrays(x)

    def _checked(self, run, *args, check=None, **kwargs):
        self._prepare()
        return run_checked(check or self._check_data, run, *args, **kwargs)

    def _check_data(self, x, y=None, sample_weight=None):
        self.check_arrays(x, y, sample_weight)
        if y is not None:
            shape = getattr(self._task.model, "output_shape", None)
            one = isinstance(shape, tuple) and isinstance(shape[-1], int)
            self._target_fit.check_arrays(
                self.targets(y), shape[-1] if one else None
            )

    def _prepare(self):
        """What comes before any run over data."""

    def _as_predictions(self, outputs):
        return keras.tree.map_structure(
            keras.ops.convert_to_numpy, self._task.predictions(outputs)
        )

    @property
    def output_names(self):
        """The network's, for the names of losses and metrics in logs."""
        return self._task.model.output_names

    def targets(self, y):
        """Of targets, or their weights, those that the network takes."""
        return self._task.targets(y)

    def target_kind(self):
        """What targets are, by the network's task."""
        return self._task.target_kind()

    def untrained_variables(self):
        """Variables that no optimizer updates, whatever they say."""
        return self._task.untrained_variables()

    def compile(
        self,
        optimizer="rmsprop",
        loss=None,
        loss_weights=None,
        metrics=None,
        weighted_metrics=None,
        run_eagerly=False,
        steps_per_execution=1,
        jit_compile="auto",
        auto_scale_loss=True,
    ):
        """Configures training: as `keras.Model.compile`, with one difference.

        Args:
            optimizer: One optimizer, or a dict of names and optimizers. By
                default the one named "generator" updates the trainable
                variables of `self.generator`; see `optimizer_variables`.
            loss: Optional; used by `compute_loss`, which a step may call.
            loss_weights, metrics, weighted_metrics, run_eagerly,
            steps_per_execution, jit_compile: As in `keras.Model.compile`.
            auto_scale_loss: Whether to wrap each optimizer in a
                `LossScaleOptimizer` if a layer computes in float16.
        """
        if loss is not None:
            self._task.check_loss(loss)
        given = {
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
        }
        given = self._with_defaults(given)
        self._target_fit = TargetFit(
            self._task.target_kind(),
            given["loss"],
            given["metrics"],
            given["weighted_metrics"],
        )
        super().compile(
            optimizer=self._as_optimizer(optimizer, auto_scale_loss),
            **given,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=jit_compile,
            auto_scale_loss=False,
        )
        self._compiled = Compiled(jit_compile)
        self._count_as_built()

    def _with_defaults(self, given):
        """Arguments of `compile`, with the network's own where none are."""
        if given["loss"] is None:
            own = self._task.loss()
            if given["loss_weights"] is not None:
                own.pop("loss_weights", None)
            given = given | own
        if given["metrics"] is None and given["weighted_metrics"] is None:
            given = given | self._task.metrics()
        return given

    def _as_optimizer(self, optimizer, auto_scale_loss):
        scale = auto_scale_loss and any(
            layer.compute_dtype == "float16" for layer in self._flatten_layers()
        )
        found = as_optimizer(optimizer, scale)
        if isinstance(found, NamedOptimizers):
            found.bind(self.optimizer_variables)
        return found

    def get_compile_config(self):
        config = super().get_compile_config()
        if config:
            # What "auto" means is for the loading backend to say.
            config["jit_compile"] = self._compiled.jit_compile
        return config

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))
        self._build_optimizer()

    def get_config(self):
        config = super().get_config()
        config["network"] = keras.saving.serialize_keras_object(self.network)
        return config
