"""The grader of task folders: strict, and deaf to what tests print.

What counts is the JUnit report that `eval.sh` has its runner write, at a path that is made up
anew each time, in a box that nothing has run in before. README.md says what a submission may try
and what becomes of it.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from harness import codec
from harness.api import Sandbox, Sandboxes
from harness.errors import Fault, blame
from harness.types import Environment, ExecResult, Grade, Reason, Submission, Tally, Task, Verdict
from tasks import infra, patches, protect
from tasks.local import canary, folder, junit, placing
from tasks.local.verdict import Evidence, reach

_SETUP_SECONDS = 120.0
_REPORT_BYTES = 64 << 20
_LOG_BYTES = 4 << 20
_SHARED_BYTES = 4 << 20


class LocalGrader:
    async def collect(self, task: Task, sandbox: Sandbox, /) -> Submission:
        oracle = _oracle(task)
        patch = await patches.collect(sandbox, base=oracle.base_commit, ignore=oracle.ignore)
        return Submission(patch)

    async def grade(self, task: Task, submission: Submission, sandboxes: Sandboxes, /) -> Grade:
        oracle = _oracle(task)
        patch = submission.patch
        if trouble := patches.refusal(patch):
            return _unrun(oracle, "patch_refused", trouble)
        hidden = await asyncio.to_thread(_hidden, oracle)
        network = task.brief.environment.network == "open"
        with blame("sandbox"):
            async with sandboxes.open(task.brief.environment.untouched) as box:
                with blame("grader"):
                    return await _Grading(oracle, box, hidden, network).run(patch)

    def opens(self, task: Task, /) -> tuple[Environment, ...]:
        return (task.brief.environment.untouched,)


@dataclass(frozen=True, slots=True)
class _Hidden:
    planted: canary.Planted
    executable: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Grading:
    """One submission in one box."""

    oracle: folder.Oracle
    box: Sandbox
    hidden: _Hidden
    network: bool

    async def run(self, patch: bytes) -> Grade:
        aside = f"/tmp/{secrets.token_hex(16)}"
        await self._expect_base_commit()
        notes: tuple[str, ...] = ()
        if patch.strip():
            touched = await self._touched(patch)
            plan = protect.plan(touched, patches.touched(self._gold), self.oracle.protect)
            saved = [*plan.restore, *plan.shared]
            await placing.save(self.box, saved, f"{aside}/base")
            applied = await patches.apply(self.box, patch, kill_after=_SETUP_SECONDS)
            if not applied.ok:
                return _unrun(self.oracle, "patch_failed", applied.message)
            notes = await self._protect(plan, f"{aside}/base")
        await placing.place(self.box, self.hidden.planted.files, self.hidden.executable)
        evidence, logs = await self._test(aside)
        verdict = reach(self.oracle, evidence, empty=not patch.strip())
        verdict = replace(verdict, notes=(*notes, *verdict.notes))
        planted = self.hidden.planted.added
        shown = evidence.report.without(planted) if evidence.report else {}
        return Grade(verdict, shown, logs)

    @property
    def _gold(self) -> bytes:
        return self.oracle.patch.encode(errors="surrogateescape")

    async def _expect_base_commit(self) -> None:
        """A box of another commit would fail the best of patches, and nobody would know why."""
        asked = ["git", "-c", "safe.directory=*", "rev-parse", "HEAD"]
        head = await self.box.exec(asked, kill_after=_SETUP_SECONDS)
        if head.text.strip() != self.oracle.base_commit:
            raise Fault(
                "grader",
                f"the box is not at base_commit {self.oracle.base_commit}, it says: "
                f"{head.text.strip()[-200:]!r}; correct task.toml or the environment",
            )

    async def _touched(self, patch: bytes) -> list[str]:
        """What a patch touches, as we read it and as git does: no file may fall in between."""
        said = await patches.apply(self.box, patch, "--numstat", "-z", kill_after=_SETUP_SECONDS)
        lines = said.message.split("\0") if said.ok else []
        named = [line.split("\t", 2)[2] for line in lines if line.count("\t") >= 2]
        return list(dict.fromkeys([*patches.touched(patch), *named]))

    async def _protect(self, plan: protect.Plan, base: str) -> tuple[str, ...]:
        await placing.restore(self.box, plan.restore, base)
        merged = [path for path in plan.shared if await self._merge(path, base)]
        return (
            *_naming("put back as in the base commit", plan.restore),
            *_naming("what steers the tests put back as in the base commit", merged),
        )

    async def _merge(self, path: str, base: str) -> bool:
        was, now = await self._content(f"{base}/{path}"), await self._content(f"./{path}")
        due = protect.merge(PurePosixPath(path).name, was, now)
        if due == now:
            return False
        if due is None:
            await placing.remove(self.box, [path])
        else:
            await placing.place(self.box, {path: due})
        return True

    async def _content(self, path: str) -> bytes | None:
        try:
            return await self.box.read(path, limit=_SHARED_BYTES)
        except (FileNotFoundError, IsADirectoryError, ValueError):
            return None

    async def _test(self, aside: str) -> tuple[Evidence, Mapping[str, bytes]]:
        """Run eval.sh and take the report at once, before anything left behind can reach it."""
        script, report = f"{aside}/eval.sh", f"{aside}/{secrets.token_hex(16)}/report.xml"
        await self.box.write(script, self.oracle.eval_script.encode())
        await self.box.write(f"{PurePosixPath(report).parent}/.keep", b"")
        ran = await self.box.exec(
            ["sh", script],
            kill_after=self.oracle.test_seconds,
            env={"HARNESS_REPORT": report},
            keep=_LOG_BYTES,
        )
        data, trouble = await self._report(report)
        found = None
        if not trouble:
            try:
                found = junit.read(data, junit.naming(self.oracle.language))
            except junit.Malformed as error:
                trouble = f"the report cannot be used: {error}"
        if ran.ended != "exit" or found is None:
            await self._still_there()
        if not data and ran.ended == "exit" and (fault := self._machine_trouble(ran)):
            raise fault
        evidence = Evidence(
            ran, found, trouble, self.hidden.planted.names, self.hidden.planted.copies
        )
        return evidence, {"eval": ran.output, "report": data}

    def _machine_trouble(self, ran: ExecResult) -> Fault | None:
        # Not by exit code: tests that outgrow the memory of their box are the submission's doing.
        return infra.suspect(ran.output, network=self.network)

    async def _report(self, path: str) -> tuple[bytes, str]:
        """The report, or why there is none."""
        try:
            # Only a regular file: reading a pipe that they left there would never end.
            there = await self.box.exec(["test", "-f", path], kill_after=_SETUP_SECONDS)
            if not there.ok:
                return b"", "the tests left no report"
            return await self.box.read(path, limit=_REPORT_BYTES), ""
        except (OSError, ValueError) as error:  # gone meanwhile, or over the limit
            return b"", f"the report cannot be used: {error}"
        except Fault as fault:
            # Tests that use up the box (its processes, its disk) must not get away with a fault.
            await self._still_there()
            return b"", f"the report cannot be read: {fault.message}"

    async def _still_there(self) -> None:
        """A box that died took the report with it; that is no verdict on the submission.

        One that is gone raises. One that answers, though it may be unable to start a program, is
        as the tests left it.
        """
        answer = await self.box.exec(["true"], kill_after=_SETUP_SECONDS)
        if answer.ended == "deadline":
            raise Fault("sandbox", "the box no longer answers after the tests")


def _oracle(task: Task) -> folder.Oracle:
    return codec.load(folder.Oracle, dict(task.oracle), where=f"oracle of {task.id}")


def _hidden(oracle: folder.Oracle) -> _Hidden:
    root = Path(oracle.tests)
    paths = {path.relative_to(root).as_posix(): path for path in folder.files_of(root)}
    if not paths:
        raise Fault("grader", f"the hidden tests are gone: {root}")
    files = {name: path.read_bytes() for name, path in paths.items()}
    expected = [*oracle.fail_to_pass, *oracle.pass_to_pass]
    planted = canary.Planted(files)
    if oracle.canary:
        planted = canary.plant(
            files, expected, oracle.language, random.SystemRandom(), oracle.fail_to_pass
        )
    return _Hidden(planted, tuple(n for n, path in paths.items() if folder.executable(path)))


def _unrun(oracle: folder.Oracle, reason: Reason, message: str) -> Grade:
    first, second = Tally(missing=len(oracle.fail_to_pass)), Tally(missing=len(oracle.pass_to_pass))
    verdict = Verdict(False, reason, "strict", first, second, (message[:2000],) if message else ())
    return Grade(verdict, {}, {"apply": message.encode(errors="replace")})


def _naming(what: str, paths: Sequence[str]) -> tuple[str, ...]:
    if not paths:
        return ()
    shown = ", ".join(path.encode(errors="replace").decode() for path in paths[:20])
    more = f" and {len(paths) - 20} more" if len(paths) > 20 else ""
    return (f"{what}: {shown}{more}",)
