"""What a task's own project is called, so that fetching it can be told from fetching others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_SEPARATOR = re.compile(r"[-_.]+")
_AFFIX = re.compile(r"^(?:python|node|js|go|rust)-|-(?:python|node|js|py|go|rs)$")
_SPEC = re.compile(r"(?:@[\w.-]+/)?[\w.-]*\w")
_URL = re.compile(r"(?:[a-z][a-z+]*://|git@)[^\s\"'`<>)\]}]+", re.IGNORECASE)
_LOCAL = re.compile(
    r"(?:\w+://)?(?:[^/@\s]*@)?(?:localhost|127\.[\d.]+|0\.0\.0\.0|\[::1?\]|[\w.-]*\.(?:local|test|invalid"
    r"|example)|(?:www\.)?example\.(?:com|org|net)|host\.docker\.internal|\$|\{|%)|file://",
    re.IGNORECASE,
)
_FIX_PAGE = re.compile(r"/(?:pull|pulls|commit|commits|compare|merge_requests)/\w", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Upstream:
    """A project: `owner/name` in lower case or nothing, and the names its packages may have."""

    repo: str = ""
    names: frozenset[str] = frozenset()

    def named_by_url(self, url: str) -> bool:
        """Whether an address is of the project, on whatever host."""
        plain = url.lower()
        if self.repo and re.search(rf"[/:]{re.escape(self.repo)}(?![\w-])", plain):
            return True
        path = re.sub(r"^\w+://[^/]*", "", plain)
        # A file of the package: its name, a version, an ending; or its name as a part of the path.
        parts = [re.sub(r"[-_]v?\d[\w.+-]*$", "", part) for part in re.split(r"[/?#&=]", path)]
        return any(_plain(part) in self.names for part in parts if part)

    def named_by_spec(self, spec: str) -> bool:
        """Whether what an installer was asked for is the project: `click==8`, `commander@2`."""
        found = _SPEC.match(spec)
        if found and _plain(found[0]) in self.names:
            return True
        return any(self.named_by_url(url) for url in urls(spec)) or bool(
            self.repo and re.search(rf"(?:^|[/:]){re.escape(self.repo)}(?:$|[@#/.])", spec.lower())
        )


def upstream(facets: Mapping[str, str]) -> Upstream:
    """Read from a task's facets `repo` (owner/name or an address) and `package`, if it has them."""
    parts = [p for p in re.split(r"[/:]|__", facets.get("repo", "").removesuffix(".git")) if p]
    repo = "/".join(parts[-2:]).lower() if len(parts) > 1 else ""
    given = [*parts[-1:], *re.split(r"[\s,]+", facets.get("package", ""))]
    names = {_plain(name) for name in given if name}
    names |= {_AFFIX.sub("", name) for name in names}
    return Upstream(repo, frozenset(name for name in names if len(name) > 1))


def urls(text: str) -> list[str]:
    """The addresses in a text that lead off the machine."""
    found = (url.rstrip(".,;:") for url in _URL.findall(text))
    return [url for url in found if not _LOCAL.match(url)]


def is_fix_page(url: str) -> bool:
    """Whether an address reads as a change of somebody's: a pull request, a commit."""
    return _FIX_PAGE.search(url) is not None


def _plain(name: str) -> str:
    return _SEPARATOR.sub("-", name.lower()).strip("-")
