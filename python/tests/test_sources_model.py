"""Random nestings of any-of and all-of fire when a naive model says, and for what it says."""

import asyncio
import math
import random
from dataclasses import dataclass, field
from functools import partial

import anyio
import pytest

from hother.cancelable import (
    AllOfSource,
    AnyOfSource,
    Cancelable,
    CancelationError,
    CancelationReason,
    CancelationSource,
    CancelationToken,
    TimeoutSource,
)
from support.loops import settle

END = 40


@dataclass
class Node:
    """A source of the model: when it fires, in whole seconds and halves, and the name of the leaf that it fires for."""

    kind: str
    name: str
    at: float = math.inf
    parts: list["Node"] = field(default_factory=list)

    def fires(self) -> tuple[float, str]:
        """When, and for which leaf. No two leaves fire at the same time, or never."""
        if not self.parts:
            return self.at, self.name
        pick = min if self.kind == "any" else max
        return pick(part.fires() for part in self.parts)

    def deadline(self, now: float) -> float | None:
        """When it fires at the latest, as far as it can be known now."""
        if self.kind == "timeout":
            return self.at
        if not self.parts:
            return None
        if self.kind == "any":
            return min(
                (at for it in self.parts if (at := it.deadline(now)) is not None), default=None
            )
        left = [it.deadline(now) for it in self.parts if it.fires()[0] > now]
        return None if not left or None in left else max(at for at in left if at is not None)


class Plan:
    """A random tree and the sources for it."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)
        # Timeouts fire at whole seconds and tokens between them, each at a time of its own.
        self.times = self.random.sample(range(1, END), END - 1)
        self.tokens: list[tuple[float, CancelationToken]] = []
        self.root = self.grow(self.random.randint(1, 4))

    def grow(self, depth: int) -> Node:
        if depth and self.random.random() < 0.8:
            kind = self.random.choice(["any", "all"])
            parts = [self.grow(depth - 1) for _ in range(self.random.randint(1, 3))]
            return Node(kind, kind, parts=parts)
        at = float(self.times.pop()) if self.times else math.inf
        if self.random.random() < 0.5:
            return Node("timeout", f"t{at}", min(at, float(END)))
        return Node("token", f"k{at}", at + 0.5 if self.random.random() < 0.8 else math.inf)

    def make(self, node: Node) -> CancelationSource | CancelationToken:
        if node.kind == "timeout":
            return TimeoutSource(node.at, name=node.name)
        if node.kind == "token":
            token = CancelationToken()
            self.tokens.append((node.at, token))
            if node.at < math.inf:
                asyncio.get_running_loop().call_later(node.at, token.cancel_sync, node.name)
            return token
        parts = [self.make(part) for part in node.parts]
        return AnyOfSource(parts) if node.kind == "any" else AllOfSource(parts)


@pytest.mark.paused
@pytest.mark.parametrize("block", range(4))
async def test_law_s1_random_nestings_fire_as_the_model_does(block: int) -> None:
    for seed in range(block * 50, block * 50 + 50):
        await _check(Plan(seed), seed)


async def _check(plan: Plan, seed: int) -> None:
    at, leaf = plan.root.fires()
    operation = Cancelable(sources=[plan.make(plan.root)])
    begin = anyio.current_time()
    told: CancelationError | None = None
    try:
        async with operation:
            # Between the moments at which something fires.
            for now in (second + 0.25 for second in range(END)):
                await anyio.sleep(begin + now - anyio.current_time())
                known = plan.root.deadline(now)
                wanted = None if known is None else pytest.approx(begin + known)
                assert operation.deadline == wanted, (seed, now)
    except CancelationError as error:
        told = error
    if at > now:
        assert told is None, (seed, told)
    else:
        assert told is not None, seed
        assert anyio.current_time() - begin == pytest.approx(at), seed
        is_timeout = leaf.startswith("t")
        reason = CancelationReason.TIMEOUT if is_timeout else CancelationReason.MANUAL
        assert told.reason is reason, (seed, leaf)
        assert leaf in str(told), (seed, leaf, str(told))
    for _, token in plan.tokens:
        token.cancel_sync()
    await settle(3)


@pytest.mark.paused
async def test_law_s2_random_nestings_of_timeouts_count_from_the_start() -> None:
    for seed in range(60):
        chance = random.Random(seed)

        def grow(depth: int, chance: random.Random) -> tuple[float, CancelationSource]:
            if not depth:
                at = chance.uniform(0.5, 50.0)
                return at, TimeoutSource(at)
            parts = [grow(chance.randrange(depth), chance) for _ in range(chance.randint(1, 3))]
            make, pick = chance.choice([(AnyOfSource, min), (AllOfSource, max)])
            return pick(at for at, _ in parts), make([it for _, it in parts])

        at, source = grow(4, chance)
        plan = partial(Cancelable, sources=[source])()
        await anyio.sleep(chance.uniform(0.0, 9.0))
        begin = anyio.current_time()
        with pytest.raises(CancelationError):
            async with plan:
                assert plan.remaining() == pytest.approx(at)
                await anyio.sleep_forever()
        assert anyio.current_time() - begin == pytest.approx(at)
