"""A headless Chromium that is told what to do over its own pipe: addresses, keys, questions.

No driver and no port: `--remote-debugging-pipe` speaks JSON, a NUL after each message, on file
descriptors 3 and 4 (devtools protocol).
"""

from __future__ import annotations

import base64
import json
import os
import select
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
)
PATIENCE = 30.0
"""Seconds in which a browser that is alive says something."""
_NAMED = {"Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowRight": 39}


class Tab:
    """One page. `complaints` collects what its console says: errors, and what a policy refused."""

    def __init__(self, write: int, read: int) -> None:
        self._write = write
        self._stream = os.fdopen(read, "rb", buffering=0)
        self._rest = b""
        self._number = 0
        self._session = ""
        self._loaded = False
        self.complaints: list[str] = []
        made = self._ask("Target.createTarget", url="about:blank")
        found = self._ask("Target.attachToTarget", targetId=made["targetId"], flatten=True)
        self._session = found["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self._ask(f"{domain}.enable")

    def go(self, url: str) -> None:
        """Open an address and wait until it has loaded, its script included."""
        self._loaded = False
        self._ask("Page.navigate", url=url)
        self._until_loaded()

    def look(self, *, width: int, height: int = 900, dark: bool = False) -> None:
        """The window from now on."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._ask("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._ask("Emulation.setEmulatedMedia", features=[scheme])

    def press(self, *keys: str, leads_away: bool = False) -> None:
        """Keys as a person presses them; wait for the page that the last one leads to, if any."""
        self._loaded = False
        for key in keys:
            told: dict[str, Any] = {"key": key, "windowsVirtualKeyCode": _NAMED.get(key, 0)}
            if len(key) == 1 or key == "Enter":
                told["text"] = "\r" if key == "Enter" else key
            self._ask("Input.dispatchKeyEvent", type="keyDown", **told)
            self._ask("Input.dispatchKeyEvent", type="keyUp", key=key)
        if leads_away:
            self._until_loaded()

    def leaves(self, expression: str) -> None:
        """Evaluate what leads to another page, and wait for that."""
        self._loaded = False
        self.says(expression)
        self._until_loaded()

    def says(self, expression: str) -> Any:
        """The value of an expression in the page, awaited if it is a promise."""
        done = self._ask(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait, in the page, until an expression holds."""
        again = f"({expression}) ? done(true) : setTimeout(look, 50)"
        assert self.says(f"new Promise(done => {{ const look = () => {again}; look() }})")

    def shot(self, path: Path) -> None:
        """A picture of the window."""
        found = self._ask("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(found["data"]))

    def close(self) -> None:
        self._session = ""
        self._ask("Browser.close")
        self._stream.close()
        os.close(self._write)

    def _until_loaded(self) -> None:
        while not self._loaded:
            self._next()

    def _ask(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            assert select.select([self._stream], [], [], PATIENCE)[0], "the browser says nothing"
            data = self._stream.read(1 << 16)
            assert data, "the browser went away"
            self._rest += data
        text, self._rest = self._rest.split(b"\0", 1)
        message = json.loads(text)
        self._heard(message.get("method", ""), message.get("params", {}))
        return message

    def _heard(self, method: str, params: dict[str, Any]) -> None:
        if method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Log.entryAdded":
            self.complaints.append(f"{params['entry']['level']}: {params['entry']['text']}")
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]))


@contextmanager
def browser(profile: Path) -> Iterator[Tab]:
    """A browser of its own, gone when the block ends."""
    there, write = os.pipe()
    read, back = os.pipe()
    options = (*QUIET, f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank")
    # The descriptors have other numbers here; a shell gives them those that the browser expects.
    script = f"exec {shlex.join([BROWSER, *options])} 3<&{there} 4>&{back}"
    process = subprocess.Popen(
        ["bash", "-c", script], pass_fds=(there, back), stderr=subprocess.DEVNULL
    )
    os.close(there)
    os.close(back)
    try:
        tab = Tab(write, read)
        yield tab
        tab.close()
        process.wait(30)
    finally:
        process.kill()
        process.wait()
