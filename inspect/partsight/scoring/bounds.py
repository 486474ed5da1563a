"""95 % bounds of a rate among parts that come in groups of like parts.

A hundred parts of one board type are not a hundred independent proofs: whatever fools the model on one
fools it on the next. The bounds here use the number of independent parts that the sample is worth:

    deff  = variance of the rate between groups / variance if all parts were independent   (Kish)
    n_eff = n / deff

`deff` is the larger of what the groups show (the linearised variance of a ratio, as in survey sampling)
and of `1 + (m - 1) * ICC`, with m the mean group size that a part sees and ICC an assumed likeness
within groups: with few failures the spread over groups says nothing. The bounds are Wilson's score
interval for n_eff with Student's t of (groups - 1) degrees of freedom in place of the normal quantile
(Korn and Graubard 1998 correct the exact interval in the same two ways). Where no part or every part
failed, the open side is the exact one-sided 95 % bound `1 - 0.05 ** (1 / n_eff)`, about 3 / n_eff
(the rule of three; Clopper and Pearson 1934).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

ASSUMED_ICC = 0.05
"""Likeness of parts within a group that is taken for granted, at least."""

NORMAL_975 = 1.959964
_T_975 = (
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281,
    2.2010, 2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860,
    2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rate:
    """How many of how many failed, with 95 % bounds.

    groups: how many groups of like parts; with 1 the bounds hold for that kind of part only.
    effective: the number of independent parts that the sample is worth.
    """

    count: int
    of: int
    rate: float
    low: float
    high: float
    groups: int
    effective: float


def wilson(rate: float, n: float, z: float = NORMAL_975) -> tuple[float, float]:
    """Wilson's score interval of an observed rate among n (which may be a broken number) parts."""
    if n <= 0:
        return 0.0, 1.0
    centre = rate + z * z / (2 * n)
    half = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # Rounding must not push a bound past the estimate.
    return max(0.0, min(rate, (centre - half) / scale)), min(1.0, max(rate, (centre + half) / scale))


def none_failed(n: float) -> float:
    """The highest rate that 0 failures among n independent parts leave possible, one-sided 95 %."""
    return 1.0 - 0.05 ** (1.0 / n) if n > 0 else 1.0


def t_975(freedom: int) -> float:
    """Student's t at 97.5 %, within 0.001 for any whole number of degrees of freedom from 1."""
    if freedom <= len(_T_975):
        return _T_975[freedom - 1]
    z = NORMAL_975
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def rate_of(failed: Sequence[bool] | npt.NDArray[np.bool_], groups: Sequence[str]) -> Rate | None:
    """The rate of failures with bounds that respect groups; None without a part.

    failed, groups: one value a part. The order of parts does not matter.
    """
    n = len(failed)
    if n != len(groups):
        raise ValueError(f"{n} parts and {len(groups)} groups")
    if n == 0:
        return None
    labels, index = np.unique(np.asarray(groups), return_inverse=True)
    sizes = np.zeros(len(labels))
    np.add.at(sizes, index, 1.0)
    failures = np.zeros(len(labels))
    np.add.at(failures, index, np.asarray(failed, dtype=np.float64))
    count = round(float(failures.sum()))
    rate = count / n
    effective = n / _design_effect(sizes, failures)
    if count == 0:
        low, high = 0.0, none_failed(effective)
    elif count == n:
        low, high = 1.0 - none_failed(effective), 1.0
    else:
        low, high = wilson(rate, effective, t_975(len(labels) - 1) if len(labels) > 1 else NORMAL_975)
    return Rate(count, n, rate, low, high, len(labels), effective)


def _design_effect(sizes: npt.NDArray[np.float64], failures: npt.NDArray[np.float64]) -> float:
    """At least 1 and at most the mean group size that a part sees."""
    n, groups = float(sizes.sum()), len(sizes)
    if groups == 1:
        # Nothing shows how groups differ: the bounds are for this one group.
        return 1.0
    seen = float((sizes**2).sum()) / n
    assumed = 1 + (seen - 1) * ASSUMED_ICC
    rate = float(failures.sum()) / n
    independent = rate * (1 - rate) / n
    if independent == 0:
        return assumed
    residuals = failures - rate * sizes
    between = groups / (groups - 1) * float((residuals**2).sum()) / n**2
    return max(assumed, min(between / independent, max(seen, 1.0)))
