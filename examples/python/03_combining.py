"""Several things may end an operation: whichever fires first does, and the reason says which.

    $ python examples/python/03_combining.py
    nobody does anything: timeout, Operation timed out after 0.2s
    the user leaves: disconnected, the tab was closed
    the service stops: shutdown, see you tomorrow

Look for the reason: it is that of what fired, so code that logs, bills or answers can branch on it.
"""

import asyncio

from hother.cancelable import Cancelable, CancelationError, CancelationReason, CancelationToken


async def generate(user: CancelationToken, service: CancelationToken) -> None:
    """Works until it is told to stop, and for no longer than it may."""
    limits = Cancelable.with_timeout(0.2, name="generate")
    async with limits.combine(Cancelable.with_token(user), Cancelable.with_token(service)):
        await asyncio.Event().wait()


async def show(what: str, user: CancelationToken, service: CancelationToken) -> None:
    """Tells how it ended."""
    try:
        await generate(user, service)
    except CancelationError as error:
        print(f"{what}: {error.reason.value}, {error}")


async def main() -> None:
    """Ends it in three ways."""
    await show("nobody does anything", CancelationToken(), CancelationToken())

    user = CancelationToken()
    leaves = asyncio.get_running_loop().call_later
    leaves(0.05, user.cancel_sync, CancelationReason.DISCONNECTED, "the tab was closed")
    await show("the user leaves", user, CancelationToken())

    service = CancelationToken()
    leaves(0.05, service.cancel_sync, CancelationReason.SHUTDOWN, "see you tomorrow")
    await show("the service stops", CancelationToken(), service)


asyncio.run(main())
