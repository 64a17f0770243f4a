"""A pool of workers that stop together: asked once, they finish the job in hand, and take no other.

    $ python examples/python/11_worker_pool.py
    4 workers stopped: the shift is over
    every job was done once, and none was torn apart: True

Look for the shield: a job that was begun is finished, though the cancel came meanwhile; the next one is not begun.
"""

import asyncio

from hother.cancelable import Cancelable, CancelationError, CancelationToken

WORKERS = 4


async def worker(shift: CancelationToken, jobs: asyncio.Queue[int], done: list[int]) -> str:
    """Takes jobs until the shift is over."""
    try:
        async with Cancelable.with_token(shift, name="worker") as cancel:
            while True:
                job = await jobs.get()
                async with cancel.shield():
                    await asyncio.sleep(0.001)
                    done.append(job)
    except CancelationError as error:
        return str(error)


async def main() -> None:
    """Runs a shift."""
    shift, jobs, done = CancelationToken(), asyncio.Queue[int](), list[int]()
    for job in range(10_000):
        jobs.put_nowait(job)
    loop = asyncio.get_running_loop()
    loop.call_later(0.1, shift.cancel_sync, "the shift is over")
    reasons = await asyncio.gather(*(worker(shift, jobs, done) for _ in range(WORKERS)))
    print(f"{len(reasons)} workers stopped: {', '.join(set(reasons))}")
    taken = 10_000 - jobs.qsize()
    is_whole = sorted(done) == list(range(taken))
    print(f"every job was done once, and none was torn apart: {is_whole}")


asyncio.run(main())
