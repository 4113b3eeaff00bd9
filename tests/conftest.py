"""Settings of the test run: one backend per process, chosen from outside."""

import gc
import os

# Compiling takes most of the time of small tests on JAX and TensorFlow; what
# is compiled with less effort is compared with the same oracles. The older
# emitters of fused operations take a third less. `make test-all` does without.
QUICK = os.environ.get("KERAS_DL_TEST_FLAGS") != "default"
if QUICK:
    os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras  # noqa: E402
import pytest  # noqa: E402

from keras_dl import backend  # noqa: E402

if QUICK and keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options(
        {"disable_meta_optimizer": True}
    )

# `backends_agree` and `--backends`; lanes and `--lane`.
pytest_plugins = ["keras_dl.testing.plugin", "lane_plugin"]


def pytest_report_header():
    """Says which backend runs."""
    return f"backend: {keras.backend.backend()}, keras {keras.__version__}"


def pytest_sessionfinish():
    """Looks once for garbage in all that frameworks keep, while pytest listens.

    It would itself do so five times at its end, which took minutes.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="module")
def little_memory():
    """Lets go of what a file has compiled, before the next one begins."""
    yield
    gc.collect()
    backend.forget_compiled()


def pytest_collection_finish():
    """What is imported stays: without it, looking for garbage is quick.

    The old is looked at behind each file, by `little_memory`, and not besides:
    among all that frameworks keep, it took a tenth of the time.
    """
    gc.freeze()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, 1000)


@pytest.fixture(autouse=True)
def seeded():
    """Makes each test start from the same names and random numbers."""
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(0)
