"""Whole attempts that have to wait for their endpoint: whose seconds those are."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from harness.models.connection import connect
from harness.models.knobs import Knobs
from harness.models.openai import Endpoint
from harness.models.serving import served
from harness.types import Ending, Graded, Limits, Message, Reply, ToolCall, Usage
from results.store import RunStore
from tests.contract.speaking import WHOLE
from tests.unit.test_attempt import attempt, parts

pytestmark = pytest.mark.anyio
SUBMIT = ToolCall("c", "bash", '{"command": "submit"}')
REPLY = Reply(Message("assistant", "", (SUBMIT,)), Usage(1, 10, output=5), "tool_calls")


async def test_what_an_attempt_waits_for_room_is_not_taken_from_its_seconds(tmp_path: Path) -> None:
    answers = [Response("slow down", 429, {"retry-after": "3"}), JSONResponse(WHOLE["chat"](REPLY))]

    async def complete(request: HttpRequest) -> Response:
        await request.body()
        return answers.pop(0)

    app = Starlette(routes=[Route("/v1/chat/completions", complete, methods=["POST"])])
    async with served(app) as url:
        connection = connect("m", Endpoint(f"{url}/v1", "k"), Knobs())
        built = parts(RunStore(tmp_path / "run"), [], model=connection, limits=Limits(seconds=2.0))
        record = await attempt(built)
        await connection.close()
    assert isinstance(record, Graded) and record.ending is Ending.SUBMITTED and not answers
    assert record.clocks.queue >= 2.9 and record.clocks.model < 2.0
    assert record.clocks.total > record.clocks.queue, "the whole is still what it took"
