"""Shielded sections: what runs in one runs to its end, though the operation around it is cancelled meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import anyio.lowlevel
from anyio import CancelScope

from .cancelable import Cancelable
from .current import around, current
from .raised import raise_asked

if TYPE_CHECKING:
    from types import TracebackType

    from .cancelable import Raises


class Section(Cancelable):
    """A section of an operation: its own operation, which nothing around it cancels.

    What begins inside has the section around it, so that is not cancelled either.
    """

    __slots__ = ("_held",)

    _is_shield = True

    def __init__(self, operation: Cancelable, timeout: float | None, raises: Raises):
        super().__init__(name=f"{operation.context.name}_shielded", metadata={"shielded": True})
        self._set_parent(operation)
        self._set_section()
        if timeout is not None:
            self._limit(timeout)
        if raises == "error":
            self._more.choose(raises)

    async def __aenter__(self) -> Self:
        scope = CancelScope(shield=True)
        self._enter(scope, None)
        scope.__enter__()
        self._scope = scope
        # Scopes of ours know nothing of anyio's shields, and are told.
        self._held = [it for it in around() if it._shield_native()]
        self._restore = current.set(self)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> bool | None:
        held, self._held = self._held, []
        try:
            is_over = await super().__aexit__(exc_type, exc_val, exc_tb)
        finally:
            due = [it for it in held if it._unshield_native()]
            # What came meanwhile is delivered right here, unless something else leaves first.
            first = due.pop(0) if due and exc_val is None else None
            for it in due:
                it._deliver_native()
        if exc_val is None:
            if first is not None:
                await raise_asked(first)
            await anyio.lowlevel.checkpoint_if_cancelled()
        return is_over

    def _complete(self) -> None:
        self._end_section()
