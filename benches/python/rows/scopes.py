"""Operations, made, entered and left around a body that does nothing."""

import asyncio

import anyio

from rows.row import Row, Sample, timed

ROUNDS = 300


async def bare_scope() -> Sample:
    with anyio.CancelScope() as scope:
        scope.cancel()
        await anyio.sleep(60)
    assert scope.cancelled_caught

    async def run(rounds: int) -> None:
        for _ in range(rounds):
            with anyio.CancelScope():
                pass

    return timed(run, ROUNDS)


async def bare_move_on_after() -> Sample:
    with anyio.move_on_after(0.001) as scope:
        await anyio.sleep(60)
    assert scope.cancelled_caught

    async def run(rounds: int) -> None:
        for _ in range(rounds):
            with anyio.move_on_after(60):
                pass

    return timed(run, ROUNDS)


async def bare_timeout() -> Sample:
    try:
        async with asyncio.timeout(0.001):
            await asyncio.sleep(60)
    except TimeoutError:
        pass
    else:
        raise AssertionError("the time limit did not fire")

    async def run(rounds: int) -> None:
        for _ in range(rounds):
            async with asyncio.timeout(60):
                pass

    return timed(run, ROUNDS)


async def entered() -> Sample:
    from hother.cancelable import Cancelable, OperationStatus, current_operation

    async with Cancelable() as operation:
        assert current_operation() is operation
    assert operation.context.status is OperationStatus.COMPLETED

    async def run(rounds: int) -> None:
        for _ in range(rounds):
            async with Cancelable():
                pass

    return timed(run, ROUNDS)


async def with_timeout() -> Sample:
    return await _with_timeout()


async def with_timeout_native() -> Sample:
    return await _with_timeout(scope="native")


async def _with_timeout(**options: str) -> Sample:
    from hother.cancelable import Cancelable

    await _ends(Cancelable.with_timeout(0.001, **options), "timeout")

    async def run(rounds: int) -> None:
        for _ in range(rounds):
            async with Cancelable.with_timeout(60, **options):
                pass

    return timed(run, ROUNDS)


async def combined() -> Sample:
    from hother.cancelable import Cancelable, CancelationToken

    token = CancelationToken()
    stopped = Cancelable.with_timeout(60).combine(Cancelable.with_token(token), Cancelable())
    asyncio.get_running_loop().call_later(0.001, token.cancel_sync)
    await _ends(stopped, "manual")
    limited = Cancelable.with_timeout(0.001).combine(Cancelable.with_token(CancelationToken()))
    await _ends(limited, "timeout")

    token = CancelationToken()

    async def run(rounds: int) -> None:
        for _ in range(rounds):
            made = Cancelable.with_timeout(60).combine(Cancelable.with_token(token), Cancelable())
            async with made:
                pass

    return timed(run, ROUNDS)


async def registered() -> Sample:
    from hother.cancelable import Cancelable, OperationRegistry

    registry = OperationRegistry.get_instance()
    async with Cancelable(register_globally=True) as operation:
        assert await registry.get_operation(operation.operation_id) is operation
    assert await registry.get_operation(operation.operation_id) is None
    assert operation.operation_id in [ended.id for ended in await registry.get_history()]

    async def run(rounds: int) -> None:
        for _ in range(rounds):
            async with Cancelable(register_globally=True):
                pass

    return timed(run, ROUNDS)


async def _ends(operation, reason: str) -> None:
    """Enters it, and sees to it that it is ended for this reason, long before its body would end."""
    try:
        async with asyncio.timeout(5):
            async with operation:
                await asyncio.sleep(60)
    except BaseException:  # noqa: BLE001 - which error leaves it is not what is measured
        pass
    assert operation.context.cancel_reason == reason, operation.context.cancel_reason


ROWS = [
    Row("anyio.CancelScope()", bare_scope, is_bare=True),
    Row("anyio.move_on_after(60)", bare_move_on_after, is_bare=True),
    Row("asyncio.timeout(60)", bare_timeout, is_bare=True),
    Row("operation, entered and left", entered),
    Row("operation with a timeout", with_timeout),
    Row("operation with a timeout, native scope", with_timeout_native),
    Row("three combined, made, entered and left", combined),
    Row("registered operation, entered and left", registered),
]
