"""How many hostile examples are tried: a few hundred, or with `full` ten thousand.

pytest tests/property --hypothesis-profile=full
"""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir

# Not a folder of its own beside the packages: pytest would stumble over it.
set_hypothesis_home_dir(Path(__file__).parents[2] / ".pytest_cache" / "hypothesis")
_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
settings.register_profile(
    "ci",
    max_examples=300,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=_SLOW,
)
settings.register_profile(
    "full", max_examples=10_000, deadline=None, database=None, suppress_health_check=_SLOW
)
settings.load_profile("ci")
