"""`Serving`: the requests that run on a loop, and the shutdown that it has, if any."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from hother.cancelable._core import Why
    from hother.cancelable.core.models import OperationContext

    from ._shutdown import Shutdown


class Served(Protocol):
    """What is served to a client: a request, or a socket."""

    def ask(self, why: Why) -> None:
        """Asks the work to stop."""

    def give_up(self, why: Why) -> None:
        """Asks the work to stop, whoever else decides on it."""

    def contexts(self) -> list[OperationContext]:
        """What there is to know of what runs for it."""


class Serving:
    """One for each loop, on which it lives alone."""

    __slots__ = ("exchanges", "shutdowns")

    def __init__(self) -> None:
        self.exchanges: set[Served] = set()
        self.shutdowns: list[Shutdown] = []
        """What may end this: mostly one, but an application and one that is mounted in it may have theirs."""

    @property
    def shutdown(self) -> Shutdown | None:
        """What has begun to end this."""
        return next((it for it in self.shutdowns if it.has_begun), None)

    def left(self, exchange: Served) -> None:
        """A request runs no more."""
        self.exchanges.discard(exchange)
        for shutdown in self.shutdowns:
            if shutdown.has_begun:
                shutdown.all_ended_perhaps()


def serving() -> Serving:
    """That of the loop that runs here."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            "no event loop of asyncio runs here, and requests are served on one: with hypercorn, by --worker-class asyncio or uvloop"
        ) from None
    found = _of_loops.get(loop)
    if found is None:
        found = _of_loops[loop] = Serving()
    return found


_of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, Serving] = WeakKeyDictionary()
