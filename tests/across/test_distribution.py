"""The same trainer, distributed, gives the losses of a single device."""

import pathlib
import socket

import pytest
from processes import losses, start

SCRIPT = pathlib.Path(__file__).with_name("distributed.py")
TWO_DEVICES = "--xla_force_host_platform_device_count=2"


@pytest.fixture(scope="module")
def jax():
    """Losses of one device, and of two."""
    return losses(
        start(SCRIPT, "jax", "two_devices_of_jax", XLA_FLAGS=TWO_DEVICES)
    )


def assert_same(actual, expected):
    assert set(actual) == set(expected)
    for name, values in expected.items():
        assert actual[name] == pytest.approx(values, rel=1e-4, abs=1e-5), name


def test_the_loss_moves(jax):
    alone = jax["alone"]
    assert alone["mse"][2] < alone["mse"][0]
    assert {"val_mse", "val_mae", "d_loss"} <= set(alone)


def test_two_devices_of_jax(jax):
    assert_same(jax["distributed"], jax["alone"])


def test_two_processes_of_jax(jax):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    processes = [
        start(SCRIPT, "jax", "two_processes_of_jax", process, port)
        for process in ("0", "1")
    ]
    for process in processes:
        assert_same(losses(process)["distributed"], jax["alone"])


def test_two_replicas_of_tensorflow():
    process = start(SCRIPT, "tensorflow", "mirrored", TF_CPP_MIN_LOG_LEVEL="2")
    found = losses(process)
    assert_same(found["distributed"], found["alone"])
