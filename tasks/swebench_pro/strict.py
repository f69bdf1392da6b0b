"""The verdict as it should be: what is official where that is sound, and mended where it is not."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from harness.api import Sandbox, Sandboxes
from harness.errors import Fault
from harness.types import Environment, ExecResult, Grade, Reason, Status, Verdict
from tasks import infra, patches, verdicts
from tasks.swebench_pro import protected
from tasks.swebench_pro.oracle import Deadlines, Oracle, variables
from tasks.swebench_pro.report import Results

LOG_BYTES = 16 << 20

# The images' repositories may belong to another user than the one who grades.
_GIT = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
_RESET = 'git reset -q --hard "$1" && git checkout -q "$1"'
_CLEAR = """
while IFS= read -r path; do
  [ -f "$path" ] || [ -L "$path" ] || continue
  git ls-files --error-unmatch -- ":(literal)$path" >/dev/null 2>&1 && continue
  rm -f -- "$path" && printf '%s\\n' "$path"
done"""
_RESTORE = """
while IFS= read -r path; do
  rm -rf -- "$path"
  if git cat-file -e "$1:$path" 2>/dev/null; then git checkout -q "$1" -- ":(literal)$path"; fi
done"""
_RUN = 'bash "$1/run_script.sh" "$2" >"$1/stdout" 2>"$1/stderr" </dev/null'
_CUT = """
for log in "$1/stdout" "$1/stderr"; do
  if [ -L "$log" ] || [ ! -f "$log" ]; then rm -rf "$log"; echo "lost ${log##*/}"; : >"$log"; fi
  [ $(($(wc -c <"$log"))) -le "$2" ] && continue
  { head -c $(($2 / 2)) "$log"; printf '\\n[cut]\\n'; tail -c $(($2 / 2)) "$log"; } >"$log.cut"
  mv "$log.cut" "$log"
  echo "cut ${log##*/}"
done"""
_PARSE = """
python=$(command -v python || command -v python3) || exit 127
exec "$python" "$1/parser.py" "$1/stdout" "$1/stderr" "$1/output.json"
"""


def environments(oracle: Oracle) -> tuple[Environment, Environment]:
    """Of the box where the tests run, and of that where their logs are read."""
    of_tests = replace(oracle.environment, network="open" if oracle.network else "none")
    return of_tests, oracle.environment


@dataclass(slots=True)
class Strict:
    """The grading of one submission. The tests run in one box, their logs are read in another.

    No code of the submission ever runs where the parser does, so it can reach neither the parser
    nor its output. What it prints it can still forge: root in its own box writes any log it likes.
    A test that both passed and failed has therefore failed.
    """

    oracle: Oracle
    patch: bytes
    deadlines: Deadlines
    notes: list[str] = field(default_factory=list)
    logs: dict[str, bytes] = field(default_factory=dict)

    async def grade(self, sandboxes: Sandboxes) -> Grade:
        if refused := patches.refusal(self.patch):
            return self._unrun("patch_refused", refused)
        of_tests, of_parser = environments(self.oracle)
        async with sandboxes.open(of_tests) as box:
            if failed := await self._set_up(box):
                return failed
            ran = await self._run(box)
        async with sandboxes.open(of_parser) as clean:
            results = await self._parse(clean)
        return self._judge(ran, results)

    async def _set_up(self, box: Sandbox) -> Grade | None:
        """The patch and then the hidden tests in place, or the verdict that says why not."""
        before, base = ["bash", "-c", self.oracle.before], self.oracle.base_commit
        for argv in (["sh", "-c", _RESET, "reset", base], before):
            # On untouched files both must work; where they do not, the image is not the row's.
            done = await self._exec(box, "setup", argv)
            if not done.ok:
                raise Fault("grader", f"{argv[2]!r} failed in a fresh box: {done.text[-300:]}")
        await self._exec(box, "setup", ["sh", "-c", _RESET, "reset", base])
        if self.patch.strip():
            await self._clear(box)
            applied = await patches.apply(box, self.patch, kill_after=self.deadlines.apply)
            self.logs["apply"] = applied.message.encode(errors="replace")
            if not applied.ok:
                return self._unrun("patch_failed", f"git apply: {applied.message[:500]}")
            await self._restore(box)
        done = await self._exec(box, "setup", before)
        if done.ok:
            return None
        return self._unrun("tests_failed", f"no hidden tests over this patch: {done.text[-300:]}")

    async def _clear(self, box: Sandbox) -> None:
        """Make way for new files where the image has untracked ones of the same name."""
        new = [each.new for each in patches.changes(self.patch) if each.creates and each.new]
        done = await self._exec(box, "setup", ["sh", "-c", _CLEAR, "clear"], _lines(new))
        if cleared := done.text.splitlines():
            self.notes.append(f"replaced untracked files of the image: {_shown(cleared)}")

    async def _restore(self, box: Sandbox) -> None:
        paths = protected.to_restore(self.oracle, self.patch)
        if not paths:
            return
        argv = ["sh", "-c", _RESTORE, "restore", self.oracle.base_commit]
        await self._exec(box, "setup", argv, _lines(paths))
        self.notes.append(f"restored before the tests: {_shown(paths)}")

    async def _run(self, box: Sandbox) -> ExecResult:
        place = f"/tmp/harness-{secrets.token_hex(8)}"
        await box.write(f"{place}/run_script.sh", self.oracle.script("run_script.sh"))
        argv = ["bash", "-c", _RUN, "run", place, self.oracle.selection]
        ran = await box.exec(argv, kill_after=self.deadlines.tests, env=variables(self.oracle.env))
        cut = await self._exec(box, "setup", ["sh", "-c", _CUT, "cut", place, str(LOG_BYTES)])
        for line in cut.text.splitlines():
            self.notes.append(f"log {line}")
        for name in ("stdout", "stderr"):
            self.logs[name] = await box.read(f"{place}/{name}", limit=LOG_BYTES + 64)
        self.logs["run"] = json.dumps(
            {"exit_code": ran.exit_code, "ended": ran.ended, "seconds": round(ran.seconds, 3)}
        ).encode()
        return ran

    async def _parse(self, box: Sandbox) -> Results:
        place = f"/tmp/harness-{secrets.token_hex(8)}"
        await box.write(f"{place}/parser.py", self.oracle.script("parser.py"))
        for name in ("stdout", "stderr"):
            # Parsers read text and stop at what is not; a replacement character harms nobody.
            text = self.logs[name].decode(errors="replace").encode()
            await box.write(f"{place}/{name}", text)
        done = await box.exec(
            ["sh", "-c", _PARSE, "parse", place],
            kill_after=self.deadlines.parse,
            env={"PYTHONUTF8": "1"},
        )
        self.logs["parser"] = done.output
        if done.ended == "deadline" or done.exit_code == 127:
            raise Fault("grader", f"the parser cannot be run to its end: {done.text[-300:]}")
        try:
            return Results.read(await box.read(f"{place}/output.json", limit=64 << 20))
        except (FileNotFoundError, ValueError) as error:
            self.notes.append(f"the parser made nothing of the logs: {str(error)[:200]}")
            return Results({})

    def _judge(self, ran: ExecResult, results: Results) -> Grade:
        log = self.logs["stdout"] + b"\n" + self.logs["stderr"]
        tests, conflicts = results.strict(log.decode(errors="replace"))
        if not tests and ran.ended == "exit":
            network = self.oracle.network
            if fault := infra.suspect(log, exit_code=ran.exit_code, network=network):
                raise fault
        if conflicts:
            self.notes.append(f"passed and failed, so failed: {_shown(conflicts)}")
        verdict = verdicts.judge(tests, self.oracle.fail_to_pass, self.oracle.pass_to_pass)
        if ran.ended == "deadline":
            self.notes.append(f"the tests ran for more than {self.deadlines.tests:g} seconds")
            verdict = replace(verdict, resolved=False, reason="tests_hung")
        elif not self.patch.strip() and not verdict.resolved:
            verdict = replace(verdict, reason="empty_patch")
        return self._grade(verdict, tests)

    def _unrun(self, reason: Reason, note: str) -> Grade:
        self.notes.append(note)
        nothing = verdicts.judge({}, self.oracle.fail_to_pass, self.oracle.pass_to_pass)
        return self._grade(replace(nothing, reason=reason), {})

    def _grade(self, verdict: Verdict, tests: dict[str, Status]) -> Grade:
        return Grade(replace(verdict, notes=tuple(self.notes)), tests, self.logs)

    async def _exec(
        self, box: Sandbox, phase: str, argv: list[str], stdin: bytes = b""
    ) -> ExecResult:
        done = await box.exec(argv, kill_after=self.deadlines.setup, env=_GIT, stdin=stdin)
        if done.ended == "deadline":
            raise Fault("sandbox", f"{phase} took over {self.deadlines.setup:g} seconds: {argv[2]}")
        return done


def _lines(paths: Iterable[str]) -> bytes:
    return "".join(f"{path}\n" for path in paths).encode(errors="surrogateescape")


def _shown(names: list[str]) -> str:
    shown = ", ".join(name.encode(errors="replace").decode() for name in names[:10])
    return shown + (f" and {len(names) - 10} more" if len(names) > 10 else "")
