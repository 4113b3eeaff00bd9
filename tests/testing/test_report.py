import numpy as np
import pytest

from keras_dl.testing import (
    Case,
    Report,
    assert_backends_agree,
    compare_backends,
    installed_backends,
)
from keras_dl.testing.report import difference, make_report
from keras_dl.testing.worker import load_case


def results(**changes):
    tensors = {"small": np.float32([1.0, -2.0]), "large": np.float32([100.0])}
    other = {name: tensors[name] + changes.get(name, 0.0) for name in tensors}
    return {"jax": (tensors, 0.001), "torch": (other, 0.002)}


def test_worst_comes_first_relative_to_the_largest_entry():
    report = make_report(results(small=0.5, large=1.0), "jax")
    assert isinstance(report, Report)
    assert [row.name for row in report.rows] == ["small", "large"]
    assert [row.worst for row in report.rows] == pytest.approx([0.25, 0.01])
    assert report.worst == pytest.approx(0.25)
    lines = str(report).splitlines()
    assert lines[4] == "| small | 2 | 2 | 2.5e-01 |"
    assert "  torch: 2.00 ms" in lines


def test_equal_is_zero():
    assert make_report(results(), "jax").worst == 0.0


@pytest.mark.parametrize(
    ("actual", "expected", "gap"),
    [
        ([np.nan], [1.0], np.inf),
        ([np.nan], [np.nan], 0.0),
        ([np.inf], [np.inf], 0.0),
        ([np.inf], [1.0], np.inf),
        ([0.5], [0.0], 0.5),
        ([1, 2], [1], np.inf),
        ([], [], 0.0),
    ],
)
def test_difference(actual, expected, gap):
    assert difference(np.array(actual), np.array(expected)) == gap


def test_other_tensors_are_refused():
    broken = results()
    broken["torch"][0]["more"] = np.zeros(1)
    with pytest.raises(ValueError, match="more"):
        make_report(broken, "jax")


def test_this_backend_is_installed():
    import keras

    assert keras.backend.backend() in installed_backends()


def test_errors():
    with pytest.raises(ValueError, match=r"`backends`.*'theano'"):
        compare_backends("module:case", backends="theano")
    with pytest.raises(ValueError, match="at least two.*Received: .'torch'"):
        compare_backends("module:case", backends="torch")
    with pytest.raises(ValueError, match="'json' has no such function"):
        load_case("json:nothing")
    with pytest.raises(TypeError, match="Received: 'os:getcwd', which.*a str"):
        load_case("os:getcwd")
    with pytest.raises(ValueError, match="module:function"):
        compare_backends("module")
    with pytest.raises(ValueError, match="top of its module"):
        assert_backends_agree(lambda: None)
    with pytest.raises(TypeError, match="subject"):
        Case("layer", inputs=np.zeros(1))
    with pytest.raises(ValueError, match="steps"):
        Case(print, inputs=np.zeros(1), steps=-1)
