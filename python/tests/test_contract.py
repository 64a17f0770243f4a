"""The names and signatures that programs rely on are there, as `support/contract/contract.txt` has them."""

import sys
from types import ModuleType

import pytest

from support import contract


def test_the_package_has_what_programs_rely_on():
    differences = contract.differences(contract.read())
    assert not differences, "\n".join(["what differs from contract.txt:", *differences])


SOURCE = """
from contextlib import asynccontextmanager
from enum import Enum

__all__ = ["Thing", "take"]

class Kind(str, Enum):
    ONE = "one"
    TWO = "two"

class Thing(Exception):
    def __init__(self, a=1, *, more=None): self.a = a
    @property
    def size(self): return 1
    @classmethod
    def made(cls, a): return cls(a)
    @staticmethod
    def still(a=None): return a
    async def wait(self, a, b=2): return a
    async def items(self):
        yield 1
    @asynccontextmanager
    async def held(self):
        yield self

def take(a, *rest, b=None, **more): return a
def later(a) -> "Awaitable[int]": return a
"""


@pytest.mark.parametrize(
    ("line", "difference"),
    [
        ("all Thing, take", None),
        ("all take, Thing", "another order"),
        ("all later", "not in __all__"),
        ("name later", None),
        ("name never", "not there"),
        ("class Kind(str, Enum)\n    members ONE='one', TWO='two'", None),
        ("class Kind(str, Enum)\n    members ONE='one', TWO='zwei'", "members"),
        ("class Kind(str, Enum)\n    members TWO='two', ONE='one'", "members"),
        ("class Thing(Exception): (a=1)", None),
        ("class Thing(Exception): (a=FACTORY)", None),
        ("class Thing(Exception): (a)", "another default"),
        ("class Thing(Exception): (a=1.0)", "another default"),
        ("class Thing(Exception): (*, a=1)", "positional or keyword"),
        ("class Thing(Exception): ()", "more by position"),
        ("class Thing(ValueError): (a=1)", "is no ValueError"),
        ("class Thing()\n    attributes a, args", None),
        ("class Thing()\n    attributes b", "an instance does not have it"),
        ("class Thing()\n    property size", None),
        ("class Thing()\n    def size(self)", "is a property"),
        ("class Thing()\n    property made", "is a classmethod"),
        ("class Thing()\n    classmethod def made(cls, a)", None),
        ("class Thing()\n    def made(self, a)", "is a classmethod"),
        ("class Thing()\n    staticmethod def still(a=None)", None),
        ("class Thing()\n    staticmethod async def still(a=None)", "an awaitable"),
        ("class Thing()\n    async def wait(self, a, b=2)", None),
        ("class Thing()\n    async def wait(self, b=2, a=None)", "should be"),
        ("class Thing()\n    async def wait(self, a, b=True)", "another default"),
        ("class Thing()\n    def wait(self, a, b=2)", "a value at once"),
        ("class Thing()\n    async gen def items(self)", None),
        ("class Thing()\n    async gen def wait(self, a, b=2)", "an async iterator"),
        ("class Thing()\n    async context manager def held(self)", None),
        ("class Thing()\n    async context manager def items(self)", "an async context manager"),
        ("def take(a, *rest, b=None, **more)", None),
        ("def take(a, *rest, b=None)", None),
        ("def take(a, *rest)", None),
        ("def take(a, rest, b=None)", "variadic positional"),
        ("def take(a, *rest, b)", "another default"),
        ("async def later(a)", None),
        ("async def take(a, *rest)", "an awaitable"),
    ],
)
def test_a_difference_is_found(monkeypatch, line, difference):
    sample = ModuleType("sample")
    exec(SOURCE, vars(sample))
    monkeypatch.setitem(sys.modules, "sample", sample)
    found = contract.differences(contract.read(f"module sample\n{line}"))
    if difference is None:
        assert not found
    else:
        assert difference in found[0]
        assert len({it.partition(":")[0] for it in found}) == 1
