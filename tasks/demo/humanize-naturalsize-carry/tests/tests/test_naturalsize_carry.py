"""A size that rounds up to a full unit is shown in the next unit."""

from __future__ import annotations

import pytest

from humanize import naturalsize


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (999_949, "999.9 kB"),
        (999_999, "1.0 MB"),
        (-999_999, "-1.0 MB"),
        ("999999", "1.0 MB"),
        (999_999_999, "1.0 GB"),
        (10**15 - 1, "1.0 PB"),
        (999_500, "999.5 kB"),
    ],
)
def test_decimal(value: int | str, shown: str) -> None:
    assert naturalsize(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1024**2 - 1, "1.0 MiB"),
        (-(1024**2) + 1, "-1.0 MiB"),
        (1024**3 - 1, "1.0 GiB"),
        (1023 * 1024, "1023.0 KiB"),
        (1000 * 1024, "1000.0 KiB"),
    ],
)
def test_binary(value: int, shown: str) -> None:
    assert naturalsize(value, binary=True) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1024**2 - 1, "1.0M"), (1024**4 - 1, "1.0T"), (1023 * 1024, "1023.0K")],
)
def test_gnu(value: int, shown: str) -> None:
    assert naturalsize(value, gnu=True) == shown


@pytest.mark.parametrize(
    ("value", "format", "shown"),
    [
        (999_999, "%.0f", "1 MB"),
        (999_499, "%.0f", "999 kB"),
        (999_994, "%.2f", "999.99 kB"),
        (999_996, "%.2f", "1.00 MB"),
        (999_999, "%.3f", "999.999 kB"),
        (999_999, "%d", "999 kB"),
    ],
)
def test_what_counts_is_the_rounding_of_the_format(
    value: int, format: str, shown: str
) -> None:
    assert naturalsize(value, format=format) == shown


def test_there_is_nothing_above_the_last_suffix() -> None:
    assert naturalsize(10**33 - 10**20) == "1000.0 QB"
    assert naturalsize(3 * 10**34) == "30000.0 QB"
    assert naturalsize(999_999 * 10**30) == "999999.0 QB"
