"""An item of a stream, whose source is an async generator that never waits."""

from collections.abc import AsyncIterator

from rows.row import Row, Sample, timed

ITEMS = 5000


async def numbers(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


async def bare() -> Sample:
    async def run(count: int) -> None:
        seen = 0
        async for _ in numbers(count):
            seen += 1
        assert seen == count

    return timed(run, ITEMS)


async def unrecorded() -> Sample:
    from hother.cancelable import Cancelable

    async def run(count: int) -> None:
        seen = 0
        async with Cancelable() as operation:
            async for _ in operation.stream(numbers(count), buffer_partial=False):
                seen += 1
        assert seen == count

    await run(10)
    return timed(run, ITEMS)


async def recorded() -> Sample:
    from hother.cancelable import Cancelable

    async def run(count: int) -> None:
        reports = []
        async with Cancelable() as operation:
            operation.on_progress(lambda _id, message, _metadata: reports.append(message))
            async for _ in operation.stream(numbers(count), report_interval=100):
                pass
        assert len(reports) == count // 100, reports
        partial = operation.context.partial_result
        assert partial["count"] == count
        assert partial["buffer"] == list(range(count - 1000, count))

    await run(2000)
    return timed(run, ITEMS)


ROWS = [
    Row("item of a bare async generator", bare, is_bare=True),
    Row("stream item, nothing recorded", unrecorded),
    Row("stream item, counted, last 1000 kept, a report every 100", recorded),
]
