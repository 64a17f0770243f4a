"""What a stream of an operation awaits beside its source's items: reports of progress, and the closing of the source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import anyio

from hother.cancelable.utils.logging import get_logger

from .current import is_shielded
from .raised import raise_asked

if TYPE_CHECKING:
    from hother.cancelable._core import Stream

_log = get_logger(__name__)

KEPT = 1000
"""How many of the newest items a stream keeps, unless it is told to keep none."""

CLOSE_LIMIT = 30.0
"""How long a source may take to close, in seconds: it is not cancelled by what cancelled the stream."""


async def reporting(stream: Stream, count: int, item: Any) -> None:
    """Reports an item that came."""
    await stream.operation.report_progress(
        f"Processed {count} items", {"count": count, "latest_item": item}
    )


def is_to_go_on(stream: Stream) -> bool:
    """Whether an item is taken all the same, though the operation was asked to stop: what runs here is shielded from that."""
    return is_shielded(stream.operation)


async def stopping(stream: Stream) -> None:
    """Ends a stream whose operation was asked to stop: no further item is taken."""
    await stop(stream)
    await raise_asked(stream.operation)


async def closing(stream: Stream, error: BaseException) -> NoReturn:
    """Closes a source that failed, or was cancelled; then that goes on."""
    try:
        await stop(stream)
        raise error
    finally:
        del error


async def stop(stream: Stream) -> None:
    """Closes the source of a stream that has not come to its end."""
    if not stream._over(False):
        return
    close = getattr(stream.source, "aclose", None)
    if close is None:
        return
    try:
        with anyio.move_on_after(CLOSE_LIMIT, shield=True) as scope:
            await close()
    except Exception:  # noqa: BLE001, since a source may raise whatever it likes
        _log.exception("the source of a stream could not be closed")
    if scope.cancelled_caught:
        _log.warning(
            "the source of a stream was left: it took longer than %s s to close", CLOSE_LIMIT
        )
