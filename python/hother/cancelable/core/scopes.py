"""The scope that a body runs in: anyio's, of the loop that runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anyio import CancelScope

_of_asyncio: type[CancelScope] | None = None


def new_scope() -> CancelScope:
    """A scope for the loop that runs here.

    anyio looks up the loop's kind for each, which takes longer than all else about a scope. Where trio was never imported
    there is one kind, and the class that was given once is that of every scope.
    """
    global _of_asyncio  # noqa: PLW0603, since it is looked up once for the process
    if _of_asyncio is None or "trio" in sys.modules:
        # With the first operation that runs, and not with the package.
        from anyio import CancelScope  # noqa: PLC0415

        scope = CancelScope()
        if "trio" not in sys.modules:
            _of_asyncio = type(scope)
        return scope
    return _of_asyncio()
