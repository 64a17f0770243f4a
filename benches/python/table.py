"""The table: a line for each row, beside what it is to be compared with."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from figures import IMPORT_ANYIO, IMPORT_PACKAGE, Figures, Taken
from measure import COMPARED_BY

# What the row that both processes are compared by took, in nanoseconds, where the goals were set.
THERE = 3600.0
# Memory comes in pages, and less than this for each of many is what they round.
PAGES = 16.0


@dataclass(frozen=True)
class Line:
    """A row and its goal: so many nanoseconds where the goals were set, or bytes, or times another row."""

    row: str
    goal: float
    unit: str = "ns"
    against: str = COMPARED_BY


LINES = [
    Line("operation, entered and left", 7_000),
    Line("operation with a timeout", 1.3, "times", "anyio.move_on_after(60)"),
    Line("operation with a timeout, native scope", 1.0, "times", "asyncio.timeout(60)"),
    Line("three combined, made, entered and left", 15_000),
    Line("registered operation, entered and left", 15_000),
    Line("token made", 500, against=""),
    Line("token cancelled", 1_000, against=""),
    Line("cancel in a thread, heard by an idle loop", 250_000, "latency", ""),
    Line("stream item, nothing recorded", 1.15, "times", "item of a bare async generator"),
    Line(
        "stream item, counted, last 1000 kept, a report every 100",
        2.0,
        "times",
        "item of a bare async generator",
    ),
    Line("memory of a live operation, beside its anyio scope", 1_200, "bytes", ""),
    Line("kept of an operation that is over, by its parent", 0, "bytes", ""),
    Line("kept of an operation that is over, by a token", 0, "bytes", ""),
    Line(IMPORT_PACKAGE, 1.5, "times", IMPORT_ANYIO),
]


def table(taken: Taken) -> Iterator[str]:
    """The lines of the table, in Markdown."""
    yield "| row | ours | namesake | ours / its | beside | ours / that | goal | reached |"
    yield "|---|---:|---:|---:|---|---:|---:|---|"
    for line in LINES:
        own, other = taken.package.get(line.row), taken.namesake.get(line.row)
        beside = taken.package.get(line.against) if line.against else None
        goal = _goal(line, taken.package)
        cells = [
            line.row,
            _shown(own, line),
            _shown(other, line),
            _ratio(own, other),
            f"{line.against}: {_shown(beside, line)}" if line.against else "",
            _ratio(own, beside),
            f"≤ {_shown(goal, line)}",
            _verdict(own, goal, line),
        ]
        yield f"| {' | '.join(cells)} |"


def _goal(line: Line, figures: Figures) -> float:
    """What the row may take here."""
    if line.unit == "times":
        return line.goal * float(figures[line.against])
    if line.unit == "ns":
        return line.goal * float(figures[COMPARED_BY]) / THERE
    return line.goal


def _verdict(own: Any, goal: float, line: Line) -> str:
    if not isinstance(own, float):
        return ""
    slack = PAGES if line.unit == "bytes" else 0.0
    return "yes" if own <= goal + slack else "no"


def _ratio(own: Any, other: Any) -> str:
    if isinstance(own, float) and isinstance(other, float) and other:
        return f"{own / other:.2f}" if own / other >= 0.1 else f"{own / other:.3f}"
    return ""


def _shown(value: Any, line: Line) -> str:
    if value is None:
        return "never"
    if not isinstance(value, float | int):
        return str(value)
    if line.unit == "bytes":
        return f"{value:,.0f} B"
    for limit, unit in ((1e6, "ms"), (1e3, "µs")):
        if value >= limit:
            return f"{value / limit:,.1f} {unit}"
    return f"{value:,.0f} ns"
