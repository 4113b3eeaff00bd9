"""The agreement table's seams of models, and the methods that stand on them."""

import keras
import numpy as np
from cases import covers, filled, function_case, model_case
from gans import same_noise
from keras import ops
from of_models import CLASSES, IDS, SIZE, TAGS, encoder
from sequences import normal

import keras_dl
from keras_dl import applications, heads, losses, models, training
from keras_dl.applications import TaskModel
from keras_dl.testing import Case

ROWS = normal(4, 3)


def classified(body):
    return model_case(TaskModel(body, heads.Classification(3, 0)), IDS, CLASSES)


@covers(applications.LSTMEncoder)
def lstm_encoder():
    body = applications.LSTMEncoder(SIZE, 3, 4, dropout=0.0)
    return model_case(
        TaskModel(body, heads.Classification(3, 0.0)), IDS, CLASSES
    )


@covers(applications.TransformerEncoder)
def transformer_encoder():
    """Blocks of different widths, and the mean of the real tokens."""
    body = applications.TransformerEncoder(
        SIZE, 2, 6, [2, 1], [8, 4], 0.0, norm_first=True, head_dim=3
    )
    return model_case(
        TaskModel(body, heads.Classification(3, 0.0)), IDS, CLASSES
    )


@covers(models.BackboneEncoder)
def backbone_encoder():
    ids = keras.Input((None,), dtype="int32", name="token_ids")
    x = keras.layers.Embedding(SIZE, 4, name="token_embedding")(ids)
    x = keras.layers.Dense(5, activation="tanh")(x)
    body = models.BackboneEncoder(keras.Model({"token_ids": ids}, x), "max")
    two = {
        "class": heads.Classification(3, 0.0),
        "tags": heads.TokenClassification(3, 0.0),
    }
    y = {"class": CLASSES, "tags": TAGS}
    return model_case(TaskModel(body, two), {"token_ids": IDS}, y)


@covers(models.call_embedded, models.embed, models.features, models.taps)
def vectors_and_features():
    """What BERT makes of vectors in the place of tokens, and their slopes."""
    model = filled(encoder())
    paths = ["attention_logits/0", "attention_weights/0", "hidden_states/1"]

    def look(vectors):
        with models.taps(model, paths) as found:
            outputs = models.call_embedded(model, IDS, vectors)
        own = models.features(model, IDS, ["embeddings"])["embeddings"]
        both = own * models.embed(model, IDS)
        return [*(found[path] for path in paths), outputs, both]

    return function_case(keras_dl.compiled(look), normal(*IDS.shape, 8))


@covers(models.replace_layer)
def replaced_layer():
    model = applications.MLP((4,), num_outputs=3)
    model.build((None, 3))
    thin = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(2), keras.layers.Dense(4)]
    )
    model = models.replace_layer(model, "hidden/0", thin)
    return model_case(model, ROWS, CLASSES)


@covers(
    training.FeatureDistance,
    training.InputNoise,
    training.SupervisedTrainer,
    models.WeightMask,
    models.weights_read,
)
def taught_with_noise_and_a_mask():
    """BERT by an LSTM: hidden states, logits, noise on vectors, a mask."""
    same_noise()
    student = TaskModel(encoder(), heads.Classification(3, 0.0))
    body = applications.LSTMEncoder(SIZE, 3, 2, bidirectional=False)
    mask = np.indices((8, 12)).sum(0) % 2
    trainer = training.SupervisedTrainer(
        student,
        teachers=TaskModel(body, heads.Classification(3)),
        terms=[
            training.FeatureDistance(
                "hidden_states/1", projection=True, name="states"
            ),
            training.FeatureDistance(distance="cosine", name="logits"),
        ],
        perturbation=training.InputNoise(0.3, on="embeddings", seed=0),
        readings=models.WeightMask({"encoder/blocks/0/widen/kernel": mask}),
    )
    shapes = {"x": (IDS.shape, "int32"), "y": (4, "int32"), "w": (4, "float32")}
    trainer.build_from_config(
        {
            "data": [
                {"shape": list(np.atleast_1d(shape)), "dtype": dtype}
                for shape, dtype in shapes.values()
            ]
        }
    )
    return trained(trainer, IDS, CLASSES, np.arange(4, dtype="float32"))


@covers(
    training.EntropyGate,
    training.LogitsDistillation,
    training.ScheduledGate,
    training.StoredOutputs,
)
def taught_by_two():
    """One of them not there; maps, relations, gates."""
    rate = keras.optimizers.schedules.PolynomialDecay(1.0, 4)
    trainer = training.SupervisedTrainer(
        applications.MLP((4,), num_outputs=3),
        teachers=[
            filled(built(applications.MLP((5,), num_outputs=3))),
            training.StoredOutputs("stored"),
        ],
        terms=[
            training.LogitsDistillation(
                losses.SoftTargets(3.0),
                mean_of="probabilities",
                gate=training.EntropyGate(),
                name="logits",
            ),
            training.FeatureDistance(
                "hidden/0",
                distance=losses.RelationalLoss(),
                gate=training.ScheduledGate(rate),
                name="relations",
            ),
        ],
    )
    built(trainer.model)
    y = {"targets": CLASSES, "stored": normal(4, 3, seed=3)}
    return trained(trainer, ROWS, y, np.array([1, 0, 2, 1], "float32"))


def built(model):
    model.build((None, 3))
    return model


def trained(trainer, *data):
    trainer.compile(keras.optimizers.SGD(0.1, momentum=0.9))
    filled(trainer)
    return Case(trainer, inputs=data, steps=2, predict=True)


class Poisson(models.SupervisedModel):
    """A regression of counts that says itself what it trains on."""

    def __init__(self):
        super().__init__()
        self.head = keras.layers.Dense(1)
        self.head.build((None, 3))
        self.built = True

    def call(self, x):
        return self.head(x)

    def default_loss(self):
        return lambda y, rate: ops.exp(rate) - y * rate

    def default_metrics(self):
        return [keras.metrics.MeanAbsoluteError(name="mae")]

    def predictions(self, outputs):
        return ops.exp(outputs)


class Slope(training.InputPerturbation):
    def perturb(self, inputs, task):
        return inputs + keras_dl.grad(task.loss)(inputs)


class Bounded(models.WeightReading):
    def read(self, path, value):
        return ops.tanh(value)


class Small(training.LossTerm):
    def loss(self, batch):
        mask = batch.x > 0
        return training.masked_mean(batch.x * batch.student.outputs, mask)


@covers(
    models.SupervisedModel,
    models.WeightReading,
    training.InputPerturbation,
    training.LossTerm,
    training.masked_mean,
)
def methods_of_ones_own():
    trainer = training.SupervisedTrainer(
        Poisson(),
        terms=Small(0.5, name="small"),
        perturbation=Slope(),
        readings=Bounded(),
    )
    weights = np.array([1, 0, 2, 1], "float32")
    return trained(trainer, ROWS, np.abs(ROWS[:, :1]), weights)
