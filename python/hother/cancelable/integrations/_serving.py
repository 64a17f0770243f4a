"""`Serving`: the requests that run on a loop, and the shutdown that it has, if any."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from ._exchange import Exchange
    from ._shutdown import Shutdown


class Serving:
    """One for each loop, on which it lives alone."""

    __slots__ = ("exchanges", "shutdown")

    def __init__(self) -> None:
        self.exchanges: set[Exchange] = set()
        self.shutdown: Shutdown | None = None
        """What has begun to end this."""

    def left(self, exchange: Exchange) -> None:
        """A request runs no more."""
        self.exchanges.discard(exchange)
        if self.shutdown is not None:
            self.shutdown.all_ended_perhaps()


def serving() -> Serving:
    """That of the loop that runs here."""
    loop = asyncio.get_running_loop()
    found = _of_loops.get(loop)
    if found is None:
        found = _of_loops[loop] = Serving()
    return found


_of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, Serving] = WeakKeyDictionary()
