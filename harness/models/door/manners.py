"""How a program asks, beside how the condition would have it asked: its body is left as it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.api import WireName
from harness.models.knobs import Knobs
from harness.models.wires.table import WIRES

_SETTINGS = (
    *("temperature", "top_p", "top_k", "min_p", "seed", "stop", "stop_sequences"),
    *("max_tokens", "max_completion_tokens", "max_output_tokens"),
    *("reasoning_effort", "reasoning", "thinking", "output_config", "parallel_tool_calls"),
)
_ABSENT = "nothing"
_MOST = 8
"""So many values of one setting are kept."""
_OURS = ("stream", "stream_options", "cache", "store", "include")
"""What a wire adds for the harness's own sake."""


def wanted(wire: WireName, knobs: Knobs) -> dict[str, Any]:
    """The fields that a body of ours would have for what the condition says."""
    asked = {name: getattr(knobs, name) for name in knobs.__dataclass_fields__}
    fields = {**WIRES[wire].settings(asked), **knobs.extra}
    if knobs.max_tokens is None and knobs.max_completion_tokens is None:
        fields.pop("max_tokens", None)  # a wire's own, where it needs one
    return {key: value for key, value in fields.items() if key not in _OURS}


@dataclass(slots=True)
class Manners:
    """What the requests of one attempt have said of the model's settings."""

    calls: int = 0
    without_tools: int = 0
    _seen: dict[str, list[str]] = field(default_factory=dict)
    _wanted: dict[str, str] = field(default_factory=dict)

    def see(self, payload: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
        self.calls += 1
        self.without_tools += not payload.get("tools")
        self._wanted = {key: json.dumps(value) for key, value in wanted.items()}
        for key in {*_SETTINGS, *wanted}:
            value = json.dumps(payload[key]) if payload.get(key) is not None else _ABSENT
            values = self._seen.setdefault(key, [])
            if value not in values and len(values) < _MOST:
                values.append(value)

    @property
    def aside(self) -> int:
        """Calls beside the work, for titles and summaries: no tools, where others have some."""
        return self.without_tools if self.without_tools < self.calls else 0

    def settings(self) -> dict[str, list[str]]:
        """The values that each setting had, as JSON, where any request said anything of it."""
        return {key: told for key, told in sorted(self._seen.items()) if told != [_ABSENT]}

    def unequal(self) -> list[str]:
        """What the condition gives and the program asked without, or with another value."""
        return [
            f"asks with {key} = {' or '.join(self._seen[key])} where the condition says {value}"
            for key, value in sorted(self._wanted.items())
            if self._seen.get(key, [value]) != [value]
        ]
