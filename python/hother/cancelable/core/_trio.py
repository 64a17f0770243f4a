"""Timers of a trio run, which has none of its own: one system task for each, gone with the run."""

from __future__ import annotations

from contextvars import Context
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Callable


def call_at(at: float, alarm: Callable[[], None]) -> None:
    """Has `alarm` called at this moment by trio's clock, on the thread of the run."""
    trio.lowlevel.spawn_system_task(_ring, at, alarm, context=Context())


async def _ring(at: float, alarm: Callable[[], None]) -> None:
    await trio.sleep_until(at)
    alarm()
