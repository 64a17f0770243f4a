"""`Policy`: what becomes of a request's work when the client goes away."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal, NamedTuple, TypeAlias

from hother.cancelable.core.lengths import seconds

Kind: TypeAlias = Literal["cancel", "grace", "detach", "ignore"]

Disconnect: TypeAlias = Kind | tuple[Literal["grace"], float | timedelta]
"""What `disconnect=` takes: one of the words, or `("grace", seconds)`."""

DEFAULT_GRACE = 10.0
"""How many seconds `"grace"` gives where nothing is said."""


class Policy(NamedTuple):
    """One of the four, and how many seconds of grace it gives, if any."""

    kind: Kind
    grace: float | None = None

    @property
    def is_watched(self) -> bool:
        """Whether it matters that the client is gone."""
        return self.kind != "ignore"

    @property
    def goes_on(self) -> bool:
        """Whether the work goes on for a while, or to its end."""
        return self.grace is not None or self.kind == "detach"


CANCEL = Policy("cancel")


def policy(disconnect: Disconnect, grace: float | timedelta | None = None) -> Policy:
    """What `disconnect=` and `grace=` ask for."""
    kind: Any = disconnect
    if isinstance(kind, tuple):
        kind, *given = kind
        if kind != "grace" or len(given) != 1:
            raise ValueError(f'disconnect must be a word or ("grace", seconds), got {disconnect!r}')
        if grace is not None:
            raise ValueError(
                'grace was given twice: in disconnect=("grace", seconds), and as grace='
            )
        grace = given[0]
    if kind == "grace":
        return Policy("grace", DEFAULT_GRACE if grace is None else seconds("Grace", grace))
    if grace is not None:
        raise ValueError(f'grace goes with disconnect="grace" alone, got disconnect={disconnect!r}')
    if kind == "cancel":
        return CANCEL
    if kind == "detach":
        return Policy("detach")
    if kind == "ignore":
        return Policy("ignore")
    raise ValueError(
        f'disconnect must be "cancel", "grace", "detach" or "ignore", got {disconnect!r}'
    )


def said_policy(disconnect: Disconnect | None, grace: float | timedelta | None) -> Policy | None:
    """The same where nothing may be said, so that the word of whoever is around counts."""
    if disconnect is not None:
        return policy(disconnect, grace)
    if grace is not None:
        raise ValueError('grace goes with disconnect="grace" alone, got no disconnect')
    return None
