"""Packages whose names are imported when they are first asked for.

No package imports its own modules while it is loaded: else two threads of which one imports the package, and the other one of its
modules, each hold what the other waits for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def names_of(
    package: dict[str, Any], modules: dict[str, Iterable[str]], parts: Iterable[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` of the package with these globals: what is in its modules, and `parts` of it by their names."""
    this: str = package["__name__"]
    where = {name: module for module, names in modules.items() for name in names}
    parts = frozenset(parts)

    def __getattr__(name: str) -> Any:  # noqa: N807, since it is that of the package
        if name in parts:
            return import_module(f"{this}.{name}")
        module = where.get(name)
        if module is None:
            raise AttributeError(f"module {this!r} has no attribute {name!r}")
        found = getattr(import_module(f"{this}.{module}"), name)
        package[name] = found
        return found

    def __dir__() -> list[str]:  # noqa: N807, as above
        return sorted({*package, *where, *parts})

    return __getattr__, __dir__
