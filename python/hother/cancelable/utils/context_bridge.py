"""Context variables in threads: seen by the function that runs there, and by nothing after it."""

from __future__ import annotations

import asyncio
import contextvars
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import anyio.to_thread

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

T = TypeVar("T")


class ContextBridge:
    """Carries the variables of the current context to where they are not by themselves."""

    @staticmethod
    def copy_context() -> dict[contextvars.ContextVar[Any], Any]:
        """Give the variables that are set, with their values."""
        return dict(contextvars.copy_context())

    @staticmethod
    def restore_context(context_dict: dict[contextvars.ContextVar[Any], Any]) -> None:
        """Set each of them in the current context."""
        for variable, value in context_dict.items():
            variable.set(value)

    @staticmethod
    async def run_in_thread_with_context(
        func: Callable[..., T],
        *args: Any,
        executor: ThreadPoolExecutor | None = None,
        **kwargs: Any,
    ) -> T:
        """Call it in a thread, where it sees the variables of the caller, and changes only a copy of them.

        A cancel does not interrupt the thread: the caller goes on, and the result is lost.

        Args:
            func: what to call.
            *args: what to call it with.
            executor: where; on a thread of the loop's own unless it is given.
            **kwargs: what to call it with by keyword.
        """
        call: Callable[[], T] = partial(contextvars.copy_context().run, func, *args, **kwargs)
        if asyncio._get_running_loop() is not None:
            return await asyncio.get_running_loop().run_in_executor(executor, call)
        if executor is not None:
            call = executor.submit(call).result
        return await anyio.to_thread.run_sync(call, abandon_on_cancel=True)
