"""The endpoint's key stays with the client that sends it."""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from harness.models.serving import served
from tests.e2e.commands import command, environment

SETUP = """
set -eu
cd "$HARNESS_REPO"
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_DEFAULT_HASH=sha1
export GIT_AUTHOR_DATE='2000-01-01T00:00:00Z' GIT_COMMITTER_DATE='2000-01-01T00:00:00Z'
env > environment.txt.seen || true
! grep -q canary environment.txt.seen
rm environment.txt.seen
echo 'echo hello' > greet.sh
chmod 644 greet.sh
git init -q --template= -b main . >/dev/null
git config core.fileMode false
git -c user.name=a -c user.email=a@example.invalid add -A
git -c user.name=a -c user.email=a@example.invalid commit -q -m base
"""
EVAL = """
env
echo "<testsuite><testcase classname='greet' name='shouts'><failure/></testcase></testsuite>" \
  > "$HARNESS_REPORT"
"""
GOLD = """\
diff --git a/greet.sh b/greet.sh
--- a/greet.sh
+++ b/greet.sh
@@ -1 +1 @@
-echo hello
+echo HELLO
"""
PRYING = (
    "env; cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n'; cat /proc/*/cmdline | tr '\\0' ' ';"
    " ls -la / /root; env > seen; echo pried"
)


def write_task(folder: Path) -> Path:
    repository = folder / "repository"
    repository.mkdir(parents=True)
    variables = {"HARNESS_REPO": str(repository), "PATH": "/usr/local/bin:/usr/bin:/bin"}
    subprocess.run(["sh", "-c", SETUP], env=variables, check=True)
    asked = ["git", "rev-parse", "HEAD"]
    head = subprocess.run(asked, cwd=repository, capture_output=True, text=True, check=True)
    settings = (
        f'repo = "example/greet"\nlanguage = "shell"\nbase_commit = "{head.stdout.strip()}"\n'
    )
    contents = {
        "task.toml": f"{settings}canary = false\n",
        "problem_statement.md": "It should shout.\n",
        "tests.json": json.dumps({"FAIL_TO_PASS": ["greet::shouts"], "PASS_TO_PASS": []}),
        "gold.patch": GOLD,
        "eval.sh": EVAL,
        "tests/hidden.txt": "hidden\n",
        "environment/setup.sh": SETUP,
        "environment/Dockerfile": "FROM scratch\n",
    }
    for name, text in contents.items():
        path = folder / "set" / "greet" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "set"


class Prying:
    """Quotes every request's headers back in its errors, and has the box searched."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    async def complete(self, request: Request) -> Response:
        sent = request.headers["authorization"]
        self.keys.append(sent)
        match len(self.keys):
            case 1:
                return Response(f"slow down, {sent}", 429, {"Retry-After": "0"})
            case 2:
                return JSONResponse({"error": {"message": f"died on {sent}", "code": 500}})
            case 3:
                return JSONResponse(_calls(PRYING, provider=sent))
            case 4:
                return JSONResponse({"error": {"message": f"x: {dict(request.headers)}"}}, 400)
            case _:
                return JSONResponse(_calls("submit"))

    async def models(self, request: Request) -> Response:
        return JSONResponse({"error": request.headers["authorization"]}, 500)

    def app(self) -> Starlette:
        complete = Route("/v1/chat/completions", self.complete, methods=["POST"])
        return Starlette(routes=[complete, Route("/v1/models", self.models)])


def _calls(text: str, **more: Any) -> dict[str, Any]:
    function = {"name": "bash", "arguments": json.dumps({"command": text})}
    message = {"content": "", "tool_calls": [{"id": "a", "function": function}]}
    return {"choices": [{"message": message, "finish_reason": "tool_calls"}], **more}


async def run(words: list[str | Path], cwd: Path, env: dict[str, str]) -> tuple[int, bytes]:
    """One command while this process serves it; its exit code and all that it printed."""
    process = await asyncio.create_subprocess_exec(
        *command(*words),
        cwd=cwd,
        env=environment(**env),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await process.communicate()
    return process.returncode or 0, printed


@pytest.mark.bubblewrap
def test_the_key_is_in_no_file_of_the_run_and_in_nothing_that_is_printed(tmp_path: Path) -> None:
    key = f"sk-canary-{secrets.token_hex(12)}"
    endpoint = Prying()
    tasks = write_task(tmp_path)
    words: list[str | Path] = ["run", "--tasks", f"local,folder={tasks}", "--scaffold", "bash"]
    words += ["--model", "m,first_pause=0.01", "--sandbox", "bubblewrap", "--into", "run"]

    async def all_of_it() -> tuple[int, bytes]:
        async with served(endpoint.app()) as url:
            env = {
                "OPENAI_BASE_URL": f"{url}/v1",
                "OPENAI_API_KEY": key,
                "XDG_CACHE_HOME": str(tmp_path / "cache"),
            }
            return await run(words, tmp_path, env)

    code, printed = asyncio.run(all_of_it())

    said = printed.decode(errors="replace")
    assert code == 0, said
    assert endpoint.keys[0] == f"Bearer {key}", "it was sent, so there was something to leak"
    files = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_symlink()]
    traces = [path for path in files if path.parent.name == "traces"]
    told = b"".join(path.read_bytes() for path in traces)
    assert b"pried" in told and b"PATH=" in told and len(traces) == 2
    assert b"[key]" in told, "the error that quoted it is told without it"
    part = key[:-4].encode()
    assert part not in printed
    assert [path for path in files if part in path.read_bytes()] == []


@pytest.mark.bubblewrap
def test_a_refused_key_is_told_without_it(tmp_path: Path) -> None:
    key = f"sk-canary-{secrets.token_hex(12)}"

    async def refuse(request: Request) -> Response:
        said = f"Incorrect API key provided: {request.headers['authorization']}"
        return JSONResponse({"error": {"message": said}}, 401)

    async def all_of_it() -> tuple[int, bytes]:
        async with served(Starlette(routes=[Route("/v1/models", refuse)])) as url:
            words: list[str | Path] = ["run", "--tasks", f"local,folder={write_task(tmp_path)}"]
            words += ["--model", "m", "--scaffold", "bash", "--sandbox", "bubblewrap"]
            env = {"OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": key}
            return await run(words, tmp_path, env)

    code, printed = asyncio.run(all_of_it())
    assert code == 2 and b"refuses the key" in printed and key[:-4].encode() not in printed
    assert b"Traceback" not in printed
