"""VGG16 against keras.applications', and what its features and maps say."""

import h5py
import keras
import numpy as np
import pytest
from keras import ops

from keras_dl.applications import VGG16, ImageNetPixels
from keras_dl.callbacks import draw_class_activation
from keras_dl.models import features
from keras_dl.testing import check_layer

IMAGES = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3))
IMAGES = IMAGES.astype("float32")
SMALL = {"num_outputs": 3, "dense_units": (5,)}


def built(**changes):
    model = VGG16(**{**SMALL, **changes})
    model.build((None, 32, 32, 3))
    return model


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return built(normalizer=keras.layers.Rescaling(1 / 255))


def numpy(tensors):
    return keras.tree.map_structure(ops.convert_to_numpy, tensors)


def body():
    """That of keras.applications' network, with its own weights."""
    return keras.applications.VGG16(
        include_top=False, weights=None, input_shape=(32, 32, 3)
    )


def write_as_published(model, path):
    """Layers by name at the top of the file, and nothing but weights."""
    whole = path.with_name("whole.h5")
    model.save(whole)
    with h5py.File(whole) as source, h5py.File(path, "w") as target:
        weights = source["model_weights"]
        for name in weights:
            weights.copy(name, target)
        for name, value in weights.attrs.items():
            target.attrs[name] = value


def test_parameters_of_the_paper():
    with keras.StatelessScope():
        model = VGG16()
        model.build((None, 224, 224, 3))
        count = model.count_params()
        keras.utils.clear_session()  # Else all variables would be filled.
    assert count == 138_357_544


def test_names_and_shapes_are_those_of_keras():
    with keras.StatelessScope():
        peer = keras.applications.VGG16(weights=None)
        expected = {x.name: x.count_params() for x in peer.layers[1:]}
        model = VGG16(dropout=0.0)
        model.build((None, 224, 224, 3))
        found = {x.name: x.count_params() for x in model.chain}
        keras.utils.clear_session()
    assert found == expected


@pytest.mark.parametrize("suffix", [".weights.h5", ".h5"])
def test_reads_the_weights_of_keras(suffix, tmp_path):
    """And gives the same numbers as keras.applications, from pixels on."""
    peer = body()
    peer.set_weights([w + 0.01 for w in peer.get_weights()])
    if suffix == ".h5":
        write_as_published(peer, tmp_path / "a.h5")
    else:
        peer.save_weights(tmp_path / "a.weights.h5")
    ours = built(normalizer="imagenet")
    before = ours.chain[-1].get_weights()
    ours.load_keras_weights(tmp_path / f"a{suffix}", top=False)
    pixels = keras.applications.vgg16.preprocess_input(IMAGES.copy())
    expected = numpy(peer(pixels))
    assert np.abs(expected).max() > 1
    found = numpy(features(ours, IMAGES, ["block5_pool"]))["block5_pool"]
    np.testing.assert_allclose(
        found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max()
    )
    np.testing.assert_array_equal(before[0], ours.chain[-1].get_weights()[0])


def test_a_model_with_all_its_layers():
    x = keras.Input((32, 32, 3))
    body = keras.applications.VGG16(
        include_top=False, weights=None, input_tensor=x
    )
    y = keras.layers.Flatten(name="flatten")(body.output)
    y = keras.layers.Dense(5, "relu", name="fc1")(y)
    y = keras.layers.Dense(3, name="predictions")(y)
    peer, ours = keras.Model(x, y), built()
    ours.load_keras_weights(peer)
    images = IMAGES / 25
    np.testing.assert_allclose(
        *numpy([ours(images), peer(images)]), rtol=1e-4, atol=1e-4
    )


def test_weights_that_do_not_fit_change_nothing():
    ours = built()
    before = ours.get_weights()
    x = keras.Input((32, 32, 3))
    y = keras.applications.VGG16(False, None, x).output
    y = keras.layers.Flatten(name="flatten")(y)
    y = keras.layers.Dense(5, name="fc1")(y)
    wrong = keras.layers.Dense(4, name="predictions")(y)
    few = keras.layers.Dense(3, use_bias=False, name="predictions")(y)
    for outputs, shapes in ((wrong, r"5, 4\)"), (few, r"5, 3\)\]")):
        with pytest.raises(ValueError, match=f"'predictions' has.*{shapes}"):
            ours.load_keras_weights(keras.Model(x, outputs))
    with pytest.raises(ValueError, match="lacks 'predictions'"):
        ours.load_keras_weights(keras.Model(x, y))
    with pytest.raises(FileNotFoundError, match="no file"):
        ours.load_keras_weights("there_is_none.h5")
    for one, other in zip(before, ours.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match="built=False"):
        VGG16(**SMALL).load_keras_weights("a.h5")
    with pytest.raises(ValueError, match="batch_norm=True"):
        built(batch_norm=True).load_keras_weights("a.h5")


def test_pixels_of_imagenet():
    expected = keras.applications.vgg16.preprocess_input(IMAGES.copy())
    np.testing.assert_allclose(
        numpy(ImageNetPixels()(IMAGES)), expected, atol=1e-4
    )
    check_layer(ImageNetPixels, inputs=IMAGES)


def test_features_by_name(model):
    names = ["fc1", "block2_conv1", "block2_pool"]
    found = numpy(features(model, IMAGES, names))
    assert list(found) == names
    assert found["block2_conv1"].shape == (2, 16, 16, 128)
    assert found["block2_pool"].shape == (2, 8, 8, 128)
    assert found["fc1"].shape == (2, 5)
    assert min(x.min() for x in found.values()) >= 0
    for name in names:
        np.testing.assert_allclose(
            numpy(model.after(found[name], name)),
            numpy(model(IMAGES)),
            rtol=1e-4,
            atol=1e-5,
        )
    with pytest.raises(ValueError, match="no sublayer 'block9_conv1'"):
        features(model, IMAGES, ["block9_conv1"])
    with pytest.raises(ValueError, match="`name` must be that of a layer"):
        model.after(found["fc1"], "block9_conv1")


def test_no_layer_runs_behind_the_last_feature(model, monkeypatch):
    def fail(*args, **kwargs):
        raise AssertionError

    monkeypatch.setattr(model.chain[-1], "call", fail)
    features(model, IMAGES, ["block1_conv1"], stop=True)
    with pytest.raises(AssertionError):
        features(model, IMAGES, ["block1_conv1"])


def test_training_mode():
    """Features and logits are told of it."""
    model = built(batch_norm=True, dropout=0.0)
    x = IMAGES / 255
    names = ["block1_conv2", "fc1"]
    usual, trained = (
        numpy(features(model, x, names, training=t)) for t in (False, True)
    )
    # Half of what has just been normalized is cut off.
    share = np.mean(trained["block1_conv2"] == 0)
    assert share == pytest.approx(0.5, abs=0.1)
    assert np.abs(usual["block1_conv2"] - trained["block1_conv2"]).max() > 0.1
    for name in names:
        np.testing.assert_allclose(
            numpy(model.after(trained[name], name, training=True)),
            numpy(model(x, training=True)),
            atol=1e-3,
        )


def test_evidence_is_where_it_was_put(model):
    """The map of a class that reads one corner alone shows that corner."""
    maps = model.class_activation(IMAGES)
    assert maps.shape == (2, 32, 32)
    assert maps.min() >= 0 and maps.max() <= 1
    black = np.zeros((1, 64, 64, 3), "float32")
    black[:, :24, :24] = 255.0
    larger = VGG16(
        2, dense_units=(), normalizer=keras.layers.Rescaling(1 / 255)
    )
    larger.build((None, 64, 64, 3))
    for layer in larger.chain[:-1]:
        if layer.weights:
            kernel, bias = layer.get_weights()
            layer.set_weights([np.abs(kernel), bias])
    head = larger.chain[-1]
    kernel, bias = head.get_weights()
    head.set_weights([np.abs(kernel) * [[1, -1]], bias])
    (found,) = larger.class_activation(black, [0], "block4_conv3")
    assert found[:24, :24].mean() > 3 * found[32:, 32:].mean()
    assert found.max() == pytest.approx(1)
    (nothing,) = larger.class_activation(black, [1], "block4_conv3")
    assert nothing.max() == 0


def test_maps_equal_those_by_hand():
    """With logits straight from the layer, the gradient is their kernel."""
    model = VGG16(3, dense_units=())
    model.build((None, 64, 96, 3))
    kernel, bias = model.chain[-1].get_weights()
    model.chain[-1].set_weights([kernel + 0.01, bias])  # Much evidence.
    pixels = np.random.default_rng(1).uniform(0, 1, (2, 64, 96, 3))
    a = numpy(features(model, pixels, ["block5_pool"]))["block5_pool"]
    kernel = model.chain[-1].get_weights()[0].reshape(2, 3, 512, 3)
    shares = kernel.mean(axis=(0, 1))[:, [1, 2]].T
    maps = np.maximum(np.einsum("bhwk,bk->bhw", a, shares), 0)
    maps = numpy(ops.image.resize(maps[..., None], (64, 96)))[..., 0]
    expected = maps / np.maximum(maps.max(axis=(1, 2), keepdims=True), 1e-30)
    found = model.class_activation(pixels, [1, 2], "block5_pool")
    assert found.max() > 0.99
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_wrong_maps(model):
    with pytest.raises(ValueError, match="`name` must be that of a layer"):
        model.class_activation(IMAGES, name="chain/3")
    with pytest.raises(ValueError, match="before 'flatten'"):
        model.class_activation(IMAGES, name="fc1")
    for classes in ([0], [0, 3]):
        with pytest.raises(ValueError, match="`classes` must be"):
            model.class_activation(IMAGES, classes)


def test_picture(model, tmp_path):
    maps = model.class_activation(IMAGES)
    path = tmp_path / "new" / "maps.png"
    figure = draw_class_activation(IMAGES, maps, path, ["one", "two"])
    assert [axes.get_title() for axes in figure.axes if axes.get_title()] == [
        "one",
        "two",
    ]
    assert path.stat().st_size > 1000
    with pytest.raises(ValueError, match="`images` must have"):
        draw_class_activation(IMAGES, maps[:1])


def test_narrow_networks_and_their_first_weights():
    model = built(
        base=8,
        kernel_initializer="he_normal",
        kernel_regularizer=keras.regularizers.L2(0.1),
        batch_norm=True,
    )
    kernels = [v for v in model.trainable_variables if v.name == "kernel"]
    filters = [kernel.shape[-1] for kernel in kernels]
    assert filters == [8, 8, 16, 16] + [32] * 3 + [64] * 6 + [5, 3]
    for kernel in kernels[7:13]:
        spread = numpy(kernel.value).std()
        assert spread == pytest.approx(
            (2 / np.prod(kernel.shape[:3])) ** 0.5, 0.05
        )
    assert len(model.losses) == len(kernels) == 15
    # Each has weights of its own.
    assert not np.array_equal(*(numpy(k.value) for k in kernels[8:10]))
    again = VGG16.from_config(model.get_config())
    assert (again.base, again.batch_norm) == (8, True)
    norms = [
        x for x in model.chain if isinstance(x, keras.layers.BatchNormalization)
    ]
    assert {norm.momentum for norm in norms} == {0.9}


@pytest.mark.parametrize("batch_norm", [False, True])
def test_learns_and_comes_back(batch_norm, tmp_path):
    """In one fit every weight moves; the file has all of it."""
    model = VGG16(
        3,
        dense_units=(16,),
        dropout=0.2,
        batch_norm=batch_norm,
        base=8,
        kernel_initializer="he_normal",
        normalizer=keras.layers.Rescaling(1 / 255),
        dtype="mixed_bfloat16" if batch_norm else "float32",
    )
    model.compile(keras.optimizers.Adam(1e-4))
    model.build((None, 32, 32, 3))
    before = model.get_weights()
    model.fit(IMAGES, np.array([0, 2]), verbose=0)
    after = model.get_weights()
    assert all(np.any(a != b) for a, b in zip(before, after, strict=True))
    logits = model(IMAGES)
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    predicted = model.predict(IMAGES, verbose=0)
    np.testing.assert_allclose(predicted.sum(axis=1), 1, atol=1e-4)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(IMAGES, verbose=0), predicted)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dense_units": 5}, "`dense_units` must be a list"),
        ({"dense_units": (0,)}, "`dense_units` must be a list"),
        ({"dropout": 1.0}, "`dropout` must be"),
        ({"num_outputs": 1}, "`num_outputs` must be"),
        ({"base": 0}, "`base` must be"),
        ({"task": "ranking"}, "`task` must be"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        VGG16(**{**SMALL, **arguments})


def test_wrong_images():
    for shape in ((None, 31, 64, 3), (None, 64, 64), (None, None, 64, 3)):
        with pytest.raises(ValueError, match="at least 32 x 32"):
            VGG16(**SMALL).build(shape)
    with pytest.raises(TypeError, match="`normalizer` must be a Keras layer"):
        VGG16(**SMALL, normalizer="mean")


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_the_pixels_of_imagenet_have_three_channels(channels):
    model = VGG16(2, base=1, dense_units=(2,), normalizer="imagenet")
    images = np.ones((1, 32, 32, channels), "float32")
    with pytest.raises(ValueError, match="of 3 channels.*Received: input_sh"):
        model.predict(images, verbose=0)
