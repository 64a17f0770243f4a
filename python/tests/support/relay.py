"""The example `relay`, a service in Rust, as a child process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from support.serving import LIMIT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROOT = Path(__file__).parents[3]


@cache
def program() -> Path:
    """Where it lies; it is built if it is not there."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    built = target / "debug" / "examples" / ("relay.exe" if sys.platform == "win32" else "relay")
    if not built.exists():
        package = ["--package", "cancelable-examples", "--example", "relay"]
        subprocess.run(["cargo", "build", "--quiet", *package], cwd=ROOT, check=True)
    return built


class Relay:
    """One that runs: its port, and what it says."""

    def __init__(self, said: asyncio.StreamReader):
        self._said = said
        self.port = 0

    async def line(self) -> str:
        """The next line that it says."""
        async with asyncio.timeout(LIMIT):
            return (await self._said.readline()).decode().rstrip("\n")

    async def begun(self) -> float:
        """The seconds that a request had left as it began, which it says next."""
        line = await self.line()
        begun = re.fullmatch(r"begun, (\d+\.\d+) s left", line)
        assert begun is not None, line
        return float(begun[1])


@contextlib.asynccontextmanager
async def relay(*arguments: str) -> AsyncIterator[Relay]:
    """Starts one, which is gone at the end."""
    child = await asyncio.create_subprocess_exec(
        program(), *arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    try:
        assert child.stdout is not None
        running = Relay(child.stdout)
        line = await running.line()
        listening = re.fullmatch(r"listening on http://127\.0\.0\.1:(\d+)/work", line)
        assert listening is not None, line
        running.port = int(listening[1])
        yield running
    finally:
        child.kill()
        # What is left unread would keep its pipe open.
        await child.communicate()
