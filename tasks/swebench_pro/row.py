"""One row of SWE-Bench Pro: text columns into values, or the reason why it cannot be graded.

Everything here comes from a file that anybody may have written. Nothing of it is evaluated; an id
becomes part of a path and of an image name, so its alphabet is fixed.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Mapping
from typing import Any

NEEDED = ("base_commit", "before_repo_set_cmd", "problem_statement", "repo")
EXPECTED = (*NEEDED, "patch", "test_patch", "requirements", "interface")
LONGEST_LIST = 20_000
LONGEST_TEXT = 8 << 20

_ID = re.compile(r"(?!\.)[A-Za-z0-9_.-]{1,200}")
_REPO = re.compile(r"(?!\.)[A-Za-z0-9_.-]+/(?!\.)[A-Za-z0-9_.-]+")
_WORD = re.compile(r"[!-~][ -~]{0,39}")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")


class Unfit(Exception):
    """This row cannot be graded; the message says why."""


def row_id(raw: Mapping[str, Any]) -> str:
    """The id, if it is one that can name a folder and an image."""
    name = raw.get("instance_id")
    if not isinstance(name, str) or not _ID.fullmatch(name):
        raise Unfit(f"its id {str(name)[:80]!a} is not 1 to 200 letters, digits, _ . or -")
    return name


def check(raw: Mapping[str, Any]) -> None:
    """Raise Unfit where a column is missing or is not what it must be."""
    missing = [name for name in EXPECTED if not raw.get(name)]
    if any(name in NEEDED for name in missing):
        raise Unfit(f"it has no {', '.join(missing)}")
    for name in EXPECTED:
        if raw.get(name) and not isinstance(raw[name], str):
            raise Unfit(f"{name} is {type(raw[name]).__name__}, not text")
        if trouble := _unsound(raw.get(name) or ""):
            raise Unfit(f"{name} has {trouble} in it")
    if not _REPO.fullmatch(raw["repo"]):
        raise Unfit(f"its repo {raw['repo'][:80]!a} is not owner/name")
    if not _COMMIT.fullmatch(raw["base_commit"]):
        raise Unfit(f"its base_commit {raw['base_commit'][:80]!a} is no commit id")


def text(value: object) -> str:
    """A text column, which may be plain or a JSON string with its quotes on."""
    plain = value if isinstance(value, str) else ""
    if len(plain) > 1 and plain[0] == plain[-1] == '"':
        try:
            decoded = json.loads(plain, strict=False)
        except ValueError:
            return plain
        return decoded if isinstance(decoded, str) else plain
    return plain


def names(raw: Mapping[str, Any], column: str) -> list[str]:
    """A list column: a list already, JSON, or the repr of a Python list. Empty if it is absent."""
    value = raw.get(column, raw.get(column.upper()))
    if isinstance(value, str):
        value = _literal(value, column)
    if value is None:
        return []
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
        raise Unfit(f"{column} is not a list of names")
    if len(value) > LONGEST_LIST:
        raise Unfit(f"{column} has {len(value)} entries, over the limit of {LONGEST_LIST}")
    if trouble := next(filter(None, map(_unsound, value)), ""):
        raise Unfit(f"{column} has {trouble} in it")
    return list(value)


def _unsound(value: str, errors: str = "surrogateescape") -> str:
    """What keeps a text from becoming bytes, or an argument of a program; mostly nothing."""
    try:
        value.encode(errors=errors)
    except UnicodeEncodeError:
        return "half a surrogate pair"
    return "a NUL" if "\0" in value else ""


def _literal(value: str, column: str) -> Any:
    if not value.strip():
        return None
    if len(value) > LONGEST_TEXT:
        raise Unfit(f"{column} is {len(value)} characters long, over the limit of {LONGEST_TEXT}")
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        pass
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes that Python does not know
            return ast.literal_eval(value)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        raise Unfit(f"{column} is neither JSON nor the repr of a list") from None


def statement(raw: Mapping[str, Any]) -> str:
    """The prompt as the official helper puts it together."""
    whole = (
        f"{text(raw['problem_statement'])}\n\nRequirements:\n{text(raw.get('requirements'))}"
        f"\n\nNew interfaces introduced:\n{text(raw.get('interface'))}"
    )
    if trouble := _unsound(whole, errors="strict"):
        raise Unfit(f"its statement has {trouble} in it")
    return whole


def language(raw: Mapping[str, Any]) -> str:
    """What to group by: a word, or `unknown`."""
    named = raw.get("repo_language")
    return named if isinstance(named, str) and _WORD.fullmatch(named) else "unknown"


# The one element-web image that was published under the repository's whole name.
_WHOLE_NAME = "instance_element-hq__element-web-ec0f940ef0e8e3b61078f145f34dc40d1938e6c5-vnan"
LONGEST_TAG = 128


def image_name(instance_id: str, repo: str, user: str) -> str:
    """The image's name as the official helper computes it, cut and special cases included."""
    owner, _, name = repo.lower().partition("/")
    rest = instance_id.replace("instance_", "")
    if instance_id == _WHOLE_NAME:
        name = "element-web"
    else:
        rest = rest.removesuffix("-vnan")
        if "element-hq" in owner + name and "element-web" in owner + name:
            name = "element"
    return f"{user}/sweap-images:{f'{owner}.{name}-{rest}'[:LONGEST_TAG]}"
