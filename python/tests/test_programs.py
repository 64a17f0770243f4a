"""Programs as people write them, which print what their headers say."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "programs"
PROGRAMS = sorted(FOLDER.glob("*.py"))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda it: it.stem)
def test_a_program_prints_what_it_says(program: Path) -> None:
    documented = ast.get_docstring(ast.parse(program.read_text(encoding="utf-8"))) or ""
    _, _, *expected = documented.splitlines()
    assert expected, "it says nothing"
    done = subprocess.run(
        [sys.executable, "-W", "error", str(program)],
        env={"PYTHONPATH": str(FOLDER.parents[1]), "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        timeout=45,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == expected
