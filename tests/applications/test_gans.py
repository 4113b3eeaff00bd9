"""Ready-made GANs: sizes, files, and that they train."""

import keras
import numpy as np
import pytest
from sequences import normal, numpy

import keras_dl
from keras_dl import applications
from keras_dl.applications import (
    DCGAN,
    MADGAN,
    MRGAN,
    SRGAN,
    VGG16,
    WGAN,
    WGANGP,
    CycleGAN,
    Pix2Pix,
    UnrolledGAN,
)
from keras_dl.losses import PerceptualLoss
from keras_dl.models import features


def images(count=8, side=8, channels=1, seed=0):
    return np.tanh(normal(count, side, side, channels, seed=seed))


SMALL = {"latent_dim": 5, "base": 2, "seed": 0}
PAIR = (images(channels=3), images(channels=3, seed=1))
# How each is made small, and what it trains on.
READY_MADE = {
    DCGAN: ({"image_shape": (8, 8, 1), **SMALL}, (images(),)),
    WGAN: (
        {"image_shape": (8, 8, 1), "discriminator_steps": 2, **SMALL},
        (images(),),
    ),
    WGANGP: (
        {"image_shape": (8, 8, 1), "discriminator_steps": 2, **SMALL},
        (images(),),
    ),
    UnrolledGAN: (
        {"image_shape": (8, 8, 1), "unrolled_steps": 1, **SMALL},
        (images(),),
    ),
    MADGAN: (
        {"image_shape": (8, 8, 1), "num_generators": 2, **SMALL},
        (images(),),
    ),
    MRGAN: ({"image_shape": (8, 8, 1), **SMALL, "manifold": True}, (images(),)),
    Pix2Pix: (
        {"image_shape": (8, 8, 3), "base": 2, "patch_layers": 1, "seed": 0},
        PAIR,
    ),
    CycleGAN: (
        {
            "image_shape": (8, 8, 3),
            "base": 2,
            "blocks": 1,
            "patch_layers": 1,
            "pool_size": 2,
            "seed": 0,
        },
        PAIR,
    ),
    SRGAN: (
        {
            "image_shape": (8, 8, 3),
            "scale": 2,
            "blocks": 1,
            "base": 2,
            "residual": True,
            "seed": 0,
        },
        (images(side=4, channels=3), PAIR[0]),
    ),
}


def compiled(kind, **kwargs):
    gan = kind(**{**READY_MADE[kind][0], **kwargs})
    gan.compile()
    return gan


@pytest.mark.parametrize("kind", READY_MADE, ids=lambda kind: kind.__name__)
@pytest.mark.compiled("DCGAN")
def test_trains_and_is_saved(kind, tmp_path):
    """The methods' own tests go on training after loading."""
    gan, data = compiled(kind), READY_MADE[kind][1]
    history = gan.fit(*data, batch_size=4, verbose=0).history
    assert all(np.isfinite(values).all() for values in history.values())
    gan.save(tmp_path / "gan.keras")
    copy = keras.models.load_model(tmp_path / "gan.keras")
    assert copy.get_config() == gan.get_config()
    for one, other in zip(
        [*gan.variables, *gan.optimizer.variables],
        [*copy.variables, *copy.optimizer.variables],
        strict=True,
    ):
        np.testing.assert_array_equal(*numpy([one, other]), one.path)


@pytest.mark.parametrize("kind", [DCGAN, WGANGP])
def test_classes(kind):
    gan = compiled(kind, num_classes=3)
    gan.fit(images(), np.arange(8) % 3, verbose=0)
    made = gan.generate(conditions=np.array([0, 1, 2, 0]))
    assert made.shape == (4, 8, 8, 1)
    assert np.abs(made).max() <= 1.0


@pytest.mark.parametrize("kind", [DCGAN, MADGAN, MRGAN])
def test_points(kind):
    gan = compiled(kind, image_shape=(2,))
    gan.fit(normal(8, 2), verbose=0)
    assert gan.generate(3, seed=0).shape == (3, 2)


def test_published_sizes():
    gan = DCGAN((64, 64, 3))
    trained = [
        sum(int(np.prod(v.shape)) for v in network.trainable_variables)
        for network in (gan.generator, gan.discriminator)
    ]
    assert trained == [3_576_704, 2_765_568]


def test_games():
    """What makes each variant what it is."""
    wgan, gp = compiled(WGAN), compiled(WGANGP)
    assert type(wgan.adversarial_loss).__name__ == "WassersteinLoss"
    assert all(
        v.constraint.limit == 0.01
        for v in wgan.discriminator.trainable_variables
    )
    assert isinstance(wgan.optimizer["discriminator"], keras.optimizers.RMSprop)
    assert [p.weight for p in gp.penalties] == [10.0]
    kinds = {type(layer).__name__ for layer in gp.discriminator.layers}
    assert "BatchNormalization" not in kinds
    assert compiled(UnrolledGAN).unrolled_steps == 1
    default = WGAN((8, 8, 1), **SMALL)
    assert (default.discriminator_steps, default.clip) == (5, 0.01)


@pytest.mark.parametrize("shape", [(2,), (16, 16, 1)])
def test_generators_share_their_first_layers(shape):
    gan = MADGAN(shape, num_generators=3, latent_dim=5, base=2, seed=0)
    alone = DCGAN(shape, latent_dim=5, base=2, seed=0).generator
    kind = (
        keras.layers.Dense if len(shape) == 1 else keras.layers.Conv2DTranspose
    )
    weighted = [layer for layer in alone.layers if isinstance(layer, kind)]
    counts = {
        name: len([x for x in one.layers if isinstance(x, kind)])
        for name, one in (("all", gan.generator), ("alone", alone))
    }
    assert counts["all"] == 1 + 3 * (len(weighted) - 1)
    outputs = gan.generator.predict(gan.sample_noise(2, seed=0), verbose=0)
    assert len(outputs) == 3
    assert not np.allclose(outputs[0], outputs[1])


def test_super_resolution_pretrains_on_pixels():
    gan = compiled(SRGAN)
    small, large = READY_MADE[SRGAN][1]
    history = gan.pretrain(small, large, epochs=8, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    gan.fit(small, large, verbose=0)
    assert gan.generate(images(2, 6, 3)).shape == (2, 12, 12, 3)


@pytest.mark.parametrize("form", ["arrays", "dataset"])
def test_super_resolution_pretrains_on_pairs_alone(form):
    gan = compiled(SRGAN)
    small, large = READY_MADE[SRGAN][1]
    before = gan.generator.get_weights()
    for x, y, message in (
        (small, None, "`y` must be one tensor .*Received: None"),
        (small, small, r"`y` must be .* of shape \(batch, 8, 8, 3\)"),
        (small[..., :1], large, "`x` must be .*, 3\\)"),
    ):
        data = (x, y) if form == "arrays" else (_Pairs(x, y),)
        with pytest.raises(ValueError, match=message):
            gan.pretrain(*data, verbose=0)
    np.testing.assert_array_equal(before[0], gan.generator.get_weights()[0])


class _Pairs(keras.utils.PyDataset):
    def __init__(self, *parts):
        super().__init__()
        self.parts = tuple(part for part in parts if part is not None)

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return self.parts


def test_super_resolution_with_features(tmp_path):
    """The features' network is frozen, and saved with the rest."""
    inputs = keras.Input((None, None, 3))
    network = keras.Model(inputs, keras.layers.Conv2D(4, 3)(inputs))
    loss = PerceptualLoss(network, scale=0.5)
    gan = compiled(SRGAN, content_loss=loss)
    before = network.get_weights()
    small, large = READY_MADE[SRGAN][1]
    gan.fit(small, large, verbose=0)
    for old, new in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    gan.save(tmp_path / "gan.keras")
    copy = keras.models.load_model(tmp_path / "gan.keras")
    np.testing.assert_array_equal(
        copy.content_loss.model.get_weights()[0], before[0]
    )
    assert copy.content_loss.scale == 0.5


def test_perceptual_loss_of_named_layers():
    keras.utils.set_random_seed(0)
    vgg = VGG16(2, dense_units=(), dropout=0.0)
    vgg.build((None, 32, 32, 3))
    names = ["block1_conv1", "block2_conv1"]
    double = keras.layers.Rescaling(2.0)
    loss = PerceptualLoss(vgg, names, double, scale=3.0)
    x, y = images(2, 32, 3), images(2, 32, 3, seed=1)
    found = [features(vgg, 2 * z, names) for z in (x, y)]
    expected = 3 * np.mean(
        [
            np.mean(
                (
                    keras.ops.convert_to_numpy(found[0][name])
                    - keras.ops.convert_to_numpy(found[1][name])
                )
                ** 2
            )
            for name in names
        ]
    )
    assert float(loss(x, y)) == pytest.approx(expected, rel=1e-4)
    assert float(loss(x, x)) == 0.0
    logits = [keras.ops.convert_to_numpy(vgg(z)) for z in (x, y)]
    of_logits = np.mean((logits[0] - logits[1]) ** 2)
    assert float(PerceptualLoss(vgg)(x, y)) == pytest.approx(of_logits, 1e-4)
    for wrong in (["block9_conv1"], []):
        with pytest.raises(ValueError, match="`layers` must name"):
            PerceptualLoss(vgg, wrong)
    with pytest.raises(ValueError, match="`model` must be"):
        PerceptualLoss(keras.Sequential())


def test_perceptual_loss_of_keras_applications():
    """Values and gradients are those of a model cut off at the layer."""
    keras.utils.set_random_seed(0)
    model = keras.applications.MobileNetV2(
        input_shape=(32, 32, 3), weights=None, alpha=0.35, classes=2
    )
    layer = model.get_layer("block_1_project_BN")
    cut = PerceptualLoss(keras.Model(model.input, layer.output), scale=9.0)
    loss = PerceptualLoss(model, ["block_1_project_BN"], scale=9.0)
    x, y = images(2, 32, 3), images(2, 32, 3, seed=1)
    look = keras_dl.compiled(
        lambda x, y: [keras_dl.value_and_grad(f)(y, x) for f in (loss, cut)]
    )
    for _ in range(3):
        (found, slope), (expected, expected_slope) = look(x, y)
    assert float(expected) > 1e-6
    np.testing.assert_allclose(*map(float, (found, expected)), rtol=1e-4)
    slope, expected_slope = map(
        keras.ops.convert_to_numpy, (slope, expected_slope)
    )
    np.testing.assert_allclose(
        slope, expected_slope, atol=1e-4 * np.abs(expected_slope).max()
    )


@pytest.mark.parametrize("side", [8, 16, 24])
def test_depth_of_the_translator_follows_from_the_side(side):
    gan = Pix2Pix((side, side, 1), base=2, patch_layers=1)
    assert gan.depth == {8: 3, 16: 4, 24: 3}[side]


SIZES = [
    (lambda: Pix2Pix((33, 33, 3)), "multiples of 4.*(33, 33, 3)"),
    (lambda: Pix2Pix((34, 34, 3)), "multiples of 4.*(34, 34, 3)"),
    (lambda: Pix2Pix((36, 36, 3), depth=3), "multiples of 8"),
    (lambda: Pix2Pix((8, 8, 3)), "at least 17 for 3 .*`patch_layers`"),
    (
        lambda: Pix2Pix(32),
        "(height, width, channels). Received: .*=32",
    ),
    (lambda: SRGAN((50, 50, 3)), "multiples of 4.*(50, 50, 3)"),
    (lambda: SRGAN((48, 31, 3), scale=2), "multiples of 2"),
    (lambda: SRGAN((48, 32, 0)), "channels in `image_shape`"),
    (lambda: CycleGAN((30, 30, 3)), "multiples of 4.*(30, 30, 3)"),
    (lambda: CycleGAN((8, 8, 3)), "at least 17 for 3"),
    (lambda: CycleGAN((None, None, 3)), "multiples of 4"),
    (lambda: DCGAN(28), "or (dim,) for points. Received: image_shape=28"),
    (lambda: DCGAN((28, 28)), "(height, width, channels)"),
    (lambda: DCGAN((28.0, 28, 1)), "integers of at least 8"),
    (lambda: MADGAN((0,)), "(dim,)"),
    (lambda: MRGAN(None), "image_shape=None"),
]


@pytest.mark.parametrize(("make", "message"), SIZES)
def test_sizes_that_cannot_be(make, message):
    message = message.replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(ValueError, match=message) as error:
        make()
    assert "image_shape" in str(error.value)


def test_the_smallest_patches():
    """17 pixels and three strided convolutions give one logit of a patch."""
    networks = keras_dl.applications.gan
    patches = networks.patch_discriminator((17, 17, 1), base=1)
    assert patches.output_shape == (None, 1, 1, 1)


def test_small_images_of_another_size():
    gan = compiled(SRGAN)
    with pytest.raises(ValueError, match=r"`x` must be.*\(batch, 4, 4, 3\)"):
        gan.fit(images(side=8, channels=3), PAIR[0], verbose=0)
    with pytest.raises(ValueError, match=r"`y` must be.*\(batch, 8, 8, 3\)"):
        gan.fit(PAIR[0], images(side=16, channels=3), verbose=0)


def test_bad_arguments():
    with pytest.raises(ValueError, match="`num_classes` is for images"):
        DCGAN((2,), num_classes=3)
    with pytest.raises(ValueError, match="`base`"):
        DCGAN((2,), base=0)
    with pytest.raises(ValueError, match="`image_shape`"):
        DCGAN((10, 10, 3))
    with pytest.raises(ValueError, match="`num_generators`"):
        MADGAN((2,), num_generators=1)
    assert set(applications.gan.__all__) >= {k.__name__ for k in READY_MADE}
