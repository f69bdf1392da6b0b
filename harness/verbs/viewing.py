"""`view`: runs as pages on loopback, until it is interrupted."""

from __future__ import annotations

import asyncio
import json
import sys
import webbrowser
from pathlib import Path

from harness.errors import UsageError
from harness.models.serving import served
from results.view.app import app

PORT = 8731


def view(folder: Path, *, port: int | None, opens: bool, as_json: bool) -> None:
    """Serve a run's folder or a folder of runs; return when somebody presses Ctrl-C."""
    try:
        asyncio.run(_view(folder, port, opens=opens, as_json=as_json))
    except KeyboardInterrupt:
        print(file=sys.stderr)


async def _view(folder: Path, port: int | None, *, opens: bool, as_json: bool) -> None:
    pages = app(folder)
    for each in [PORT, 0] if port is None else [port]:
        try:
            async with served(pages, each) as url:
                _tell(url, folder, as_json=as_json)
                if opens:
                    webbrowser.open(url)
                await asyncio.Event().wait()
        except OSError as error:
            if port is not None:
                why = error.strerror or str(error)
                raise UsageError(
                    f"port {port} of 127.0.0.1: {why}; choose another --port"
                ) from error


def _tell(url: str, folder: Path, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"url": url}), flush=True)
        return
    print(f"{folder} is at {url}", flush=True)
    print(
        "harness: Ctrl-C ends it; nothing is written and nothing leaves this machine",
        file=sys.stderr,
    )
