"""Training that stops, in one process, and goes on in another."""

import pathlib

import pytest
from processes import losses, start

SCRIPT = pathlib.Path(__file__).with_name("resumable.py")
BACKENDS = ("jax", "tensorflow", "torch")


@pytest.mark.parametrize("backend", BACKENDS)
def test_killed_in_mid_epoch_and_restarted(backend, tmp_path):
    folder = str(tmp_path / "backup")
    killed = start(SCRIPT, backend, "killed", folder)
    killed.communicate(timeout=300)
    assert killed.returncode == 9
    histories = losses(start(SCRIPT, backend, "restarted", folder))
    assert len(histories) == 4
    for restarted, whole in histories.values():
        assert restarted["epochs"] == [2, 3, 4]
        for name in ("d_loss", "g_loss"):
            assert restarted[name] == pytest.approx(whole[name][2:], rel=1e-6)


def test_saved_on_one_backend_and_gone_on_with_on_each(tmp_path):
    path = str(tmp_path / "trainer.keras")
    expected = losses(start(SCRIPT, "jax", "save", path))
    processes = {b: start(SCRIPT, b, "load", path) for b in BACKENDS}
    actual = {b: losses(process) for b, process in processes.items()}
    # In a fresh process of the same backend the next steps are the same.
    assert actual["jax"] == expected
    assert actual["tensorflow"] == pytest.approx(expected, rel=1e-4)
    assert actual["torch"] == pytest.approx(expected, rel=1e-4)
