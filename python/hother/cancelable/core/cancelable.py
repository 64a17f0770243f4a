"""`Cancelable`, an operation: work with everything that may end it, and the truth about how it ended."""

from __future__ import annotations

import functools
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, Self, TypeVar

from hother.cancelable import _core

from .current import current, current_operation, is_shielded, put_back, section_of
from .lengths import give_grace, seconds
from .models import CancelationReason
from .registry import OperationRegistry
from .said import Said
from .scopes import new_scope

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterable,
        AsyncIterator,
        Awaitable,
        Callable,
        Coroutine,
        Iterable,
    )
    from contextlib import AbstractAsyncContextManager
    from datetime import timedelta
    from types import TracebackType
    from typing import Protocol

    from anyio import CancelScope

    from hother.cancelable.sources.base import CancelationSource

    from .closing import close, close_elsewhere  # noqa: TC004, since `load_what_ends_one` imports them
    from .lengths import Grace
    from .tasks import OperationTask

__all__ = ["Cancelable", "current_operation"]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

if TYPE_CHECKING:

    class _Call(Protocol):
        async def __call__(
            self, operation: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs
        ) -> R: ...


Raises = Literal["cancelled", "error", "suppress"]
"""What leaves an operation that was cancelled: an error that is a `CancelledError` too, just the error, or nothing."""


class Cancelable(Said):
    """Work that may be cancelled: entered by `async with`, and ended by whatever fires first.

    What may end it is said beforehand (`with_timeout`, `with_token`, `add_source`, `combine`, …). Inside the body a cancel is a
    plain `CancelledError` at every await. What leaves the `async with` says why: a `CancelationError` of the kind that
    fits, with reason, message and context. A body that returns all the same has finished.

    With `grace=` the body goes on for so many seconds once it is asked to stop, to finish by itself; a mapping gives some reasons
    seconds of their own, such as `{CancelationReason.SHUTDOWN: 10}`, and the others none.

        async with Cancelable.with_timeout(5.0, name="fetch") as cancel:
            data = await fetch(url)
    """

    __slots__ = ("__dict__", "_is_registered", "_restore", "_scope")

    _scope: CancelScope | Literal["native", "none yet"]

    _is_shield = False

    def __init__(
        self,
        operation_id: str | None = None,
        name: str | None = None,
        parent: Cancelable | None = None,
        metadata: dict[str, Any] | None = None,
        register_globally: bool = False,
        *,
        grace: Grace | None = None,
        scope: Literal["anyio", "native"] = "anyio",
        detached: bool = False,
        attempt: int | None = None,
        raises: Raises = "cancelled",
        sources: Iterable[CancelationSource] = (),
    ):
        if (
            operation_id is not None
            or name is not None
            or metadata is not None
            or attempt is not None
        ):
            try:
                self._describe(operation_id, name, metadata, attempt)
            except OverflowError:
                raise ValueError(f"attempt must be from 0 to 2**32 - 1, got {attempt}") from None
        self._extras = None
        self._scope = "none yet"
        self._is_registered = register_globally
        if parent is not None:
            self._set_parent(parent)
        if detached:
            self._set_detached()
        if grace is not None:
            give_grace(self, grace)
        if scope != "anyio":
            if scope != "native":
                raise ValueError(f'scope must be "anyio" or "native", got {scope!r}')
            self._scope = scope
        if raises != "cancelled":
            self._more.choose(raises)
        for source in sources:
            self.add_source(source)

    def combine(self, *others: Cancelable) -> Cancelable:
        """One that ends on whatever would end this one or one of `others`, whichever fires first.

        It takes over their sources and progress callbacks. Where this one runs already, what is returned may be used without
        entering it: then the sources of the others end this one, from the first use on.
        """
        parts = (self, *others)
        for other in others:
            if not isinstance(other, Cancelable):
                raise TypeError(
                    f"what is combined must be a Cancelable, got {type(other).__name__}:"
                    " one of a token is Cancelable.with_token(token), and a source is added by add_source(source)"
                )
        metadata = {
            "sources": [part.operation_id for part in parts],
            "combined": True,
            "preserve_reason": True,
        }
        combined = Cancelable(None, f"combined_{self._name()}", None, metadata)
        if self.is_running:
            combined._more.base = self
            parts = others
        combined._take_over(parts)
        return combined

    def spawn(self, coro: Coroutine[Any, Any, T], *, name: str | None = None) -> OperationTask[T]:
        """Starts `coro` as a task that works for this operation, which is current there, and does not outlive it.

        It is cancelled with the operation, at every await, unless it shields itself, and awaited before the `async with` is
        left. An error that nobody awaited leaves there, and the operation has failed; while it waits for its tasks, a cancel
        counts as one of the body. `RuntimeError` where it does not run.
        """
        from .tasks import Tasks, to_spawn  # noqa: PLC0415, since few need it

        coro = to_spawn(coro)
        extras = self._more
        if extras.is_closing or self._current() is None or not self._is_here():
            coro.close()
            raise RuntimeError(
                f"operation {self.operation_id} does not run on this loop: spawn tasks in its body, before it is left"
            )
        if extras.tasks is None:
            extras.tasks = Tasks()
        return extras.tasks.spawn(self, coro, name)

    async def run_in_thread(self, func: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Calls `func` in a thread, with this operation current there, and gives what it returns.

        The thread hears of a cancel by asking: `checkpoint()`, or `current_operation().token`, whose `check()` raises and
        whose `wait(timeout)` sleeps no longer than to the cancel. It is waited for as long as the grace lasts, or 5 seconds
        where there is none. One that does not listen is left behind, and the operation stays `CANCELLING` until it ends.
        """
        from .threads import run_in_thread  # noqa: PLC0415, since few need it

        self._settle_base()
        return await run_in_thread(self, func, args, kwargs)

    def shield(
        self, *, timeout: float | timedelta | None = None
    ) -> AbstractAsyncContextManager[Cancelable, bool | None]:
        """A section for `async with`, which runs to its end though the operation, or what encloses it, is cancelled meanwhile.

        The cancel is delivered right after it. After `timeout` seconds it is cancelled all the same: then a
        `TimeoutCancelation` leaves it. What is given is the section's own operation.
        """
        from .shields import Section  # noqa: PLC0415, since few need it

        self._settle_base()
        raises = "cancelled" if self._extras is None else self._extras.raises
        return Section(self, None if timeout is None else seconds("Timeout", timeout), raises)

    async def __aenter__(self) -> Self:
        extras = self._extras
        registry = OperationRegistry._native if self._is_registered else None
        if self._scope == "native":
            self._enter(None, current.get(), registry)
        else:
            scope = new_scope()
            self._enter(scope, current.get(), registry)
            scope.__enter__()
            self._scope = scope
        self._restore = current.set(self)
        if extras is not None:
            await extras.begin(self)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> bool | None:
        # Of a plain `bool` type checkers think that any `return` in the body may not happen; only with `raises="suppress"` is that so.
        extras = self._extras
        is_quiet = exc_val is None and extras is None
        if is_quiet and self._scope == "native" and self._complete_quietly():
            put_back(self, self._restore)
            return False
        how = self._leave()
        if (
            how == _QUIETLY
            and exc_val is None
            and not isinstance(self._scope, str)
            and (extras is None or extras.ends_at_once())
        ):
            put_back(self, self._restore)
            self._scope.__exit__(None, None, None)
            self._complete()
            return False
        if how == _NOT_ENTERED:
            return False
        if how >= _ELSEWHERE:
            return await close_elsewhere(self, exc_val, is_stranded=how == _STRANDED)
        return await close(self, exc_val)

    async def cancel(
        self,
        reason: CancelationReason | str = CancelationReason.MANUAL,
        message: str | None = None,
        propagate_to_children: bool = True,
    ) -> None:
        """Asks it to stop, and those that run inside of it; only itself, without `propagate_to_children`.

        The first ask counts. One that is not entered yet is cancelled as soon as it is. On other threads, use
        `token.cancel_sync`.
        """
        if not isinstance(reason, CancelationReason):
            reason, message = CancelationReason.MANUAL, str(reason)
        face = self._face()
        if face is not None and propagate_to_children and not self.context.is_terminal:
            await face.cancel(reason, message)
        else:
            self._cancel(_core.Why(reason, message), propagate_to_children)

    async def check_cancelation(self) -> None:
        """Goes on if it was not asked to stop.

        Raises a plain `CancelledError` if it was, with the message.
        """
        acting = self._settle_base()
        if acting._is_asked() and not is_shielded(acting):
            from .raised import raise_asked  # noqa: PLC0415, since it needs asyncio

            await raise_asked(acting)

    async def report_progress(self, message: Any, metadata: dict[str, Any] | None = None) -> None:
        """Tells how far it has come: its own callbacks, then those of what encloses it, in order."""
        self._progressed(message, metadata)
        reporter: Cancelable | None = self
        operation_id = self.operation_id
        told_already: set[int] = set()
        while reporter is not None:
            extras = reporter._extras
            if extras is not None:
                await extras.report(told_already, operation_id, message, metadata)
            reporter = reporter._above() or (
                None if extras is None else extras.base or extras.acts_on
            )

    def stream(
        self,
        async_iter: AsyncIterable[T],
        report_interval: int | None = None,
        buffer_partial: bool = True,
    ) -> AsyncIterator[T]:
        """The items of `async_iter`, each once and in order, until it ends or this operation is asked to stop.

        After an ask no further item is taken, and a plain `CancelledError` is raised, once the source is closed. The source is
        closed also where it fails, and at the latest when this operation is left. How many came, and with `buffer_partial` the
        newest 1000 of them, are then `context.partial_result`. With `report_interval`, progress is reported every so many items.
        """
        extras = self._settle_base()._more
        return extras.open_stream(self, aiter(async_iter), report_interval, buffer_partial)

    def wrap(self, operation: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        """`operation`, but not begun once this one was asked to stop: it raises a plain `CancelledError` then."""

        @functools.wraps(operation)
        async def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
            await self.check_cancelation()
            return await operation(*args, **kwargs)

        return wrapped

    @asynccontextmanager
    async def wrapping(self) -> AsyncIterator[_Call]:
        """For a block, what calls: `await wrap(f, *args, **kwargs)` is as `await cancel.wrap(f)(*args, **kwargs)`."""

        async def call(
            operation: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs
        ) -> R:
            return await self.wrap(operation)(*args, **kwargs)

        yield call

    @property
    def deadline(self) -> float | None:
        """When its time is up, or that of what it is cancelled with, by its loop's clock; inside a shield, the shield's own.

        `None` where there is no limit, or it does not run.
        """
        section = section_of(self)
        return super().deadline if section is None else section.deadline

    def remaining(self) -> float | None:
        """How many seconds are left until the `deadline`, not less than zero."""
        section = section_of(self)
        return super().remaining() if section is None else section.remaining()

    @property
    def elapsed_time(self) -> float:
        """How long it took, or has taken so far, in seconds."""
        return self.context.elapsed_time

    def __repr__(self) -> str:
        context = self.context
        name = "" if context.name is None else f" {context.name!r}"
        return f"<Cancelable{name} id={context.id} {context.status.value}>"

    def _shown(self) -> Cancelable:
        """The operation whose cancel it is that is heard of here."""
        return self

    def _settle_base(self) -> Cancelable:
        """Has what was combined with a running operation act on that, at the first use of the handle; which one it acts on."""
        extras = self._extras
        if extras is None:
            return self
        if extras.base is not None:
            extras.act_on_base(self)
        return extras.acts_on or self


def load_what_ends_one() -> None:
    """Imports what an operation ends with, as the first one is entered.

    It needs asyncio, for which a program that only imports this does not wait. And where an operation ends with the interpreter,
    nothing can be imported.
    """
    global close, close_elsewhere  # noqa: PLW0603, since they are imported once for the process
    from . import extras  # noqa: F401, PLC0415, as above
    from .closing import close, close_elsewhere  # noqa: PLC0415


if "asyncio" in sys.modules:
    # Then it costs little, and no fork can come while another thread is about it, and leave the child with a lock of an import.
    load_what_ends_one()

# What `_leave` gives.
_NOT_ENTERED, _QUIETLY, _ELSEWHERE, _STRANDED = 0, 1, 3, 4
