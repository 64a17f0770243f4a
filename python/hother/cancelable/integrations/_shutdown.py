"""`shutdown`: the end of a server, which asks what runs, waits for it, and names what is left."""

from __future__ import annotations

import asyncio
import signal
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from hother.cancelable import _core
from hother.cancelable.core.lengths import seconds
from hother.cancelable.core.models import CancelationReason
from hother.cancelable.sources import _signals
from hother.cancelable.sources._jobs import home
from hother.cancelable.utils.logging import get_logger

from ._serving import serving

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hother.cancelable.core.models import OperationContext

_log = get_logger(__name__)

_MARGIN = 0.05
"""How much later than the grace is over, in seconds, what is left is cut: it is named before."""

DEFAULT_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class ShutdownReport(NamedTuple):
    """How a shutdown went."""

    asked: int
    """How many requests were running when it began."""
    still_running: tuple[OperationContext, ...]
    """What the operations of those tell that were still running when the grace was over."""
    seconds: float
    """How long it took, until the last of them had ended, or the grace was over."""


class Shutdown:
    """What `shutdown` gives."""

    def __init__(self, grace: float, signals: tuple[int, ...], *, may_do_without: bool):
        self.grace = grace
        self.report: ShutdownReport | None = None
        """How it went, once it is over."""
        self.has_begun = False
        """Whether requests have been asked to stop, and new ones are turned away."""
        self.has_heard = False
        self._signals = signals
        self._may_do_without = may_do_without
        self._serving = serving()
        self._home = home()
        self._began = 0.0
        self._asked = 0
        self._timer: asyncio.TimerHandle | None = None
        self._over = asyncio.Event()

    async def begin(self) -> ShutdownReport:
        """Asks every request that runs on this loop to stop, and turns new ones away; waits until all have ended, or the grace is over.

        What is still running then is named in the log and in the report, and cancelled. Again, it only waits. A cancel of who waits
        changes nothing for the requests.
        """
        self._begin()
        await self._over.wait()
        assert self.report is not None, "it is there before that it is over is told"
        return self.report

    async def __aenter__(self) -> Self:
        if self._serving.shutdown is not None:
            raise RuntimeError("this loop has a shutdown under way already")
        listening: list[int] = []
        try:
            for number in self._signals:
                _signals.listen(number, self)
                listening.append(number)
        except RuntimeError:
            # Such as a server in a thread, which somebody else tells to stop.
            for number in listening:
                _signals.leave(number, self)
            if not self._may_do_without:
                raise
            _log.debug("no signal begins this shutdown", exc_info=True)
        self._serving.shutdowns.append(self)
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self.begin()
        finally:
            for number in self._signals:
                _signals.leave(number, self)
            if self._timer is not None:
                self._timer.cancel()
            self.has_begun = False
            self._serving.shutdowns.remove(self)
            if self._serving.shutdown is None:
                self._home.spare(None)

    def is_listening(self) -> bool:
        """Whether a signal would be news to it."""
        return not self.has_heard and not self.has_begun

    def arrived(self, _: int) -> bool:
        """A signal has come."""
        self.has_heard = True
        self._home.post(self._begin)
        return True

    def _begin(self) -> None:
        if self.has_begun or self.report is not None:
            return
        loop = asyncio.get_running_loop()
        self.has_begun = True
        if self not in self._serving.shutdowns:
            # One that was not entered stays, as the end of the loop.
            self._serving.shutdowns.append(self)
        self._began = time.monotonic()
        self._timer = loop.call_later(self.grace, self._time_is_up)
        # None is cut before the grace of any that has begun, or is about to, is over.
        longest = max(it.grace for it in self._serving.shutdowns)
        self._home.spare(longest + _MARGIN)
        running = tuple(self._serving.exchanges)
        self._asked = len(running)
        fatal: BaseException | None = None
        for exchange in running:
            try:
                exchange.ask(shutdown_why())
            except BaseException as error:  # noqa: BLE001, since it ends the program once all have been asked
                fatal = fatal or error
        self.all_ended_perhaps()
        if fatal is not None:
            raise fatal

    def all_ended_perhaps(self) -> None:
        """Some request has ended: so it may be over."""
        if not self._serving.exchanges and self.report is None:
            self._end(())

    def _time_is_up(self) -> None:
        if self.report is not None:
            return
        left = tuple(self._serving.exchanges)
        contexts = tuple(context for exchange in left for context in exchange.contexts())
        for context in contexts:
            _log.warning(
                "still running after %s s of a shutdown: %s (%s), for %.1f s",
                self.grace,
                context.name,
                context.id,
                context.elapsed_time,
            )
        self._end(contexts)
        for exchange in left:
            exchange.give_up(shutdown_why())

    def _end(self, left: tuple[OperationContext, ...]) -> None:
        self.report = ShutdownReport(self._asked, left, time.monotonic() - self._began)
        self._over.set()


def shutdown(
    _app: Any = None,
    *,
    grace: float | timedelta = 10.0,
    signals: Iterable[int] | None = None,
) -> Shutdown:
    """A graceful end of the server, for its lifespan: every request that runs is asked to stop as soon as the signal comes.

        @asynccontextmanager
        async def lifespan(app):
            async with shutdown(app, grace=10.0):
                yield

    A server runs the end of a lifespan only once the requests are over, so it is the signal that begins this: SIGTERM or SIGINT, which the
    server hears of as it always does. Where none comes, `await begin()` does, or the end of the `async with`.

    At the beginning each request is asked to stop, with reason `SHUTDOWN`, and new ones are answered with 503 and `Retry-After`. None is
    cancelled, nor what runs inside of it, before `grace` seconds are over; what is still running then is named in the log and in
    `report`, and cancelled. Let the server wait for longer than that: uvicorn does unless `timeout_graceful_shutdown` says otherwise, for
    hypercorn set `graceful_timeout`.

    They are asked one after the other, on the loop: a callback of a request's token that blocks holds up the loop, and so those that come
    after it.

    It is about all requests on the loop that it is entered on which the middleware, the dependency or the decorator knows of. An
    application that is mounted in another may have one as well: each asks and waits, and nothing is cut before the longest grace is over.

    Args:
        grace: how many seconds a request has to finish by itself.
        signals: those that begin it. Outside of the main thread there are none, unless they are said, which is an error.
    """
    if isinstance(_app, int | float | timedelta):
        raise TypeError(
            f"grace is said by its name, as grace={_app!r}: what comes first is the application"
        )
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            "no event loop runs here: call shutdown() in the lifespan of the application"
        ) from None
    numbers = DEFAULT_SIGNALS if signals is None else tuple(signals)
    for number in numbers:
        _signals.check(number)
    return Shutdown(seconds("Grace", grace), numbers, may_do_without=signals is None)


def shutdown_why() -> _core.Why:
    """Why a shutdown asks work to stop."""
    return _core.Why(CancelationReason.SHUTDOWN, "the server is shutting down")
