"""What of the contract is there, and what differs from it."""

import ast
import importlib
import inspect
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from support.contract import signatures
from support.contract.reading import Entry

# Where something differs, and how.
Differences = Iterator[tuple[str, str]]


def differences(modules: list[Entry]) -> list[str]:
    """All that differs."""
    return [f"{path}: {what}" for module in modules for path, what in _of_module(module)]


def _module(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            return None
        raise


def _of_module(entry: Entry) -> Differences:
    module = _module(entry.path)
    if module is None:
        yield entry.path, "there is no such module"
        return
    for member in entry.members:
        if member.kind == "all":
            yield from _of_all(module, member)
        elif not hasattr(module, member.name):
            yield member.path, "is not there"
        elif member.kind == "class":
            yield from _of_class(getattr(module, member.name), member)
        elif member.kind != "name":
            yield from signatures.of_function(getattr(module, member.name), member)


def _of_all(module: ModuleType, entry: Entry) -> Differences:
    wanted = entry.rest.split(", ")
    exported = getattr(module, "__all__", [])
    for name in wanted:
        if name not in exported:
            yield f"{entry.within}.{name}", "is not in __all__"
        elif not hasattr(module, name):
            yield f"{entry.within}.{name}", "is in __all__, and cannot be imported"
    there = [name for name in exported if name in wanted]
    if there != [name for name in wanted if name in exported]:
        yield entry.within, f"__all__ has another order: {there}"


def _of_class(cls: Any, entry: Entry) -> Differences:
    bases, _, made = entry.rest.removeprefix("(").partition("): ")
    ancestors = [ancestor.__name__ for ancestor in cls.__mro__]
    for base in bases.removesuffix(")").split(", "):
        if base and base not in ancestors:
            yield entry.path, f"is no {base}"
    if made:
        yield from signatures.of_parameters(cls, made, entry.path)
    for member in entry.members:
        if member.kind == "members":
            yield from _of_enum(cls, member)
        elif member.kind == "attributes":
            yield from _of_instance(cls, member)
        elif getattr(cls, member.name, None) is None:
            yield member.path, "is not there"
        else:
            yield from _of_member(cls, member)


def _of_enum(cls: Any, entry: Entry) -> Differences:
    wanted = [part.split("=") for part in entry.rest.split(", ")]
    values = [(name, ast.literal_eval(value)) for name, value in wanted]
    there = [(it.name, it.value) for it in cls]
    if [it for it in there if it in values] != values:
        yield entry.path, f"the members are {there}, and should begin as {values}"


def _of_member(cls: type, entry: Entry) -> Differences:
    there = _kind_of(inspect.getattr_static(cls, entry.name))
    first = entry.kind.split()[0]
    wanted = first if first in ("property", "classmethod", "staticmethod") else "method"
    if there != wanted:
        yield entry.path, f"is a {there}, not a {wanted}"
    elif wanted != "property" and not entry.name.startswith("__"):
        yield from signatures.of_function(getattr(cls, entry.name), entry)


def _kind_of(static: Any) -> str:
    """What it is, whether written in Python or native."""
    kind = type(static).__name__
    if kind.startswith("classmethod"):
        return "classmethod"
    if kind == "staticmethod":
        return "staticmethod"
    return "method" if callable(static) else "property"


def _of_instance(cls: Any, entry: Entry) -> Differences:
    try:
        instance = MADE_FROM.get(cls.__name__, lambda cls: cls())(cls)
    except Exception as error:  # noqa: BLE001 - it is told with all other differences
        yield entry.path, f"cannot be made: {error!r}"
        return
    for name in entry.rest.split(", "):
        if not hasattr(instance, name):
            yield f"{entry.path}.{name}", "an instance does not have it"


def _reason() -> Any:
    return importlib.import_module("hother.cancelable.core.models").CancelationReason.MANUAL


def _operation() -> Any:
    return importlib.import_module("hother.cancelable.core.cancelable").Cancelable()


def _source_of(cls: Any) -> Any:
    methods = dict.fromkeys(("start_monitoring", "stop_monitoring"), len)
    return type("Source", (cls,), methods)(_reason())


def _composite_of(cls: Any) -> Any:
    timeout = importlib.import_module("hother.cancelable.sources.timeout")
    return cls([timeout.TimeoutSource(1.0)])


# How an instance is made, where it is not made from nothing.
MADE_FROM: dict[str, Callable[[Any], Any]] = {
    "AllOfSource": _composite_of,
    "CancelableWebSocket": lambda cls: cls(None, _operation()),
    "CancelationError": lambda cls: cls(_reason()),
    "CancelationScenario": lambda cls: cls("scenario"),
    "CancelationSource": _source_of,
    "CompositeSource": _composite_of,
    "ConditionSource": lambda cls: cls(lambda: True),
    "ParentCancelation": lambda cls: cls("parent"),
    "RequestCancelationMiddleware": lambda cls: cls(None),
    "SignalCancelation": lambda cls: cls(15),
    "TimeoutCancelation": lambda cls: cls(1.0),
    "TimeoutSource": lambda cls: cls(1.0),
}
