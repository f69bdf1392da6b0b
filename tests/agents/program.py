"""The fake agent: it asks the door over HTTP, runs what it is told, and stops in one of many ways.

usage: program.py HOW, with the statement on its input, URL and TOKEN in its environment

HOW: `well`: ends when it is refused or done. `stubborn`: asks again whatever it is answered.
`silent`: asks nothing. `broken`: does not start. It leaves a file of its own in the repository.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

TOOL = {"type": "function", "function": {"name": "ask_shell", "parameters": {"type": "object"}}}


def ask(messages: list[dict[str, object]]) -> tuple[int, bytes]:
    where = urlsplit(os.environ["URL"])
    door = http.client.HTTPConnection(where.hostname or "", where.port)
    body = json.dumps({"model": "what-i-call-it", "messages": messages, "tools": [TOOL]})
    headers = {
        "authorization": f"Bearer {os.environ['TOKEN']}",
        "content-type": "application/json",
    }
    door.request("POST", "/v1/chat/completions", body, headers)
    answer = door.getresponse()
    said = answer.read()
    door.close()
    return answer.status, said


def main(how: str) -> int:
    if how == "broken" or sys.argv[1:] == ["--version"]:
        print("0.0.1" if how != "broken" else "cannot find my own feet")
        return how == "broken"
    Path(".fake-history").write_text("mine alone\n")
    messages: list[dict[str, object]] = [{"role": "user", "content": sys.stdin.read()}]
    while how != "silent":
        status, said = ask(messages)
        if status != 200:
            print(f"refused: {status} {said[:300]!r}", flush=True)
            if how != "stubborn":
                return 1
            time.sleep(0.02)
            continue
        message = json.loads(said)["choices"][0]["message"]
        messages.append(message)
        for call in message.get("tool_calls") or ():
            command = json.loads(call["function"]["arguments"])["command"]
            ran = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": ran.stdout})
        if not message.get("tool_calls"):
            break
    return 0


sys.exit(main(os.environ["HOW"]))
