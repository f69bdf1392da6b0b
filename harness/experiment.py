"""What is to be measured: an experiment file or the flags, and the attempts that it plans."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import product
from pathlib import Path
from typing import Any, Literal

from harness import costs, design
from harness.blocks import in_blocks
from harness.costs import Costs
from harness.design import Design
from harness.errors import UsageError, unknown
from harness.limits import RunLimits
from harness.registry import Later
from harness.types import Attempt, Condition, Limits, Part, TaskId, Value

codec = Later("harness.codec")
prices = Later("harness.models.prices")
"""Both take a while to import, which nobody who only asks for help should wait for."""

CONTROLS = ("oracle", "nop")
PREDICTIONS = "predictions"
"""The scaffold of a condition whose submissions somebody else has made: it never runs."""
SILENT = (*CONTROLS, PREDICTIONS)
"""Scaffolds that ask no model."""
NO_MODEL = Part("none")
"""What they run under."""


@dataclass(frozen=True, slots=True)
class Pair(Value):
    """The comparison that a run is for: two conditions by their labels; empty where there are no
    others."""

    first: str = ""
    second: str = ""
    margin: float = 2.0
    """In points: a difference that is known to be smaller is none."""
    alpha: float = 0.05


@dataclass(frozen=True, slots=True)
class Experiment(Value):
    """Conditions are models x scaffolds x factors, on one kind of box, with the same limits."""

    tasks: Part
    models: tuple[Part, ...]
    scaffolds: tuple[Part, ...]
    factors: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    """Knobs of every scaffold that are varied, each with its levels."""
    design: Design = "full"
    sandbox: Part = Part("auto")
    limits: Limits = Limits()
    select: tuple[str, ...] = ()
    subset: Mapping[str, Any] = field(default_factory=dict)
    """What `tasks subset` drew, weights and all, where `select` names its file."""
    limit: int | None = None
    shard: str | None = None
    repeats: int = 1
    width: int = 4
    seed: int | None = None
    """Sent to the endpoint."""
    order: int = 0
    """The seed of the order in which attempts are made."""
    decide: Pair = Pair()
    stop_when: Literal["decided"] | None = None
    """Whether the run ends once `decide` is decided, at the end of a block."""
    usd_run: float | None = None
    tokens_run: int | None = None
    hours_run: float | None = None
    prices: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """By model, in dollars per million tokens: `in`, `out`, `cached`, `written`."""
    gpu_hour: float | None = None
    gpus: int = 1

    @property
    def costs(self) -> Costs:
        return Costs(self.prices, self.gpu_hour, self.gpus)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        scaffolds = design.crossed(self.scaffolds, self.factors, self.design)
        crossed = product(self.models, scaffolds)
        return tuple(Condition(m, s, _measured(self.sandbox), self.limits) for m, s in crossed)

    @property
    def run_limits(self) -> RunLimits:
        return RunLimits(self.usd_run, self.tokens_run, self.hours_run)

    def plan(self, tasks: Sequence[TaskId]) -> list[Attempt]:
        """Every attempt, in blocks of one task under every condition, in a seeded order."""
        digests = list(dict.fromkeys(condition.digest for condition in self.conditions))
        return in_blocks(tasks, digests, repeats=self.repeats, seed=self.order)


SUPPLY = ("disk", "mirror", "pulls")
"""Knobs of a sandbox that change how images come here, and nothing that is measured."""


def _measured(sandbox: Part) -> Part:
    kept = {knob: value for knob, value in sandbox.knobs.items() if knob not in SUPPLY}
    return replace(sandbox, knobs=kept)


def supplied(experiment: Experiment, disk: str | None, mirror: str | None) -> Experiment:
    """The experiment with the flags of its images' supply, where they are given."""
    given = {k: v for k, v in {"disk": disk, "mirror": mirror}.items() if v}
    sandbox = experiment.sandbox
    return replace(experiment, sandbox=replace(sandbox, knobs={**sandbox.knobs, **given}))


_KNOB = re.compile(r"[A-Za-z_][\w-]*")


def part(text: str) -> Part:
    """A part as a person writes it: `name` or `name,knob=value,knob=value`."""
    name, *rest = text.split(",")
    knobs: dict[str, Any] = {}
    for piece in rest:
        knob, equals, value = piece.partition("=")
        if not equals or not _KNOB.fullmatch(knob.strip()):
            raise UsageError(f"{text!r}: {piece!r} is no knob=value")
        knobs[knob.strip().replace("-", "_")] = _value(value.strip())
    if not name.strip():
        raise UsageError(f"{text!r}: a part begins with its name, as in name,knob=value")
    return Part(name.strip(), knobs)


def parts(
    tasks: str,
    models: Sequence[str] | None,
    scaffolds: Sequence[str] | None,
    sandbox: str | None,
) -> dict[str, Any]:
    """What the flags name, as values; None for what they leave out."""
    return {
        "tasks": part(tasks) if tasks else None,
        "models": tuple(map(part, models)) if models else None,
        "scaffolds": tuple(map(part, scaffolds)) if scaffolds else None,
        "sandbox": part(sandbox) if sandbox else None,
    }


def _value(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, int | float | bool) else text


def read(path: Path) -> Experiment:
    """An experiment from a TOML file. A part is `"editor,context=last-n:20"` or a table."""
    raw = _toml(path)
    _known_keys(raw, Experiment, str(path))
    _known_keys(raw.get("limits"), Limits, f"{path}: limits")
    _known_keys(raw.get("decide"), Pair, f"{path}: decide")
    for key in ("tasks", "sandbox", "models", "scaffolds"):
        if key in raw:
            raw[key] = _parts(raw[key], f"{path}: {key}")
    if isinstance(raw.get("factors"), Mapping):
        raw["factors"] = {name.replace("-", "_"): v for name, v in raw["factors"].items()}
    wanted: Experiment = codec.load(Experiment, raw, where=str(path))
    return checked(wanted)


def _known_keys(raw: Any, kind: Any, where: str) -> None:
    known = [field.name for field in fields(kind)]
    for key in raw if isinstance(raw, Mapping) else ():
        if key not in known:
            raise unknown(f"key in {where}:", key, known)


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from None


def _parts(raw: Any, where: str) -> Any:
    return (
        [_part_table(one, where) for one in raw]
        if isinstance(raw, list)
        else _part_table(raw, where)
    )


def _part_table(raw: Any, where: str) -> dict[str, Any]:
    if isinstance(raw, str):
        one = part(raw)
        return {"name": one.name, "knobs": dict(one.knobs)}
    if isinstance(raw, Mapping) and isinstance(raw.get("name"), str):
        return {"name": raw["name"], "knobs": {k: v for k, v in raw.items() if k != "name"}}
    raise UsageError(f"{where}: a part is 'name,knob=value' or a table with a name, not {raw!r}")


def checked(experiment: Experiment) -> Experiment:
    """The same experiment, if it makes sense."""
    if not experiment.models or not experiment.scaffolds:
        raise UsageError("an experiment needs at least one model and one scaffold")
    design.check(experiment.scaffolds, experiment.factors, experiment.design)
    if len(set(map(str, experiment.conditions))) < len(experiment.conditions):
        raise UsageError("the same condition is named twice; repeats = N measures one again")
    _check_stop(experiment)
    experiment = _with_subset(experiment)
    for name in ("repeats", "width"):
        if getattr(experiment, name) < 1:
            raise UsageError(f"{name} is {getattr(experiment, name)}; it must be at least 1")
    _limited(experiment.limits, "limit ", ("turns", "tokens", "usd", "seconds"))
    _limited(experiment, "", ("usd_run", "tokens_run", "hours_run"))
    costs.checked(experiment.costs)
    return experiment


def _limited(given: Any, what: str, names: Sequence[str]) -> None:
    for name in names:
        value = getattr(given, name)
        if value is not None and value <= 0:
            raise UsageError(f"{what}{name} is {value}; it must be above 0, or left out")


SUBSET = "subset:"


def _with_subset(experiment: Experiment) -> Experiment:
    """The experiment with the drawn subset that it selects: its weights belong to the request."""
    files = [term.removeprefix(SUBSET) for term in experiment.select if term.startswith(SUBSET)]
    if not files:
        return experiment
    if len(experiment.select) > 1 or experiment.limit is not None:
        raise UsageError(f"{SUBSET}{files[0]} is all that is selected: leave the other terms out")
    try:
        raw = json.loads(Path(files[0]).expanduser().read_bytes())
    except OSError as error:
        raise UsageError(f"{files[0]}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"{files[0]} is no subset: {error}") from None
    if not isinstance(raw, dict) or raw.get("schema") != "harness-subset/1":
        raise UsageError(f"{files[0]} is no subset; harness tasks subset RUN --size N draws one")
    return replace(experiment, subset=raw)


def _check_stop(experiment: Experiment) -> None:
    if experiment.stop_when not in (None, "decided"):
        raise unknown("reason to stop:", experiment.stop_when, ["decided"])
    if experiment.stop_when:
        named_pair(experiment)


def named_pair(experiment: Experiment) -> tuple[Condition, Condition]:
    """The two conditions that `decide` names; UsageError where it does not."""
    found = {condition.label: condition for condition in experiment.conditions}
    decide = experiment.decide
    if not decide.first and not decide.second and len(found) == 2:
        first, second = found.values()
        return first, second
    if not decide.first or not decide.second or decide.first == decide.second:
        raise UsageError(
            f"which two of {len(found)} conditions are to be decided? Give [decide] first and "
            "second in the experiment, as in first = 'MODEL + SCAFFOLD'"
        )
    for name in (decide.first, decide.second):
        if name not in found:
            raise unknown("condition to decide", name, found)
    if not (decide.margin > 0 and 0 < decide.alpha < 1):
        raise UsageError("decide: margin is in points above 0, alpha lies between 0 and 1")
    return found[decide.first], found[decide.second]


def check_money(experiment: Experiment, model: Part, base_url: str) -> None:
    """A limit in dollars that cannot be reached would be no limit, and nobody would know."""
    if experiment.limits.usd is None and experiment.usd_run is None:
        return
    id_ = str(model.knobs.get("id", model.name))
    said = experiment.costs
    given = {"price_in", "price_out"} <= said.knobs(model, id_).keys()
    served = said.usd_second(model, id_) is not None
    if not given and not served and not prices.Tariff(base_url, id_).known:
        raise UsageError(
            f"a limit in dollars needs the price of {model.name!r}, which nobody lists for "
            f"{base_url}: --price {id_}:in=..,out=.. (per million tokens)"
        )


def on(experiment: Experiment, sandbox: Part) -> Experiment:
    """The same experiment on boxes of a settled kind."""
    return replace(experiment, sandbox=sandbox)
