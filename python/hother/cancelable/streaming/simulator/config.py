"""How a simulated stream behaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hother.cancelable.core._model import Model

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Checked(Model):
    """A model in plain Python, which is checked once its fields are set."""

    def __init__(self, **data: Any):
        self._fill(data)
        self._check()

    def _put(self, data: Mapping[str, Any]) -> None:
        """There are no native fields."""

    def _check(self) -> None:
        raise NotImplementedError


class StreamConfig(_Checked):
    """How a simulated stream behaves. Lengths of time are in seconds, sizes in characters.

    Raises:
        ValueError: A value is out of its range; the message names the field.
    """

    chunk_size: int = 1
    base_delay: float = 0.05
    jitter: float = 0.02
    jitter_probability: float = 0.3
    burst_probability: float = 0.1
    burst_size: int = 3
    stall_probability: float = 0.05
    stall_duration: float = 0.5
    variable_chunk_size: bool = False
    chunk_size_range: tuple[int, int] | None = None
    chunk_size_weights: list[float] | None = None

    def _check(self) -> None:
        for name in ("chunk_size", "burst_size"):
            self._expect(name, at_least=1)
        for name in ("base_delay", "jitter", "stall_duration"):
            self._expect(name, at_least=0)
        for name in ("jitter_probability", "burst_probability", "stall_probability"):
            self._expect(name, at_least=0, at_most=1)
        self.set_default_chunk_size_range()

    def set_default_chunk_size_range(self) -> StreamConfig:
        """Gives variable chunks a range where there is none: from half the size to double; and checks the one that there is."""
        if self.variable_chunk_size and self.chunk_size_range is None:
            self.chunk_size_range = (max(1, self.chunk_size // 2), self.chunk_size * 2)
        if self.chunk_size_range is not None:
            least, greatest = self.chunk_size_range
            if least < 1:
                raise ValueError("Minimum chunk size must be at least 1")
            if least > greatest:
                raise ValueError("Minimum chunk size cannot be greater than maximum chunk size")
        return self

    def _expect(self, name: str, at_least: float, at_most: float | None = None) -> None:
        value = getattr(self, name)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not value >= at_least or (at_most is not None and value > at_most):
            up_to = "" if at_most is None else f", and at most {at_most}"
            raise ValueError(f"{name} must be a number, at least {at_least}{up_to}; got {value!r}")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, StreamConfig):
            return NotImplemented
        return dict(self) == dict(other)

    __hash__ = None  # type: ignore[assignment]  # It may change.

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self)
        return f"{type(self).__name__}({fields})"
