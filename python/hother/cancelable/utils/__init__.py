"""Decorators, streams, bridges to threads, and helpers for tests."""

from typing import TYPE_CHECKING

from hother.cancelable._lazily import names_of

# A type checker takes what has this for a module with any name.
if not TYPE_CHECKING:
    __getattr__, __dir__ = names_of(
        globals(),
        {},
        parts=(
            "anyio_bridge",
            "context_bridge",
            "decorators",
            "logging",
            "streams",
            "testing",
            "threading_bridge",
        ),
    )
