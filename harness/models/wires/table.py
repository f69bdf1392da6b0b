"""The wires by name: what `wire=` may be."""

from __future__ import annotations

from collections.abc import Mapping

from harness.models.wires import chat, messages, responses
from harness.models.wires.reading import Wire

WIRES: Mapping[str, Wire] = {"chat": chat, "responses": responses, "messages": messages}
