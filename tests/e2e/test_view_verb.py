"""view as a process: what it prints, what it answers, how it ends."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from harness.errors import UsageError
from harness.verbs.viewing import view
from tests.e2e.commands import command, environment
from tests.unit.view_runs import small_run


def test_it_says_where_it_is_serves_and_ends_quietly(tmp_path: Path) -> None:
    small_run(tmp_path / "run")
    before = sorted(path.name for path in (tmp_path / "run").iterdir())
    words = command("view", "run", "--json", "--port", "0")
    with subprocess.Popen(
        words, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as server:
        assert server.stdout is not None and server.stderr is not None
        url = json.loads(server.stdout.readline())["url"]
        assert url.startswith("http://127.0.0.1:")
        assert "<h1>run</h1>" in httpx.get(url, follow_redirects=True).text
        server.send_signal(signal.SIGINT)
        assert server.wait(60) == 0
        assert b"Traceback" not in server.stderr.read()
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == before


def test_a_port_that_is_taken_is_said_in_one_line(tmp_path: Path) -> None:
    folder = small_run(tmp_path / "run").folder
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port} of 127.0.0.1: .*choose another --port"):
            view(folder, port=port, opens=False, as_json=True)
