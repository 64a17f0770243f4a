"""The guide page of the package: its programs print what stands below them."""

import re
from pathlib import Path

import pytest

from support.processes import run_python

GUIDE = Path(__file__).parents[2] / "docs" / "python.md"
PROGRAMS = re.findall(
    r"```python\n(.*?)```\n\n```text\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL
)


def test_each_program_of_the_guide_is_found():
    assert len(PROGRAMS) == GUIDE.read_text("utf-8").count("```python") > 0


@pytest.mark.parametrize(("program", "printed"), PROGRAMS)
def test_a_program_of_the_guide_prints_what_it_says(program: str, printed: str):
    assert run_python(program, is_quiet=True) == printed
