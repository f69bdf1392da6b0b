"""The viewer as an ASGI application: addresses, and what is behind each. [starlette]"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

from harness.errors import UsageError
from results.lines import Damaged
from results.view import plain
from results.view.asked import asked, number
from results.view.auditor import Auditor, Found
from results.view.evidence import Sight, sight
from results.view.guard import App, Guard
from results.view.index import Index
from results.view.live import is_written, underway
from results.view.pages.attempt import attempt as attempt_page
from results.view.pages.attempt import version
from results.view.pages.audited import audited
from results.view.pages.bits import run_url
from results.view.pages.compare import compare as compare_page
from results.view.pages.home import home
from results.view.pages.run import Seen
from results.view.pages.run import run as run_page
from results.view.pages.shell import trouble
from results.view.pages.walk import place
from results.view.runs import Runs
from results.view.steps import Outline, Outlines, event_at, steps
from results.view.words import words_of

PLAIN = "text/plain; charset=utf-8"
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="7" height="7" '
    'fill="#2f66b3"/><rect x="9" width="7" height="7" fill="#b9bec6"/><rect y="9" width="7" '
    'height="7" fill="#b9bec6"/><rect x="9" y="9" width="7" height="7" fill="#2f66b3"/></svg>'
)
MOST_STEPS = 200
PATIENCE = 0.3
"""Seconds that a page waits for the audit of its attempt."""


def app(root: Path) -> App:
    """The viewer of a run's folder, or of a folder of runs. UsageError where there is none."""
    viewer = _Viewer(Runs(root))
    routes = {
        "/": viewer.home,
        "/r/{run}": viewer.run,
        "/r/{run}/a/{attempt}": viewer.attempt,
        "/r/{run}/blob/{digest}": viewer.blob,
        "/r/{run}/trace/{attempt}/{number:int}": viewer.trace,
        "/r/{run}/audit": viewer.audit,
        "/compare": viewer.compare,
        "/api/runs": viewer.api_runs,
        "/api/r/{run}": viewer.api_run,
        "/api/r/{run}/state": viewer.api_state,
        "/api/r/{run}/attempts": viewer.api_attempts,
        "/api/r/{run}/audit": viewer.api_audit,
        "/api/r/{run}/a/{attempt}": viewer.api_attempt,
        "/api/r/{run}/a/{attempt}/steps": viewer.api_steps,
        "/static/{name}": _static,
    }
    return Guard(
        Starlette(
            routes=[Route(path, _answering(answer)) for path, answer in routes.items()],
            exception_handlers={404: _not_found, UsageError: _unreadable},
        )
    )


def _answering(answer: Callable[[Request], Response]) -> Callable[[Request], Response]:
    def endpoint(request: Request) -> Response:
        return answer(request)

    return endpoint


class _Viewer:
    """The answers, each of which is made from what is on disk when it is asked for."""

    def __init__(self, runs: Runs) -> None:
        self.runs = runs
        self.outlines = Outlines()
        self.auditor = Auditor()

    def home(self, request: Request) -> Response:
        folders = self.runs.folders()
        if self.runs.is_one:
            return RedirectResponse(run_url(next(iter(folders))))
        del request
        return _html(home(str(self.runs.root), map(self._index, folders)))

    def run(self, request: Request) -> Response:
        index = self._of(request)
        reading = index.read()
        going = underway(index, reading)
        survey = self.auditor.known(index)
        marked = frozenset(survey.marked) if survey else frozenset()
        seen = Seen(reading, going, marked)
        return _html(run_page(seen, asked(request.query_params), self._crumbs()))

    def attempt(self, request: Request) -> Response:
        found = self._sight(request)
        at = place(found, dict(request.query_params))
        told = self._outline(found, at.number), self._marks(found, PATIENCE)
        wanted = asked(request.query_params)
        return _html(attempt_page(found, told, wanted, at, self._crumbs()))

    def compare(self, request: Request) -> Response:
        pair = [self._named(request.query_params.get(side, "")) for side in ("a", "b")]
        outlines = [self._outline(s, s.traces[-1]) if s.traces else None for s in pair]
        first = number(request.query_params.get("from", ""), 1) - 1
        sides = list(zip(pair, outlines, strict=True))
        return _html(compare_page(sides[0], sides[1], first, self._crumbs()))

    def blob(self, request: Request) -> Response:
        data = self._of(request).store.fetch(request.path_params["digest"])
        return Response(data, media_type=PLAIN)

    def trace(self, request: Request) -> Response:
        """A trace as it is, or one line of it, or the words of that line."""
        found, try_ = self._sight(request), request.path_params["number"]
        if try_ not in found.traces:
            raise HTTPException(404, f"try {try_} left no trace")
        path = found.trace(try_)
        if "line" not in request.query_params:
            return FileResponse(path, media_type=PLAIN)
        line = number(request.query_params["line"], 1)
        data = event_at(path, line)
        if data is None:
            raise HTTPException(404, f"the trace has no line {line}")
        return Response(
            words_of(data) if "text" in request.query_params else data, media_type=PLAIN
        )

    def api_runs(self, request: Request) -> Response:
        del request
        found, broken = [], {}
        for name in self.runs.folders():
            try:
                found.append(plain.run(self._index(name).read(), ()))
            except UsageError as error:
                broken[name] = str(error)
        return _json({"schema": plain.SCHEMA, "runs": found, "unreadable": broken})

    def api_run(self, request: Request) -> Response:
        index = self._of(request)
        reading = index.read()
        return _json(plain.run(reading, underway(index, reading)))

    def api_state(self, request: Request) -> Response:
        """What a page watches: cheap, since it is asked for every few seconds."""
        index = self._of(request)
        seen = index.version()
        if "attempt" in request.query_params:
            found = self._on(index, request.query_params["attempt"])
            outline = self._outline(found, number(request.query_params.get("try", ""), 1))
            seen = version(found, outline)
        return _json({"version": seen, "written": is_written(index)})

    def api_attempts(self, request: Request) -> Response:
        wanted = asked(request.query_params)
        return _json(plain.attempts(self._of(request).read(), wanted))

    def api_attempt(self, request: Request) -> Response:
        found = self._sight(request)
        outlines = {number: self._outline(found, number) for number in found.traces}
        kept = {number: outline for number, outline in outlines.items() if outline}
        return _json(plain.attempt(found, kept, self._marks(found, 600.0)))

    def audit(self, request: Request) -> Response:
        index = self._of(request)
        reading = index.read()
        survey = self.auditor.survey(index, reading)
        rule = request.query_params.get("rule", "")
        return _html(audited(reading, survey, rule, self._crumbs()))

    def api_audit(self, request: Request) -> Response:
        index = self._of(request)
        reading = index.read()
        return _json(plain.audit(reading, self.auditor.survey(index, reading)))

    def _marks(self, found: Sight, patience: float) -> Found | None:
        """What the audit points at in an attempt; nothing is said of one that is being made."""
        if not found.traces:
            return (), ()
        return None if found.is_going else self.auditor.of(found, patience)

    def api_steps(self, request: Request) -> Response:
        found, query = self._sight(request), request.query_params
        try_ = place(found, dict(query)).number
        outline = self._outline(found, try_)
        if outline is None:
            raise HTTPException(404, f"try {try_} left no trace")
        first = int(query["from"]) if query.get("from", "").isdecimal() else 0
        count = number(query.get("count", ""), 40, most=MOST_STEPS)
        part = list(steps(found.trace(try_), outline, first, count))
        return _json(plain.trajectory(found, try_, outline, part))

    def _crumbs(self) -> list[tuple[str, str]]:
        return [] if self.runs.is_one else [("runs", "/")]

    def _index(self, name: str) -> Index:
        index = self.runs.index(name)
        if index is None:
            raise HTTPException(404, f"no run {name!r} here")
        return index

    def _of(self, request: Request) -> Index:
        return self._index(request.path_params["run"])

    def _sight(self, request: Request) -> Sight:
        return self._on(self._of(request), request.path_params["attempt"])

    def _named(self, name: str) -> Sight:
        """An attempt as `run/attempt`."""
        run, _, id_ = name.partition("/")
        return self._on(self._index(run), id_)

    def _on(self, index: Index, id_: str) -> Sight:
        attempt = index.attempt(id_)
        if attempt is None:
            raise HTTPException(404, f"no attempt {id_!r} in {index.name}")
        return sight(index, attempt)

    def _outline(self, found: Sight, number: int) -> Outline | None:
        if number not in found.traces:
            return None
        return self.outlines.of(found.trace(number))


def _static(request: Request) -> Response:
    """The style and the script, from the package."""
    name = request.path_params["name"]
    if name == "icon.svg":
        return Response(ICON, media_type="image/svg+xml")
    kinds = {
        "page.css": ("results.report.page", "text/css"),
        "view.css": ("results.view", "text/css"),
        "view.js": ("results.view", "text/javascript"),
    }
    if name not in kinds:
        raise HTTPException(404, "no such file")
    package, kind = kinds[name]
    return Response((resources.files(package) / name).read_bytes(), media_type=kind)


def _html(page: str) -> Response:
    return Response(page.encode(errors="replace"), media_type="text/html; charset=utf-8")


def _json(value: Mapping[str, Any]) -> Response:
    # ASCII: what models wrote may hold lone surrogates, which are no UTF-8.
    return Response(json.dumps(value, ensure_ascii=True), media_type="application/json")


def _not_found(request: Request, error: Exception) -> Response:
    said = str(getattr(error, "detail", "")) or "there is nothing here"
    return _told(request, 404, "Not found", said)


def _unreadable(request: Request, error: Exception) -> Response:
    """Files of a run that are damaged, gone, or of another version."""
    title = "Damaged" if isinstance(error, Damaged) else "Cannot be read"
    return _told(request, 404 if isinstance(error, Damaged) else 409, title, str(error))


def _told(request: Request, status: int, title: str, said: str) -> Response:
    if request.url.path.startswith("/api/"):
        response = _json({"error": said})
    else:
        response = _html(trouble(title, said))
    response.status_code = status
    return response
