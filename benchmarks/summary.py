# SPDX-License-Identifier: MIT
"""The results as text: for the terminal, and as Markdown for the repository."""

from benchmarks import targets

HEADLINE_JOB, HEADLINE_SIDES = "rr4k-qd1", ("raw", "volume")


# Part of the raw ratios, and no property of the driver.
NOTIFICATIONS = ("Our runner puts a notification off while completions are there to be taken; fio "
                 "in a Linux guest notifies at each submission, of one request or, at depth 32, of "
                 "up to 16. How many a request of ours took is under Counted.")


def ratio_text(ratio):
    return f"{ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"


def range_text(found):
    """A figure with its range."""
    return f"{number(found.median)} ({number(found.low)} to {number(found.high)})"


def number(value):
    """Three digits are all that a measurement here is worth."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def verdict(row):
    return {True: "met", False: "missed", None: ""}[row.met]


def job_title(job):
    return targets.TITLES.get(job, job)


def _lines(rows):
    yield f"{'':34} {'ours':>10} {'theirs':>10}  ratio (lowest to highest)  target"
    pair = None
    for row in rows:
        if (row.ours, row.theirs) != pair:
            pair = (row.ours, row.theirs)
            yield f"{row.ours} / {row.theirs}"
        target = f"{row.bound()} {verdict(row)}".strip()
        yield (f"  {job_title(row.job):32} {number(row.our_figure.median):>10} "
               f"{number(row.their_figure.median):>10}  {ratio_text(row.ratio):25}  {target}")


def terminal(results):
    lines = []
    if results.storage_rows:
        lines += ["requests a second", *_lines(results.storage_rows)]
    if results.tpm_rows:
        lines += ["microseconds a command (less is better)", *_lines(results.tpm_rows)]
    if not results.rows:
        lines += _alone(results)
    lines += agreement(results)
    judged, missed = results.judged, results.missed
    if judged:
        lines.append(f"{len(judged) - len(missed)} of {len(judged)} targets met")
    lines += [f"failed: {failure['side']}, repetition {failure['repetition']}: "
              f"{failure['why'].strip().splitlines()[0]}" for failure in results.data["failures"]]
    if results.busy_warning():
        lines.append("warning: " + results.busy_warning())
    return "\n".join(lines)


def agreement(results):
    """How well the repetitions of the headline job agree, a sentence for each of our sides."""
    for side in HEADLINE_SIDES:
        found = results.summary(side, HEADLINE_JOB, "iops")
        if found is not None and found.count > 1:
            yield (f"{side}, {job_title(HEADLINE_JOB)}: {found.count} repetitions within "
                   f"{100 * found.deviation:.1f} % of their median, {number(found.median)} IOPS")


def _alone(results):
    """Without a peer there is no ratio: the figures themselves."""
    for side, of_side in results.samples.items():
        for job in of_side:
            metric = targets.metric_of(job)
            found = results.summary(side, job, metric)
            if found:
                yield (f"{side:16} {job_title(job):32} {number(found.median):>10} {metric} "
                       f"({number(found.low)} to {number(found.high)})")


def _table(head, rows):
    yield "| " + " | ".join(head) + " |"
    yield "|" + " --- |" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    yield ""


def _compared(rows, unit):
    return _table(
        ("", f"ours, {unit}", f"theirs, {unit}", "ratio (lowest to highest)", "n", "target", ""),
        [(f"{job_title(row.job)}: {row.ours} / {row.theirs}", number(row.our_figure.median),
          number(row.their_figure.median), ratio_text(row.ratio), str(row.ratio.count),
          row.bound(), verdict(row)) for row in rows])


def _counted(results):
    names = ("device_reads", "device_writes", "device_flushes", "device_bytes_a_byte",
             "notifications", "visibility_changes", "shared_bytes_copied", "instructions")
    rows = [(f"{target}: {job_title(job)}", *(number(costs.get(name)) for name in names))
            for target, of_target in results.data["counted"].items()
            for job, costs in of_target.items()]
    return _table(("a request", *(name.replace("_", " ") for name in names)), rows) if rows else []


def tpm_costs(results):
    """(titles, rows) of what was counted for each command of a TPM, side by side."""
    costs = results.data["tpm_costs"]
    names = list(dict.fromkeys(name for of_side in costs.values() for of_job in of_side.values()
                               for name in of_job))
    return names, [(f"{job}: {side}", *(number(of_job.get(name)) for name in names))
                   for side, of_side in costs.items() for job, of_job in of_side.items()]


def _head(results):
    data = results.data
    settings = ", ".join(f"{name} {value}" for name, value in data["settings"].items())
    yield "# Results of the last run of everything"
    yield ""
    yield ("Written by `./bench`; what the words mean is in "
           "[docs/benchmarks.md](../docs/benchmarks.md). Absolute figures are this machine's; the "
           "ratios are of one run, repetition by repetition.")
    yield ""
    yield f"{data['started']}, {data['seconds'] // 60} minutes; {settings}."
    yield ""
    if results.busy_warning():
        yield f"**Warning:** {results.busy_warning()}."
    else:
        yield f"Others used at most {results.busy()[1]:.2f} cores in any turn."
    yield ""
    yield from (f"- {sentence}." for sentence in agreement(results))
    yield f"- {NOTIFICATIONS}"
    yield ""
    yield from _table(("", ""), [(name, value) for name, value in data["environment"].items()])


def _missed(results):
    if not results.missed:
        return
    yield "## Missed targets"
    for row in results.missed:
        yield (f"- {job_title(row.job)}, {row.ours} / {row.theirs}: {row.ratio.median:.2f} instead "
               f"of {row.bound()}. {row.cause or 'No cause has been measured yet.'}")
    yield ""


def markdown(results):
    judged = results.judged
    lines = list(_head(results))
    lines += [f"## Targets: {len(judged) - len(results.missed)} of {len(judged)} met",
              *_compared(results.judged_storage, "IOPS"), *_missed(results)]
    others = [row for row in results.storage_rows if row.met is None]
    lines += ["## Other peers", *_compared(others, "IOPS")] if others else []
    lines += ["## TPM (latency: less is better)", *_compared(results.tpm_rows, "us")] \
        if results.tpm_rows else []
    names, rows = tpm_costs(results)
    lines += _table(("a command", *names), rows) if rows else []
    lines += ["## Counted", *_counted(results)] if results.data["counted"] else []
    if results.data["failures"]:
        lines += ["## Failed", *(f"- {failure['side']}, repetition {failure['repetition']}: "
                                 f"{failure['why'].strip().splitlines()[0]}"
                                 for failure in results.data["failures"]), ""]
    return "\n".join(lines).rstrip() + "\n"
