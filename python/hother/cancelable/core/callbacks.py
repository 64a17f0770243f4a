"""Calling whom a program wants told: one that fails is logged, and harms neither the work nor the others."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from hother.cancelable.utils.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

C = TypeVar("C", bound="Callable[..., Any]")

_log = get_logger(__name__)

END_LIMIT = 30.0
"""How long the callbacks of an end may take together, in seconds: nothing else would stop one that never returns."""


async def call_all(what: str, callbacks: Iterable[Callable[..., Any]], *args: Any) -> None:
    """Calls each in turn, and awaits what it gives, if that can be awaited."""
    for callback in tuple(callbacks):
        try:
            given = callback(*args)
            if inspect.isawaitable(given):
                await given
        except Exception:  # noqa: BLE001, since whatever it raises is its own affair
            _log.exception("%s callback failed", what)


async def call_all_at_the_end(
    what: str, callbacks: Iterable[Callable[..., Any]], *args: Any
) -> None:
    """The same where the operation is over: what cancelled that, or encloses it, does not cancel these."""
    callbacks = tuple(callbacks)
    if not callbacks:
        return
    with anyio.move_on_after(END_LIMIT, shield=True) as scope:
        await call_all(what, callbacks, *args)
    if scope.cancelled_caught:
        _log.warning("%s callback was stopped: it took longer than %s s", what, END_LIMIT)
