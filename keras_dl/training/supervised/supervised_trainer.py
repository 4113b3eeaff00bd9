"""`SupervisedTrainer`: a model's task, and whatever else it is to learn."""

import keras
from keras import ops, tree

from keras_dl import autodiff, backend
from keras_dl.models import embed, taps
from keras_dl.models.features import embedding_paths, padding_mask
from keras_dl.models.readings import WeightReading, finish, weights_read
from keras_dl.training.engine.trainer import Trainer
from keras_dl.training.supervised import kept_weights
from keras_dl.training.supervised.arguments import (
    check_names,
    check_shared,
    checked,
    several,
)
from keras_dl.training.supervised.batch import SupervisedBatch
from keras_dl.training.supervised.loss_term import LossTerm
from keras_dl.training.supervised.passes import (
    Symbolic,
    constant,
    described,
    first_batch,
    glimpse_of,
    in_full,
    is_output,
    spec_of,
    specs_from,
    untouched,
    value_of,
)
from keras_dl.training.supervised.perturbation import (
    InputPerturbation,
    PerturbedTask,
)
from keras_dl.training.supervised.teachers import (
    StoredOutputs,
    check_targets,
    task_targets,
    taught,
)


@keras.saving.register_keras_serializable("keras_dl")
class SupervisedTrainer(Trainer):
    """Trains any model on its task, with further terms, at one go.

        w' = readings(w);  x' = perturbation(x)
        loss = task_weight * task(model(x'; w'), y)
               + sum_k weight_k term_k(model, teachers)

    What is shipped is the model. The trainer, with its terms, teachers and
    readings, is thrown away when it has done its work, or exchanged for
    another one: methods compose, at once and one after the other. With none
    of them this is Keras' own `fit` of the model.

    **The model** says itself what it trains on: as it was compiled, or by
    `default_loss` and so on (`keras_dl.models.SupervisedModel`, and so all of
    `keras_dl.applications`); or `compile(loss=..., metrics=...)` says it here.
    `predict` and `evaluate` are the model's, with the readings of its weights.

    **Passes.** A step calls the model once and each teacher once, whatever
    the number of terms. A perturbation that differentiates the loss calls the
    model for itself.

    **Teachers** are constants, down to their batch statistics and seeds; they
    see inputs as they are, in inference mode.

    **Logs.** `loss` is the sum; with terms, `task_loss` is the task's, and each
    term is logged under its name before its weight is applied. Metrics are the
    model's.

    **Masks, sample weights, precision.** As in Keras' `fit`. Terms see real
    tokens alone, and features in float32. Regularization counts in full,
    whatever `task_weight` is.

    **Saving.** `trainer.save` keeps all but the seeds of the model's dropout,
    which Keras does not save, and `keras.saving.load_model` goes on from there;
    so does `keras.callbacks.BackupAndRestore`.
    `trainer.finish()` bakes the readings into the model and returns it.

    Args:
        model: The Keras model to train.
        terms: List of `LossTerm`s.
        teachers: A Keras model, or a list of them; or of `StoredOutputs`.
        perturbation: An `InputPerturbation`, or `None`.
        readings: List of `keras_dl.models.WeightReading`s, innermost first.
        task_weight: Factor of the task's own loss; with 0 there need be none.
        **kwargs: Arguments of `Trainer`.

    Raises:
        TypeError: If an argument is of another kind.
        ValueError: If two terms have one name, a term needs a teacher that
            there is not, or, before the first step, a feature that a model
            lacks.

    Example: hidden states of a smaller BERT pulled to those of a larger one.

    >>> def make(hidden_dim):
    ...     encoder = keras_dl.applications.BERT(30, 2, hidden_dim, 2, 32)
    ...     head = keras_dl.heads.Classification(2)
    ...     return keras_dl.applications.TaskModel(encoder, head)
    >>> student, teacher = make(8), make(16)
    >>> trainer = SupervisedTrainer(
    ...     student,
    ...     teachers=teacher,
    ...     terms=[
    ...         keras_dl.training.FeatureDistance(
    ...             "hidden_states/2", projection=True, name="states"
    ...         ),
    ...         keras_dl.training.FeatureDistance("outputs", weight=0.5),
    ...     ],
    ... )
    >>> trainer.compile(keras.optimizers.AdamW(1e-3))
    >>> ids, labels = np.array([[2, 5, 3], [2, 6, 3]]), np.array([0, 1])
    >>> history = trainer.fit(ids, labels, verbose=0)
    >>> sorted(history.history)
    ['accuracy', 'feature_distance', 'loss', 'states', 'task_loss']
    """

    expects = ("x", "y?", "sample_weight?")

    def __init__(
        self,
        model,
        terms=(),
        teachers=(),
        perturbation=None,
        readings=(),
        task_weight=1.0,
        name=None,
        **kwargs,
    ):
        super().__init__(checked("model", model, keras.Layer), name, **kwargs)
        teachers = several(teachers)
        self.teachers = [checked("teachers", t, keras.Layer) for t in teachers]
        self.terms = [checked("terms", t, LossTerm) for t in several(terms)]
        self.readings = [
            checked("readings", r, WeightReading) for r in several(readings)
        ]
        if perturbation is not None:
            checked("perturbation", perturbation, InputPerturbation)
        self.perturbation = perturbation
        if not task_weight >= 0:
            raise ValueError(
                "`task_weight` must be at least 0. Received: "
                f"task_weight={task_weight!r}."
            )
        self.task_weight = task_weight
        self._trains_partly = not task_weight  # A head may have nothing to do.
        if not task_weight and not self.terms:
            raise ValueError(
                "`task_weight` must be above 0 where there are no `terms`: "
                "nothing would be trained. Received: task_weight=0, terms=[]."
            )
        check_names([term.name for term in self.terms])
        for term in self.terms:
            term.check(self)
        self._specs = None
        self._followed = []
        self._follow()

    @property
    def model(self):
        """The model that trains."""
        return self.network

    def finish(self):
        """Bakes the readings into the model's weights, and leaves them behind.

        Returns:
            The model.
        """
        self._follow()
        finish(self.readings)
        self.readings = []
        self._forget_compiled()
        return self.network

    # What is made before the first step.

    def _follow(self):
        """Sees to it that what hangs on the model's variables is of now.

        They are made when the model is built, which may be late, and others
        when a layer is replaced.
        """
        variables = list(map(id, self.network.variables))
        if not self.network.built or variables == self._followed:
            return
        if self._followed:
            self._forget_compiled()
            if self.compiled and self.optimizer.built:
                raise ValueError(
                    f"The variables of {self.network.name!r} are others than "
                    "when the trainer was compiled: call `compile` again."
                )
        self._attach()
        self._followed = list(map(id, self.network.variables))

    def _forget_compiled(self):
        self.train_function = self.test_function = None
        self.predict_function = None

    def _prepare(self):
        self._follow()

    def fit(self, x=None, y=None, *args, **kwargs):
        """As `Trainer.fit`; weights are, and end, as readings keep them."""
        self._follow()
        kept_weights.settle(self.readings)
        history = super().fit(x, y, *args, **kwargs)
        # Optimizers may have put moving averages in the weights' place.
        kept_weights.settle(self.readings)
        return history

    def train_on_batch(self, x, y=None, *args, **kwargs):
        """As `Trainer.train_on_batch`, of weights as readings keep them."""
        self._follow()
        kept_weights.settle(self.readings)
        return super().train_on_batch(x, y, *args, **kwargs)

    def predict_logits(self, x, *args, **kwargs):
        """As `Trainer.predict_logits`, with weights as they are read."""
        if self.readings and not self.network.built:
            raise ValueError(
                f"{self.network.name!r} must be built, so that its weights "
                "can be read otherwise: call it, or `fit`, first."
            )
        return super().predict_logits(x, *args, **kwargs)

    def _attach(self):
        """Whatever needs the variables and the parts of a built model."""
        for reading in self.readings:
            reading.attach(self.network)
        check_shared(self.network, self.teachers)
        for paths, model in self._glimpsed():
            with taps(model, [p for p in paths if not is_output(p)]):
                pass  # Unknown paths are refused here.
        on = None if self.perturbation is None else self.perturbation.on
        if on == "embeddings" and not embedding_paths(self.network):
            raise ValueError(
                "`perturbation` must have on='inputs' for a model that looks "
                f"up no tokens. Received: {self.network.name!r}."
            )

    def _glimpsed(self):
        """Pairs of paths and the models that they are looked for in."""
        yield self._paths("student_features"), self.network
        for i, teacher in enumerate(self.teachers):
            paths = self._paths("teacher_features", i)
            if isinstance(teacher, StoredOutputs):
                teacher.check_paths(paths)
            elif teacher.built:
                yield paths, teacher

    def _paths(self, kind, teacher=None):
        terms = [
            term
            for term in self.terms
            if teacher is None or teacher in term.seen_teachers(self.teachers)
        ]
        paths = [path for term in terms for path in getattr(term, kind)]
        return list(dict.fromkeys(paths))

    def _symbolic_build(self, iterator=None, data_batch=None):
        if data_batch is None:
            data_batch = first_batch(iterator)
        if self._specs is None:
            self._build_for(tree.map_structure(spec_of, data_batch))
        x, y, weights = keras.utils.unpack_x_y_sample_weight(data_batch)
        data_batch = x, task_targets(y, self.teachers), weights
        super()._symbolic_build(data_batch=data_batch)

    def _build_for(self, specs):
        """Builds the model, and the layers of terms, for data like these."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(specs)
        for model in (self.network, *self.teachers):
            if not model.built:
                Symbolic(lambda x, model=model: model(x)).run(x)
        self._follow()
        kept_weights.settle(self.readings)
        if self.terms:

            def look(*data):
                x, y, sample_weight, teachers = self._unpacked(data)
                batch = self._look(
                    x, y, sample_weight, x, None, False, teachers
                )
                return [value_of(term, batch) for term in self.terms]

            Symbolic(look).run(x, y, sample_weight)
        self._specs = specs

    def get_build_config(self):
        """The shapes of the data, for which terms are built again."""
        return {"data": described(self._specs)}

    def build_from_config(self, config):
        if config.get("data") is not None:
            self._build_for(specs_from(config["data"]))
            self._count_as_built()

    def _check_data(self, x, y=None, sample_weight=None):
        check_targets(y, self.teachers, bool(self.task_weight))
        y = task_targets(y, self.teachers)
        super()._check_data(x, y, sample_weight)

    # Steps.

    def training_step(self, data):
        x, y, sample_weight, teachers = self._unpacked(data)
        perturbed, shift = self._perturbed(x, y, sample_weight)
        readings = kept_weights.read_in_steps(self.readings, self.optimizer)

        def loss_fn():
            with weights_read(readings, training=True):
                batch = self._look(
                    perturbed, y, sample_weight, x, shift, True, teachers
                )
                loss, logs = self._total(batch)
            return loss, (batch.student.outputs, logs)

        loss, (outputs, logs) = self.minimize(loss_fn, has_aux=True)
        kept_weights.after_update(self.readings, self.optimizer)
        return self._logs(loss, logs, x, y, outputs, sample_weight)

    def evaluation_step(self, data):
        x, y, sample_weight, teachers = self._unpacked(data)
        with weights_read(self.readings):
            batch = self._look(x, y, sample_weight, x, None, False, teachers)
            loss, logs = self._total(batch)
        outputs = batch.student.outputs
        return self._logs(loss, logs, x, y, outputs, sample_weight)

    def _logs(self, loss, logs, x, y, outputs, sample_weight):
        """All of a step's logs, each under a name of its own."""
        metrics = self.compute_metrics(x, y, outputs, sample_weight)
        taken = sorted(set(logs) & set(metrics))
        if taken:
            raise ValueError(
                f"Terms must not have the names of metrics. Received: {taken}."
            )
        return {"loss": loss, **logs, **metrics}

    def compute_loss(self, x, y, y_pred, *args, **kwargs):
        """As `Trainer.compute_loss`; without a task 0 where are no targets."""
        if y is None and not self.task_weight:
            return ops.zeros(())
        return super().compute_loss(x, y, y_pred, *args, **kwargs)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """As `Trainer.compute_metrics`; without a task none are needed."""
        if y is None and not self.task_weight:
            return {}
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def call(self, inputs, training=None):
        """Runs the model, its weights as they are read."""
        self._follow()
        with weights_read(self.readings):
            return backend.run_network(self.network, inputs, training=training)

    def _unpacked(self, data):
        """The data, the targets those of the task, and what teachers say."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        numbers = range(len(self.teachers))
        paths = [self._paths("teacher_features", i) for i in numbers]
        teachers = taught(self.teachers, paths, x, y)
        return x, task_targets(y, self.teachers), sample_weight, teachers

    def _look(self, x, y, sample_weight, clean, shift, training, teachers):
        """The student's one pass, as terms see it."""
        paths = self._paths("student_features")
        student = glimpse_of(self.network, x, paths, training, shift)
        mask = padding_mask(self.network, clean) if self.terms else None
        return SupervisedBatch(
            clean, y, sample_weight, student, teachers, mask, training
        )

    def _total(self, batch):
        """The weighted sum, and what goes to the logs beside it."""
        if not self.terms and self.task_weight == 1:
            return self._task_loss(batch), {}
        # Terms first: what their layers add is among the regularization.
        values = {term: value_of(term, batch) for term in self.terms}
        logs = {}
        total = (1.0 - self.task_weight) * sum(map(ops.sum, self.losses))
        if self.task_weight:
            logs["task_loss"] = backend.unscale(self._task_loss(batch))
            total = total + self.task_weight * logs["task_loss"]
        for term, value in values.items():
            logs[term.name] = value
            total = total + ops.cast(term.factor, value.dtype) * value
        return total, logs

    def _task_loss(self, batch):
        data = batch.x, batch.y, batch.student.outputs, batch.sample_weight
        return self.compute_loss(*data, training=batch.training)

    def _perturbed(self, x, y, sample_weight):
        """The inputs that the model trains on, and what to add to vectors."""
        perturbation = self.perturbation
        if perturbation is None:
            return x, None

        if perturbation.on == "inputs":
            task = self._perturbed_task(
                x, y, sample_weight, lambda inputs: (inputs, None)
            )
            return constant(perturbation.perturb(x, task)), None
        with weights_read(self.readings):
            vectors = in_full(embed(self.network, x))

        def shift_to(changed):
            return tree.map_structure(ops.subtract, changed, vectors)

        task = self._perturbed_task(
            x, y, sample_weight, lambda changed: (x, shift_to(changed))
        )
        changed = perturbation.perturb(vectors, task)
        return x, constant(shift_to(changed))

    def _perturbed_task(self, x, y, sample_weight, split):
        """The model as a function of inputs, which `split` takes apart."""
        state = [v for metric in self.metrics for v in metric.variables]

        def outputs(inputs):
            now, shift = split(inputs)
            with untouched(self.network), weights_read(self.readings):
                return glimpse_of(self.network, now, [], True, shift).outputs

        def loss(inputs):
            now, shift = split(inputs)
            with (
                untouched(self.network, state),
                weights_read(self.readings),
            ):
                glimpse = glimpse_of(self.network, now, [], True, shift)
                return self.compute_loss(
                    x, y, glimpse.outputs, sample_weight, training=True
                )

        def gradient(inputs):
            # Half precision rounds the slopes of a single number to 0.
            halves = any(
                layer.compute_dtype == "float16"
                for layer in self._flatten_layers()
            )
            scale = 2.0**12 if halves else 1.0
            slopes = autodiff.grad(lambda inputs: scale * loss(inputs))(inputs)
            return tree.map_structure(lambda x: x / scale, in_full(slopes))

        mask = padding_mask(self.network, x)
        return PerturbedTask(loss, gradient, outputs, y, mask)

    # What Keras asks of a model.

    @property
    def losses(self):
        """Those of the model, terms and readings; a teacher has none."""
        parts = [self.network, *self.terms, *self.readings]
        return [loss for part in parts for loss in part.losses]

    def compile(self, optimizer="adam", loss=None, **kwargs):
        """As `Trainer.compile`, with loss and metrics of the model's own.

        Raises:
            ValueError: If neither this nor the model says what the loss is.
        """
        super().compile(optimizer, loss, **kwargs)
        if self.loss is None and self.task_weight:
            raise ValueError(
                f"`loss` must be given: {self.network.name!r} was not "
                "compiled, and has no `default_loss`. With `task_weight=0` "
                "terms alone make up the loss. Received: loss=None."
            )

    def untrained_variables(self):
        """The variables of teachers, whatever they say of themselves."""
        return [
            *super().untrained_variables(),
            *(v for teacher in self.teachers for v in teacher.variables),
        ]

    def get_config(self):
        config = super().get_config()
        del config["network"]
        serialize = keras.saving.serialize_keras_object
        return {
            **config,
            "model": serialize(self.network),
            "terms": [serialize(term) for term in self.terms],
            "teachers": [serialize(teacher) for teacher in self.teachers],
            "perturbation": serialize(self.perturbation),
            "readings": [serialize(reading) for reading in self.readings],
            "task_weight": self.task_weight,
        }
