"""The guide pages of the package: their programs print what stands below them, and what is shown of an application can be run."""

import re
from pathlib import Path

import pytest

from support.processes import run_python

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {page: (DOCS / page).read_text("utf-8") for page in ("python.md", "fastapi.md")}
BLOCK = re.compile(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", re.DOTALL)
BLOCKS = [(page, *block) for page, text in PAGES.items() for block in BLOCK.findall(text)]
PROGRAMS = [(program, printed) for _, program, printed in BLOCKS if printed]
PARTS = [(page, part) for page, part, printed in BLOCKS if not printed]

AROUND_A_PART = """
import logging
from contextlib import asynccontextmanager
from unittest import mock

import httpx
from fastapi import Depends, FastAPI, WebSocket
from pydantic import BaseModel
from hother.cancelable import Cancelable, CancelationError
from hother.cancelable.integrations.fastapi import *

class Body(BaseModel):
    rows: int

class Order(BaseModel):
    number: int

app, log, model = FastAPI(), logging.getLogger("app"), mock.Mock()
"""


def test_each_program_of_the_guides_is_found():
    assert len(BLOCKS) == sum(text.count("```python") for text in PAGES.values())
    assert len(PROGRAMS) == sum(text.count("```text") for text in PAGES.values()) > 0
    assert {page for page, _ in PARTS} == {"fastapi.md"}, "in python.md all are whole programs"


@pytest.mark.parametrize(("program", "printed"), PROGRAMS)
def test_a_program_of_the_guides_prints_what_it_says(program: str, printed: str):
    assert run_python(program, is_quiet=True) == printed


@pytest.mark.parametrize("part", [part for _, part in PARTS])
def test_a_part_of_an_application_can_be_put_into_one(part: str):
    """Its names and options are there; what it does is for the tests of these."""
    names = {"__name__": "app"}
    exec(compile(AROUND_A_PART + part, "fastapi.md", "exec"), names)
    names["app"].openapi()
    names["app"].build_middleware_stack()
