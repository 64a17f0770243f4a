"""Operations that are in the registry."""

from typing import Any

import anyio

from hother.cancelable import (
    Cancelable,
    OperationContext,
)


async def forever() -> None:
    """Waits, and is only ended by a cancel."""
    await anyio.Event().wait()


def registered(operation_id: str, **more: Any) -> Cancelable:
    return Cancelable(operation_id, more.pop("name", operation_id), register_globally=True, **more)


async def run(operation: Cancelable) -> None:
    async with operation:
        pass


def ids(contexts: list[OperationContext]) -> list[str]:
    return [it.id for it in contexts]
