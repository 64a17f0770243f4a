"""The contract as data."""

import ast
import inspect
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Entry:
    """A line of the contract: what it asks for, and where in the package that is."""

    kind: str
    name: str
    rest: str
    within: str
    members: list["Entry"] = field(default_factory=list)

    @property
    def path(self) -> str:
        """The dotted name; of a line about the whole of something, that of the whole."""
        return (
            f"{self.within}.{self.name}" if self.within and self.name else self.within or self.name
        )


def read(text: str | None = None) -> list[Entry]:
    """The modules of the contract, with what is in them."""
    if text is None:
        text = Path(__file__).with_name("contract.txt").read_text()
    modules: list[Entry] = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("module "):
            modules.append(_entry(line, ""))
        elif line.startswith(" "):
            owner = modules[-1].members[-1]
            owner.members.append(_entry(line.strip(), owner.path))
        else:
            modules[-1].members.append(_entry(line, modules[-1].path))
    return modules


def parameters(signature: str, names: dict[str, Any]) -> list[inspect.Parameter]:
    """The parameters of `(a, b=1)`; `names` are those that a default may use."""
    function = ast.parse(f"def it{signature}: ...")
    namespace = {**names, "FACTORY": FACTORY}
    exec(compile(function, "contract.txt", "exec"), namespace)
    return list(inspect.signature(namespace["it"]).parameters.values())


def _entry(line: str, within: str) -> Entry:
    kind = next((kind for kind in KINDS if line.startswith(f"{kind} ")), None)
    if kind is None:
        raise ValueError(f"the contract has a line of no known kind: {line}")
    rest = line.removeprefix(f"{kind} ")
    if kind in ("all", "attributes", "members"):
        return Entry(kind, "", rest, within)
    name = rest.partition("(")[0]
    return Entry(kind, name, rest.removeprefix(name), within)


# A default that may be any.
FACTORY = object()

KINDS = (
    "staticmethod async def",
    "staticmethod def",
    "classmethod def",
    "async context manager def",
    "async gen def",
    "async def",
    "def",
    "property",
    "class",
    "module",
    "all",
    "attributes",
    "members",
    "name",
)
