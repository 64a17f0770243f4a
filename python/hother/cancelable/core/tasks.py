"""Tasks that are an operation's own: none of them outlives it."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import anyio
from anyio import CancelScope

from hother.cancelable.utils.logging import get_logger

from .current import current
from .exceptions import CancelationError, ManualCancelation, told

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator

    from .cancelable import Cancelable

_log = get_logger(__name__)

T = TypeVar("T")


class OperationTask(Generic[T]):
    """What `spawn` gives: await it for the result. To be used on the loop that it runs on.

    Awaiting it raises what it failed with; where it was cancelled, the `CancelationError` that says why. An await that is
    cancelled itself leaves it running.
    """

    __slots__ = ("__weakref__", "_error", "_group", "_is_asked_for", "_over", "_scope", "_value")

    def __init__(self, group: Tasks):
        self._group: Tasks | None = group
        self._scope = CancelScope()
        self._over = anyio.Event()
        self._value: T | None = None
        self._error: BaseException | None = None
        self._is_asked_for = False

    @property
    def is_done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self._over.is_set()

    def cancel(self, message: str | None = None) -> None:
        """Cancels it, and it alone: each of its awaits raises from now on. Nothing happens where it has ended."""
        if not self.is_done:
            self._scope.cancel(message)

    def __await__(self) -> Generator[Any, None, T]:
        return self._result().__await__()

    async def _result(self) -> T:
        await self._over.wait()
        self._is_asked_for = True
        if self._error is not None:
            try:
                raise self._error
            finally:
                # Its traceback has this frame, and through that itself.
                del self
        return cast("T", self._value)

    async def _run(self, operation: Cancelable, coro: Coroutine[Any, Any, T]) -> None:
        try:
            with self._scope:
                self._value = await coro
                return
            self._error = _cancelled(operation)
        except asyncio.CancelledError as error:
            # Somebody cancelled the task itself, or it awaited what was.
            self._error = _cancelled(operation)
            self._error.__cause__ = error
        except Exception as error:  # noqa: BLE001, since it is told to whoever awaits
            self._error = error
        except BaseException as error:
            self._error = error
            if isinstance(error, KeyboardInterrupt | SystemExit) and _is_asyncio():
                raise
        finally:
            self._end(operation)

    def _end(self, operation: Cancelable) -> None:
        group, self._group = self._group, None
        if group is not None:
            operation._part(self._scope)
            group.ended(self)
            self._over.set()


class Tasks:
    """The tasks of one run: those that run, and the errors that nobody has asked for."""

    __slots__ = ("_errors", "_running", "_vacant")

    def __init__(self) -> None:
        self._running: set[OperationTask[Any]] = set()
        self._errors: list[OperationTask[Any]] = []
        self._vacant: anyio.Event | None = None

    def spawn(
        self, operation: Cancelable, coro: Coroutine[Any, Any, T], name: str | None
    ) -> OperationTask[T]:
        """Starts `coro` as a task of `operation`."""
        task: OperationTask[T] = OperationTask(self)
        context = contextvars.copy_context()
        context.run(current.set, operation)
        self._running.add(task)
        operation._join(task._scope)
        run = task._run(operation, coro)
        if not _is_asyncio():
            import trio  # noqa: PLC0415, since few have it

            trio.lowlevel.spawn_system_task(_given, run, name=name, context=context)
            return task
        started = asyncio.get_running_loop().create_task(run, name=name, context=context)
        if not task.is_done:

            def see_to_it(_: object) -> None:
                # One that was cancelled before its first step has run none of its code.
                if not task.is_done:
                    coro.close()
                    task._error = _cancelled(operation)
                    task._end(operation)

            started.add_done_callback(see_to_it, context=contextvars.Context())
        return task

    def ended(self, task: OperationTask[Any]) -> None:
        """Notes that it has."""
        self._running.discard(task)
        if task._error is not None and not isinstance(task._error, CancelationError):
            self._errors.append(task)
        if self._vacant is not None and not self._running:
            self._vacant.set()

    @property
    def are_running(self) -> bool:
        """Whether any of them does."""
        return bool(self._running)

    def cancel_all(self) -> None:
        """Cancels those that run."""
        for task in tuple(self._running):
            task.cancel()

    async def all_ended(self) -> None:
        """Waits until none of them runs."""
        while self._running:
            self._vacant = anyio.Event()
            await self._vacant.wait()

    def unheard(self) -> Exception | BaseException | None:
        """The error that nobody has asked for, or all of them in a group. It is told once."""
        tasks, self._errors = self._errors, []
        errors = [
            task._error for task in tasks if not task._is_asked_for and task._error is not None
        ]
        if len(errors) < 2:
            return errors[0] if errors else None
        return BaseExceptionGroup("tasks of an operation failed", errors)


def to_spawn(coro: object) -> Coroutine[Any, Any, Any]:
    """`coro`, if it can be spawned."""
    if inspect.iscoroutine(coro):
        return coro
    given = (
        f"the function {coro.__name__}"
        if inspect.iscoroutinefunction(coro)
        else type(coro).__name__
    )
    raise TypeError(f"coro must be a coroutine, which calling an async function gives, got {given}")


def log_unheard(error: BaseException | None, operation: Cancelable) -> None:
    """Tells of an error of a task that something else leaves the operation in place of."""
    if error is not None:
        _log.error("a task of operation %s failed", operation.operation_id, exc_info=error)


def _cancelled(operation: Cancelable) -> CancelationError:
    why = operation._asked()
    if why is None:
        return ManualCancelation("the task was cancelled", operation.context)
    return told(why, operation.context)


def _is_asyncio() -> bool:
    return issubclass(anyio.get_cancelled_exc_class(), asyncio.CancelledError)


async def _given(run: Coroutine[Any, Any, None]) -> None:
    await run
