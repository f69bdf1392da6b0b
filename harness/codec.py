"""Values to bytes and back, strictly. The only module that knows pydantic."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, TypeVar, cast

from pydantic import Field, TypeAdapter, ValidationError

from harness.errors import UsageError
from harness.types import Record

T = TypeVar("T")

_RECORD: TypeAdapter[Record] = TypeAdapter(Annotated[Record, Field(discriminator="kind")])


def encode(record: Record) -> bytes:
    return _RECORD.dump_json(record)


def decode(line: bytes) -> Record:
    """A record from its line; ValueError where the line is not one."""
    return _RECORD.validate_json(line)


def dump(value: Any) -> Any:
    """A value as plain JSON types."""
    kind: Any = type(value)
    return _adapter(kind).dump_python(value, mode="json")


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """To make one takes far longer than to use it."""
    return TypeAdapter(kind)


def load(kind: type[T], raw: Any, *, where: str) -> T:
    """Read a value that a person wrote; say which key is wrong and why, in one line."""
    asked: Any = kind
    try:
        return cast(T, _adapter(asked).validate_python(raw))
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise UsageError(f"{where}: {'; '.join(faults)}") from None
