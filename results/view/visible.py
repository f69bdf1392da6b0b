"""Text that anyone may have written, as text to look at: nothing in it can act or hide.

Escape codes of terminals are left out or shown, and whatever has no glyph, or turns the direction
of what follows, is spelt out. Markup is not known here: escaping it is a page's business.
"""

from __future__ import annotations

import re
from functools import lru_cache

ESCAPE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]"
)
"""CSI, OSC and the other strings, two-character escapes; unfinished ones as far as they go."""
_ODD = re.compile(r"[^\n\t -~]")
_NAMES = {0x7F: "\N{SYMBOL FOR DELETE}"}
_BRACKETED = "\N{MATHEMATICAL LEFT ANGLE BRACKET}{}\N{MATHEMATICAL RIGHT ANGLE BRACKET}"


def visible(text: str) -> str:
    """The same text with every character to be seen; line breaks and tabs stay."""
    return _ODD.sub(_spelt, text.replace("\r\n", "\n"))


def bare(text: str) -> str:
    """What a program printed, without the codes by which it would have steered a terminal."""
    return visible(ESCAPE.sub("", text))


def one_line(text: str, most: int = 160) -> str:
    """The beginning of a text on one line, cut with two dots."""
    flat = " ".join(visible(text[: 4 * most]).split())
    return flat if len(flat) <= most and len(text) <= 4 * most else f"{flat[: most - 2]}.."


def decoded(data: bytes) -> str:
    """Bytes as text; what is no UTF-8 becomes lone surrogates, which `visible` spells out."""
    return data.decode(errors="surrogateescape")


def _spelt(found: re.Match[str]) -> str:
    return _glyph(found[0])


@lru_cache(maxsize=1 << 12)
def _glyph(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code in _NAMES:
        return _NAMES[code]
    if 0xDC80 <= code <= 0xDCFF:
        return _BRACKETED.format(f"{code - 0xDC00:02X}")
    if character.isprintable():
        return character
    return _BRACKETED.format(f"U+{code:04X}")
