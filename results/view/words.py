"""The text in one event of a trace, without the JSON around it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from harness.api import Event
from results.view.steps import a_list, a_map


def words_of(line: bytes) -> bytes:
    """What was said, asked or printed there, as bytes; the line itself where that is unclear."""
    try:
        event = a_map(json.loads(line))
    except (ValueError, RecursionError):
        return line
    said = "\n\n".join(part for part in _words(event) if part)
    # What came as bytes that are no UTF-8 is a lone surrogate each, and goes out as it came.
    try:
        return said.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return said.encode(errors="replace")


def _words(event: Event) -> Iterator[str]:
    match event.get("kind"):
        case "exec":
            yield "$ " + " ".join(str(word) for word in a_list(event.get("argv")))
            yield str(event.get("output") or "")
        case "read":
            yield str(event.get("data") or event.get("error") or "")
        case "message":
            yield str(a_map(event.get("message")).get("content") or "")
        case "reply":
            message = a_map(a_map(event.get("reply")).get("message"))
            yield str(message.get("reasoning") or "")
            yield str(message.get("content") or "")
            for call in a_list(message.get("calls")):
                yield f"{a_map(call).get('name')} {a_map(call).get('arguments')}"
        case _:
            yield json.dumps(event, indent=1)
