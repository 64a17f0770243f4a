"""Interpreters of their own, for what is about a whole process: its exit, its signals, its forks."""

import os
import subprocess
import sys
from pathlib import Path

import hother.cancelable

# The test's own limit is a minute; this one ends the child, and says what it had printed.
LIMIT = 45.0


def run_python(code: str, *args: str, expect: int = 0, is_quiet: bool = False) -> str:
    """Runs it with warnings as errors, and gives what it printed; where it `is_quiet`, nothing is on stderr."""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-W", "error", "-c", code, *args],
        env={**os.environ, "PYTHONPATH": _package_path()},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == expect, (
        f"exit code {done.returncode}\n--- stdout\n{done.stdout}\n--- stderr\n{done.stderr}"
    )
    assert not (is_quiet and done.stderr), done.stderr
    return done.stdout


def _package_path() -> str:
    (here,) = hother.cancelable.__path__
    return str(Path(here).parent.parent)
