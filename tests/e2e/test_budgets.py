"""A run that cannot go on for want of money or a key stops in one line, and can go on later."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tasks.demo.endpoint import app, recordings
from tests.e2e.commands import harness
from tests.e2e.endpoints import serving
from tests.e2e.evidence import paid_replies

pytestmark = pytest.mark.bubblewrap
DEMO = Path(__file__).parents[2] / "tasks" / "demo"
PRICED = "recorded,price_in=1000,price_out=1000"


def words(url: str, *more: str) -> list[str]:
    tasks = ["--tasks", "demo", "--select", "humanize*", "--repeats", "2", "--width", "1"]
    model = ["--model", PRICED, "--scaffold", "bash", "--seed", "1", "--base-url", url]
    return ["run", *tasks, *model, "--sandbox", "bubblewrap", "--into", "run", "--json", *more]


def test_a_spent_run_parks_what_is_owed_and_a_larger_budget_goes_on(tmp_path: Path) -> None:
    with serving(app(recordings(DEMO))) as server:
        spent = harness(*words(server.url, "--usd-run", "1"), cwd=tmp_path)
        assert spent.returncode == 4, spent.stderr
        assert "the run's budget is spent" in spent.stderr.splitlines()[-1]
        assert json.loads(spent.stdout)["attempts"]["faulted"] == 0
        more = harness(*words(server.url, "--usd-run", "1000"), cwd=tmp_path)
    assert more.returncode == 0, more.stderr
    assert json.loads(more.stdout)["attempts"]["graded"] == 2
    assert set(paid_replies(tmp_path / "run").values()) == {1}, (
        "what is paid for is not asked again"
    )


def test_an_attempt_that_spends_its_own_budget_is_graded_on_what_it_has(tmp_path: Path) -> None:
    with serving(app(recordings(DEMO))) as server:
        done = harness(*words(server.url, "--usd", "0.5"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (condition,) = json.loads(done.stdout)["conditions"]
    assert condition["endings"] == {"cost": 2}
    assert condition["raw"]["graded"] == 2


def test_a_key_that_is_refused_in_the_middle_stops_the_run_in_one_line(tmp_path: Path) -> None:
    async def refuse(request: Request) -> JSONResponse:
        return JSONResponse({"error": {"message": "Incorrect API key provided"}}, 401)

    async def models(request: Request) -> JSONResponse:
        return JSONResponse({"data": []})

    routes = [
        Route("/v1/chat/completions", refuse, methods=["POST"]),
        Route("/v1/models", models),
    ]
    with serving(Starlette(routes=routes)) as server:
        done = harness(*words(server.url), cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "Incorrect API key provided" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert (tmp_path / "run" / "ledger.jsonl").read_bytes() == b""
