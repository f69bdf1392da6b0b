"""The questions, each a coroutine that asks and says what it found."""

from __future__ import annotations

import json
import re
from typing import Any

from harness.errors import UsageError
from harness.models.probing.asking import Answer, Asker, Finding, Streamed, Word
from harness.models.trouble import sort
from harness.models.wires import chat, messages, responses
from harness.models.wires.reading import NotAReply, Wire, fold
from harness.types import Reply

_TOOL = {
    "type": "function",
    "function": {
        "name": "bash",
        "description": "Run a command in a shell and see its output.",
        "parameters": {
            "type": "object",
            "properties": {"command": {"type": "string"}},
            "required": ["command"],
        },
    },
}
_LIST = "List the files of the current folder: call the tool bash with the command ls."
_BOTH = "Call the tool bash twice at once, in one answer: with the command ls, and with pwd."
_PREFIX = "The quick brown fox jumps over the lazy dog. " * 160
"""Longer than the shortest prefix that any provider caches (1,024 tokens)."""
_THOUGHT = 1024
"""Tokens of answer for a model that thinks first; one that does not would only ramble on."""
_SENSELESS_CAP = 10_000_000
_LIMIT = re.compile(
    r"(?:context (?:size|length|window)[^0-9]{0,40}|max_model_len=|n_ctx[\"': =]+"
    r"|max(?:imum)? (?:prompt|input)[^0-9]{0,30})([0-9][0-9,]{2,})",
    re.IGNORECASE,
)


async def reachable(ask: Asker) -> list[Finding]:
    """UsageError where nobody answers, or the key is refused: then there is nothing to ask."""
    answer = await ask.get("/models")
    if answer.status in (401, 403):
        raise UsageError(f"{ask.endpoint.base_url} refuses the key: {answer.complaint}")
    listed = answer.payload.get("data") if isinstance(answer.payload, dict) else None
    if answer.status != 200 or not isinstance(listed, list):
        said = f"somebody answers, without a list of models (HTTP {answer.status})"
        return [Finding("reachable", "yes", said)]
    ids = [str(one.get("id")) for one in listed if isinstance(one, dict)]
    among = f"{ask.model} is one of" if ask.model in ids else f"{ask.model} is not among"
    return [Finding("reachable", "yes", f"{among} {len(ids)} models that it lists")]


async def answers(ask: Asker) -> list[Finding]:
    """UsageError where not even a plain question is answered."""
    answer = await ask.chat("Say the word: ready", ask.room)
    if answer.trouble and "max_completion_tokens" in answer.text:
        ask.cap = "max_completion_tokens"
        answer = await ask.chat("Say the word: ready", ask.room)
    if (reply := answer.reply) and _thinks(reply):
        ask.room = _THOUGHT
        answer = await ask.chat("Say the word: ready", ask.room)
    if (reply := answer.reply) is None:
        raise UsageError(
            f"{ask.endpoint.base_url} does not answer a plain question to {ask.model!r}: "
            f"HTTP {answer.status}: {answer.complaint}"
        )
    served = reply.served.get("model", "it does not say")
    said = f"as {served}, in {answer.seconds:.1f} s; answers are bounded by {ask.cap}"
    return [Finding("chat completions", "yes", said), *_usage(answer)]


def _thinks(reply: Reply) -> bool:
    """Whether some of the answer is thought, shown or not."""
    silent = reply.finish == "length" and not reply.message.content
    return bool(reply.message.reasoning or reply.usage.reasoning or silent)


def _usage(answer: Answer) -> list[Finding]:
    raw = answer.payload.get("usage") or {}
    wanted = {
        "prompt_tokens": raw.get("prompt_tokens"),
        "completion_tokens": raw.get("completion_tokens"),
        "cached": (raw.get("prompt_tokens_details") or {}).get("cached_tokens"),
        "reasoning": (raw.get("completion_tokens_details") or {}).get("reasoning_tokens"),
    }
    counted = [name for name, value in wanted.items() if value is not None]
    lacks = [name for name, value in wanted.items() if value is None]
    word: Word = "yes" if wanted["prompt_tokens"] and wanted["completion_tokens"] else "no"
    said = f"counts {', '.join(counted) or 'nothing'}"
    return [Finding("usage", word, said + (f"; not {', '.join(lacks)}" if lacks else ""))]


async def caching(ask: Asker) -> list[Finding]:
    await ask.chat(_PREFIX + "Say the word: ready", 16)
    answer = await ask.chat(_PREFIX + "Say the word: ready", 16)
    reply = answer.reply
    if reply is None:
        return [Finding("prompt cache", "unclear", f"HTTP {answer.status}: {answer.complaint}")]
    read = reply.usage.cache_read
    if not (answer.payload.get("usage") or {}).get("prompt_tokens_details"):
        return [Finding("prompt cache", "unclear", "it does not count what it reads from a cache")]
    said = f"of a prompt sent twice, {read} of {reply.usage.prompt} tokens were read from the cache"
    return [Finding("prompt cache", "yes" if read else "no", said)]


async def streaming(ask: Asker) -> list[Finding]:
    body = ask.body("Count from 1 to 60, with blanks between.", ask.room)
    told = await ask.stream({**body, "stream": True, "stream_options": {"include_usage": True}})
    if told.status != 200 or not told.events:
        return [Finding("streaming", "no", f"HTTP {told.status}: {told.text[:120]!r}")]
    try:
        reply = chat.decode(fold(chat, told.events))
    except NotAReply as error:
        return [Finding("streaming", "no", f"it streams, but not a whole reply: {error}")]
    said = f"first byte after {told.first:.2f} s, {len(told.events)} events"
    counted = reply.usage.output
    usage = Finding(
        "usage of streams",
        "yes" if counted else "no",
        "counted at the end" if counted else "not counted: tokens of streams are estimated",
    )
    return [Finding("streaming", "yes", said), usage, _speed(told, counted)]


def _speed(told: Streamed, counted: int) -> Finding:
    seconds, tokens = told.last - told.first, counted or len(told.events)
    if seconds < 0.05 or tokens < 8:
        return Finding("speed", "unclear", f"{tokens} tokens came too nearly at once to tell")
    return Finding("speed", "yes", f"{tokens / seconds:.0f} tokens per second in one stream")


async def tools(ask: Asker) -> list[Finding]:
    free = await ask.chat(_LIST, ask.room, tools=[_TOOL])
    found = [_called("native tool calls", free, 1)]
    if found[0].answer != "yes":
        forced = await ask.chat(_LIST, ask.room, tools=[_TOOL], tool_choice="required")
        found.append(_called("tool_choice: required", forced, 1))
    found.append(_called("parallel calls", await ask.chat(_BOTH, ask.room, tools=[_TOOL]), 2))
    return [*found, await _results(ask)]


def _called(question: str, answer: Answer, wanted: int) -> Finding:
    reply = answer.reply
    if reply is None:
        return Finding(question, "no", f"HTTP {answer.status}: {answer.complaint}")
    calls = reply.message.calls
    if len(calls) >= wanted:
        broken = [call for call in calls if not _is_object(call.arguments)]
        said = f"{len(calls)} in one answer" + (f", {len(broken)} of broken JSON" if broken else "")
        return Finding(question, "yes", said)
    said = f"{len(calls)} calls; it wrote {reply.message.content[:60]!r} ({reply.finish})"
    return Finding(question, "no" if reply.message.content or calls else "unclear", said)


def _is_object(arguments: str) -> bool:
    try:
        return isinstance(json.loads(arguments), dict)
    except (ValueError, RecursionError):
        return False


async def _results(ask: Asker) -> Finding:
    function = {"name": "bash", "arguments": '{"command": "ls"}'}
    call = {"id": "call_1", "type": "function", "function": function}
    talk: list[dict[str, Any]] = [
        {"role": "user", "content": _LIST},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "heron.txt"},
        {"role": "user", "content": "Which file is there? Answer with its name."},
    ]
    answer = await ask.chat(talk, ask.room, tools=[_TOOL])
    if answer.reply is None:
        return Finding("tool results", "no", f"HTTP {answer.status}: {answer.complaint}")
    read = "heron" in answer.reply.message.content
    return Finding(
        "tool results", "yes", "taken, and read" if read else "taken; the model did not read them"
    )


async def reasoning(ask: Asker) -> list[Finding]:
    answer = await ask.chat("What is 17 times 23? Think first.", ask.room)
    reply = answer.reply
    if reply is None or not reply.message.reasoning:
        return [Finding("reasoning", "no", "no field of thoughts in its answers")]
    name = reply.message.reasoning_field
    shown = Finding("reasoning", "yes", f"in {name}, {len(reply.message.reasoning)} characters")
    said = {"role": "assistant", "content": reply.message.content, name: reply.message.reasoning}
    talk = [
        {"role": "user", "content": "What is 17 times 23? Think first."},
        said,
        {"role": "user", "content": "And plus one?"},
    ]
    back = await ask.chat(talk, ask.room)
    word: Word = "no" if back.reply is None else "yes"
    why = f"HTTP {back.status}: {back.complaint}" if back.reply is None else "taken back"
    return [shown, Finding("reasoning given back", word, why)]


async def seeds(ask: Asker) -> list[Finding]:
    said = []
    for seed in (7, 7, 8):
        answer = await ask.chat(
            "Invent a name for a ship.", ask.room // 2, seed=seed, temperature=1.0
        )
        if answer.reply is None:
            why = f"HTTP {answer.status}: {answer.complaint}"
            return [Finding("seed", "no", why)]
        said.append(answer.reply.message.content)
    first, again, other = said
    if first != again:
        return [Finding("seed", "no", "the same seed gave two answers")]
    if first == other:
        return [Finding("seed", "unclear", "every seed gave the same answer")]
    return [Finding("seed", "yes", "the same seed gave the same answer, another seed another")]


async def stops(ask: Asker) -> list[Finding]:
    answer = await ask.chat("Write: one two three four five six", ask.room, stop=["four"])
    if answer.reply is None:
        return [Finding("stop", "no", f"HTTP {answer.status}: {answer.complaint}")]
    text = answer.reply.message.content
    if "four" in text:
        return [Finding("stop", "no", f"it went on: {text[:60]!r}")]
    word: Word = "yes" if "three" in text else "unclear"
    return [Finding("stop", word, f"it wrote {text[:60]!r}")]


async def window(ask: Asker, most: int) -> list[Finding]:
    """The context limit as an error tells it: of an absurd request, then of prompts that grow."""
    answer = await ask.begun({**ask.body("Say the word: ready", _SENSELESS_CAP), "stream": True})
    if answer.trouble and (found := _LIMIT.search(answer.text)):
        return [_limit(found.group(1), "asked for too long an answer", answer)]
    size = 4096
    while size <= most:
        answer = await ask.chat("hello " * size, 8)
        if (trouble := answer.trouble) or answer.status != 200:
            kind = trouble.kind if trouble else "broken"
            if kind != "overflow":
                why = f"at some {size} tokens: HTTP {answer.status}: {answer.complaint}"
                return [Finding("context limit", "unclear", why)]
            found = _LIMIT.search(answer.text)
            told = found.group(1) if found else f"under {size}"
            return [_limit(told, "sent too long a prompt", answer)]
        size *= 2
    said = f"no error up to some {size // 2} tokens; --most-tokens N asks further"
    return [Finding("context limit", "unclear", said)]


def _limit(tokens: str, when: str, answer: Answer) -> Finding:
    return Finding("context limit", "yes", f"{tokens} tokens ({when}: {answer.complaint})")


async def errors(ask: Asker) -> list[Finding]:
    """How it complains, and what a run would make of it."""
    good = ask.body("Say the word: ready", 8)
    asked = {
        "an unknown model": (await _complaint(ask, {**good, "model": "no-such-model"}), "refused"),
        "a wrong key": (await _complaint(ask, good, key="sk-wrong-on-purpose"), "refused"),
        "half a JSON": (await _complaint(ask, b'{"model": '), "broken"),
    }
    return [_sorted(what, answer, due) for what, (answer, due) in asked.items()]


async def _complaint(ask: Asker, body: dict[str, Any] | bytes, key: str = "") -> Answer:
    return await ask.post("/chat/completions", body, key)


def _sorted(what: str, answer: Answer, due: str) -> Finding:
    if answer.status == 200 and answer.trouble is None:
        return Finding(f"error for {what}", "no", "none: it answers all the same")
    kind = sort(answer.status, answer.headers, answer.text).kind
    word: Word = "yes" if kind == due else "unclear"
    said = f"HTTP {answer.status}, which a run takes for {kind!r}: {answer.complaint[:80]}"
    return Finding(f"error for {what}", word, said)


async def wires(ask: Asker) -> list[Finding]:
    """The two other wires, for agents that speak nothing else."""
    said = "Say the word: ready"
    bodies: list[tuple[str, Wire, dict[str, Any]]] = [
        ("responses", responses, {"input": said, "max_output_tokens": ask.room}),
        (
            "messages",
            messages,
            {"messages": [{"role": "user", "content": said}], "max_tokens": ask.room},
        ),
    ]
    return [await _wire(ask, name, wire, body) for name, wire, body in bodies]


async def _wire(ask: Asker, name: str, wire: Wire, body: dict[str, Any]) -> Finding:
    answer = await ask.post(wire.PATH, {"model": ask.model, **body})
    if answer.status != 200:
        return Finding(f"wire={name}", "no", f"HTTP {answer.status}: {answer.complaint}")
    try:
        wire.decode(answer.payload)
    except NotAReply as error:
        return Finding(f"wire={name}", "no", str(error)[:160])
    return Finding(f"wire={name}", "yes", "a plain question is answered")
