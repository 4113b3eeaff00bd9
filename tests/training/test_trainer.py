import keras
import numpy as np
import pytest
from keras import layers, ops
from trainers import (
    InputGradient,
    Supervised,
    TwoPlayers,
    network,
    normal,
)

from keras_dl import Trainer
from keras_dl.testing import check_trainer

pytestmark = pytest.mark.compiled

BACKEND = keras.backend.backend()
X, Y = normal(22, 4), normal(22, 1)
WEIGHTS = np.linspace(0.1, 2.0, 22).astype("float32")


def supervised_pair(
    optimizer, make=lambda: network(8, inputs=4, outputs=1), **options
):
    """A trainer and a plain Keras model, compiled and initialized alike."""
    plain, net = make(), make()
    net.set_weights(plain.get_weights())
    trainer = Supervised(net)
    for model in (trainer, plain):
        model.compile(optimizer=optimizer(), loss="mse", **options)
    return trainer, plain


def assert_same_training(trainer, plain, data=(X, Y), epochs=3, **options):
    options = {"batch_size": 8, "shuffle": False, "verbose": 0, **options}
    ours = trainer.fit(*data, epochs=epochs, **options).history
    theirs = plain.fit(*data, epochs=epochs, **options).history
    assert set(ours) == set(theirs)
    for name, values in theirs.items():
        np.testing.assert_allclose(ours[name], values, rtol=1e-4, err_msg=name)
    for a, b in zip(trainer.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


class TestAsKeras:
    """A step written as `training_step` trains as Keras' own `fit` does."""

    @pytest.mark.parametrize(
        "optimizer",
        [
            lambda: keras.optimizers.Adam(1e-2),
            lambda: keras.optimizers.SGD(0.1, clipnorm=0.1),
            lambda: keras.optimizers.SGD(0.1, global_clipnorm=0.1),
            lambda: keras.optimizers.SGD(0.1, gradient_accumulation_steps=2),
            lambda: keras.optimizers.AdamW(1e-2, use_ema=True),
            lambda: keras.optimizers.SGD(
                keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
            ),
        ],
        ids=["adam", "clip", "global_clip", "accumulate", "ema", "schedule"],
    )
    def test_optimizers(self, optimizer):
        assert_same_training(*supervised_pair(optimizer))

    def test_metrics_and_validation(self):
        trainer, plain = supervised_pair(
            lambda: keras.optimizers.SGD(0.1), metrics=["mae"]
        )
        assert_same_training(trainer, plain, validation_data=(X[:9], Y[:9]))

    def test_sample_weights(self):
        trainer, plain = supervised_pair(
            lambda: keras.optimizers.SGD(0.1), weighted_metrics=["mae"]
        )
        assert_same_training(trainer, plain, sample_weight=WEIGHTS)
        ours, theirs = (
            model.evaluate(
                X, Y, sample_weight=WEIGHTS, verbose=0, return_dict=True
            )
            for model in (trainer, plain)
        )
        assert ours == pytest.approx(theirs, rel=1e-5)

    def test_masks(self):
        tokens = np.array([[1, 2, 0], [3, 0, 0], [1, 1, 1], [2, 0, 0]])
        targets = normal(4, 3, 1)

        def make():
            return keras.Sequential(
                [
                    keras.Input((3,), dtype="int32"),
                    layers.Embedding(4, 3, mask_zero=True),
                    layers.Dense(1),
                ]
            )

        pair = supervised_pair(lambda: keras.optimizers.SGD(0.1), make)
        assert_same_training(*pair, data=(tokens, targets), batch_size=4)
        # What is masked does not count.
        other = np.where(tokens[..., None] == 0, 1e6, targets)
        losses = [
            pair[0].evaluate(tokens, y, verbose=0) for y in (targets, other)
        ]
        assert losses[0] == pytest.approx(losses[1], rel=1e-6)

    def test_regularizers_and_batch_norm(self):
        def make():
            return keras.Sequential(
                [
                    keras.Input((4,)),
                    layers.Dense(8, kernel_regularizer="l2"),
                    layers.BatchNormalization(),
                    layers.Dense(1),
                ]
            )

        assert_same_training(
            *supervised_pair(lambda: keras.optimizers.SGD(0.1), make)
        )

    def test_a_network_that_is_not_built_yet(self):
        trainer = Supervised(keras.Sequential([layers.Dense(1)]))
        trainer.compile(optimizer="sgd", loss="mse")
        history = trainer.fit(X, Y, epochs=2, verbose=0).history
        assert history["loss"][1] < history["loss"][0]

    def test_predict(self):
        trainer, plain = supervised_pair(lambda: "sgd")
        np.testing.assert_allclose(
            trainer.predict(X, batch_size=8, verbose=0),
            plain.predict(X, batch_size=8, verbose=0),
            rtol=1e-5,
        )


class TestModes:
    def histories(self, **options):
        trainer, plain = supervised_pair(
            lambda: keras.optimizers.SGD(0.1), **options
        )
        assert_same_training(trainer, plain)
        return trainer

    def test_eagerly(self):
        self.histories(run_eagerly=True)

    def test_without_jit(self):
        self.histories(jit_compile=False)

    @pytest.mark.skipif(
        BACKEND == "torch", reason="Keras runs one step at a time on PyTorch"
    )
    def test_steps_per_execution(self):
        self.histories(steps_per_execution=2)

    @pytest.mark.skipif(
        BACKEND == "torch", reason="XLA is not there on PyTorch"
    )
    def test_with_xla(self):
        self.histories(jit_compile=True)


def compiled_players(**compile_options):
    keras.utils.set_random_seed(0)
    trainer = TwoPlayers()
    trainer.compile(
        optimizer={
            "generator": keras.optimizers.Adam(1e-2),
            "discriminator": keras.optimizers.SGD(1e-2, momentum=0.9),
        },
        **compile_options,
    )
    return trainer


class TestSeveralOptimizers:
    def test_each_updates_its_own_network(self):
        class DiscriminatorOnly(TwoPlayers):
            def training_step(self, data):
                loss = self.minimize(
                    lambda: self.score(data, 1.0), optimizer="discriminator"
                )
                return {"loss": loss}

        trainer = DiscriminatorOnly()
        trainer.compile(optimizer={"generator": "sgd", "discriminator": "sgd"})
        generator = trainer.generator.get_weights()
        discriminator = trainer.discriminator.get_weights()
        trainer.fit(normal(8, 3), verbose=0)
        for a, b in zip(
            generator, trainer.generator.get_weights(), strict=True
        ):
            np.testing.assert_array_equal(a, b)
        for a, b in zip(
            discriminator, trainer.discriminator.get_weights(), strict=True
        ):
            assert (a != b).any()
        optimizer = trainer.optimizer
        assert int(optimizer["discriminator"].iterations) == 1
        assert int(optimizer["generator"].iterations) == 0

    def test_state_of_layers_advances(self):
        trainer = compiled_players()
        norm = trainer.generator.layers[1]
        dropout = trainer.discriminator.layers[2]
        states = [
            norm.moving_mean,
            norm.moving_variance,
            dropout.seed_generator.state,
            trainer.seed.state,
        ]
        before = [ops.convert_to_numpy(v).copy() for v in states]
        trainer.fit(normal(8, 3), verbose=0)
        for variable, old in zip(states, before, strict=True):
            assert (ops.convert_to_numpy(variable) != old).any(), variable.path

    def test_contract(self):
        trainer = check_trainer(compiled_players, (normal(12, 3),))
        assert trainer.optimizer.names == ["generator", "discriminator"]

    def test_one_optimizer_can_update_a_part(self):
        trainer = Supervised(network(8, inputs=4, outputs=1))
        head = trainer.network.layers[-1].trainable_variables

        class Head(Supervised):
            def training_step(self, data):
                x, y = data
                loss = self.minimize(
                    lambda: self.compute_loss(x, y, self(x)), head
                )
                return {"loss": loss}

        trainer = Head(trainer.network)
        trainer.compile(optimizer="sgd", loss="mse")
        before = trainer.get_weights()
        trainer.fit(X, Y, verbose=0)
        changed = [
            (a != b).any()
            for a, b in zip(before, trainer.get_weights(), strict=True)
        ]
        assert changed == [False, False, True, True]


class TestLogs:
    def test_they_are_means_over_the_epoch_weighted_by_batch(self):
        class Mean(Trainer):
            def training_step(self, data):
                self.minimize(lambda: ops.mean(self.network(data) ** 2))
                return {"mean": ops.mean(data), "count": ops.shape(data)[0]}

        trainer = Mean(network(inputs=4, outputs=1))
        trainer.compile(optimizer=keras.optimizers.SGD(0.01))
        history = trainer.fit(X, batch_size=8, epochs=2, verbose=0).history
        np.testing.assert_allclose(history["mean"], [X.mean()] * 2, rtol=1e-5)
        # Batches of 8, 8 and 6.
        expected = (64 + 64 + 36) / 22
        np.testing.assert_allclose(history["count"], expected, rtol=1e-6)

    def test_keras_mean_of_an_unused_loss_is_left_out(self):
        history = compiled_players().fit(normal(8, 3), verbose=0).history
        assert set(history) == {"d_loss", "g_loss"}

    def test_evaluation_has_its_own_step(self):
        class Evaluated(InputGradient):
            def evaluation_step(self, data):
                x, y = data
                return {"error": ops.mean(ops.abs(self.network(x) - y))}

        trainer = Evaluated(network(inputs=4, outputs=1))
        trainer.compile(optimizer="sgd")
        history = trainer.fit(
            X, Y, batch_size=8, validation_data=(X, Y), verbose=0
        ).history
        assert set(history) == {"loss", "val_error"}
        expected = np.mean(np.abs(trainer.predict(X, verbose=0) - Y))
        assert history["val_error"][0] == pytest.approx(expected, rel=1e-5)
        logs = trainer.evaluate(X, Y, verbose=0, return_dict=True)
        assert logs == {"error": pytest.approx(expected, rel=1e-5)}


class TestPrecision:
    @pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
    def test_training_falls_in_mixed_precision(self, policy):
        keras.utils.set_random_seed(0)
        make = {"dtype": policy, "activation": "tanh"}
        net = keras.Sequential(
            [
                keras.Input((4,)),
                layers.Dense(16, **make),
                layers.Dense(1, dtype=policy),
            ]
        )
        trainer = Supervised(net)
        trainer.compile(optimizer=keras.optimizers.SGD(0.05), loss="mse")
        losses = trainer.fit(X, Y, epochs=8, verbose=0).history["loss"]
        assert losses[-1] < losses[0]
        scaled = isinstance(
            trainer.optimizer, keras.optimizers.LossScaleOptimizer
        )
        assert scaled == (policy == "mixed_float16")

    def test_float16_scales_the_loss_of_each_optimizer(self):
        float32 = keras.config.dtype_policy()
        keras.config.set_dtype_policy("mixed_float16")
        try:
            trainer = compiled_players()
        finally:
            keras.config.set_dtype_policy(float32)
        players = trainer.optimizer.optimizers
        assert all(
            isinstance(o, keras.optimizers.LossScaleOptimizer) for o in players
        )
        trainer.fit(normal(8, 3), verbose=0)
        generator, discriminator = players
        assert int(generator.iterations) == int(discriminator.iterations) == 1
        # The data of the discriminator overflow float16: only its step is
        # skipped, and only its scale is halved.
        before = trainer.discriminator.get_weights()
        trainer.fit(np.full((8, 3), 6e4, "float32"), verbose=0)
        for a, b in zip(
            before, trainer.discriminator.get_weights(), strict=True
        ):
            np.testing.assert_array_equal(a, b)
        assert int(generator.iterations) == 2
        assert int(discriminator.iterations) == 1
        assert float(discriminator.dynamic_scale) == 2.0**14
        assert float(generator.dynamic_scale) == 2.0**15


def fit(trainer, *data, **options):
    return trainer.fit(*data, verbose=0, **options)


class TestErrors:
    def supervised(self, step=None, **compile_options):
        body = {} if step is None else {"training_step": step}
        cls = type("Broken", (Supervised,), body)
        trainer = cls(network(inputs=4, outputs=1))
        trainer.compile(
            **{"optimizer": "sgd", "loss": "mse", **compile_options}
        )
        return trainer

    def test_not_compiled(self):
        with pytest.raises(ValueError, match="compile"):
            fit(Supervised(network(inputs=4, outputs=1)), X, Y)

    def test_no_training_step(self):
        trainer = Trainer(network(inputs=4, outputs=1))
        trainer.compile()
        with pytest.raises(NotImplementedError, match="training_step"):
            fit(trainer, X, Y)

    def test_no_network(self):
        with pytest.raises(NotImplementedError, match="main network"):
            Trainer()(X)
        with pytest.raises(TypeError, match="network"):
            Trainer(network="dense")

    @pytest.mark.parametrize(
        ("optimizer", "name", "message"),
        [
            ("sgd", "critic", "no optimizer named 'critic'"),
            ({"network": "sgd"}, "critic", "'critic'.*'network'"),
            ({"network": "sgd"}, None, "name the one"),
        ],
    )
    def test_wrong_optimizer_name(self, optimizer, name, message):
        def step(self, data):
            return {"loss": self.minimize(lambda: 0.0, optimizer=name)}

        with pytest.raises(ValueError, match=message):
            fit(self.supervised(step, optimizer=optimizer), X, Y)

    @pytest.mark.parametrize(
        ("optimizer", "message"),
        [
            ({}, "non-empty dict"),
            ({"a/b": "sgd"}, "without '/'"),
            ({1: "sgd"}, "string"),
            (None, "optimizer"),
        ],
    )
    def test_wrong_optimizers(self, optimizer, message):
        with pytest.raises(ValueError, match=message):
            self.supervised(optimizer=optimizer)

    def test_one_optimizer_under_two_names(self):
        sgd = keras.optimizers.SGD()
        with pytest.raises(ValueError, match="instance of its own"):
            self.supervised(optimizer={"a": sgd, "b": sgd})

    def test_an_optimizer_that_names_nothing(self):
        trainer = self.supervised(optimizer={"critic": "sgd"})
        with pytest.raises(ValueError, match="optimizer_variables"):
            fit(trainer, X, Y)

    def test_variables_that_are_not_the_models(self):
        strange = keras.Variable(1.0, name="strange")

        def step(self, data):
            return {"loss": self.minimize(lambda: strange * 1.0, [strange])}

        with pytest.raises(ValueError, match="does not update.*strange"):
            fit(self.supervised(step), X, Y)

    def test_a_loss_that_is_not_a_scalar(self):
        def step(self, data):
            return {"loss": self.minimize(lambda: self(data[0]))}

        with pytest.raises(ValueError, match="must return a scalar"):
            fit(self.supervised(step), X, Y)

    def test_a_loss_that_depends_on_nothing(self):
        def step(self, data):
            y_pred = self(data[0])  # outside: a constant
            return {"loss": self.minimize(lambda: ops.mean(y_pred))}

        with pytest.raises(ValueError, match="depends on none.*kernel"):
            fit(self.supervised(step), X, Y)

    def test_a_loss_that_depends_on_some(self):
        trainer = Supervised(network(3, inputs=4, outputs=1))
        first = trainer.network.layers[0]

        class Some(Supervised):
            def training_step(self, data):
                loss = self.minimize(lambda: ops.mean(first(data[0]) ** 2))
                return {"loss": loss}

        trainer = Some(trainer.network)
        trainer.compile(optimizer=keras.optimizers.SGD(weight_decay=0.5))
        head = trainer.network.layers[-1].get_weights()
        with pytest.warns(UserWarning, match="dense_1/kernel|dense_.*kernel"):
            fit(trainer, X, Y)
        for a, b in zip(
            head, trainer.network.layers[-1].get_weights(), strict=True
        ):
            np.testing.assert_array_equal(a, b)

    def test_logs(self):
        with pytest.raises(TypeError, match="dict of scalars"):
            fit(self.supervised(lambda self, data: 1.0), X, Y)
        with pytest.raises(ValueError, match=r"'y'.*shape \(\w+, 1\)"):
            fit(self.supervised(lambda self, data: {"y": data[1]}), X, Y)

    def test_nan_from_the_start(self):
        trainer = self.supervised()
        with pytest.raises(ValueError, match="very first step.*NaN"):
            fit(trainer, np.full_like(X, np.nan), Y)

    def test_data_of_the_wrong_structure(self):
        trainer = self.supervised()
        before = trainer.get_weights()
        with pytest.raises(
            ValueError, match=r"\(x, y, sample_weight\?\).*1 part"
        ):
            fit(trainer, X)
        # Nothing is lost: the model goes on as it was.
        for a, b in zip(before, trainer.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
        fit(trainer, X, Y)

    def test_data_of_the_wrong_shape_loses_nothing(self):
        trainer = self.supervised()
        for _ in range(2):
            before = trainer.get_weights()
            for use in (trainer.fit, trainer.evaluate):
                # Of TensorFlow's own kind where its program is there already.
                with pytest.raises(Exception, match="incompatible|expected"):
                    use(X[:, :3], Y, verbose=0)
            for a, b in zip(before, trainer.get_weights(), strict=True):
                np.testing.assert_array_equal(a, b)
            # On JAX a model that has trained lends its values to the step.
            trainer.fit(X, Y, verbose=0)

    def test_nothing_to_evaluate(self):
        trainer = InputGradient(network(inputs=4, outputs=1))
        trainer.compile(optimizer="sgd")
        with pytest.raises(ValueError, match="nothing to evaluate"):
            trainer.evaluate(X, Y, verbose=0)

    def test_gradients_of_another_number(self):
        def step(self, data):
            self.apply_gradients([0.0])
            return {}

        with pytest.raises(ValueError, match="1 gradients for 2 variables"):
            fit(self.supervised(step), X, Y)
