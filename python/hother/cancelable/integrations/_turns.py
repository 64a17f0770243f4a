"""`Turns`: lets the loop run now and then, where what is awaited waits for nothing."""

from __future__ import annotations

import asyncio

TURN = 0.001
"""How long one may keep the loop to itself, in seconds."""


class Turns:
    """One's turns at the loop.

    Neither a generator that computes nor a send that the server takes at once waits for anything: the loop would never hear that
    the client is gone.
    """

    __slots__ = ("_began",)

    def __init__(self) -> None:
        self._began = asyncio.get_running_loop().time()

    async def pass_on(self) -> None:
        """Lets others run, if they have waited for long enough."""
        loop = asyncio.get_running_loop()
        if loop.time() - self._began > TURN:
            await asyncio.sleep(0)
            self._began = loop.time()
