"""An agent of a few lines that runs in the box: it asks for a command, runs it, and asks again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from harness.api import Session, Speech
from harness.types import Brief, Ending, Environment

HOME = "/opt/little-agent"
PROGRAM = """
import json, os, subprocess, sys, urllib.error, urllib.request
talk = [{"role": "user", "content": sys.argv[1]}]
while True:
    body = json.dumps({"model": "little-1", "messages": talk}).encode()
    headers = {"authorization": "Bearer " + os.environ["TOKEN"], "content-type": "application/json"}
    ask = urllib.request.Request(os.environ["URL"] + "/v1/chat/completions", body, headers)
    try:
        said = json.load(urllib.request.urlopen(ask, timeout=60))["choices"][0]["message"]
    except urllib.error.HTTPError as error:
        sys.exit(f"{error.code} {error.read().decode()}")
    command = json.loads(said["tool_calls"][0]["function"]["arguments"])["command"]
    if command == "submit":
        break
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    call = said["tool_calls"][0]["id"]
    talk += [said, {"role": "tool", "tool_call_id": call, "content": done.stdout + done.stderr}]
"""


@dataclass(frozen=True)
class LittleAgent:
    folder: str

    @property
    def speech(self) -> Speech:
        return Speech("chat")

    async def equip(self, environment: Environment, /) -> Environment:
        return replace(environment, mounts={self.folder: HOME})

    async def solve(self, brief: Brief, session: Session, /) -> Ending:
        assert session.door
        env = {"URL": session.door.url, "TOKEN": session.door.token}
        argv = ["python3", f"{HOME}/agent.py", brief.statement]
        done = await session.sandbox.exec(argv, kill_after=600, env=env)
        session.note("little_agent", {"exit_code": done.exit_code, "over": session.over.is_set()})
        return Ending.SUBMITTED


def little(folder: str) -> LittleAgent:
    Path(folder, "agent.py").write_text(PROGRAM)
    return LittleAgent(folder)
