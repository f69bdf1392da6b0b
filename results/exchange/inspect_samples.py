"""Inspect's log as plain values, turned into outcomes. Reading the file is another module's job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.errors import UsageError
from harness.types import Clocks, Ending, Usage
from results.exchange.imported import UNTOLD, Batch, Outcome
from results.exchange.reading import count, mapping, number, optional, sequence, shown, text

_ENDINGS = {
    "token": Ending.TOKENS,
    "time": Ending.TIME,
    "working": Ending.TIME,
    "message": Ending.TURNS,
    "turn": Ending.TURNS,
    "cost": Ending.COST,
    "context": Ending.CONTEXT,
}
_GRADES = {"C": 1.0, "I": 0.0, "N": 0.0, "P": 0.5}
"""Inspect's letters: correct, incorrect, no answer, partly."""


@dataclass(frozen=True, slots=True)
class Samples:
    """`scorer` says whose score counts, where a log has the scores of several."""

    where: str
    scorer: str = ""

    def batch(self, log: Mapping[str, Any]) -> Batch:
        """The system of a log. A sample that ended in an error, or has no score, is a fault."""
        spec = mapping(log.get("eval"), f"{self.where}: eval")
        model = text(spec.get("model"), f"{self.where}: eval.model")
        solver = optional(spec.get("solver"), f"{self.where}: eval.solver") or "inspect"
        rows = sequence(log.get("samples"), f"{self.where}: samples")
        outcomes = [self._outcome(mapping(raw, f"{self.where}: a sample")) for raw in rows]
        return Batch(model, solver, tuple(outcomes))

    def ids(self, log: Mapping[str, Any]) -> tuple[str, ...]:
        """Every sample of the data set, those included that the log did not come to."""
        spec = mapping(log.get("eval"), f"{self.where}: eval")
        dataset = mapping(spec.get("dataset"), f"{self.where}: eval.dataset")
        listed = sequence(dataset.get("sample_ids"), f"{self.where}: sample_ids")
        return tuple(dict.fromkeys(str(each) for each in listed))

    def _outcome(self, raw: Mapping[str, Any]) -> Outcome:
        task = str(raw.get("id"))
        where = f"{self.where}: sample {shown(task)}"
        limit = mapping(raw.get("limit"), f"{where}: limit")
        known = Outcome(
            task,
            None,
            max(0, count(raw.get("epoch"), f"{where}: epoch") - 1),
            ending=_ENDINGS.get(str(limit.get("type")), Ending.GAVE_UP)
            if limit
            else Ending.SUBMITTED,
            usage=_usage(mapping(raw.get("model_usage"), where), where),
            clocks=Clocks(total=number(raw.get("total_time"), where) or 0.0),
            facts={"uuid": raw.get("uuid")},
        )
        error = mapping(raw.get("error"), f"{where}: error")
        if error:
            lines = optional(error.get("message"), where).splitlines() or ["an error"]
            return replace(known, culprit="scaffold", message=lines[0][:500])
        scores = mapping(raw.get("scores"), f"{where}: scores")
        if not scores:
            return replace(known, culprit="grader", message="the sample has no score")
        solved = self._value(scores, where) >= 1
        return replace(known, reason="resolved" if solved else "tests_failed")

    def _value(self, scores: Mapping[str, Any], where: str) -> float:
        name = self.scorer or (next(iter(scores)) if len(scores) == 1 else "")
        if name not in scores:
            raise UsageError(
                f"{where}: has scores of {', '.join(scores)}; "
                "say whose counts with --format inspect,scorer=NAME"
            )
        value = mapping(scores[name], f"{where}: {name}").get("value")
        if isinstance(value, bool | int | float):
            return float(value)
        if isinstance(value, str) and value in _GRADES:
            return _GRADES[value]
        raise UsageError(f"{where}: the score of {name} is {shown(value)}, which is no verdict")


def _usage(models: Mapping[str, Any], where: str) -> Usage:
    """Over all models of a sample. Their providers count the cache in or out: the total tells."""
    if not models:
        return UNTOLD
    total = Usage()
    for raw in models.values():
        said = mapping(raw, f"{where}: model_usage")
        prompt, output = (
            count(said.get("input_tokens"), where),
            count(said.get("output_tokens"), where),
        )
        read = count(said.get("input_tokens_cache_read"), where)
        written = count(said.get("input_tokens_cache_write"), where)
        inside = count(said.get("total_tokens"), where) == prompt + output
        total += Usage(
            fresh=max(0, prompt - read - written) if inside else prompt,
            cache_read=read,
            cache_write=written,
            output=output,
            reasoning=count(said.get("reasoning_tokens"), where),
            usd=number(said.get("total_cost"), where),
        )
    return total
