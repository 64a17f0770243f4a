"""The simulated stream itself."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any

import anyio

from .config import StreamConfig
from .utils import get_random_chunk_size

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from hother.cancelable.core.cancelable import Cancelable

_PAUSE_IN_BURST = 0.001
_CHUNKS_PER_REPORT = 10


async def simulate_stream(
    text: str,
    config: StreamConfig | None = None,
    cancelable: Cancelable | None = None,
) -> AsyncGenerator[dict[str, Any]]:
    """The events of `text` arriving as over a network: of type `data`, `stall`, and at the end `complete`.

    With `cancelable` the stream ends when that is asked to stop, by a plain `CancelledError`, and progress is reported: each
    stall, and every tenth chunk.
    """
    sender = _Sender(text, config or StreamConfig(), cancelable)
    while not sender.is_done():
        await sender.check()
        if sender.draws(sender.config.stall_probability):
            yield await sender.stall()
        if sender.draws(sender.config.burst_probability):
            for _ in range(sender.config.burst_size):
                if sender.is_done():
                    break
                await sender.check()
                yield sender.next_chunk(is_in_burst=True)
                await anyio.sleep(_PAUSE_IN_BURST)
        else:
            await anyio.sleep(sender.delay())
            yield sender.next_chunk(is_in_burst=False)
            await sender.report()
    yield sender.event("complete", total_chunks=sender.chunks)


class _Sender:
    """Where in the text it is, and since when."""

    def __init__(self, text: str, config: StreamConfig, cancelable: Cancelable | None):
        self.text = text
        self.config = config
        self.cancelable = cancelable
        self.position = 0
        self.chunks = 0
        self.start = time.monotonic()

    def is_done(self) -> bool:
        return self.position >= len(self.text)

    def draws(self, probability: float) -> bool:
        return random.random() < probability

    def delay(self) -> float:
        delay = self.config.base_delay
        if self.draws(self.config.jitter_probability):
            delay += random.uniform(-self.config.jitter, self.config.jitter)
        return max(0.0, delay)

    async def check(self) -> None:
        if self.cancelable is not None:
            await self.cancelable.check_cancelation()

    async def stall(self) -> dict[str, Any]:
        duration = self.config.stall_duration
        await anyio.sleep(duration)
        if self.cancelable is not None:
            await self.cancelable.report_progress(
                f"Network stall: {duration:.3f}s", {"type": "stall", "duration": duration}
            )
        return self.event("stall", duration=duration)

    def next_chunk(self, *, is_in_burst: bool) -> dict[str, Any]:
        wanted = get_random_chunk_size(self.config)
        chunk = self.text[self.position : self.position + wanted]
        self.position += len(chunk)
        self.chunks += 1
        return self.event(
            "data",
            chunk=chunk,
            chunk_size=len(chunk),
            requested_chunk_size=wanted,
            position=self.position,
            total_length=len(self.text),
            burst=is_in_burst,
            chunk_number=self.chunks,
        )

    async def report(self) -> None:
        if self.cancelable is None or self.chunks % _CHUNKS_PER_REPORT != 0:
            return
        percent = 100 * self.position / len(self.text)
        await self.cancelable.report_progress(
            f"Stream progress: {percent:.1f}%",
            {
                "chunks_sent": self.chunks,
                "bytes_sent": self.position,
                "total_bytes": len(self.text),
                "progress_percent": percent,
            },
        )

    def event(self, kind: str, **more: Any) -> dict[str, Any]:
        return {"type": kind, **more, "timestamp": time.monotonic() - self.start}
