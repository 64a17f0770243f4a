"""Which parameter of a function gets its operation."""

from __future__ import annotations

import inspect
import typing
from typing import TYPE_CHECKING, Any

from hother.cancelable.core.cancelable import Cancelable

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT = "cancelable"


class Injection:
    """Puts an operation among the arguments of calls to one function."""

    __slots__ = ("candidates",)

    def __init__(self, function: Callable[..., Any], parameter: str | None):
        self.candidates = _candidates(function, parameter)
        """The parameters that it may go to, the first one first, each with its position, if it has one."""

    def into(self, args: tuple[Any, ...], kwargs: dict[str, Any], operation: Any) -> None:
        """Adds it to `kwargs`, for the first parameter that it may go to and that the caller gave nothing."""
        for name, position in self.candidates:
            is_given = name in kwargs or (position is not None and position < len(args))
            if not is_given:
                kwargs[name] = operation
                return


def _candidates(
    function: Callable[..., Any], parameter: str | None
) -> tuple[tuple[str, int | None], ...]:
    """By the name that was said, else by the other usual name, else by annotation: with the position, if it has one."""
    if parameter is None:
        return ()
    known = {
        name: (position if it.kind is it.POSITIONAL_OR_KEYWORD else None)
        for position, (name, it) in enumerate(inspect.signature(function).parameters.items())
        if it.kind in (it.POSITIONAL_OR_KEYWORD, it.KEYWORD_ONLY)
    }
    for name in (parameter, "cancel") if parameter == DEFAULT else (parameter,):
        if name in known:
            return ((name, known[name]),)
    if parameter != DEFAULT:
        return ()
    said = hints(function)
    return tuple((name, known[name]) for name in known if _is_operation(said.get(name)))


def hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Its annotations; as they are written, where they cannot be told apart."""
    try:
        return typing.get_type_hints(function)
    except Exception:  # noqa: BLE001, since an annotation may be of what is only there for type checkers
        return {name: it.annotation for name, it in inspect.signature(function).parameters.items()}


def _is_operation(hint: Any) -> bool:
    if isinstance(hint, str):
        return "Cancelable" in {part.strip() for part in hint.split("|")}
    parts = (hint, *typing.get_args(hint))
    return any(isinstance(part, type) and issubclass(part, Cancelable) for part in parts)
