"""The scope that a body runs in: anyio's, of the loop that runs."""

from __future__ import annotations

import sys

from anyio import CancelScope

_of_asyncio: type[CancelScope] | None = None


def new_scope() -> CancelScope:
    """A scope for the loop that runs here.

    anyio looks up the loop's kind for each, which takes longer than all else about a scope. Where trio was never imported
    there is one kind, and the class that was given once is that of every scope.
    """
    global _of_asyncio  # noqa: PLW0603, since it is looked up once for the process
    if "trio" in sys.modules:
        return CancelScope()
    if _of_asyncio is None:
        _of_asyncio = type(CancelScope())
    return _of_asyncio()
