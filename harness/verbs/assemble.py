"""From an experiment to built parts. Every name and knob is tried before anything starts."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import signature
from math import inf
from typing import Any

from harness.api import Archive, Closing, Grader, Hosting, Model, Scaffold
from harness.attempt import Parts
from harness.errors import UsageError, unknown
from harness.experiment import PREDICTIONS, SILENT, SUPPLY, Experiment, check_money
from harness.meter import RunMeter
from harness.models import MODELS
from harness.models.connection import Connection, Pools, connect
from harness.models.hire import Hire, Hired
from harness.models.keys import DEFAULT, Source
from harness.models.knobs import Knobs
from harness.models.metered import unknown as unknown_cost
from harness.models.openai import Endpoint
from harness.registry import Later, build, is_path, locate
from harness.sandboxes import SANDBOXES
from harness.sandboxes.ahead import Ahead
from harness.types import Attempt, Condition, Part, Task
from harness.verbs import versions
from harness.verbs.hosting import Host
from harness.verbs.loading import Loaded
from scaffolds import SCAFFOLDS
from tasks import GRADERS

upstreams = Later("harness.models.door.upstream")

_SLEEP_SECONDS = 12 * 3600
"""A laptop that is shut for a night finds its boxes alive in the morning."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where models are that do not say so themselves: the flags, else the environment."""

    base_url: str | None = None
    api_key_env: str | None = None
    keys: Mapping[str, str] | None = field(default=None, repr=False)
    """By variable, where they are not this machine's own. None: they are."""

    def of(self, part: Part) -> Endpoint:
        url = part.knobs.get("base_url") or self.default
        if not url:
            raise UsageError(
                f"no endpoint for model {part.name!r}: set OPENAI_BASE_URL or give --base-url URL"
            )
        file, command = (str(part.knobs.get(f"api_key_{of}") or "") for of in ("file", "command"))
        variables = os.environ if self.keys is None else self.keys
        found = Source(self.variable(part), file, command).keys(variables)
        return Endpoint(str(url), found[0].text, found)

    @property
    def default(self) -> str | None:
        return self.base_url or os.environ.get("OPENAI_BASE_URL")

    def variable(self, part: Part) -> str:
        """Which one holds the key for a model."""
        return str(part.knobs.get("api_key_env") or self.api_key_env or DEFAULT)


class Assembly:
    """Built parts for every attempt of one experiment."""

    def __init__(
        self,
        experiment: Experiment,
        loaded: Loaded,
        address: Address,
        run_id: str,
        pools: Pools | None = None,
    ) -> None:
        self.experiment = experiment
        self.tasks = loaded.tasks
        self.address = address
        self.conditions = {c.digest: c for c in experiment.conditions}
        self._boxes = _boxes(experiment, run_id)
        self._sandboxes: Ahead | None = None
        self._graders: dict[str, Grader] = {}
        self._models: dict[str, Callable[[], Model]] = {}
        self._connections: dict[str, Connection] = {}
        self._hires: dict[str, Hire] = {}
        self.host = Host()
        self.pools = pools or Pools()
        for condition in self.conditions.values():
            self._models[condition.digest] = self._model(condition)
            self._models[condition.digest]()
            self._expect(condition)
        for name in {task.grader for task in self.tasks.values()}:
            self.grader(name)

    def open(self) -> Ahead:
        """Build the boxes' kind, here: the driver of a cluster has none of its own."""
        if self._sandboxes is None:
            boxes = build("sandbox", self._boxes, SANDBOXES)
            self._sandboxes = Ahead(boxes, 1 + self.experiment.width // 8)
        return self._sandboxes

    @property
    def sandboxes(self) -> Ahead:
        return self.open()

    def grader(self, name: str) -> Grader:
        if name not in self._graders:
            self._graders[name] = build("grader", grader_part(name, self.experiment.tasks), GRADERS)
        return self._graders[name]

    def _model(self, condition: Condition) -> Callable[[], Model]:
        part = condition.model
        if condition.scaffold.name in SILENT:
            return _Silent
        if (part.name in MODELS and part.name != "openai") or is_path(part.name):
            return lambda: build("model", part, MODELS)
        endpoint = self.address.of(part)
        check_money(self.experiment, part, endpoint.base_url)
        connection = connect(_model_id(part), endpoint, self._knobs(part), self.pools.of(endpoint))
        self._connections[condition.digest] = connection
        hire = self._hire(part)
        return lambda: Hired(connection, hire) if hire else connection

    def _knobs(self, part: Part) -> Knobs:
        """A model's knobs, with the prices that were said of it elsewhere."""
        return _knobs(Part(part.name, self.experiment.costs.knobs(part, _model_id(part))))

    def _hire(self, part: Part) -> Hire | None:
        """The machine that serves a model, one for all conditions; None where it has none."""
        usd_second = self.experiment.costs.usd_second(part, _model_id(part))
        if usd_second is None:
            return None
        return self._hires.setdefault(self.address.of(part).base_url, Hire(usd_second))

    @property
    def by_the_hour(self) -> bool:
        """Whether calls are to bear shares of a machine, which this process alone counts."""
        return bool(self._hires)

    def _expect(self, condition: Condition) -> None:
        """Build the scaffold; to one that runs a program in the box, the door will lead."""
        built, part = scaffold(condition.scaffold), condition.model
        if not isinstance(built, Hosting):
            return
        connection = self._connections.get(condition.digest)
        if connection is None:
            raise UsageError(
                f"{condition.scaffold.name} runs a program that asks over HTTP, and {part.name!r} "
                "is no model at an endpoint; give the id of one, and --base-url"
            )
        upstream = upstreams.Upstream(
            _model_id(part),
            self.address.of(part),
            self._knobs(part),
            connection.line,
            self._hire(part),
        )
        self.host.expect(condition, built, upstream)

    async def close(self) -> None:
        """Hang up on every endpoint, and on the engine."""
        for connection in self._connections.values():
            await connection.close()
        if self._sandboxes is not None:
            await self._sandboxes.settle()
            if isinstance(self._sandboxes.inner, Closing):
                self._sandboxes.inner.close()

    def endpoints(self) -> list[Endpoint]:
        """The endpoints that this experiment will call, each once."""
        return list(dict.fromkeys(map(self.address.of, self._at_endpoints())))

    def keys(self) -> dict[str, str]:
        """The keys for them by the variables that hold them, for whoever makes the calls."""
        found = (key for part in self._at_endpoints() for key in self.address.of(part).all_keys)
        return {key.name: key.text for key in found}

    def _at_endpoints(self) -> list[Part]:
        """The models that are asked over the network."""
        talking = [c for c in self.conditions.values() if c.scaffold.name not in SILENT]
        return [
            c.model for c in talking if c.model.name not in MODELS and not is_path(c.model.name)
        ]

    def parts(self, attempt: Attempt, archive: Archive, run: RunMeter) -> Parts:
        condition = self.conditions[attempt.condition]
        connection = self._connections.get(condition.digest)
        return Parts(
            model=self._models[condition.digest](),
            sandboxes=self.sandboxes,
            scaffold=scaffold(condition.scaffold),
            grader=self.grader(self.tasks[attempt.task].grader),
            limits=condition.limits,
            archive=archive,
            run=run,
            seed=self.experiment.seed,
            facts={} if condition.scaffold.name in SILENT else versions.facts(condition.scaffold),
            estimate=connection.quote.worst if connection else unknown_cost,
            door=self.host.door(condition.digest),
        )


def _boxes(experiment: Experiment, run_id: str) -> Part:
    """A sandbox whose boxes carry the name of their run and outlive its attempts.

    That is where their kind knows names and lifetimes; what a person has asked for stands.
    """
    part = experiment.sandbox
    ours = {"run_id": run_id, "lifetime": _lifetime(experiment)}
    takes = signature(locate("sandbox", part.name, SANDBOXES)).parameters
    for knob in SUPPLY:
        if knob in part.knobs and knob not in takes:
            raise UsageError(
                f"{knob} is about images, and boxes by {part.name} have none: leave it out, or use "
                "--sandbox docker"
            )
    return Part(part.name, {**{k: v for k, v in ours.items() if k in takes}, **part.knobs})


def _lifetime(experiment: Experiment) -> int:
    """How long a box may live that nobody removes, in seconds.

    Its clock goes on while the machine sleeps; that of an attempt's limit does not.
    """
    limits = [c.limits.seconds or inf for c in experiment.conditions]
    return int(min(max(limits), 30 * 24 * 3600.0)) + _SLEEP_SECONDS


class _Silent:
    """The model of a control, which asks none."""

    async def complete(self, request: Any, /) -> Any:
        raise UsageError("a control asked a model; only scaffolds that solve do that")


def scaffold(part: Part) -> Scaffold:
    """The scaffold that a condition names; for predictions, one that does nothing."""
    wanted = Part("nop") if part.name == PREDICTIONS else part
    built: Scaffold = build("scaffold", wanted, SCAFFOLDS)
    return built


def grader_part(name: str, source: Part) -> Part:
    """The grader of a source's tasks, with those knobs of the source that are the grader's."""
    accepted = locate("grader", name, GRADERS)
    named = getattr(accepted, "__dataclass_fields__", {})
    return Part(name, {k: v for k, v in source.knobs.items() if k in named})


def _model_id(part: Part) -> str:
    return str(part.knobs["id"]) if part.name == "openai" and "id" in part.knobs else part.name


def _knobs(part: Part) -> Knobs:
    ours = {"base_url", "api_key_env", "api_key_file", "api_key_command", "id"}
    known = [*Knobs.__dataclass_fields__, *ours]
    for knob in part.knobs:
        if knob not in known:
            raise unknown(f"knob of model {part.name!r}:", knob, known)
    try:
        return Knobs(**{k: v for k, v in part.knobs.items() if k not in ours})
    except TypeError as error:
        raise UsageError(f"model {part.name!r}: {error}") from error


def recipes(tasks: Sequence[Task]) -> list[Task]:
    """One task for each environment that has to be built here before it can be opened."""
    built = {t.brief.environment.recipe: t for t in tasks if t.brief.environment.recipe}
    return list(built.values())
