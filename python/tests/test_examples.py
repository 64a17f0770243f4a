"""Each example prints what its header says, and those that there are stand in the index."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "python"
EXAMPLES = sorted(FOLDER.glob("*.py"))


def header(example: Path) -> str:
    documented = ast.get_docstring(ast.parse(example.read_text(encoding="utf-8")))
    assert documented is not None, f"{example.name} has no header"
    return documented


def transcript(example: Path) -> list[str]:
    """What the header says that it prints: the indented lines after the command."""
    lines = [line[4:] for line in header(example).splitlines() if line.startswith("    ")]
    command, *printed = lines
    assert command == f"$ python examples/python/{example.name}"
    return printed


def pattern(lines: list[str]) -> str:
    """`…` in a line stands for something, and a line that is nothing else for any number of them."""
    parts = [
        "(?:.*\n)*" if line == "…" else re.escape(line).replace("…", ".+") + "\n" for line in lines
    ]
    return "".join(parts)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda it: it.stem)
def test_an_example_prints_what_it_says(example: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(example)],
        env={"PYTHONPATH": str(FOLDER.parents[1] / "python"), "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        timeout=45,
        check=False,
    )
    said = f"--- stdout\n{done.stdout}\n--- stderr\n{done.stderr}"
    assert (done.returncode, done.stderr) == (0, ""), said
    assert re.fullmatch(pattern(transcript(example)), done.stdout), said


def test_the_index_has_each_example_with_what_it_shows() -> None:
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"\[`(\w+)`\]\(\w+\.py\) \| (.*) \|", index))
    shows = {it.stem: header(it).splitlines()[0].removesuffix(".") for it in EXAMPLES}
    assert rows == shows
