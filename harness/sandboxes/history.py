"""The agent's view of a repository: its history up to the base commit, and not an object more.

`prune` makes the view and `certify` looks whether it is one; neither takes the other's word. Both
are for boxes that nobody has worked in yet. They need sh, find, sed, sort and git 2.20 in the box.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from harness.api import Sandbox
from harness.errors import Fault
from harness.sandboxes.history_script import CERTIFY, NOTHING, PRUNE

PRUNE_SECONDS = 1800.0
_SHOWN = 5
"""Of a list that may be long, so many are named in a certificate."""

VERSION = hashlib.sha256((PRUNE + CERTIFY).encode()).hexdigest()[:12]
"""Of what a view is made by and judged by: views of another version are made anew."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What was found in a repository, its submodules included. Numbers are counts."""

    base: str
    repository: str = ""
    """Its folder; empty where there is none, and so nothing to find."""
    head: str = ""
    commits_visible: int = 0
    newest_commit_date: str = ""
    """UTC. Later than the base commit's only where clocks were wrong when history was made."""
    objects: int = 0
    objects_beyond_base: int = 0
    """Objects in the store, loose, packed or of alternates, that history does not lead to."""
    branches: tuple[str, ...] = ()
    other_refs: tuple[str, ...] = ()
    tags: int = 0
    tags_newer: int = 0
    reflogs: int = 0
    remotes: int = 0
    """Settings that lead out of the repository: remotes, upstreams, includes, credentials."""
    alternates: int = 0
    grafts: int = 0
    hooks: tuple[str, ...] = ()
    strays: tuple[str, ...] = ()
    """Files in `.git` that have no business there, or could hold anything."""
    submodules: int = 0
    shallow: bool = False
    copies: tuple[str, ...] = ()
    """Other places in the box that hold the base commit, and so what came after it."""
    other_stores: int = 0
    """Places in the box that hold objects of other repositories."""

    @property
    def clean(self) -> bool:
        return not self.trouble

    @property
    def trouble(self) -> tuple[str, ...]:
        """What of the future can still be seen, a phrase each."""
        if not self.repository:
            return ()
        wrong = {
            f"HEAD is at {self.head}": self.head != self.base,
            f"{self.objects_beyond_base} objects beyond the base": self.objects_beyond_base,
            f"refs {_some(self.other_refs)}": self.other_refs,
            f"{self.tags_newer} tags made later": self.tags_newer,
            f"{self.reflogs} reflogs": self.reflogs,
            f"{self.remotes} settings that lead out of it": self.remotes,
            f"{self.alternates} alternates": self.alternates,
            f"{self.grafts} grafts": self.grafts,
            f"unknown files {_some(self.strays)}": self.strays,
            f"copies at {_some(self.copies)}": self.copies,
        }
        return tuple(phrase for phrase, found in wrong.items() if found)

    def facts(self) -> dict[str, Any]:
        """As plain JSON types, for the record: lists cut short, the counts as they are."""
        plain = {
            name: list(value[:_SHOWN]) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }
        return {**plain, "clean": self.clean, "version": VERSION}


async def agents_view(sandbox: Sandbox, repo: str, base: str) -> Certificate:
    """Make the view in a whole box, and vouch for it; Fault where that cannot be done."""
    await prune(sandbox, repo, base, within="/")
    certificate = await certify(sandbox, repo, base, within="/")
    if not certificate.clean:
        left = "; ".join(certificate.trouble)
        raise Fault("sandbox", f"the agent's view of {repo} still shows: {left}")
    return certificate


async def prune(sandbox: Sandbox, repo: str, base: str, *, within: str = "") -> None:
    """Leave in `repo` what `base`, a commit's full name, leads to, and nothing else.

    Kept are the files of the working directory to the byte, what `git status` says of them, the
    branch that is checked out, and tags as old as the history they point into. An index with
    staged content that is in no kept commit is put back to the base. HEAD must be at `base`: to
    move it would change the files, which is for whoever builds the image. Where there is no
    repository there is nothing to do; one that cannot be pruned is the sandbox's Fault.

    `within` is a folder of the box, `/` for all of it, that is searched for further copies of
    the history: stores that know `base` are removed, and so are linked work trees.
    """
    done = await sandbox.exec(
        ["sh", "-c", PRUNE, "prune", repo, base, within], kill_after=PRUNE_SECONDS
    )
    if done.exit_code not in (0, NOTHING):
        raise Fault("sandbox", f"the agent's view cannot be made: {_reason(done.text, repo)}")


async def certify(sandbox: Sandbox, repo: str, base: str, *, within: str = "") -> Certificate:
    """Look at every object and every other place of `repo` in which later things could hide."""
    done = await sandbox.exec(
        ["sh", "-c", CERTIFY, "certify", repo, base, within], kill_after=PRUNE_SECONDS
    )
    if done.exit_code == NOTHING:
        return Certificate(base)
    if not done.ok or done.omitted:
        raise Fault("sandbox", f"the agent's view cannot be checked: {_reason(done.text, repo)}")
    return _Findings.read(done.text).certificate(base)


@dataclass(frozen=True, slots=True)
class _Findings:
    """The lines `name value` that the script prints; of git's remarks nothing is made."""

    said: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> _Findings:
        said: dict[str, list[str]] = {}
        for line in text.splitlines():
            name, _, value = line.partition(" ")
            said.setdefault(name, []).append(value)
        return cls(said)

    def certificate(self, base: str) -> Certificate:
        newest = datetime.fromtimestamp(max(map(int, self.said["newest"])), UTC)
        return Certificate(
            base=base,
            repository=self.said["repository"][0],
            head=self.said["head"][0],
            commits_visible=self._sum("commits"),
            newest_commit_date=newest.isoformat(),
            objects=self._sum("objects"),
            objects_beyond_base=sum(abs(int(each)) for each in self.said["beyond"]),
            branches=self._all("branch"),
            other_refs=self._all("ref"),
            tags=self._sum("tags"),
            tags_newer=self._sum("tags_newer"),
            reflogs=self._sum("reflogs"),
            remotes=self._sum("remotes"),
            alternates=self._sum("alternates"),
            grafts=self._sum("grafts"),
            hooks=self._all("hook"),
            strays=self._all("stray"),
            submodules=self._sum("submodule"),
            shallow="shallow" in self.said,
            copies=self._all("copy"),
            other_stores=len(self._all("other")),
        )

    def _sum(self, name: str) -> int:
        return sum(map(int, self.said.get(name, [])))

    def _all(self, name: str) -> tuple[str, ...]:
        return tuple(self.said.get(name, []))


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _reason(text: str, repo: str) -> str:
    said = text.strip().splitlines()
    return said[-1] if said else f"{repo}: no reason given"
