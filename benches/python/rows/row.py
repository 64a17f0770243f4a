"""A row: how its effect is checked, and how it is measured."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import process_time_ns

# Gives one figure: nanoseconds or bytes for one of what the row names, or nothing, where it never happened.
Sample = Callable[[], Awaitable[float | None]]


@dataclass(frozen=True)
class Row:
    """Something that is measured."""

    name: str
    # Sees to it that it does what it is measured for, and gives what measures it.
    checked: Callable[[], Awaitable[Sample]]
    # Whether it is about the standard library or anyio, and not about the package.
    is_bare: bool = False


def timed(run: Callable[[int], Awaitable[None]], rounds: int) -> Sample:
    """Nanoseconds for one of the rounds, of which `run` does as many as it is told.

    The process's own, on all its threads: none of it waits, and what else the machine has to do does not count.
    """

    async def sample() -> float:
        start = process_time_ns()
        await run(rounds)
        return (process_time_ns() - start) / rounds

    return sample
