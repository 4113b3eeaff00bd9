"""Trains one trainer in one way of distribution; prints its losses as JSON.

Run by test_distribution.py, in processes of its own:
`python distributed.py WAY [PROCESS_ID PORT]`. A process that is alone trains
without the distribution, too, first.
"""

import json
import pathlib
import sys

import keras
import numpy as np
from keras import ops

import keras_dl

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from trainers import GradientPenalty, network, normal


class WithKerasLoss(GradientPenalty):
    """The generator's loss is an object of Keras, the critic's a plain mean."""

    def training_step(self, data):
        x, noise = data
        logs = super().training_step(data)
        mse = keras.losses.MeanSquaredError()
        logs["mse"] = self.minimize(
            lambda: mse(x, self.generator(noise, training=True)),
            optimizer="generator",
        )
        return logs

    def evaluation_step(self, data):
        x, noise = data
        fake = self.generator(noise)
        return {
            "mse": keras.losses.MeanSquaredError()(x, fake),
            "mae": ops.mean(ops.abs(x - fake)),
        }


def two_devices_of_jax():
    """Keras' data parallelism over the devices of one JAX process."""
    distribution = keras.distribution.DataParallel()
    assert len(distribution.device_mesh.devices.flatten()) == 2
    keras.distribution.set_distribution(distribution)


def two_processes_of_jax(process, port):
    """The same over two processes that talk over loopback."""
    keras.distribution.initialize(
        job_addresses=f"127.0.0.1:{port}",
        num_processes=2,
        process_id=int(process),
    )
    keras.distribution.set_distribution(
        keras.distribution.DataParallel(auto_shard_dataset=False)
    )


def mirrored():
    """TensorFlow's strategy with two replicas on logical CPU devices."""
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * 2
    )
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope()


def taught(x, y, batch_size):
    """The history of a model with a task, a teacher's term and a mask."""
    model, teacher = (
        network(8, inputs=3, outputs=2, activation=activation)
        for activation in ("tanh", "relu")
    )
    mask = np.arange(24).reshape(3, 8) % 2
    trainer = keras_dl.training.SupervisedTrainer(
        model,
        teachers=teacher,
        terms=keras_dl.training.FeatureDistance(name="taught"),
        readings=keras_dl.models.WeightMask(
            {f"{model.layers[0].name}/kernel": mask}
        ),
    )
    trainer.compile(keras.optimizers.SGD(0.1), loss="mse", metrics=["mae"])
    return trainer.fit(
        x,
        y,
        validation_data=(x, y),
        batch_size=batch_size,
        epochs=2,
        shuffle=False,
        verbose=0,
    ).history


def train(x, noise, batch_size):
    """Fits and evaluates; returns the history."""
    keras.utils.set_random_seed(1)
    trainer = WithKerasLoss(
        generator=network(8, inputs=4, outputs=3),
        discriminator=network(8, inputs=3, outputs=1),
    )
    trainer.compile(
        optimizer={
            "generator": keras.optimizers.Adam(1e-2),
            "discriminator": keras.optimizers.SGD(1e-2, momentum=0.9),
        }
    )
    history = trainer.fit(
        x,
        noise,
        validation_data=(x, noise),
        batch_size=batch_size,
        epochs=3,
        shuffle=False,
        verbose=0,
    )
    return history.history


def everything(x, noise, y, batch_size=8):
    """The losses of all that is trained here."""
    found = train(x, noise, batch_size)
    if keras.backend.backend() == "tensorflow":  # Replicas are threads.
        for name, values in taught(x, y, batch_size).items():
            found[f"taught {name}"] = values
    return found


def main(way, *arguments):
    """Distributes, trains, prints."""
    data, found = (normal(32, 3), normal(32, 4), normal(32, 2)), {}
    if way == "two_devices_of_jax":
        found["alone"] = everything(*data)
        two_devices_of_jax()
        found["distributed"] = everything(*data)
    elif way == "two_processes_of_jax":
        two_processes_of_jax(*arguments)
        # Each process reads its half of every batch.
        first = np.arange(32) % 8 < 4
        mine = first if arguments[0] == "0" else ~first
        half = [part[mine] for part in data]
        found["distributed"] = everything(*half, batch_size=4)
    else:
        scope = mirrored()
        found["alone"] = everything(*data)
        with scope:
            found["distributed"] = everything(*data)
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
