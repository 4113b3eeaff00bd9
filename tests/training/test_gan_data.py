"""Class numbers, labels and players that a GAN cannot have."""

import keras
import numpy as np
import pytest
from gans import POINTS, adam, cycle_gan, image_to_image, mad_gan, small_gan
from keras import layers

from keras_dl.applications import DCGAN, MRGAN, StackGAN
from keras_dl.datasets import Batches, UnpairedBatches
from keras_dl.training import GAN

IMAGES = np.tanh(np.random.default_rng(0).normal(size=(8, 8, 8, 1)))
CLASSES = np.arange(8) % 3


@pytest.fixture(scope="module")
def conditional():
    gan = DCGAN((8, 8, 1), num_classes=3, latent_dim=4, base=2, seed=0)
    gan.compile()
    gan.fit(IMAGES, CLASSES, batch_size=4, verbose=0)
    return gan


@pytest.fixture(scope="module")
def plain():
    return DCGAN((8, 8, 1), latent_dim=4, base=2, seed=0)


def spoilt(value, dtype="int32"):
    classes = CLASSES.astype(dtype)
    classes[6] = value  # In the second batch.
    return classes


def whole(*data):
    return data


def batched(x, y):
    return (Batches(x, y, batch_size=4),)


@pytest.mark.parametrize("form", [whole, batched])
@pytest.mark.parametrize(
    ("value", "dtype"), [(5, "int32"), (-1, "int64"), (0.5, "float32")]
)
@pytest.mark.compiled("5-int32-whole", "-1-int64-batched")
def test_classes_that_there_are_not(value, dtype, form, conditional):
    before = conditional.get_weights()
    data = form(IMAGES, spoilt(value, dtype))
    rest = {"batch_size": 4} if len(data) == 2 else {}
    message = rf"`conditions` must be from 0 to 2.*{value}"
    for run in (conditional.fit, conditional.evaluate):
        with pytest.raises(ValueError, match=message):
            run(*data, **rest, verbose=0)
    if rest:  # The first batch of others was good.
        for old, new in zip(before, conditional.get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)
    assert all(np.isfinite(w).all() for w in conditional.get_weights())
    with pytest.raises(ValueError, match=message):
        conditional.generate(conditions=spoilt(value, dtype))
    with pytest.raises(ValueError, match=message):
        conditional.train_on_batch(IMAGES, spoilt(value, dtype))
    noise = conditional.sample_noise(8)
    with pytest.raises(ValueError, match=message):
        conditional.predict([noise, spoilt(value, dtype)], verbose=0)


@pytest.mark.compiled
def test_classes_of_other_kinds_are_the_same(conditional):
    noise = conditional.sample_noise(8, seed=0)
    expected = conditional.generate(conditions=CLASSES, noise=noise)
    for same in (
        list(CLASSES),
        CLASSES.astype("float32"),
        CLASSES.astype("uint8"),
        CLASSES[:, None],
        keras.ops.convert_to_tensor(CLASSES),
    ):
        found = conditional.generate(conditions=same, noise=noise)
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_classes_of_own_networks_are_known_by_their_embedding():
    def player(width, outputs):
        x, label = keras.Input((width,)), keras.Input((), dtype="int32")
        both = layers.Concatenate()([x, layers.Embedding(4, 2)(label)])
        return keras.Model([x, label], layers.Dense(outputs)(both))

    gan = GAN(player(3, 2), player(2, 1))
    with pytest.raises(ValueError, match="`conditions` must be from 0 to 3"):
        gan.fit(POINTS, np.full(16, 4), verbose=0)


def test_labels_without_classes(plain):
    message = "the generator takes none.*`num_classes`"
    for run in (plain.fit, plain.train_on_batch, plain.evaluate):
        if run == plain.evaluate:
            plain.compile()
        with pytest.raises(ValueError, match=message):
            run(IMAGES, CLASSES)
    with pytest.raises(ValueError, match=message):
        plain.generate(conditions=CLASSES)


@pytest.mark.compiled
def test_classes_without_labels(conditional):
    message = r"must hold 1 tensor\(s\), for the inputs \['label'\]"
    with pytest.raises(ValueError, match=message):
        conditional.fit(IMAGES, verbose=0)
    with pytest.raises(ValueError, match=message):
        conditional.generate(4)
    with pytest.raises(ValueError, match=message):
        conditional.predict(conditional.sample_noise(4), verbose=0)


@pytest.mark.compiled
def test_one_hot_labels(conditional):
    message = r"\(batch,\), class numbers \(`argmax` of one-hot"
    hot = np.eye(3)[CLASSES]
    with pytest.raises(ValueError, match=message):
        conditional.fit(IMAGES, hot, verbose=0)
    with pytest.raises(ValueError, match=message):
        conditional.generate(conditions=hot)


def test_images_of_another_shape(plain, conditional):
    message = r"`images` must be one tensor of shape \(batch, 8, 8, 1\)"
    for images in (IMAGES[..., 0], IMAGES[:, :4, :4], IMAGES.reshape(8, 64)):
        for gan in (plain, conditional):
            gan.compile()  # TensorFlow takes ranks that vary for unknown ones.
        with pytest.raises(ValueError, match=message):
            plain.fit(images, verbose=0)
        with pytest.raises(ValueError, match=message):
            conditional.fit(images, CLASSES, verbose=0)
    with pytest.raises(ValueError, match=r"`noise` must be.*\(batch, 4\)"):
        plain.generate(noise=np.zeros((2, 5)))
    pairs = image_to_image()
    with pytest.raises(ValueError, match=r"`x` must be.*\(batch, 2\)"):
        pairs.fit(np.zeros((4, 3)), POINTS[:4], verbose=0)
    with pytest.raises(ValueError, match=r"`y` must be.*\(batch, 2\)"):
        pairs.fit(POINTS, np.zeros((16, 3)), verbose=0)
    with pytest.raises(ValueError, match=r"`inputs` must be.*\(batch, 2\)"):
        pairs.generate(np.zeros((4, 3)))
    ways = cycle_gan()
    with pytest.raises(ValueError, match=r"`b` must be.*\(batch, 2\)"):
        ways.fit(POINTS, np.zeros((16, 3)), verbose=0)
    with pytest.raises(ValueError, match=r"`inputs` must be.*\(batch, 2\)"):
        ways.translate(np.zeros((4, 3)), inverse=True)


def test_labels_where_a_method_has_no_conditions():
    gan = MRGAN((8, 8, 1), latent_dim=4, base=2)
    with pytest.raises(ValueError, match=r"structure \(images\). Received 2"):
        gan.fit(IMAGES, CLASSES, verbose=0)
    with pytest.raises(ValueError, match=r"structure \(images\)"):
        mad_gan().fit(POINTS, POINTS, verbose=0)
    texts = StackGAN((32, 32, 1), 6, condition_dim=2, base=4, blocks=0)
    with pytest.raises(ValueError, match=r"`conditions` must.*\(batch, 6\)"):
        texts.generate(conditions=np.zeros((2, 5)))


def test_a_player_that_is_frozen():
    gan = small_gan()
    gan.discriminator.trainable = False
    message = "'discriminator' of GAN has no trainable variables"
    for run in (gan.fit, gan.train_on_batch):
        with pytest.raises(ValueError, match=message):
            run(POINTS)
    gan.evaluate(POINTS, verbose=0)
    gan.discriminator.trainable = True
    gan.compile(adam())
    gan.fit(POINTS, verbose=0)
    ways = cycle_gan()
    ways.generator.trainable = ways.inverse_generator.trainable = False
    with pytest.raises(ValueError, match="'generators' of CycleConsistentGAN"):
        ways.fit(POINTS, POINTS, verbose=0)


@pytest.mark.compiled
def test_sets_of_different_sizes():
    """As those that are to be had without pairs."""
    few, many = POINTS[:5], POINTS
    gan = cycle_gan()
    message = "Received: 5 and 16. For sets .*UnpairedBatches"
    for data in ((few, many), ((few, many),), ({"a": many[:5], "b": many},)):
        with pytest.raises(ValueError, match=message):
            gan.fit(*data, verbose=0)
    with pytest.raises(ValueError, match=message):
        gan.fit(few, few, validation_data=(few, many), verbose=0)

    def history(*spans):
        keras.utils.set_random_seed(0)
        gan = cycle_gan()
        batches = UnpairedBatches(few, many, batch_size=4, seed=1)
        losses = []
        for start, stop in spans:
            batches.epoch = start
            losses += gan.fit(
                batches,
                initial_epoch=start,
                epochs=stop,
                shuffle=False,
                verbose=0,
            ).history["d_loss"]
        return losses

    assert history((0, 2), (2, 3)) == pytest.approx(history((0, 3)), rel=1e-5)
