"""Sources that are made of others: any of them, and all of them. They nest, in any mix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyio import CancelScope

from hother.cancelable import _core
from hother.cancelable.core.models import CancelationReason

from ._hearers import log_failed
from ._watches import Watch
from .base import CancelationSource
from .token import TokenSource

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hother.cancelable._core import Why
    from hother.cancelable.core.token import CancelationToken

    from ._hearers import Hearer
    from ._jobs import Ending


class CompositeSource(CancelationSource):
    """Fires with the first of `sources` that does, for the reason of that. A token may stand among them."""

    def __init__(
        self, sources: Sequence[CancelationSource | CancelationToken], name: str | None = None
    ):
        super().__init__(CancelationReason.MANUAL, name or "composite")
        self.sources = _checked(sources)
        self.triggered_source: CancelationSource | None = None

    def _watch(self, hearer: Hearer) -> Watch:
        return _Any(self, hearer)


class AnyOfSource(CompositeSource):
    """Fires with the first of `sources` that does, for the reason of that."""


class AllOfSource(CancelationSource):
    """Fires when every one of `sources` has, for the reason of the last. A token may stand among them."""

    def __init__(
        self, sources: Sequence[CancelationSource | CancelationToken], name: str | None = None
    ):
        super().__init__(CancelationReason.MANUAL, name or "all_of")
        self.sources = _checked(sources)
        self.triggered_sources: set[CancelationSource] = set()

    def _watch(self, hearer: Hearer) -> Watch:
        return _All(self, hearer)


def as_source(given: CancelationSource | CancelationToken) -> CancelationSource:
    """What a program gave as a source, which may be a token."""
    if isinstance(given, CancelationSource):
        return given
    if isinstance(given, _core.Token):
        return TokenSource(given)
    raise TypeError(
        f"source must be a CancelationSource or a CancelationToken, got {type(given).__name__}"
    )


def _checked(sources: Sequence[CancelationSource | CancelationToken]) -> list[CancelationSource]:
    checked = [as_source(source) for source in sources]
    if not checked:
        raise ValueError("At least one source is required")
    return checked


class _Parts(Watch):
    """The parts of a composite at work. One that is given twice is started once."""

    __slots__ = ("_fired", "_parts", "_waiting_for")

    source: CompositeSource | AllOfSource

    def __init__(self, source: CompositeSource | AllOfSource, hearer: Hearer):
        super().__init__(source, hearer)
        each = {id(part): part for part in source.sources}
        self._waiting_for = set(each)
        self._fired: list[CancelationSource] = []
        self._parts: list[Watch] = []
        for part in each.values():
            if self.has_fired:
                break
            self._start(part)
        self.deadline = self._deadline()

    def _start(self, part: CancelationSource) -> None:
        try:
            self._parts.append(part._begin(_OfPart(self)))
        except Exception as error:  # noqa: BLE001, since whatever it raises is its own affair
            # The others may still fire.
            log_failed(part, error)

    def hear(self, watch: Watch, why: Why) -> None:
        """A part fired."""
        part = watch.source
        if self.is_deaf() or id(part) not in self._waiting_for:
            return
        self._waiting_for.discard(id(part))
        self._fired.append(part)
        # What it holds, such as the handler of a signal, is not needed any more.
        watch.stop()
        if not self._is_enough(part):
            self.foresee()
            return
        names = ", ".join(part.name for part in self._fired)
        said = "" if why.message is None else f": {why.message}"
        self.source.reason = why.reason
        self.fire(why.with_message(f"{self.source.name} fired by {names}{said}"))

    def foresee(self) -> None:
        """What is known of the parts' deadlines has changed."""
        self.deadline = self._deadline()
        self.hearer.foresee()

    def _is_enough(self, part: CancelationSource) -> bool:
        """Notes that a part fired; whether that is enough."""
        raise NotImplementedError

    def _deadline(self) -> float | None:
        raise NotImplementedError

    def stop(self) -> None:
        super().stop()
        for part in reversed(self._parts):
            part.stop()

    def jobs(self) -> Iterator[Ending]:
        for part in self._parts:
            yield from part.jobs()
        yield from super().jobs()


class _Any(_Parts):
    __slots__ = ()

    source: CompositeSource

    def _is_enough(self, part: CancelationSource) -> bool:
        self.source.triggered_source = part
        return True

    def _deadline(self) -> float | None:
        return min(
            (part.deadline for part in self._parts if part.deadline is not None), default=None
        )


class _All(_Parts):
    __slots__ = ()

    source: AllOfSource

    def _is_enough(self, part: CancelationSource) -> bool:
        self.source.triggered_sources.add(part)
        return not self._waiting_for

    def _deadline(self) -> float | None:
        known = [part.deadline for part in self._parts if id(part.source) in self._waiting_for]
        if len(known) < len(self._waiting_for):
            # One of them failed to start.
            return None
        return (
            max((at for at in known if at is not None), default=None) if None not in known else None
        )


class _OfPart:
    """Hears a part for its composite."""

    __slots__ = ("scope", "whole")

    def __init__(self, whole: _Parts):
        self.scope = CancelScope()
        self.whole = whole

    def is_deaf(self) -> bool:
        return self.whole.is_deaf()

    def hear(self, watch: Watch, why: Why) -> None:
        self.whole.hear(watch, why)

    def foresee(self) -> None:
        self.whole.foresee()

    def failed(self, source: CancelationSource, error: Exception) -> None:
        log_failed(source, error)
