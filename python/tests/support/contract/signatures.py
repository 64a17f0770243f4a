"""Whether a function takes what the contract says, and gives what it says."""

import ast
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.contract import reading
from support.contract.reading import FACTORY, Entry


def of_function(function: Any, entry: Entry) -> Iterator[tuple[str, str]]:
    """Differences of its parameters, and of the kind of what it gives."""
    yield from of_parameters(function, entry.rest, entry.path)
    wanted = entry.kind.removeprefix("classmethod ").removeprefix("staticmethod ")
    is_right, gives, annotations = GIVES[wanted]
    said = _says(function, entry.name)
    if not is_right(function) and not any(it in said for it in annotations):
        yield entry.path, f"does not say that it gives {gives}"


def _is_plain(function: Any) -> bool:
    return not inspect.iscoroutinefunction(function)


def _makes_manager(function: Any) -> bool:
    return inspect.isasyncgenfunction(getattr(function, "__wrapped__", None))


# By the kind in the contract: how it can be seen, what it is called, and what an annotation would say.
GIVES: dict[str, tuple[Any, str, tuple[str, ...]]] = {
    "def": (_is_plain, "a value at once", ()),
    "async def": (
        inspect.iscoroutinefunction,
        "an awaitable",
        ("Awaitable", "Coroutine", "Future"),
    ),
    "async gen def": (
        inspect.isasyncgenfunction,
        "an async iterator",
        ("AsyncIterator", "AsyncGenerator"),
    ),
    "async context manager def": (
        _makes_manager,
        "an async context manager",
        ("AsyncContextManager",),
    ),
}


def _says(function: Any, name: str) -> str:
    """What it says it returns; of a native method, its stub says that."""
    said = getattr(function, "__annotations__", {}).get("return", "")
    owner = getattr(function, "__objclass__", None) or getattr(function, "__self__", None)
    if said or owner is None or inspect.ismethod(function):
        return str(said)
    core = importlib.import_module("hother.cancelable._core")
    stub = ast.parse(Path(core.__file__ or "").with_name("_core.pyi").read_text())
    for node in ast.walk(stub):
        if isinstance(node, ast.ClassDef) and node.name == owner.__name__:
            for it in node.body:
                if isinstance(it, ast.AsyncFunctionDef) and it.name == name:
                    return "Coroutine"
                if isinstance(it, ast.FunctionDef) and it.name == name and it.returns:
                    return ast.unparse(it.returns)
    return ""


def of_parameters(function: Any, wanted: str, path: str) -> Iterator[tuple[str, str]]:
    """Differences of names, order, kinds and defaults; more may follow by keyword."""
    try:
        there = list(inspect.signature(function).parameters.values())
    except ValueError:
        yield path, "does not tell its signature"
        return
    expected = reading.parameters(wanted, _models())
    if expected and expected[0].name in ("self", "cls"):
        # A class method has lost its own already.
        is_bound = expected.pop(0).name == "cls"
        there = there if is_bound else there[1:]
    names = [it.name for it in expected]
    known = [it for it in there if it.name in names]
    further = [it for it in there if it.name not in names]
    shown = ", ".join(str(it.replace(annotation=it.empty)) for it in there)
    remedy = f"is ({shown}), and should be {wanted}"
    if [it.name for it in known] != names:
        yield path, remedy
        return
    if any(it.kind not in (it.KEYWORD_ONLY, it.VAR_KEYWORD) for it in further):
        yield path, f"takes more by position: {remedy}"
    if any(it.kind is it.KEYWORD_ONLY and it.default is it.empty for it in further):
        yield path, f"asks for more: {remedy}"
    for want, have in zip(expected, known, strict=True):
        if want.kind is not have.kind:
            yield path, f"{want.name} is {have.kind.description}: {remedy}"
        elif not _same_default(want.default, have.default):
            yield path, f"{want.name} has another default: {remedy}"


def _models() -> dict[str, Any]:
    """What defaults are made of."""
    try:
        return vars(importlib.import_module("hother.cancelable.core.models"))
    except ModuleNotFoundError:
        return {}


def _same_default(want: Any, have: Any) -> bool:
    empty = inspect.Parameter.empty
    if want is empty or have is empty or want is FACTORY:
        return (want is empty) == (have is empty)
    return type(want) is type(have) and bool(want == have)
