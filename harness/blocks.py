"""The order of attempts: in blocks, so that what drifts over a run drifts under every condition.

A block is one task under every condition, once. Blocks come in a seeded order, repeat after repeat,
and so do the conditions within each; a run that ends early has whole blocks, of tasks at random.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from harness.types import Attempt, TaskId

Block: TypeAlias = tuple[TaskId, int]
Begin: TypeAlias = Callable[[Sequence[Attempt]], Iterable[Attempt]]
"""Of what is due, what may begin, one after another as there is room."""


def block(attempt: Attempt) -> Block:
    return attempt.task, attempt.repeat


def in_blocks(
    tasks: Sequence[TaskId], digests: Sequence[str], *, repeats: int, seed: int
) -> list[Attempt]:
    """Every attempt, block by block. Where a task stands hangs on the seed and its name alone, so
    tasks that are added later do not move the others.
    """
    planned = []
    for repeat in range(repeats):
        shuffled = sorted(tasks, key=lambda task: _place(f"{seed} {repeat} {task}"))
        orders = _orders(digests, f"{seed} {repeat}")
        for task in shuffled:
            planned += [Attempt(task, digest, repeat) for digest in next(orders)]
    return planned


def _place(name: str) -> bytes:
    return hashlib.sha256(name.encode(errors="surrogatepass")).digest()


def _orders(digests: Sequence[str], seed: str) -> Iterator[list[str]]:
    """Rows of Latin squares drawn at random: in as many blocks as there are conditions, each
    condition comes first once, second once, and so on."""
    drawn, size = random.Random(seed), len(digests)
    while True:
        names = drawn.sample(list(digests), size)
        for start in drawn.sample(range(size), size):
            yield [names[(start + place) % size] for place in range(size)]
