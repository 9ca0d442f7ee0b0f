# SPDX-License-Identifier: MIT
"""What was measured, and what follows from it: comparisons, who missed what, how busy it was."""

import dataclasses

from benchmarks import environment, load, sides, stats, targets

FORMAT = 2


class FormatError(Exception):
    """Not what --json wrote, or written by another version."""


class Results:
    def __init__(self, data, causes=None):
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise FormatError(f"not results of format {FORMAT}")
        self.data = data
        self.samples = data["samples"]
        self.rows = targets.compare(self.samples, self._pairs(),
                                    targets.load_causes() if causes is None else causes)

    def _pairs(self):
        if self.data["twin"]:
            return [targets.Pair(name, name + sides.TWIN) for name in ("raw", "volume")]
        return targets.pairs(environment.qemu_major(self.data["environment"]))

    @property
    def storage_rows(self):
        return [row for row in self.rows if row.metric == "iops"]

    @property
    def tpm_rows(self):
        return [row for row in self.rows if row.metric == targets.LATENCY]

    @property
    def judged(self):
        return [row for row in self.rows if row.met is not None]

    @property
    def judged_storage(self):
        return [row for row in self.judged if row.metric == "iops"]

    @property
    def missed(self):
        return [row for row in self.judged if not row.met]

    def title(self, side):
        return self.data["sides"].get(side, {}).get("title", side)

    def summary(self, side, job, metric):
        return stats.summarise(targets.values(self.samples, side, job, metric))

    def has_figures(self):
        return any(figures for of_side in self.samples.values()
                   for of_job in of_side.values() for figures in of_job)

    def busy(self):
        """(median, most) cores that others used in a turn; zeros if there was none."""
        summary = stats.summarise([turn["others_cores"] for turn in self.data["loads"]])
        return (summary.median, summary.high) if summary else (0.0, 0.0)

    def busy_warning(self):
        """What a reader has to know before any figure; empty if the machine was ours."""
        turns = self.data["loads"]
        busy = [turn for turn in turns if turn["others_cores"] > load.BUSY_CORES]
        if not busy:
            return ""
        return (f"{len(busy)} of {len(turns)} turns shared the machine with other programs "
                f"(median {self.busy()[0]:.1f} cores, most {self.busy()[1]:.1f}): repeat on an "
                "idle one before you believe these figures")

    def agrees_with_itself(self):
        return bool(self.rows) and all(stats.same_build(row.ratio) for row in self.rows)

    def as_json(self):
        return [dataclasses.asdict(row) for row in self.rows]
