"""One attempt of a program in a box, from the experiment to the record, in this process."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.experiment import Experiment
from harness.types import Limits, Part
from harness.verbs.assemble import Address
from harness.verbs.loading import asked
from harness.verbs.running import job, work_off
from tests.agents.endpoint import Voice
from tests.e2e.endpoints import serving

PRICES = {"price_in": 1000.0, "price_out": 1000.0}
"""A dollar for each request of the `Voice`."""


@dataclass
class Hosted:
    """A task, a kind of box, and a model that gives these commands."""

    tasks: Part
    sandbox: Part
    into: Path
    voice: Voice = field(default_factory=lambda: Voice([]))
    select: tuple[str, ...] = ()
    records: list[dict[str, Any]] = field(default_factory=list)

    def record(self, scaffold: Part, limits: Limits) -> dict[str, Any]:
        """Run it; the record that its last try left."""
        experiment = Experiment(
            tasks=self.tasks,
            models=(Part("m", {**PRICES, "first_pause": 0.01, "attempts": 2}),),
            scaffolds=(scaffold,),
            sandbox=self.sandbox,
            limits=limits,
            select=self.select,
        )
        with serving(self.voice) as server:
            work_off(job(asked(experiment), self.into, Address(server.url), quiet=True))
        lines = (self.into / "ledger.jsonl").read_bytes().splitlines()
        self.records = [json.loads(line) for line in lines]
        return self.records[-1]

    def patch(self) -> str:
        return (self.into / "blobs" / self.records[-1]["blobs"]["patch"]).read_text()
