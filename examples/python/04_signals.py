"""Signals: the first Ctrl-C asks, and what is under way is finished; the program's own handlers are called as before.

    $ python examples/python/04_signals.py
    working, and tidying up when it is told to
    the program's own handler was called, too
    tidied up
    stopped: Received signal SIGTERM (15)
    afterwards, the handler is the program's again: True

Look for the grace: the body hears of the cancel, and has a second to come to an end by itself.
"""

import asyncio
import os
import signal

from hother.cancelable import Cancelable, CancelationError


def own_handler(_number: int, _frame: object) -> None:
    """Was installed before."""
    print("the program's own handler was called, too")


async def main() -> None:
    """Sends itself a signal, as a supervisor would."""
    before = signal.signal(signal.SIGTERM, own_handler)
    try:
        async with Cancelable.with_signal(signal.SIGTERM, grace=1.0) as cancel:
            print("working, and tidying up when it is told to")
            asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGTERM)
            await cancel.token.wait_for_cancel()
            print("tidied up")
            await cancel.check_cancelation()
    except (CancelationError, asyncio.CancelledError) as error:
        print(f"stopped: {error}")
    is_back = signal.getsignal(signal.SIGTERM) is own_handler
    print(f"afterwards, the handler is the program's again: {is_back}")
    signal.signal(signal.SIGTERM, before)


asyncio.run(main())
