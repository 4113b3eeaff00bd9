"""GANs that are trained stage by stage: what grows, what stays."""

import functools

import keras
import numpy as np
import pytest
from keras import ops
from sequences import normal, numpy

from keras_dl.applications import ProgressiveGAN, StackGAN
from keras_dl.datasets import Batches
from keras_dl.layers import ConditioningAugmentation, FadeIn
from keras_dl.testing import check_layer


def images(count=8, side=16):
    return np.tanh(normal(count, side, side, 1))


TEXTS = normal(8, 6, seed=1)


def progressive(**kwargs):
    keras.utils.set_random_seed(0)
    small = {"latent_dim": 5, "base": 16, "max_filters": 4, "seed": 0}
    shape = kwargs.pop("image_shape", (16, 16, 1))
    return ProgressiveGAN(shape, **{**small, **kwargs})


def stacked(**kwargs):
    keras.utils.set_random_seed(0)
    small = {"latent_dim": 3, "condition_dim": 2, "base": 4, "blocks": 1}
    return StackGAN((32, 32, 1), 6, **{**small, "seed": 0, **kwargs})


def count(*networks):
    return sum(
        int(np.prod(v.shape)) for n in networks for v in n.trainable_variables
    )


# The layer.


def test_fade_in():
    layer = FadeIn()
    layer.build([(None, 3), (None, 3)])
    old, new = normal(2, 3), normal(2, 3, seed=1)
    for alpha in (0.0, 0.25, 1.0):
        layer.alpha.assign(alpha)
        expected = old + alpha * (new - old)
        found = numpy(layer([old, new]))[0]
        np.testing.assert_allclose(found, expected, atol=1e-6)
    assert not layer.trainable_variables
    with pytest.raises(ValueError, match="two tensors of one shape"):
        FadeIn()([old, new[:, :2]])


@pytest.mark.compiled
def test_contract_of_a_layer_with_fade_in():
    class Both(keras.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.fade = FadeIn(dtype=self.dtype_policy)

        def build(self, shape):
            self.fade.build([shape, shape])

        def call(self, x):
            return self.fade([x, 2 * x])

    keras.saving.register_keras_serializable("keras_dl_tests")(Both)
    check_layer(Both, normal(2, 3))


# Growing.


def test_sizes_of_the_paper():
    """Of the last stage, without what only fades."""
    gan = ProgressiveGAN((1024, 1024, 3))
    assert len(gan.generators) == 9
    # To and from 512 x 512 images: one convolution of 1 x 1 each.
    old = 32 * 3 + 3, 3 * 32 + 32
    assert count(gan.generators[-1]) - old[0] == 23_071_507
    assert count(gan.discriminators[-1]) - old[1] == 23_077_137


def test_a_new_stage_begins_where_the_old_one_ended():
    """With alpha of 0: of the generator, and of the critic, exactly."""
    gan = progressive()
    small = images(4, 4)
    for stage in (1, 2):
        before = gan.generate(4, seed=0)
        scores = numpy(gan.discriminator(ops.convert_to_tensor(small)))[0]
        gan.advance()
        after = gan.generate(4, seed=0)
        doubled = before.repeat(2, axis=1).repeat(2, axis=2)
        np.testing.assert_allclose(after, doubled, atol=1e-6)
        large = small.repeat(2, axis=1).repeat(2, axis=2)
        np.testing.assert_allclose(
            numpy(gan.discriminator(ops.convert_to_tensor(large)))[0],
            scores,
            atol=1e-5,
        )
        for layer in gan._fades():
            layer.alpha.assign(1.0)
        assert not np.allclose(gan.generate(4, seed=0), after, atol=1e-3)
        assert gan.stage == stage
        small = large
    with pytest.raises(ValueError, match="is the last one of 3"):
        gan.advance()


def test_grows_through_all_stages():
    gan = progressive(image_shape=(8, 8, 1))
    history = gan.fit(images(side=8), batch_size=4, epochs=2, verbose=0)
    assert history.epoch == list(range(4))
    # Of 8 x 2 images half fade in: by 0 and 4 of 8, then all.
    assert history.history["alpha"] == pytest.approx([0.25, 1.0] * 2)
    assert np.isfinite(history.history["d_loss"]).all()
    assert gan.generate(2).shape == (2, 8, 8, 1)
    assert [float(numpy(f.alpha)[0]) for f in gan._fades()] == [1.0, 1.0]


def test_images_are_made_as_small_as_the_stage():
    gan = progressive()
    given = ops.convert_to_tensor(images())
    seen, _ = gan.unpacked(given)
    expected = images().reshape(8, 4, 4, 4, 4, 1).mean(axis=(2, 4))
    np.testing.assert_allclose(numpy(seen)[0], expected, atol=1e-6)
    assert gan.generate(2, full_size=True).shape == (2, 16, 16, 1)
    with pytest.raises(ValueError, match="is trained with images of shape"):
        gan.unpacked(given[:, :8])


@pytest.mark.compiled
def test_only_the_present_stage_is_trained():
    gan = progressive(fade_images=4)
    gan.compile()
    later = gan.generators[1].layers[-1], gan.generators[-1].layers[-2]
    before = [w for layer in later for w in layer.get_weights()]
    gan.train_on_batch(images())
    after = [w for layer in later for w in layer.get_weights()]
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)
    rates = [o.learning_rate for o in gan.optimizer.optimizers]
    gan.advance()
    assert [float(r) for r in rates] == [
        float(o.learning_rate) for o in gan.optimizer.optimizers
    ]


def test_a_dataset_without_a_length_needs_a_number():
    gan = progressive()
    with pytest.raises(ValueError, match="`fade_images` must say"):
        gan.fit(iter([images()]), verbose=0)


# One training.


class Kill(keras.callbacks.Callback):
    """Raises an error in the middle of an epoch."""

    def __init__(self, epoch):
        super().__init__()
        self.when, self.begun = epoch, []

    def on_train_begin(self, logs=None):
        self.begun.append("train")

    def on_epoch_begin(self, epoch, logs=None):
        self.begun.append(epoch)

    def on_train_end(self, logs=None):
        self.begun.append("end")

    def on_train_batch_end(self, batch, logs=None):
        if self.begun[-1] == self.when:
            raise InterruptedError


def trained(gan, data, *callbacks, **kwargs):
    keras.utils.set_random_seed(3)
    rest = {"batch_size": 4, "shuffle": False, "verbose": 0, **kwargs}
    return gan.fit(*data, epochs=2, callbacks=list(callbacks), **rest)


STAGED = {
    "progressive": (
        lambda: progressive(image_shape=(8, 8, 1)),
        (images(side=8),),
    ),
    "stacked": (stacked, (images(side=32), TEXTS)),
}


@pytest.fixture(scope="module")
def whole():
    """Histories and weights of trainings that nothing interrupts."""

    @functools.cache
    def of(name):
        make, data = STAGED[name]
        gan = make()
        history = trained(gan, data)
        return history, numpy(gan.variables)

    return of


@pytest.mark.parametrize("killed", range(4))
@pytest.mark.parametrize("name", STAGED)
def test_goes_on_after_it_was_killed(name, killed, whole, tmp_path):
    """In any epoch, into a model that begins with the first stage."""
    make, data = STAGED[name]
    expected, weights = whole(name)

    def backup():
        return keras.callbacks.BackupAndRestore(tmp_path / "backup")

    with pytest.raises(InterruptedError):
        trained(make(), data, backup(), Kill(killed))
    gan = make()
    log = tmp_path / "log.csv"
    history = trained(gan, data, backup(), keras.callbacks.CSVLogger(log))
    assert history.epoch == expected.epoch[killed:]
    for key, values in expected.history.items():
        found = history.history[key]
        assert found == pytest.approx(values[killed:], rel=1e-4, abs=1e-5), key
    for one, other in zip(numpy(gan.variables), weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    lines = log.read_text().splitlines()[1:]
    assert [int(line.split(",")[0]) for line in lines] == history.epoch


def test_callbacks_see_one_training(tmp_path):
    make, data = STAGED["progressive"]
    gan, watch = make(), Kill(None)
    log = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    history = trained(gan, data, watch, log)
    assert watch.begun == ["train", 0, 1, 2, 3, "end"]
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 5
    assert history is gan.history and history.epoch == [0, 1, 2, 3]
    # The last stage is trained for as long once more, and then again.
    assert trained(gan, data, initial_epoch=4).epoch == [4, 5]
    assert trained(gan, data).epoch == [0, 1]


def test_what_stops_it_stops_it_for_good():
    make, data = STAGED["progressive"]

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = True

    gan = make()
    assert trained(gan, data, Stop()).epoch == [0]
    assert gan.stage == 0
    # One epoch of this stage is left, and the two of the next.
    assert trained(gan, data, initial_epoch=1).epoch == [1, 2, 3]
    assert gan.stage == 1


def test_a_file_of_the_middle_of_a_stage_goes_on(whole, tmp_path):
    make, data = STAGED["progressive"]
    path = tmp_path / "{epoch}.keras"
    gan = make()
    trained(gan, data, keras.callbacks.ModelCheckpoint(path))
    expected, _ = whole("progressive")
    for done in (1, 2, 3):
        copy = keras.models.load_model(tmp_path / f"{done}.keras")
        history = trained(copy, data, initial_epoch=done)
        assert history.epoch == expected.epoch[done:]
        for key, values in expected.history.items():
            assert history.history[key] == pytest.approx(
                values[done:], rel=1e-4, abs=1e-5
            ), key


def test_optimizers_of_the_next_stage_are_compiled_as_before():
    gan = progressive(image_shape=(8, 8, 1))
    gan.compile(run_eagerly=True, jit_compile=False)
    gan.optimizer["generator"].learning_rate = 0.25
    gan.advance()
    assert gan.run_eagerly and not gan.jit_compile
    assert float(gan.optimizer["generator"].learning_rate) == 0.25


@pytest.mark.filterwarnings("ignore:Skipping nested container")
def test_a_file_that_does_not_fit_leaves_the_stage(tmp_path):
    path = tmp_path / "gan.weights.h5"
    other = progressive(image_shape=(8, 8, 1), max_filters=3)
    other.compile()
    other.advance()
    other.save_weights(path)
    gan = progressive(image_shape=(8, 8, 1))
    gan.compile()
    before, optimizer = gan.get_weights(), gan.optimizer
    with pytest.raises(ValueError, match="could not be loaded"):
        gan.load_weights(path)
    assert (gan.stage, gan.finished_epochs) == (0, 0)
    assert gan.optimizer is optimizer
    for old, new in zip(before, gan.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    gan.fit(images(side=8), verbose=0)


def test_a_dataset_of_ours_says_how_many_images_there_are():
    gan = progressive(image_shape=(8, 8, 1))
    gan.fit(Batches(images(side=8), batch_size=4), verbose=0)
    assert float(numpy(gan.fading)[0]) == 4.0


# A sketch, and then the image.


def test_the_second_stage_leaves_the_first_as_it_is():
    gan = stacked()
    first = gan.generators[0]
    assert first.output_shape == (None, 8, 8, 1)
    gan.compile()
    gan.advance()
    before = [np.array(v) for v in numpy(first.variables)]
    gan.train_on_batch(images(side=32), TEXTS)
    assert gan.generate(conditions=TEXTS[:3], seed=0).shape == (3, 32, 32, 1)
    names = [v.path for v in first.variables]
    for name, old, new in zip(
        names, before, numpy(first.variables), strict=True
    ):
        if "seed" not in name:  # It still draws.
            np.testing.assert_array_equal(old, new, err_msg=name)


def test_the_first_stage_is_trained_first():
    gan = stacked()
    gan.compile()
    assert gan.generators[0].trainable_variables
    gan.train_on_batch(images(side=32), TEXTS)
    gan.advance()
    assert not gan.generators[0].trainable_variables
    trained = {id(v) for v in gan.generator.trainable_variables}
    assert trained and trained.isdisjoint(
        {id(v) for v in gan.generators[0].variables}
    )


def test_the_divergence_of_conditions_is_a_loss():
    gan = stacked()
    given, texts = (ops.convert_to_tensor(x) for x in (images(side=32), TEXTS))
    (layer,) = [
        x
        for x in gan.generator.layers
        if isinstance(x, ConditioningAugmentation)
    ]

    def evaluated(weight):
        """The generator's loss, with the same noise, and what it adds."""
        layer.kl_weight = weight
        for seeds in (gan.random, layer.seed_generator):
            seeds.state.assign([1, 0])
        loss = gan.evaluation_step((given, texts))["g_loss"]
        return float(numpy(loss)[0]), sum(
            float(numpy(x)[0]) for x in gan.generator.losses
        )

    whole, divergence = evaluated(layer.kl_weight)
    adversarial, nothing = evaluated(0.0)
    assert nothing == 0.0 < divergence
    assert whole - adversarial == pytest.approx(divergence, abs=1e-5)


@pytest.mark.parametrize(
    ("make", "data"),
    [(progressive, (images(),)), (stacked, (images(side=32), TEXTS))],
    ids=["progressive", "stacked"],
)
@pytest.mark.compiled("progressive")
def test_is_saved_in_any_stage(make, data, tmp_path):
    gan = make(**({"fade_images": 10} if make is progressive else {}))
    gan.compile()
    gan.advance()
    gan.train_on_batch(*data)
    gan.save(tmp_path / "gan.keras")
    copy = keras.models.load_model(tmp_path / "gan.keras")
    assert copy.stage == 1
    for one, other in zip(
        [*gan.variables, *gan.optimizer.variables],
        [*copy.variables, *copy.optimizer.variables],
        strict=True,
    ):
        np.testing.assert_array_equal(*numpy([one, other]), one.path)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: ProgressiveGAN((24, 24, 3)), "power of 2"),
        (lambda: ProgressiveGAN((16, 32, 3)), "must be square"),
        (lambda: progressive(fade_images=0), "`fade_images`"),
        (lambda: progressive(stage=3), "`stage`"),
        (lambda: StackGAN((40, 40, 3), 6), "`image_shape`"),
        (lambda: stacked(base=6), "`base` must be a multiple of 4"),
    ],
)
def test_bad_arguments(make, complaint):
    with pytest.raises(ValueError, match=complaint):
        make()
