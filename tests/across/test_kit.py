"""What the kit that compares backends says of a case."""

import pytest
import trainers

from keras_dl.testing import __main__, compare, compare_backends, compare_many

# The quickest to start first: one case fails on it.
BACKENDS = ("jax", "torch")
CASE = f"{trainers.__file__}:disagreeing_case"


@pytest.fixture(scope="module")
def reports():
    cases = [trainers.dense_case, trainers.maml_case, CASE]
    return compare_many(cases, BACKENDS)


def test_a_report_holds_all_that_comes_out(reports):
    report, *_ = reports
    names = {row.name for row in report.rows}
    assert {"output", "gradient by input", "loss of step 10"} <= names
    assert sum(name.startswith("gradient by dense") for name in names) == 2
    assert sum(name.endswith("after 10 steps") for name in names) == 2
    assert all(seconds > 0 for seconds in report.seconds.values())
    worst = [row.worst for row in report.rows]
    assert worst == sorted(worst, reverse=True)


def test_twenty_steps_are_compared(reports):
    names = {row.name for row in reports[1].rows}
    assert "loss of step 20" in names
    assert sum(name.endswith("after 20 steps") for name in names) == 6


def test_a_difference_is_found_and_named(
    reports, capsys, monkeypatch, backends_agree
):
    monkeypatch.setattr(compare, "compare_many", lambda *args: reports[2:])
    with pytest.raises(AssertionError, match="'output' differs by 1"):
        backends_agree(trainers.disagreeing_case)
    assert __main__.main([CASE]) == 1
    assert "| output | 5 |" in capsys.readouterr().out


def test_an_error_on_a_backend_is_passed_on():
    with pytest.raises(RuntimeError, match="fails on purpose") as error:
        compare_backends(trainers.failing_case, backends=BACKENDS)
    assert "failing_case" in str(error.value)
