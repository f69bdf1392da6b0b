"""`demo`: the main job on real bugs, with a recorded model and everything else real."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tasks.demo
from harness.experiment import Experiment
from harness.models.serving import served
from harness.types import Limits, Part
from tasks.demo.endpoint import MODEL, app, recordings

ROOT = Path(tasks.demo.__file__).parent
SCAFFOLDS = ("bash", "editor")
TASKS = 8
PRICES = {"price_in": 1.25, "price_cached": 0.125, "price_out": 10.0}
"""Dollars per million tokens: made up for the demo, so that its cost column says something."""

SAYS = """The model's replies are recorded: no key is needed, and no model is measured here.
The boxes, the commands run in them, the tests and the verdicts are real and happen now."""


def experiment(*, repeats: int, width: int, sandbox: Part) -> Experiment:
    """8 tasks x 2 scaffolds x `repeats`."""
    return Experiment(
        tasks=Part("demo"),
        models=(Part(MODEL, PRICES),),
        scaffolds=tuple(Part(name) for name in SCAFFOLDS),
        sandbox=sandbox,
        limits=Limits(turns=30, seconds=600),
        limit=TASKS,
        repeats=repeats,
        width=width,
        seed=1,
    )


@contextmanager
def endpoint() -> Iterator[str]:
    """The recorded model on a loopback port; yields its base URL.

    It has a thread and an event loop of its own, as an endpoint would be a process of its own:
    what the run does cannot slow its answers, nor the other way round.
    """
    ready, stop = threading.Event(), threading.Event()
    url: list[str] = []

    async def serve() -> None:
        async with served(app(recordings(ROOT))) as address:
            url.append(f"{address}/v1")
            ready.set()
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="recorded model")
    thread.start()
    try:
        ready.wait()
        yield url[0]
    finally:
        stop.set()
        thread.join()
