"""The official evaluator's verdict, quirks included, so that a score can be set beside others'."""

from __future__ import annotations

from dataclasses import replace

from harness.api import Sandbox, Sandboxes
from harness.errors import Fault
from harness.types import Environment, ExecResult, Grade
from tasks import infra, patches, verdicts
from tasks.swebench_pro.oracle import Deadlines, Oracle
from tasks.swebench_pro.report import Results

_PLACE = "/workspace"
LOG_BYTES = 64 << 20


async def grade(oracle: Oracle, patch: bytes, sandboxes: Sandboxes, deadlines: Deadlines) -> Grade:
    """One box for everything, as officially: patch, tests and parser, with the network open."""
    notes: list[str] = []
    stripped = patches.strip_binary_hunks(patch)
    if stripped != patch:
        notes.append("compat: the binary parts of the patch were left out")
    async with sandboxes.open(environment(oracle)) as box:
        await box.write(f"{_PLACE}/patch.diff", stripped)
        for name in ("run_script.sh", "parser.py"):
            await box.write(f"{_PLACE}/{name}", oracle.script(name))
        await box.write(f"{_PLACE}/entryscript.sh", entry_script(oracle).encode())
        ran = await box.exec(["bash", f"{_PLACE}/entryscript.sh"], kill_after=deadlines.tests)
        logs = {"entry": ran.output}
        for name in ("stdout", "stderr"):
            logs[name] = await _read(box, f"{_PLACE}/{name}.log") or b""
        data = await _read(box, f"{_PLACE}/output.json")
    notes += _quirks(oracle, ran, bool(patch.strip()))
    return _judge(oracle, data, logs, (ran, notes))


def environment(oracle: Oracle) -> Environment:
    return replace(oracle.environment, network="open")


def entry_script(oracle: Oracle) -> str:
    """What runs in the box, line by line; an exit code matters to none of them."""
    exports = [line.replace("ENV", "export", 1) for line in oracle.env]
    logs = f"{_PLACE}/stdout.log", f"{_PLACE}/stderr.log"
    lines = [
        *exports,
        "cd /app",
        f"git reset --hard {oracle.base_commit}",
        f"git checkout {oracle.base_commit}",
        f"git apply -v {_PLACE}/patch.diff",
        oracle.before,
        f"bash {_PLACE}/run_script.sh {oracle.selection} > {logs[0]} 2> {logs[1]}",
        f"python {_PLACE}/parser.py {logs[0]} {logs[1]} {_PLACE}/output.json",
    ]
    return "\n".join(lines) + "\n"


async def _read(box: Sandbox, path: str) -> bytes | None:
    try:
        return await box.read(path, limit=LOG_BYTES)
    except (FileNotFoundError, IsADirectoryError):
        return None
    except ValueError as error:
        raise Fault("grader", str(error)) from error


def _quirks(oracle: Oracle, ran: ExecResult, patched: bool) -> list[str]:
    """The quirks that can have made a difference to this verdict."""
    notes = []
    said = ran.text
    if patched and ("\nerror: " in said or "No valid patches in input" in said):
        notes.append("compat: the patch did not apply, and the tests ran without it")
    if any("=" not in line.split()[1] for line in oracle.env if len(line.split()) > 1):
        notes.append("compat: an `ENV K V` line of a Dockerfile set nothing")
    if any(character in oracle.selection for character in " \n'\"$`|&;<>()*?[]#"):
        notes.append("compat: the selected tests went through the shell without quotes")
    return notes


def _judge(
    oracle: Oracle,
    data: bytes | None,
    logs: dict[str, bytes],
    run: tuple[ExecResult, list[str]],
) -> Grade:
    ran, notes = run
    expected = oracle.fail_to_pass, oracle.pass_to_pass
    results = Results({})
    try:
        # Officially a log that is not UTF-8 is an exception, and an exception is False.
        for name in ("stdout", "stderr"):
            logs[name].decode()
        results = Results.read(data or b"")
        readable = True
    except ValueError as error:
        readable = False
        log, network = b"\n".join(logs.values()), oracle.network
        fault = infra.suspect(log, exit_code=ran.exit_code, network=network)
        if fault and not data:
            raise fault from error
        notes.append(f"compat: no output that can be read, which is officially False: {error}")
    tests = results.official()
    verdict = verdicts.judge(tests, *expected, mode="compat")
    if ran.ended == "deadline":
        verdict = replace(verdict, resolved=False, reason="tests_hung")
    elif not readable:
        verdict = replace(verdict, resolved=False, reason="tests_missing")
    return Grade(replace(verdict, notes=tuple(notes)), tests, logs)
