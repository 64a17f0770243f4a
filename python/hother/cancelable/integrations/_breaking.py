"""Waits that end as soon as an operation is asked to stop, also while its grace lasts."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from anyio import CancelScope, current_effective_deadline

from hother.cancelable.core.current import is_shielded
from hother.cancelable.core.models import CancelationReason

from ._answers import root

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hother.cancelable.core.cancelable import Cancelable


@contextmanager
def until_asked(
    operation: Cancelable, *, but_for_a_client_that_left: bool = False
) -> Iterator[None]:
    """What is awaited inside is broken off once `operation` is asked to stop, and the block is left; then check the operation.

    A shield holds here as well. With `but_for_a_client_that_left`, such a client breaks nothing off while a grace lasts.
    """
    with CancelScope() as scope:
        if is_shielded(operation):
            yield
            return

        def break_off() -> None:
            if not (but_for_a_client_that_left and is_client_gone(operation)):
                scope.cancel()

        listening = operation.token._wait(break_off)
        try:
            yield
        finally:
            listening.deregister()


def is_client_gone(operation: Cancelable) -> bool:
    """Whether it was asked to stop since a client left, by what it all began with."""
    why = operation._asked()
    return why is not None and root(why).reason is CancelationReason.DISCONNECTED


def is_spared(operation: Cancelable) -> bool:
    """Whether one that was asked to stop may still await here: in its grace, or in a shield."""
    return not isinstance(operation._scope, str) and current_effective_deadline() > float("-inf")
