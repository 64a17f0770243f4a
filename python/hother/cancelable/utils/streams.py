"""Streams that are operations of their own, and streams in chunks."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, TypeVar

from hother.cancelable.core.cancelable import Cancelable
from hother.cancelable.core.stepwise import stepwise

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from datetime import timedelta

    from hother.cancelable.core.token import CancelationToken

T = TypeVar("T")


async def cancelable_stream(
    stream: AsyncIterator[T],
    timeout: float | timedelta | Cancelable | None = None,
    token: CancelationToken | None = None,
    report_interval: int | None = None,
    on_progress: Callable[[int, T], Any] | None = None,
    buffer_partial: bool = False,
    operation_id: str | None = None,
    name: str | None = None,
) -> AsyncIterator[T]:
    """The items of `stream`, as an operation that ends with them, after `timeout` seconds, or with `token`.

    In place of a timeout an operation may be given: one that runs is used as it is, another is entered. `on_progress` is called
    with the count and the latest item, every `report_interval` items. The stream is closed whichever way it ends.
    """
    if isinstance(timeout, Cancelable):
        operation = timeout
    else:
        operation = _operation(timeout, token, operation_id, name)
    if on_progress is not None:
        operation.on_progress(_reporting(on_progress))

    def open_source() -> AsyncIterator[T]:
        return operation.stream(stream, report_interval, buffer_partial)

    items = open_source() if operation.is_running else stepwise(operation, open_source)
    try:
        async for item in items:
            yield item
    finally:
        await _close(items)


class CancelableAsyncIterator(AsyncIterator[T]):
    """The items of `iterator`, until they end or `cancelable` is asked to stop; which is not entered by it."""

    def __init__(
        self,
        iterator: AsyncIterator[T],
        cancelable: Cancelable,
        report_interval: int | None = None,
        buffer_partial: bool = False,
    ):
        self._iterator = iterator
        self._stream = cancelable.stream(iterator, report_interval, buffer_partial)

    def __aiter__(self) -> CancelableAsyncIterator[T]:
        return self

    def __anext__(self) -> Awaitable[T]:
        return anext(self._stream)

    async def aclose(self) -> None:
        """Closes the iterator, and notes what has come of it."""
        await self._stream.aclose()  # type: ignore[attr-defined]


async def chunked_cancelable_stream(
    stream: AsyncIterator[T],
    chunk_size: int,
    cancelable: Cancelable,
) -> AsyncIterator[list[T]]:
    """The items of `stream` in lists of `chunk_size`, of which the last may be shorter; progress is reported after each.

    A chunk that is not full when the stream fails, or `cancelable` is asked to stop, is given before that is raised.
    """
    if chunk_size < 1:
        raise ValueError(f"chunk_size must be at least 1, got {chunk_size}")
    chunk: list[T] = []
    items = cancelable.stream(stream)
    try:
        try:
            async for item in items:
                chunk.append(item)
                if len(chunk) == chunk_size:
                    full, chunk = chunk, []
                    yield full
                    await cancelable.report_progress(f"Processed chunk of {chunk_size} items")
        except GeneratorExit:
            raise
        except BaseException:
            if chunk:
                yield chunk
            raise
        if chunk:
            yield chunk
            await cancelable.report_progress(f"Processed final chunk of {len(chunk)} items")
    finally:
        await _close(items)


def _operation(
    timeout: float | timedelta | None,
    token: CancelationToken | None,
    operation_id: str | None,
    name: str | None,
) -> Cancelable:
    if timeout and token:
        limited = Cancelable.with_timeout(timeout, operation_id, name)
        return limited.combine(Cancelable.with_token(token))
    if timeout:
        return Cancelable.with_timeout(timeout, operation_id, name or "stream_timeout")
    if token:
        return Cancelable.with_token(token, operation_id, name or "stream_token")
    return Cancelable(operation_id, name or "stream")


def _reporting(on_progress: Callable[[int, T], Any]) -> Callable[..., Awaitable[None]]:
    async def report(_id: str, _message: Any, metadata: dict[str, Any] | None = None) -> None:
        if metadata is not None and {"count", "latest_item"} <= metadata.keys():
            given = on_progress(metadata["count"], metadata["latest_item"])
            if inspect.isawaitable(given):
                await given

    return report


async def _close(items: AsyncIterator[T] | AsyncGenerator[T]) -> None:
    await items.aclose()  # type: ignore[union-attr]
