"""`News`: word for whoever waits until something has changed, and looks again then."""

from __future__ import annotations

import asyncio


class News:
    """See the module's documentation. On one loop alone."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def is_awaited(self) -> bool:
        """Whether anybody waits."""
        return bool(self._waiting)

    async def wait(self) -> None:
        """Waits for the next `tell`. A cancel leaves nothing behind."""
        news = asyncio.get_running_loop().create_future()
        self._waiting.append(news)
        try:
            await news
        finally:
            if news in self._waiting:
                self._waiting.remove(news)

    def tell(self) -> None:
        """Has everybody who waits look again."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        for news in waiting:
            if not news.done():
                news.set_result(None)
