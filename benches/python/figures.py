"""Takes the figures: the two environments alternate, and a median counts."""

import json
import resource
import subprocess
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import rows
from measure import COMPARED_BY

MEASURE = Path(__file__).with_name("measure.py")
IMPORT_ANYIO = "start and import of anyio alone"
IMPORT_PACKAGE = "start and import"
STARTS = 15
# As the quick example has it: the name of a package alone may import next to nothing.
QUICK_EXAMPLE = "from hother.cancelable import Cancelable, CancelationToken, cancelable"

# By row: a number, `None` where it never happened, or in words why there is none.
Figures = dict[str, Any]


@dataclass
class Taken:
    """What was measured; the namesake's, as they would be if its process had run as fast as ours."""

    package: Figures
    namesake: Figures


def take(package: Path, namesake: Path, rounds: int) -> Taken:
    """Measures everything, in as many rounds."""
    ours, theirs = _Collected(), _Collected()
    for _ in range(rounds):
        of_ours = _measured(package)
        of_theirs = _measured(namesake, "--package")
        faster = of_ours[COMPARED_BY] / of_theirs[COMPARED_BY]
        ours.add(of_ours)
        theirs.add(of_theirs, scale=faster)
    for row in rows.KEPT:
        for _ in range(rounds):
            ours.add(_measured(package, row.name))
            theirs.add(_measured(namesake, row.name))
    _take_starts(package, namesake, ours, theirs)
    return Taken(ours.medians(), theirs.medians())


class _Collected:
    def __init__(self) -> None:
        self._of_row: dict[str, list[Any]] = defaultdict(list)

    def add(self, figures: Figures, scale: float = 1.0) -> None:
        for name, value in figures.items():
            self._of_row[name].append(value * scale if isinstance(value, float) else value)

    def medians(self) -> Figures:
        return {name: _median(values) for name, values in self._of_row.items()}


def _median(values: list[Any]) -> Any:
    """What is no number hides the numbers of other rounds."""
    others = [value for value in values if not isinstance(value, float)]
    return others[0] if others else median(values)


def _measured(python: Path, *args: str) -> Figures:
    done = subprocess.run([python, MEASURE, *args], check=True, stdout=subprocess.PIPE, text=True)
    figures = json.loads(done.stdout)
    return {name: float(it) if isinstance(it, int) else it for name, it in figures.items()}


def _take_starts(package: Path, namesake: Path, ours: _Collected, theirs: _Collected) -> None:
    for number in range(STARTS + 1):
        anyio_in_ours, anyio_in_theirs = (_start(it, "import anyio") for it in (package, namesake))
        own, other = (_start(it, QUICK_EXAMPLE) for it in (package, namesake))
        # The first writes compiled modules.
        if number:
            ours.add({IMPORT_ANYIO: anyio_in_ours, IMPORT_PACKAGE: own})
            theirs.add({IMPORT_PACKAGE: other}, scale=anyio_in_ours / anyio_in_theirs)


def _start(python: Path, imports: str) -> float:
    """Nanoseconds of the processor, as for all that does not wait."""
    before = _children()
    subprocess.run([python, "-I", "-c", imports], check=True)
    return (_children() - before) * 1e9


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
