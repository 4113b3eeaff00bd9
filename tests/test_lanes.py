"""The lanes hold every test, and `tests/run.py` runs every lane."""

import types

import lane_plugin
import lanes
import pytest
import run


def item(path, *marks, row=None):
    """What the plugin reads of a test."""
    found = types.SimpleNamespace(
        path=lanes.TESTS / path,
        nodeid=f"{path}::test" + (f"[{row}]" if row else ""),
        iter_markers=lambda name: [mark.mark for mark in marks],
    )
    if row:
        found.callspec = types.SimpleNamespace(id=row)
    return found


def jobs():
    return list(run.jobs_of_lanes(lanes.LANES))


def test_every_lane_runs_on_each_of_its_backends():
    expected = {(lane, b) for lane in lanes.LANES for b in lanes.LANES[lane]}
    assert {(job.lane, job.backend) for job in jobs()} == expected


def test_every_file_is_run():
    ran = {path for job in jobs() for path in job.files}
    assert ran == set(lanes.files())
    ran = {path for job in run.jobs_of_all() for path in job.files}
    assert ran == set(lanes.files())


def test_no_job_is_run_twice():
    pairs = [
        (job.lane, job.backend, path) for job in jobs() for path in job.files
    ]
    assert len(set(pairs)) == len(pairs)


def test_places_are_there():
    for places in lanes.PLACES.values():
        for place in places:
            assert (lanes.TESTS / place).exists(), place


def test_tutorials_take_turns():
    turns = [
        lanes.backends_of(path, "rotation")
        for path in lanes.files()
        if lanes.place_of(path) == "rotation"
    ]
    assert {len(backends) for backends in turns} == {1}
    assert {backends[0] for backends in turns} == set(lanes.BACKENDS)


def test_the_long_ones_are_there():
    names = {path.name for path in lanes.files()}
    assert set(lanes.LONG) <= names


def test_a_test_is_where_it_lies_and_where_its_mark_says():
    def found(*args, **kwargs):
        return lane_plugin.lanes_of(item(*args, **kwargs))

    every, row = pytest.mark.compiled, pytest.mark.compiled("lstm")
    assert found("layers/test_dense.py") == ["values"]
    assert found("text/test_masking.py") == ["once"]
    assert found("layers/test_dense.py", every) == ["values", "compiled"]
    assert found("test_x.py", row, row="lstm") == ["values", "compiled"]
    assert found("test_x.py", row, row="gru") == ["values"]
    assert found("test_x.py", every, row="gru") == ["values", "compiled"]
    for backend, lane in (
        ("torch", ["values", "compiled"]),
        ("jax", ["values"]),
    ):
        assert found("test_x.py", pytest.mark.compiled(on=backend)) == lane


def test_a_row_that_there_is_not_is_named():
    mark = pytest.mark.compiled("lstm", "rnn")
    items = [item("test_x.py", mark, row=row) for row in ("lstm", "gru")]
    with pytest.raises(pytest.UsageError, match=r"\['rnn'\].*'gru', 'lstm'"):
        lane_plugin._check_rows(items)


def test_a_lane_on_another_backend_is_refused():
    config = types.SimpleNamespace(
        addinivalue_line=lambda *args: None, getoption=lambda name: "compiled"
    )
    with pytest.raises(pytest.UsageError, match="jax.*Received: 'torch'"):
        lane_plugin.pytest_configure(config)


def result(*tests):
    return run.Result(jobs()[0], False, "", 1.0, 1.0, 1, tests)


def test_what_is_skipped_everywhere_is_found():
    one = run.Test("a", "skipped", 0.0, "why"), run.Test("b", "passed", 0.1)
    other = (run.Test("b", "skipped", 0.0, "not here"),)
    assert run.skipped_everywhere([result(*one), result(*other)]) == {
        "a": "why"
    }


def test_a_lane_in_which_nothing_ran_is_found():
    skipped = run.Test("a", "skipped", 0.0, "why")
    assert run.idle([result(skipped)]) == [jobs()[0].name]
    assert not run.idle([result(skipped, run.Test("b", "passed", 0.1))])
    assert not run.idle([result(), result(run.Test("b", "passed", 0.1))])


def test_the_summary_counts_and_names_the_slowest(capsys):
    tests = [run.Test(f"t{i}", "passed", float(i)) for i in range(20)]
    run.print_summary([result(*tests, run.Test("f", "failed", 0.0))], 9.0)
    said = capsys.readouterr().out
    assert "20 passed, 1 failed, 0 skipped" in said.splitlines()
    assert said.index("t19 ") < said.index("t5 ") and "t4 " not in said


def test_outcomes_are_read(tmp_path):
    report = tmp_path / "report.xml"
    report.write_text(
        '<testsuites><testsuite><testcase classname="a" name="b" time="9">'
        '<properties><property name="cpu" value="1.5"/></properties></testcase>'
        '<testcase classname="a" name="c" time="0"><skipped message="why"/>'
        '</testcase><testcase classname="a" name="d" time="0"><failure/>'
        "</testcase></testsuite></testsuites>"
    )
    assert list(run.tests_of(report)) == [
        run.Test("a::b", "passed", 1.5),
        run.Test("a::c", "skipped", 0.0, "why"),
        run.Test("a::d", "failed", 0.0),
    ]
