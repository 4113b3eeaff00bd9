"""Training that stops, in one process, and goes on in another."""

import json
import pathlib

import pytest
from processes import losses, start

SCRIPT = pathlib.Path(__file__).with_name("resumable.py")
BACKENDS = ("jax", "tensorflow", "torch")


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """By backend: the folder of its backups, and losses after it saved."""
    found = {}
    for backend in BACKENDS:
        folder = tmp_path_factory.mktemp(backend) / "backup"
        process = start(SCRIPT, backend, "killed", str(folder))
        out, err = process.communicate(timeout=300)
        assert process.returncode == 9, err[-3000:]
        found[backend] = folder, json.loads(out.strip().splitlines()[-1])
    return found


@pytest.mark.parametrize("backend", BACKENDS)
def test_killed_in_mid_epoch_and_restarted(backend, killed):
    """And a trainer that JAX saved goes on, on each backend."""
    folder, _ = killed[backend]
    saved, expected = killed["jax"]
    process = start(
        SCRIPT, backend, "restarted", str(folder), str(saved / "trainer.keras")
    )
    histories, found, own = losses(process)
    assert len(histories) == (4 if backend == "torch" else 2)
    for restarted, whole in histories.values():
        assert restarted["epochs"] == [2, 3, 4]
        for name in ("d_loss", "g_loss"):
            assert restarted[name] == pytest.approx(whole[name][2:], rel=1e-6)
    assert found == pytest.approx(expected, rel=1e-4)
    # In a fresh process of the same backend the next steps are the same.
    assert own == pytest.approx(killed[backend][1], rel=1e-6)
