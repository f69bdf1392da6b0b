"""Each server as a fixture: installed, started on a free port, and gone at the end."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers import installing

KEY = "sk-of-the-real-servers"
WINDOW = 8192
STARTING_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Served:
    """A server that answers."""

    name: str
    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def kill(self) -> None:
        """As the kernel does it when memory is short."""
        self.process.kill()
        self.process.wait()

    def busy(self) -> bool:
        """Whether llama.cpp's server has begun to work on a request."""
        return "launch_slot" in self.log.read_text(errors="replace")


@pytest.fixture(scope="session")
def llama() -> Iterator[Served]:
    with llama_server() as served:
        yield served


@contextmanager
def llama_server(window: int = WINDOW, port: int = 0) -> Iterator[Served]:
    """One more of llama.cpp's servers, on a port of its own."""
    # One thread: two spin against each other when anything else runs.
    flags = ["--alias", "smol", "-c", str(window), "-np", "1", "-t", "1", "--no-ui"]
    command = [installing.llama_server(), "-m", installing.weights(), *flags, "--api-key", KEY]
    with _running("llama-server", [*command, "--port", port or "PORT"]) as served:
        yield served


@pytest.fixture(scope="session")
def llama_python() -> Iterator[Served]:
    flags = ["--chat_format", "chatml-function-calling", "--model_alias", "smol"]
    flags += ["--n_ctx", str(WINDOW), "--n_threads", "1", "--api_key", KEY]
    command = [installing.llama_python(), "-m", "llama_cpp.server"]
    command += ["--model", installing.weights(), *flags, "--port", "PORT"]
    with _running("llama-cpp-python", command) as served:
        yield served


@pytest.fixture(scope="session")
def vllm() -> Iterator[Served]:
    flags = ["--served-model-name", "smol", "--max-model-len", str(WINDOW), "--api-key", KEY]
    flags += ["--enable-auto-tool-choice", "--tool-call-parser", "hermes"]
    flags += ["--enforce-eager"]  # to compile takes longer than all that is asked here
    model = installing.hugging_face_model()
    command = [installing.vllm(), "serve", model, *flags, "--port", "PORT"]
    with _running("vllm", command, VLLM_CPU_KVCACHE_SPACE="1") as served:
        yield served


@pytest.fixture(scope="session")
def litellm(vllm: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    upstream = {"model": "openai/smol", "api_base": vllm.url, "api_key": KEY}
    config = {
        "model_list": [{"model_name": "smol", "litellm_params": upstream}],
        "general_settings": {"master_key": KEY},
    }
    file = tmp_path_factory.mktemp("litellm") / "config.yaml"
    file.write_text(json.dumps(config))  # which is YAML too
    command = [installing.litellm(), "--config", file, "--telemetry", "False", "--port", "PORT"]
    with _running("litellm", command, LITELLM_LOCAL_MODEL_COST_MAP="True") as served:
        yield served


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


@contextmanager
def _running(name: str, command: list[str | Path | int], **variables: str) -> Iterator[Served]:
    port = command[-1] if isinstance(command[-1], int) else free_port()
    words = [str(port) if word == "PORT" else str(word) for word in command]
    log = installing.CACHE / f"{name}-{port}.log"
    with log.open("wb") as told:
        process = subprocess.Popen(
            [*words, "--host", "127.0.0.1"],
            stdout=told,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **variables},
        )
        try:
            served = Served(name, f"http://127.0.0.1:{port}/v1", process, log)
            _wait(served, process, log)
            yield served
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            log.unlink(missing_ok=True)


def _wait(served: Served, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until it lists its models; there is nothing but asking that tells."""
    end = time.monotonic() + STARTING_SECONDS
    headers = {"Authorization": f"Bearer {KEY}"}
    while time.monotonic() < end and process.poll() is None:
        try:
            request = urllib.request.Request(f"{served.url}/models", headers=headers)
            with urllib.request.urlopen(request, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    pytest.fail(f"{served.name} does not start: {log.read_text(errors='replace')[-2000:]}")
