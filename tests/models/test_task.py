"""`Task`: what a model says that it is trained on, or was compiled with."""

import keras
import numpy as np
import pytest
from keras import layers
from keras.ops import convert_to_numpy as array

from keras_dl.models import SupervisedModel, Task
from keras_dl.training import SupervisedTrainer

X, Y = np.ones((4, 3), "float32"), np.ones((4, 1), "float32")


class Half(SupervisedModel):
    """Trains its head alone, on the first of its targets."""

    def __init__(self):
        super().__init__()
        self.body, self.head = layers.Dense(2), layers.Dense(1)
        self.call(keras.KerasTensor((None, 3)))
        self.built = True

    def call(self, x):
        return self.head(self.body(x))

    def default_loss(self):
        return keras.losses.MeanSquaredError()

    def default_metrics(self):
        return ["mae"]

    def predictions(self, outputs):
        return 2 * outputs

    def targets(self, y):
        return None if y is None else y[:, :1]

    def untrained_variables(self):
        return self.body.variables

    def check_arrays(self, x, y=None, sample_weight=None):
        if np.isnan(x).any():
            raise ValueError("`x` holds NaN")


def test_a_model_says_what_it_trains_on():
    model = Half()
    task = Task(model)
    arguments = task.loss() | task.metrics()
    assert isinstance(arguments["loss"], keras.losses.MeanSquaredError)
    assert arguments["weighted_metrics"] == ["mae"]
    assert task.predictions(3) == 6
    assert task.targets(np.ones((2, 5))).shape == (2, 1)
    assert model.trainable_variables == model.head.trainable_variables
    assert task.untrained_variables() == model.body.variables
    with pytest.raises(ValueError, match="`x` holds NaN"):
        task.check_arrays(np.array([np.nan]))


def test_only_what_it_trains_is_trained():
    model = Half()
    trainer = SupervisedTrainer(model)
    trainer.compile("sgd")
    body, head = array(model.body.kernel), array(model.head.kernel)
    trainer.train_on_batch(X, np.hstack([Y, 9 * Y]))
    np.testing.assert_array_equal(array(model.body.kernel), body)
    assert not np.array_equal(array(model.head.kernel), head)


def test_a_compiled_model_and_none():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    assert Task(model).loss() == {}
    metric = keras.metrics.MeanAbsoluteError(name="far")
    model.compile(loss="mae", metrics=[metric])
    arguments = Task(model).loss() | Task(model).metrics()
    (copy,) = arguments["metrics"]
    assert arguments["loss"] == "mae" and copy.name == "far"
    assert copy is not metric
    assert Task(model).untrained_variables() == []
    nothing = Task(None)
    assert nothing.loss() == {} and nothing.untrained_variables() == []
    assert nothing.predictions(X) is X and nothing.targets(Y) is Y
