"""The networks of GANs: sizes of the papers, shapes, gradients, patches."""

import math

import keras
import numpy as np
import pytest
import torch
from keras import ops
from sequences import compiled, normal, numpy

from keras_dl import autodiff
from keras_dl.applications.gan.dcgan_networks import (
    dcgan_discriminator,
    dcgan_generator,
)
from keras_dl.applications.gan.patch_networks import (
    patch_discriminator,
    receptive_field,
)
from keras_dl.applications.gan.point_networks import (
    mlp_discriminator,
    mlp_generator,
)
from keras_dl.applications.gan.srgan_networks import (
    srgan_discriminator,
    srgan_generator,
)
from keras_dl.applications.gan.translation_networks import (
    resnet_generator,
    unet_generator,
)
from keras_dl.layers import InstanceNormalization

LABELS = np.array([0, 2], "int32")


def layers_of(model, kind):
    return [layer for layer in model.layers if isinstance(layer, kind)]


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: dcgan_generator((64, 64, 3)), 3_576_704),
        (lambda: dcgan_discriminator((64, 64, 3)), 2_765_568),
        (lambda: patch_discriminator((256, 256, 3)), 2_764_737),
        (lambda: resnet_generator((256, 256, 3)), 11_378_179),
    ],
    ids=["DCGAN G", "DCGAN D", "PatchGAN", "CycleGAN G"],
)
def test_parameters_of_the_papers(make, expected):
    with keras.StatelessScope():
        model = make()
        count = sum(math.prod(w.shape) for w in model.trainable_weights)
        keras.utils.clear_session()  # Else all variables would be filled.
    assert count == expected


# A small network of each kind, the shapes of its inputs and of its output.
CASES = {
    "DCGAN G": (
        lambda **k: dcgan_generator((12, 8, 3), 5, 4, **k),
        [(5,)],
        (12, 8, 3),
    ),
    "DCGAN G of classes": (
        lambda **k: dcgan_generator((8, 8, 1), 5, 4, num_classes=3, **k),
        [(5,), ()],
        (8, 8, 1),
    ),
    "DCGAN D": (
        lambda **k: dcgan_discriminator((12, 8, 3), 4, **k),
        [(12, 8, 3)],
        (1,),
    ),
    "DCGAN D of classes": (
        lambda **k: dcgan_discriminator((8, 8, 1), 4, num_classes=3, **k),
        [(8, 8, 1), ()],
        (1,),
    ),
    "critic": (
        lambda **k: dcgan_discriminator(
            (8, 8, 1), 4, normalization="layer", **k
        ),
        [(8, 8, 1)],
        (1,),
    ),
    "points G": (lambda **k: mlp_generator(5, 2, (4, 3), **k), [(5,)], (2,)),
    "points D": (
        lambda **k: mlp_discriminator(2, (4, 3), 6, **k),
        [(2,)],
        (6,),
    ),
    "PatchGAN": (
        lambda **k: patch_discriminator((16, 16, 1), 2, 1, **k),
        [(16, 16, 1)],
        (6, 6, 1),
    ),
    "PatchGAN, conditional": (
        lambda **k: patch_discriminator(
            (16, 16, 1), 2, 1, (16, 16, 3), normalization="batch", **k
        ),
        [(16, 16, 1), (16, 16, 3)],
        (6, 6, 1),
    ),
    "CycleGAN G": (
        lambda **k: resnet_generator((8, 12, 3), 1, 2, **k),
        [(8, 12, 3)],
        (8, 12, 3),
    ),
    "U-Net": (
        lambda **k: unet_generator((8, 16, 1), 3, 2, depth=3, **k),
        [(8, 16, 1)],
        (8, 16, 3),
    ),
    "SRGAN G": (
        lambda **k: srgan_generator(4, 1, 2, **k),
        [(5, 4, 3)],
        (20, 16, 3),
    ),
    "SRGAN D": (
        lambda **k: srgan_discriminator((17, 16, 3), 2, **k),
        [(17, 16, 3)],
        (1,),
    ),
}


def inputs_of(shapes):
    found = [normal(2, *shape, seed=i) for i, shape in enumerate(shapes)]
    found = [LABELS if x.ndim == 1 else x for x in found]
    return found if len(found) > 1 else found[0]


@pytest.mark.parametrize("case", CASES)
def test_shapes_and_gradients(case):
    """Every parameter gets a gradient."""
    make, shapes, expected = CASES[case]
    model, inputs = make(), inputs_of(shapes)
    target = normal(2, *expected, seed=9)
    outputs = []

    def loss():
        outputs.append(model(inputs, training=True))
        return ops.sum(outputs[-1] * ops.convert_to_tensor(target))

    def gradients():
        return autodiff.variable_gradients(loss, model.trainable_variables)[1]

    found = numpy(compiled(model, gradients)())
    assert tuple(outputs[-1].shape) == (2, *expected)
    assert model.compute_output_shape(
        [(None, *shape) for shape in shapes]
        if len(shapes) > 1
        else (None, *shapes[0])
    ) == (None, *expected)
    for variable, slope in zip(model.trainable_variables, found, strict=True):
        assert np.isfinite(slope).all()
        assert np.abs(slope).max() > 0, variable.path


@pytest.mark.parametrize("case", CASES)
def test_dtype_policies(case):
    """Every layer has it, but those whose output goes out."""
    make = CASES[case][0]
    with keras.StatelessScope():
        model = make(dtype="mixed_bfloat16", name="mine")
        keras.utils.clear_session()
    assert model.name == "mine" and model.outputs[0].dtype == "float32"
    inside = [x for x in model.layers if type(x) is not keras.layers.InputLayer]
    full = [x for x in inside if x.compute_dtype == "float32"]
    # The vectors of classes, and the sum that the logit is, are not rounded.
    more = {"DCGAN D of classes": 4, "DCGAN G of classes": 1}.get(case, 0)
    assert full[-1] is model.layers[-1] and len(full) == 1 + more


@pytest.mark.parametrize(
    "case", ["DCGAN D of classes", "CycleGAN G", "U-Net", "SRGAN G"]
)
def test_half_precision_and_files(case, tmp_path):
    make, shapes, expected = CASES[case]
    inputs, model = inputs_of(shapes), make(dtype="mixed_bfloat16")
    found = model.predict(inputs, verbose=0)
    assert found.dtype == "float32" and found.shape == (2, *expected)
    assert np.isfinite(found).all()
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(inputs, verbose=0), found)


@pytest.mark.parametrize(
    ("side", "maps"),
    [
        (8, [2, 4, 8]),
        (28, [7, 14, 28]),
        (32, [4, 8, 16, 32]),
        (48, [6, 12, 24, 48]),
        (64, [4, 8, 16, 32, 64]),
        (128, [4, 8, 16, 32, 64, 128]),
    ],
)
def test_maps_of_images_of_any_size(side, maps):
    with keras.StatelessScope():
        up = dcgan_generator((side, side, 1), base=2)
        down = dcgan_discriminator((side, side, 1), base=2)
        keras.utils.clear_session()
    kinds = (keras.layers.Reshape, keras.layers.Conv2DTranspose)
    shapes = [layer.output.shape for layer in layers_of(up, kinds)]
    assert [shape[1] for shape in shapes] == maps
    widths = [min(2 * 2**i, 16) for i in range(len(maps) - 1)]
    assert [shape[-1] for shape in shapes] == [*reversed(widths), 1]
    shapes = [x.output.shape for x in layers_of(down, keras.layers.Conv2D)]
    assert [shape[1] for shape in shapes] == maps[-2::-1]
    assert [shape[-1] for shape in shapes] == widths


def test_weights_begin_as_published():
    model = dcgan_discriminator((16, 16, 3), base=64)
    for weight in model.trainable_weights:
        (value,) = numpy(weight)
        if weight.name == "beta":
            assert not value.any()
        else:
            assert value.mean() == pytest.approx(
                float(weight.name == "gamma"), abs=6e-3
            )
            assert value.std() == pytest.approx(0.02, rel=0.25)
    # No two kernels of one shape are alike.
    blocks = resnet_generator((8, 8, 1), 2, 2)
    kernels = [
        w for w in numpy(blocks.trainable_weights) if w.shape[-2:] == (8, 8)
    ]
    assert len(kernels) == 4
    assert len({kernel.tobytes() for kernel in kernels}) == 4


def test_images_are_in_range():
    model = dcgan_generator((8, 8, 1), 5, 4)
    model.layers[-1].kernel.assign(normal(*model.layers[-1].kernel.shape))
    (found,) = numpy(model(100 * normal(4, 5)))
    assert 0.9 < np.abs(found).max() <= 1 and found.min() < 0


@pytest.mark.parametrize("normalization", ["layer", "instance", None])
def test_a_critic_sees_each_image_by_itself(normalization):
    options = {"base": 4, "normalization": normalization}
    critic = dcgan_discriminator((8, 8, 1), **options)
    x = normal(4, 8, 8, 1)
    whole, alone = numpy(
        [critic(x, training=True), critic(x[:1], training=True)]
    )
    np.testing.assert_allclose(whole[:1], alone, atol=1e-6)
    biases = [w for w in critic.weights if w.name == "bias"]
    assert len(biases) == (3 if normalization is None else 0)


def test_layer_normalization_is_over_all_of_an_image():
    critic = dcgan_discriminator((8, 8, 1), 4, normalization="layer")
    (norm,) = layers_of(critic, keras.layers.GroupNormalization)
    inner = keras.Model(critic.inputs[0], norm.output)
    (y,) = numpy(inner(100 * normal(3, 8, 8, 1)))
    np.testing.assert_allclose(y.mean(axis=(1, 2, 3)), 0, atol=1e-4)
    np.testing.assert_allclose(y.std(axis=(1, 2, 3)), 1, atol=1e-2)
    assert np.abs(y.mean(axis=(1, 2))).max() > 0.05
    assert [w.shape for w in norm.weights] == [(8,), (8,)]


@pytest.mark.parametrize("case", CASES)
def test_slopes(case):
    """Those of leaky ReLUs are 0.2; learned ones begin with 0.25."""
    with keras.StatelessScope():
        model = CASES[case][0]()
        keras.utils.clear_session()
    for layer in model.layers:
        if isinstance(layer, keras.layers.LeakyReLU):
            assert layer.negative_slope == pytest.approx(0.2)
        elif isinstance(layer, keras.layers.PReLU):
            assert layer.alpha_initializer.value == 0.25


def test_classes_make_a_difference():
    x = normal(2, 8, 8, 1)
    judge = dcgan_discriminator((8, 8, 1), 4, num_classes=3)
    make = dcgan_generator((8, 8, 1), 5, 4, num_classes=3)
    for model, inputs in ((judge, x), (make, normal(2, 5))):
        one, other = numpy(
            [model([inputs, labels]) for labels in (LABELS, LABELS[::-1])]
        )
        assert np.abs(one - other).max() > 1e-6


def test_the_logit_of_a_class_is_a_projection():
    """It has the product of the class's vector and the mean of the last map."""
    model = dcgan_discriminator((8, 8, 1), 4, num_classes=3)
    (embedding,) = layers_of(model, keras.layers.Embedding)
    vectors = normal(3, 8)
    embedding.embeddings.assign(vectors)
    pool = layers_of(model, keras.layers.GlobalAveragePooling2D)[0]
    inner = keras.Model(model.inputs[0], pool.input)
    x = normal(2, 8, 8, 1)
    maps, logits = numpy([inner(x), model([x, LABELS])])
    embedding.embeddings.assign(0 * vectors)
    (without,) = numpy(model([x, LABELS]))
    expected = np.sum(maps.mean(axis=(1, 2)) * vectors[LABELS], axis=-1)
    np.testing.assert_allclose((logits - without)[:, 0], expected, atol=1e-5)


def test_receptive_field():
    patch = patch_discriminator((None, None, 3), base=1)
    assert patch.output_shape == (None, None, None, 1)
    assert receptive_field(patch) == 70
    assert receptive_field([(4, 2)] * 3 + [(4, 1)] * 2) == 70
    assert receptive_field([]) == 1
    chain = keras.Sequential(
        [
            keras.Input((32, 32, 1)),
            keras.layers.Conv2D(1, 3, dilation_rate=2),
            keras.layers.MaxPooling2D(2),
            keras.layers.Conv2D(1, 3),
        ]
    )
    assert receptive_field(chain) == 5 + 1 + 2 * 2
    with pytest.raises(ValueError, match="must make maps smaller"):
        receptive_field(dcgan_generator((8, 8, 1), base=1))


@pytest.mark.parametrize(("layers", "expected"), [(1, 16), (2, 34), (3, 70)])
def test_pixels_that_one_logit_sees(layers, expected):
    model = patch_discriminator(
        (96, 96, 1), base=2, layers=layers, normalization=None
    )
    for weight in model.trainable_weights:
        weight.assign(normal(*weight.shape) / 4)

    def logit(x):
        y = model(x)
        return y[0, y.shape[1] // 2, y.shape[2] // 2, 0]

    x = normal(1, 96, 96, 1)
    (slope,) = numpy(compiled(model, autodiff.grad(logit))(x))
    rows, columns = np.nonzero(slope[0, :, :, 0])
    assert rows.max() - rows.min() + 1 == expected
    assert columns.max() - columns.min() + 1 == expected
    assert receptive_field(model) == expected


def test_patches_of_256_pixels():
    with keras.StatelessScope():
        patch = patch_discriminator((256, 256, 3), base=1)
        keras.utils.clear_session()
    assert patch.output_shape == (None, 30, 30, 1)
    norms = layers_of(patch, InstanceNormalization)
    assert len(norms) == 3 and not any(layer.weights for layer in norms)


def test_biases_before_statistics_of_the_batch_are_left_out():
    patch = patch_discriminator((32, 32, 3), 2, normalization="batch")
    convolutions = layers_of(patch, keras.layers.Conv2D)
    biases = [layer.use_bias for layer in convolutions]
    assert biases == [True, False, False, False, True]


def torch_resnet(model):
    """CycleGAN's generator with one block in torch, with our weights."""
    nn = torch.nn

    def normed(*layers):
        width = layers[-1].out_channels
        return [*layers, nn.InstanceNorm2d(width), nn.ReLU()]

    class Residual(nn.Sequential):
        def forward(self, x):
            return x + super().forward(x)

    def padded():
        return [nn.ReflectionPad2d(1), nn.Conv2d(8, 8, 3)]

    peer = nn.Sequential(
        *normed(nn.ReflectionPad2d(3), nn.Conv2d(3, 2, 7)),
        *normed(nn.Conv2d(2, 4, 3, 2, 1)),
        *normed(nn.Conv2d(4, 8, 3, 2, 1)),
        Residual(*normed(*padded()), *padded(), nn.InstanceNorm2d(8)),
        *normed(nn.ConvTranspose2d(8, 4, 3, 2, 1, output_padding=1)),
        *normed(nn.ConvTranspose2d(4, 2, 3, 2, 1, output_padding=1)),
        nn.ReflectionPad2d(3),
        nn.Conv2d(2, 3, 7),
        nn.Tanh(),
    )
    ours = numpy(model.trainable_weights)
    with torch.no_grad():
        for theirs, value in zip(peer.parameters(), ours, strict=True):
            if value.ndim == 4:
                value = value.transpose(3, 2, 0, 1)
            theirs.copy_(torch.tensor(value))
    return peer


def test_generator_of_cyclegan_in_torch():
    """Down and up cut off the same edges as there."""
    model = resnet_generator((8, 12, 3), 1, 2)
    for i, weight in enumerate(model.trainable_weights):
        weight.assign(normal(*weight.shape, seed=i))
    x = normal(2, 8, 12, 3)
    with torch.no_grad():
        expected = torch_resnet(model)(torch.tensor(x).permute(0, 3, 1, 2))
    (found,) = numpy(model(x))
    np.testing.assert_allclose(
        found, expected.permute(0, 2, 3, 1).numpy(), atol=1e-3
    )


def set_weights(model):
    """Gives a model weights far from those it begins with, as torch's too."""
    for i, weight in enumerate(model.trainable_weights):
        weight.assign(normal(*weight.shape, seed=i) / 3)
    return [
        torch.tensor(w.transpose(3, 2, 0, 1) if w.ndim == 4 else w)
        for w in numpy(model.trainable_weights)
    ]


def test_unet_in_torch():
    """What comes across is the map of the way down, before its ReLU."""
    options = {"normalization": None, "dropout": 0.0}
    model = unet_generator((8, 16, 1), 3, 2, depth=3, **options)
    w, f = set_weights(model), torch.nn.functional
    x = normal(2, 8, 16, 1)
    a = f.conv2d(torch.tensor(x).permute(0, 3, 1, 2), *w[:2], 2, 1)
    b = f.conv2d(f.leaky_relu(a, 0.2), *w[2:4], 2, 1)
    y = f.conv2d(f.leaky_relu(b, 0.2), *w[4:6], 2, 1)
    y = f.conv_transpose2d(y.relu(), *w[6:8], 2, 1)
    y = f.conv_transpose2d(torch.cat([y, b], 1).relu(), *w[8:10], 2, 1)
    y = f.conv_transpose2d(torch.cat([y, a], 1).relu(), *w[10:], 2, 1)
    (found,) = numpy(model(x))
    expected = y.tanh().permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_generator_of_srgan_in_torch():
    """Without blocks: the way past them, and the larger image."""
    model = srgan_generator(2, 0, 2)
    w, f = set_weights(model), torch.nn.functional
    x = normal(2, 5, 4, 3)
    first = f.conv2d(torch.tensor(x).permute(0, 3, 1, 2), *w[:2], padding=4)
    first = f.prelu(first, w[2].flatten())
    y = f.conv2d(first, w[3], padding=1)
    y = first + f.batch_norm(y, torch.zeros(2), torch.ones(2), *w[4:6])
    y = f.pixel_shuffle(f.conv2d(y, *w[6:8], padding=1), 2)
    y = f.conv2d(f.prelu(y, w[8].flatten()), *w[9:], padding=4)
    (found,) = numpy(model(x))
    expected = y.permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_residual_generator_of_srgan_in_torch():
    """First the enlarged image alone; then what it lacks is added."""
    model = srgan_generator(4, 1, 2, residual=True)
    plain = srgan_generator(4, 1, 2)
    x = np.abs(np.tanh(normal(2, 5, 4, 3)))
    enlarged = 2 * torch.tensor(x).permute(0, 3, 1, 2) - 1
    enlarged = torch.nn.functional.interpolate(
        enlarged, scale_factor=4, mode="bilinear"
    )
    expected = enlarged.permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(numpy(model(x))[0], expected, atol=1e-5)
    set_weights(plain)
    model.set_weights(plain.get_weights())
    difference = numpy(model(x))[0] - numpy(plain(x))[0]
    np.testing.assert_allclose(difference, expected, atol=1e-3)


def test_contrast_passes_batch_but_not_instance_normalization():
    """Of an image and a less contrasty one."""
    x = np.tanh(normal(1, 16, 16, 1))
    moved = {}
    for kind in ("instance", "batch"):
        model = resnet_generator((16, 16, 1), 1, 4, normalization=kind)
        one, other = numpy([model(x), model(0.3 * x)])
        moved[kind] = np.abs(one - other).mean() / np.abs(one).mean()
    assert moved["instance"] < 0.1
    assert moved["batch"] > 0.5


def test_noise_of_the_unet_is_dropout():
    model = unet_generator((8, 8, 1), 1, 4, depth=3, normalization=None)
    for weight in model.trainable_weights:
        weight.assign(normal(*weight.shape) / 3)
    x = normal(1, 8, 8, 1)
    plain, again, one, other = numpy(
        [model(x), model(x), model(x, training=True), model(x, training=True)]
    )
    np.testing.assert_array_equal(plain, again)
    assert np.abs(one - other).max() > 1e-3
    assert len(layers_of(model, keras.layers.Dropout)) == 2
    none = unet_generator((8, 8, 1), 1, 4, depth=3, dropout=0)
    assert not layers_of(none, keras.layers.Dropout)


def test_maps_of_the_unet():
    """Down to one pixel; what goes across has the size of what it meets."""
    with keras.StatelessScope():
        model = unet_generator((256, 256, 3), 3, base=2)
        keras.utils.clear_session()
    assert model.output_shape == (None, 256, 256, 3)
    down = [x.output.shape[1:] for x in layers_of(model, keras.layers.Conv2D)]
    assert [shape[0] for shape in down] == [128, 64, 32, 16, 8, 4, 2, 1]
    assert [shape[-1] for shape in down] == [2, 4, 8] + [16] * 5
    joined = layers_of(model, keras.layers.Concatenate)
    assert [x.output.shape[-1] for x in joined] == [32] * 4 + [16, 8, 4]
    norms = layers_of(model, keras.layers.BatchNormalization)
    assert len(norms) == 6 + 7
    assert len(layers_of(model, keras.layers.Dropout)) == 3


def test_larger_images_of_any_size():
    model = srgan_generator(2, 1, 2, channels=1)
    assert model.input_shape == (None, None, None, 1)
    for height, width in ((3, 5), (8, 4)):
        found = model.predict(normal(1, height, width, 1), verbose=0)
        assert found.shape == (1, 2 * height, 2 * width, 1)
    # Not cut to a range.
    last = model.layers[-1]
    last.bias.assign([5.0])
    assert model.predict(normal(1, 3, 5, 1), verbose=0).max() > 2


def test_points():
    tall = mlp_generator(4, 2, (), kernel_initializer="ones")
    (found,) = numpy(tall(np.ones((1, 4))))
    np.testing.assert_allclose(found, [[4, 4]])
    normed = mlp_generator(4, 2, (8, 8), batch_norm=True)
    norms = layers_of(normed, keras.layers.BatchNormalization)
    assert len(norms) == 2
    start = keras.initializers.Orthogonal(0.8)
    drawn = mlp_discriminator(8, (8, 8), 1, "tanh", start)
    kernels = [w for w in numpy(drawn.trainable_weights) if w.shape == (8, 8)]
    for kernel in kernels:
        np.testing.assert_allclose(
            kernel @ kernel.T, 0.64 * np.eye(8), atol=1e-5
        )
    assert np.abs(kernels[0] - kernels[1]).max() > 0.1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: dcgan_generator((30, 32, 1)), "multiples of 4"),
        (
            lambda: dcgan_generator((4, 4, 1)),
            "`image_shape` must be multiples of 4, int",
        ),
        (lambda: dcgan_generator((32, 32)), "`image_shape` must be .height"),
        (lambda: dcgan_generator(32), "`image_shape` must be .height"),
        (lambda: dcgan_generator((32, 32, 0)), "`image_shape` must be"),
        (lambda: dcgan_generator((8, 8, 1), 0), "`latent_dim` must be"),
        (lambda: dcgan_generator((8, 8, 1), base=0), "`base` must be"),
        (
            lambda: dcgan_discriminator((8, 8, 1), num_classes=1),
            "`num_classes` must be",
        ),
        (
            lambda: dcgan_discriminator((8, 8, 1), normalization="group"),
            "`normalization` must be",
        ),
        (lambda: dcgan_discriminator((8, None, 1)), "`image_shape` must be"),
        (lambda: mlp_generator(0, 2), "`latent_dim` must be"),
        (lambda: mlp_generator(1, 2, 3), "`units` must be"),
        (lambda: mlp_discriminator(2, num_outputs=0), "`num_outputs` must be"),
        (lambda: patch_discriminator((8, 8, 1), layers=0), "`layers` must be"),
        (
            lambda: patch_discriminator((8, 8, 1), condition_shape=(16, 8, 1)),
            "`condition_shape` must have the height",
        ),
        (lambda: resnet_generator((10, 8, 3)), "multiples of 4"),
        (lambda: resnet_generator((8, 8, 3), -1), "`blocks` must be"),
        (
            lambda: resnet_generator((8, 8, 3), normalization=None),
            "`normalization` must be 'instance' or 'batch'",
        ),
        (lambda: unet_generator((64, 128, 3), 3), "multiples of 256"),
        (lambda: unet_generator((8, 8, 3), 3, depth=1), "`depth` must be"),
        (
            lambda: unet_generator((8, 8, 3), 3, depth=3, dropout=1),
            "`dropout` must be",
        ),
        (lambda: srgan_generator(3), "`scale` must be a power of 2"),
        (lambda: srgan_generator(1), "`scale` must be"),
        (lambda: srgan_discriminator((None, 8, 3)), "`image_shape` must be"),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
