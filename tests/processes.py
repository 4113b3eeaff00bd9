"""Scripts in processes of their own, with the backend of one's choice."""

import json
import os
import subprocess
import sys


def start(script, backend, *arguments, **environment):
    """Starts a script on a backend."""
    return subprocess.Popen(
        [sys.executable, str(script), *arguments],
        env={**os.environ, "KERAS_BACKEND": backend, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def losses(process):
    """Waits for a script; what its last line says, as JSON."""
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err[-3000:]
    return json.loads(out.strip().splitlines()[-1])
