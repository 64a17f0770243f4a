"""Finalizers: cleanup that is owed once the body is over, whichever way it ended."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import anyio

from hother.cancelable.utils.logging import get_logger

_log = get_logger(__name__)

Finalizer: TypeAlias = tuple[Callable[[], Awaitable[object] | object], float]
"""What is called, and how many seconds it may take."""


async def run(finalizers: list[Finalizer]) -> BaseException | None:
    """Runs them, the last first, also those that are registered meanwhile; nothing that is cancelled around cancels one.

    One that fails is logged. Gives what else came up, such as a cancel of the task by somebody else: all have run by then.
    """
    came_up: BaseException | None = None
    while finalizers:
        finalizer, limit = finalizers.pop()
        try:
            with anyio.move_on_after(limit, shield=True) as scope:
                given = finalizer()
                if inspect.isawaitable(given):
                    await given
            if scope.cancelled_caught:
                _log.error(
                    "a finalizer was stopped: it took longer than %s s: %r", limit, finalizer
                )
        except Exception:  # noqa: BLE001, since whatever it raises is its own affair
            _log.exception("a finalizer failed: %r", finalizer)
        except asyncio.CancelledError as error:
            _log.warning("a finalizer was cut off, since its task was cancelled: %r", finalizer)
            came_up = came_up or error
        except BaseException as error:  # noqa: BLE001, since the others are to run first
            came_up = error
    return came_up


def skip(finalizers: list[Finalizer]) -> None:
    """Says that they will not run, where nothing can run them any more."""
    if finalizers:
        _log.error(
            "%s finalizers were skipped: their coroutine was closed outside of its task",
            len(finalizers),
        )
        finalizers.clear()
