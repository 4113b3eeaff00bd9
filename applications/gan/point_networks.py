"""Generators and discriminators of points, with dense layers."""

import keras

from keras_dl.applications.bases.supervised import check_units
from keras_dl.applications.gan._parts import Parts, through
from keras_dl.checks import check_integer


def mlp_generator(
    latent_dim,
    output_dim,
    units=(128, 128),
    activation="relu",
    batch_norm=False,
    kernel_initializer="glorot_uniform",
    dtype=None,
    name="generator",
):
    """Points from noise, through dense layers.

    Args:
        latent_dim: Length of the noise.
        output_dim: Length of the points; any values.
        units: Integers, the widths of the hidden layers.
        activation: Activation of the hidden layers.
        batch_norm: Whether each is followed by batch normalization, before
            its activation.
        kernel_initializer: Initializer of the kernels.
        dtype: Dtype policy; the points are in the dtype of its variables.
        name: Name of the model.

    Returns:
        A `keras.Model`, built: `(batch, latent_dim)` to
        `(batch, output_dim)`.

    Raises:
        ValueError: If an argument is not allowed.
    """
    return _dense_network(
        ("latent_dim", latent_dim, "latent"),
        ("output_dim", output_dim),
        units,
        activation,
        batch_norm,
        kernel_initializer,
        dtype,
        name,
    )


def mlp_discriminator(
    input_dim,
    units=(128, 128),
    num_outputs=1,
    activation="leaky_relu",
    kernel_initializer="glorot_uniform",
    dtype=None,
    name="discriminator",
):
    """Logits for points, through dense layers; a critic as well.

    Args:
        input_dim: Length of the points.
        units: Integers, the widths of the hidden layers.
        num_outputs: Number of logits.
        activation: Activation of the hidden layers; a leaky ReLU with a slope
            of 0.2 by default.
        kernel_initializer: Initializer of the kernels.
        dtype: Dtype policy; the logits are in the dtype of its variables.
        name: Name of the model.

    Returns:
        A `keras.Model`, built: `(batch, input_dim)` to
        `(batch, num_outputs)`.

    Raises:
        ValueError: If an argument is not allowed.
    """
    return _dense_network(
        ("input_dim", input_dim, "point"),
        ("num_outputs", num_outputs),
        units,
        activation,
        False,
        kernel_initializer,
        dtype,
        name,
    )


def _dense_network(
    source, target, units, activation, batch_norm, initializer, dtype, name
):
    """A model of dense layers; `source`, `target`: arguments and values."""
    size = check_integer(*source[:2], 1)
    outputs = check_integer(*target, 1)
    activation = keras.activations.get(activation)
    initializer = keras.initializers.get(initializer)
    parts = Parts(dtype, "batch" if batch_norm else None)
    inputs = keras.Input((size,), name=source[2])
    x = inputs
    for width in check_units("units", units):
        dense = keras.layers.Dense(
            width,
            use_bias=not batch_norm,
            kernel_initializer=initializer.clone(),
            dtype=parts.dtype,
        )
        activate = keras.layers.Activation(activation, dtype=parts.dtype)
        x = through(x, [dense, *parts.norm(), activate])
    last = keras.layers.Dense(
        outputs, kernel_initializer=initializer.clone(), dtype=parts.exact
    )
    return keras.Model(inputs, last(x), name=name)
