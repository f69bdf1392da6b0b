"""The few distributions that are needed, from `scipy.special`: `scipy.stats` takes a second more
to import, which everybody who types a command would wait for."""

from __future__ import annotations

from math import comb

from scipy import special


def normal_cdf(x: float) -> float:
    return float(special.ndtr(x))


def normal_sf(x: float) -> float:
    return float(special.ndtr(-x))


def normal_ppf(share: float) -> float:
    return float(special.ndtri(share))


def t_sf(x: float, df: float) -> float:
    return float(special.stdtr(df, -x))


def t_ppf(share: float, df: float) -> float:
    return float(special.stdtrit(df, share))


def chi2_sf(x: float, df: float) -> float:
    return float(special.chdtrc(df, x))


def beta_ppf(share: float, a: float, b: float) -> float:
    return float(special.betaincinv(a, b, share))


def coin_cdf(heads: int, tosses: int) -> float:
    """At most so many heads of a fair coin."""
    return float(special.bdtr(heads, tosses, 0.5))


def coin_pmf(heads: int, tosses: int) -> float:
    """Exactly so many heads of a fair coin."""
    return comb(tosses, heads) / (1 << tosses)
