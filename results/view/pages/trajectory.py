"""What an agent thought, did and saw, a card for each step."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.api import Event
from results.audit.actions import shell_text
from results.report.page.markup import Html, joined, tag
from results.report.page.spelt import NONE, usd
from results.view.pages.bits import chip, count, folded, link, seconds, text
from results.view.pages.changes import replaced
from results.view.steps import Beat, Step, a_list, a_map
from results.view.visible import one_line

_PROGRAM_SAID = 2_000
"""From so many characters on, what an agent in the box prints of itself is folded away: its steps
are told by its calls."""
_OLD, _NEW = ("old", "old_str", "old_string"), ("new", "new_str", "new_string")
SHORT = 120


def step(one: Step, raw: str, *, here: bool = False) -> Html:
    """One card. `raw` is the address of the trace's lines, up to their number."""
    beat, message = one.beat, a_map(one.reply.get("message"))
    if beat.number == 0:
        return _opening(one, raw)
    reasoning, said = message.get("reasoning"), message.get("content")
    parts = [
        folded(str(reasoning), raw=_words(raw, beat.line), lines=8, class_="thought")
        if reasoning
        else "",
        folded(str(said), raw=_words(raw, beat.line), lines=16, class_="said") if said else "",
        *_acts(one, [a_map(call) for call in a_list(message.get("calls"))], raw),
    ]
    finish = one.reply.get("finish")
    if finish not in ("stop", "tool_calls", None):
        parts.append(tag("p", chip(f"reply ended: {finish}", "unsolved")))
    label = f"step {beat.number}: {beat.title}"
    return tag(
        "article",
        _gutter(beat, raw),
        tag("div", *parts, class_="body"),
        class_="step" + (" found" if here else ""),
        id=f"s{beat.number}",
        tabindex="-1",
        aria_label=label,
    )


def _gutter(beat: Beat, raw: str) -> Html:
    """What a step took, beside it."""
    tokens = f"{count(beat.prompt)} in, {count(beat.output)} out"
    told = [
        tag("a", f"{beat.number}", href=f"#s{beat.number}", class_="no"),
        tag("span", seconds(beat.model_seconds), title="seconds of the model"),
        tag(
            "span",
            seconds(beat.tool_seconds),
            title="seconds of commands in the box",
            class_="tool",
        )
        if beat.tool_seconds
        else "",
        tag("span", tokens, title="tokens"),
        tag("span", NONE if beat.usd is None else usd(beat.usd), title="dollars"),
        "" if beat.live else chip("replayed", title="a reply of an earlier try, paid for then"),
        tag("a", "trace", href=f"{raw}{beat.line}", class_="raw", title=f"line {beat.line} of it"),
    ]
    return tag("div", *told, class_="gutter")


def _opening(one: Step, raw: str) -> Html:
    """What the model was told before it said anything, folded away."""
    parts = []
    for line, event in one.events:
        message = a_map(event.get("message"))
        if event["kind"] == "message":
            role, said = str(message.get("role")), str(message.get("content") or "")
            head = tag(
                "summary",
                tag("b", text(role)),
                f" {len(said):,} characters: ",
                tag("span", text(one_line(said, SHORT)), class_="soft"),
            )
            parts.append(
                tag("details", head, folded(said, raw=_words(raw, line), lines=400, class_="said"))
            )
    parts += [
        part for _, part in _box([pair for pair in one.events if pair[1]["kind"] != "message"], raw)
    ]
    if not parts:
        return Html("")
    return tag(
        "article",
        tag("div", tag("span", "0", class_="no"), tag("span", "prompt"), class_="gutter"),
        tag("div", *parts, class_="body"),
        class_="step",
        id="s0",
        tabindex="-1",
    )


def _acts(one: Step, calls: Sequence[Mapping[str, Any]], raw: str) -> Iterator[Html]:
    """Each call with what came back of it; then what no call explains."""
    answers = {
        str(a_map(e.get("message")).get("call_id")): (line, a_map(e.get("message")))
        for line, e in one.events
        if e["kind"] == "message" and a_map(e.get("message")).get("call_id")
    }
    box = list(_box(one.events, raw))
    acted = any(event["kind"] == "exec" for event, _ in box)
    for call in calls:
        arguments = _arguments(call.get("arguments"))
        script = shell_text(arguments) if isinstance(arguments, Mapping) else ""
        yield _call(call, arguments, script)
        answer = answers.get(str(call.get("id")))
        ran = _taken(box, script if isinstance(script, str) else "")
        if ran:
            yield ran[1]
            yield from _as_seen(ran[0], answer, raw)
        elif answer:
            yield folded(str(answer[1].get("content") or ""), raw=_words(raw, answer[0]))
    yield from (part for _, part in box)
    if not calls or not answers:
        yield from _told(one, raw, folded_away=acted)


def _taken(box: list[tuple[Event, Html]], script: str) -> tuple[Event, Html] | None:
    """The command in the box that a call's script was run as, taken out of what is left."""
    bare = script.strip()
    for at, (event, _) in enumerate(box):
        argv = a_list(event.get("argv"))
        if bare and argv and str(argv[-1]).strip() == bare:
            return box.pop(at)
    return None


def _as_seen(
    event: Event, answer: tuple[int, Mapping[str, Any]] | None, raw: str
) -> Iterator[Html]:
    """The answer to a call where it is not what the command printed: cut, or elided."""
    if answer is None:
        return
    told = str(answer[1].get("content") or "")
    if told.strip() != str(event.get("output") or "").strip():
        head = tag("summary", f"as the model saw it: {len(told):,} characters")
        yield tag("details", head, folded(told, raw=_words(raw, answer[0])), class_="more")


def _words(raw: str, line: int) -> str:
    """Where the text of one event is, without the JSON around it."""
    return f"{raw}{line}&text=1"


def _told(one: Step, raw: str, *, folded_away: bool) -> Iterator[Html]:
    """What the model was told next, where it answers no call by name.

    It repeats what commands have printed, so where some have it is folded away.
    """
    for line, event in one.events:
        message = a_map(event.get("message"))
        if event["kind"] == "message" and message.get("role") in ("user", "tool"):
            told = str(message.get("content") or "")
            body = folded(told, raw=_words(raw, line))
            if folded_away:
                head = tag("summary", f"as the model saw it: {len(told):,} characters")
                yield tag("details", head, body, class_="more")
            else:
                yield tag("p", "the model was told", class_="label")
                yield body


def _call(call: Mapping[str, Any], arguments: object, script: str | list[str]) -> Html:
    """A tool and what it was asked, as a person would write it."""
    name = tag("span", text(str(call.get("name"))), class_="tool-name")
    if not isinstance(arguments, Mapping):
        unread = folded(str(call.get("arguments") or ""), class_="command", lines=12)
        return tag("div", name, unread, class_="call")
    if script:
        shown = script if isinstance(script, str) else " ".join(script)
        rest = {k: v for k, v in arguments.items() if v != script and v not in (None, "")}
        return tag(
            "div", name, *_scalars(rest), folded(shown, class_="command", codes=True), class_="call"
        )
    old = next((arguments[k] for k in _OLD if isinstance(arguments.get(k), str)), None)
    new = next((arguments[k] for k in _NEW if isinstance(arguments.get(k), str)), None)
    if old is not None or new is not None:
        rest = {k: v for k, v in arguments.items() if k not in (*_OLD, *_NEW)}
        return tag("div", name, *_scalars(rest), replaced(old or "", new or ""), class_="call")
    return tag("div", name, *_scalars(arguments), *_long(arguments), class_="call")


def _scalars(arguments: Mapping[str, Any]) -> Iterator[Html]:
    """Arguments that fit on a line."""
    for key, value in arguments.items():
        told = value if isinstance(value, str) else json.dumps(value)
        if len(told) <= SHORT and "\n" not in told:
            yield tag("span", tag("i", text(key)), " ", tag("code", text(told)), class_="argument")


def _long(arguments: Mapping[str, Any]) -> Iterator[Html]:
    for key, value in arguments.items():
        told = value if isinstance(value, str) else json.dumps(value, indent=1)
        if len(told) > SHORT or "\n" in told:
            yield tag("p", text(key), class_="label")
            yield folded(told, class_="command", codes=True)


def _arguments(written: object) -> object:
    try:
        return json.loads(written) if isinstance(written, str) else written
    except (ValueError, RecursionError):
        return written


def _box(events: Sequence[tuple[int, Event]], raw: str) -> Iterator[tuple[Event, Html]]:
    """What is no reply and no message, each with how it looks."""
    for line, event in events:
        match event["kind"]:
            case "exec":
                argv = [str(word) for word in a_list(event.get("argv"))]
                yield event, _exec(event, argv, _words(raw, line))
            case "read" | "write":
                yield event, _file(event, _words(raw, line))
            case "note" | "diverged" | "replay_ended":
                yield event, _remark(event)
            case "try" | "reply" | "message" | "request":
                pass
            case "submission" | "ending" | "fault" | "verdict":  # told under the last step
                pass
            case _:
                yield event, _remark(event)


def _exec(event: Event, argv: Sequence[str], raw: str) -> Html:
    ended, code = event.get("ended"), event.get("exit_code")
    good = ended == "exit" and code == 0
    word = (
        f"exit {code}"
        if ended == "exit"
        else {"deadline": "killed: out of time"}.get(str(ended), str(ended))
    )
    took = event.get("seconds")
    head = [chip(word, "passed" if good else "failed"), f" {seconds(float(took or 0))}"]
    if omitted := event.get("omitted"):
        head.append(f", {omitted:,} bytes left out in the middle")
    output = str(event.get("output") or "")
    body = folded(output, raw=raw) if output.strip() else Html("")
    by_shell = len(argv) == 3 and argv[1] in ("-c", "-lc")
    if not by_shell and len(output) > _PROGRAM_SAID:
        said = tag("summary", f"what the program printed: {len(output):,} characters")
        body = tag("details", said, body, class_="more")
    script = argv[-1] if by_shell else " ".join(argv)
    return joined([tag("p", *head, class_="ran", title=text(one_line(script))), body])


def _file(event: Event, raw: str) -> Html:
    """A file that the harness itself read or wrote in the box for a tool."""
    verb = "read" if event["kind"] == "read" else "wrote"
    error = event.get("error")
    if event["kind"] == "read":
        size = "" if error else f", {len(str(event.get('data') or '')):,} characters"
    else:
        size = f", {event.get('bytes')} bytes"
    said = [f"{verb} ", tag("code", text(str(event.get("path")))), size]
    if error:
        said.append(chip(str(error), "failed"))
    return tag("p", *said, " ", link("trace", raw, class_="raw"), class_="ran")


def _remark(event: Event) -> Html:
    told = {k: v for k, v in event.items() if k not in ("kind", "at", "note")}
    name = str(event.get("note") or event["kind"])
    class_ = "" if event["kind"] == "note" else "failed"
    return tag("p", chip(text(name), class_), " ", *_scalars(told), class_="remark")
