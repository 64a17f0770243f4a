"""Measures in the environment that runs it, and prints the figures as JSON.

Without arguments the timed rows, sampled in turn; with the name of a row, that one alone. With ``--package`` those of the package
and the one that both processes are compared by.
"""

import asyncio
import json
import sys
from statistics import median
from typing import Any

import rows
from rows.row import Row, Sample

SAMPLES = 15
COMPARED_BY = "anyio.CancelScope()"
NOT_SO = "not so"


async def main() -> dict[str, Any]:
    """Figures by row: a number, `None` for never, or in words why there is none."""
    match sys.argv[1:]:
        case []:
            wanted = rows.TIMED
        case ["--package"]:
            wanted = [row for row in rows.TIMED if not row.is_bare or row.name == COMPARED_BY]
        case [name]:
            wanted = [row for row in rows.KEPT if row.name == name]
    figures: dict[str, Any] = {}
    samples: dict[str, Sample] = {}
    for row in wanted:
        try:
            samples[row.name] = await row.checked()
        except Exception as error:  # noqa: BLE001 - it stands in the table
            figures[row.name] = why_not(row, error)
    repeats = SAMPLES if len(wanted) > 1 else 1
    taken: dict[str, list[float | None]] = {name: [] for name in samples}
    for _ in range(repeats):
        for name, sample in samples.items():
            taken[name].append(await sample())
    for name, values in taken.items():
        numbers = [value for value in values if value is not None]
        figures[name] = median(numbers) if len(numbers) == len(values) else None
    return figures


def why_not(row: Row, error: Exception) -> str:
    """In two words what is the matter; and where it does not do what it is measured for, the whole of it."""
    if isinstance(error, ImportError | AttributeError | TypeError):
        return "not there"
    print(f"{row.name}: {error!r}", file=sys.stderr)
    return NOT_SO


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main())))
