"""Conditions: a function that is asked now and then, and may block; memory, processor and disk are such.

    $ python examples/python/05_conditions.py
    a file appears: Condition 'stop_file' met after … checks
    an async check: Condition 'enough' met after 3 checks
    the machine is fine

Look for what a blocking check holds up: nothing, since it is asked in a thread.
"""

import asyncio
import tempfile
from pathlib import Path

from hother.cancelable import Cancelable, ConditionCancelation
from hother.cancelable.sources import ResourceConditionSource


async def main() -> None:
    """Ends on some conditions."""
    with tempfile.TemporaryDirectory() as folder:
        stop_file = Path(folder, "stop")
        asyncio.get_running_loop().call_later(0.1, stop_file.touch)
        try:
            async with Cancelable.with_condition(stop_file.exists, 0.02, "stop_file"):
                await asyncio.Event().wait()
        except ConditionCancelation as error:
            print(f"a file appears: {error}")

    asked = 0

    async def enough() -> bool:
        nonlocal asked
        asked += 1
        return asked == 3

    try:
        async with Cancelable.with_condition(enough, 0.01):
            await asyncio.Event().wait()
    except ConditionCancelation as error:
        print(f"an async check: {error}")

    machine = ResourceConditionSource(memory_threshold=100.0, check_interval=0.01)
    async with Cancelable(sources=[machine]):
        await asyncio.sleep(0.05)
        print("the machine is fine")


asyncio.run(main())
