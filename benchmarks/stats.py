# SPDX-License-Identifier: MIT
"""Medians, their spread, and ratios of what was measured in the same repetition.

The spread that is stated is the range: every repetition lies in it, and five of them tell no more
than that. `deviation` is how far the repetition that is furthest off lies from the median, as a
share of it.
"""

import dataclasses
import statistics

# What a comparison of a build with itself has to give.
SELF_LOW, SELF_HIGH = 0.9, 1.1


@dataclasses.dataclass(frozen=True)
class Summary:
    median: float
    low: float
    high: float
    count: int

    @property
    def deviation(self):
        return max(self.high - self.median, self.median - self.low) / self.median \
            if self.median else 0.0


def summarise(values):
    """None stands for a repetition that failed. None if all did."""
    there = [value for value in values if value is not None]
    if not there:
        return None
    return Summary(statistics.median(there), min(there), max(there), len(there))


def ratios(ours, theirs):
    """Ours / theirs, repetition by repetition; None where either is missing. Absolute figures
    drift with the machine; what was measured side by side drifts together."""
    return [our / their if our is not None and their else None
            for our, their in zip(ours, theirs)]


def same_build(summary):
    """True if a comparison of a build with itself says what it must."""
    return summary is not None and SELF_LOW <= summary.median <= SELF_HIGH
