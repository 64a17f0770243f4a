"""The one reader of a connection: it may read ahead, so that a client that leaves is noticed, and passes on all that it reads.

Invariants:

1. The server's `receive` is awaited by one task at a time.
2. A message is kept, or given to whoever read it for itself, before anything else is awaited: so a cancel loses none.
3. Nobody reads for itself while something is kept, so the order is that of the connection.
4. Whoever waits for a message has it before `until_gone` is over, so that what a client's leaving does comes after what it had sent.
5. What is kept weighs at most `LIMIT`, but for the last message of it. Beyond that nobody reads, and the server holds the client up.
"""

from __future__ import annotations

import sys
from collections import deque
from typing import TYPE_CHECKING, Any

from ._news import News

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]

LIMIT = 64 * 1024
"""How much is read ahead, in bytes of memory."""


class ReadAhead:
    """What stands between a server's `receive` and whoever reads a connection."""

    __slots__ = ("_end", "_is_reading", "_kept", "_news", "_server", "_waiting", "_weight")

    def __init__(self, receive: Receive):
        self._server = receive
        self._is_reading = False
        self._kept: deque[Message] = deque()
        self._weight = 0
        # The message that says that the client is gone: nothing comes after it.
        self._end: Message | None = None
        # How many wait for a message that somebody else reads.
        self._waiting = 0
        self._news = News()

    @property
    def has_ended(self) -> bool:
        """Whether the client is known to be gone. What it had sent before may still be there to be received."""
        return self._end is not None

    @property
    def has_kept(self) -> bool:
        """Whether a message is there to be received without waiting."""
        return bool(self._kept)

    async def receive(self) -> Message:
        """The next message, in the order of the connection; after the last one, that the client is gone, each time.

        A cancel takes no message away: the next call has it.
        """
        while True:
            if self._kept:
                return self._take()
            if self._end is not None:
                return self._end
            if not self._is_reading:
                return await self._read()
            await self._wait()

    async def _wait(self) -> None:
        self._waiting += 1
        try:
            await self._news.wait()
        except BaseException:
            # Whoever waits for this one to take what is there waits no more.
            self._news.tell()
            raise
        finally:
            self._waiting -= 1

    async def until_gone(self) -> None:
        """Reads ahead until the client is gone, as far as there is room, and whoever waits has what it had sent before.

        A cancel ends the reading, and takes nothing away.
        """
        while self._end is None:
            if self._is_reading or self._weight >= LIMIT:
                await self._news.wait()
            else:
                self._keep(await self._read())
        while self._kept and self._waiting:
            await self._news.wait()

    async def _read(self) -> Message:
        self._is_reading = True
        try:
            message = await self._server()
        finally:
            self._is_reading = False
            self._news.tell()
        if message["type"] == "websocket.disconnect":
            self._end = message
        return message

    def _keep(self, message: Message) -> None:
        if message is not self._end:
            self._kept.append(message)
            self._weight += _weight(message)

    def _take(self) -> Message:
        message = self._kept.popleft()
        self._weight -= _weight(message)
        self._news.tell()
        return message


def _weight(message: Message) -> int:
    # An empty message takes its place, too.
    return sys.getsizeof(message) + sum(sys.getsizeof(value) for value in message.values())
