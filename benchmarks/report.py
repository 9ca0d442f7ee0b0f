# SPDX-License-Identifier: MIT
"""benchmarks/report/index.html: one file, nothing loaded from anywhere."""

import html

from benchmarks import plots, stats, summary, targets

STYLE = """
body { font: 15px/1.5 sans-serif; color: #1d2733; background: #ffffff; max-width: 62em;
       margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.6em; }
h2 { font-size: 1.25em; margin-top: 2em; border-bottom: 1px solid #ccd3da; }
table { border-collapse: collapse; margin: 0.8em 0; font-size: 0.92em; }
th, td { padding: 0.25em 0.7em; border-bottom: 1px solid #e3e7eb; text-align: right; }
th { background: #f3f5f7; } th:first-child, td:first-child { text-align: left; }
.met { color: #17713a; } .missed { color: #b3261e; font-weight: bold; }
.warning { background: #fff4d6; border-left: 4px solid #d9a400; padding: 0.6em 1em; }
pre { background: #f3f5f7; padding: 0.7em; overflow-x: auto; white-space: pre-wrap;
      word-break: break-all; font-size: 0.8em; }
svg { display: block; max-width: 100%; height: auto; margin: 1em 0; }
"""
PERCENTILES = (("p50_us", "p50"), ("p90_us", "p90"), ("p99_us", "p99"), ("p999_us", "p99.9"))


def text(value):
    return html.escape(str(value))


def table(head, rows):
    """rows: cells of text, or (text, class)."""
    parts = ["<table><tr>", *(f"<th>{text(cell)}</th>" for cell in head), "</tr>"]
    for row in rows:
        parts.append("<tr>")
        for cell in row:
            content, kind = cell if isinstance(cell, tuple) else (cell, "")
            parts.append(f'<td class="{kind}">{text(content)}</td>' if kind
                         else f"<td>{text(content)}</td>")
        parts.append("</tr>")
    return "".join(parts) + "</table>"


def compared(rows, unit):
    return table(
        ("", f"ours, {unit}", f"theirs, {unit}", "ratio (lowest to highest)", "n", "target",
         ""),
        [(f"{summary.job_title(row.job)}: {row.ours} / {row.theirs}",
          summary.number(row.our_figure.median), summary.number(row.their_figure.median),
          summary.ratio_text(row.ratio), row.ratio.count,
          row.bound(),
          (summary.verdict(row), summary.verdict(row))) for row in rows])


def verdicts(results):
    if not results.judged:
        return ""
    parts = [f"<h2>Targets: {len(results.judged) - len(results.missed)} of "
             f"{len(results.judged)} met</h2>",
             "<p>Medians over the repetitions; the ratio is the median of the repetitions' own "
             "ratios, with the range that all of them lie in.</p>",
             compared(results.judged_storage, "IOPS")]
    if results.missed:
        parts.append("<h2>Missed targets</h2><ul>")
        parts += [f"<li>{text(summary.job_title(row.job))}, {text(row.ours)} / "
                  f"{text(row.theirs)}: {text(row.cause or 'no cause has been measured yet')}</li>"
                  for row in results.missed]
        parts.append("</ul>")
    return "".join(parts)


def is_ours(side):
    return side in ("raw", "raw-copied", "volume", "nbd-holdfast", "vtpm", "vtpm-bridge",
                    "vtpm-native")


def job_rows(results, job, metric):
    """(side's title, summary, is ours) of all sides that ran a job."""
    for side in results.samples:
        found = results.summary(side, job, metric)
        if found is not None:
            yield side, found


def figures_of_jobs(results):
    """For every job of the disks a plot and a table with latencies."""
    parts = []
    for job in targets.JOBS:
        rows = list(job_rows(results, job, "iops"))
        if not rows:
            continue
        parts.append(f"<h2>{text(summary.job_title(job))}</h2>")
        parts.append(plots.bars("plot_" + job.replace("-", "_"), summary.job_title(job),
                                "requests a second (logarithmic)",
                                [(side, found, is_ours(side)) for side, found in rows]))
        parts.append(latency_plot(results, job, [side for side, _ in rows]))
        parts.append(table(
            ("", "IOPS (lowest to highest)", "spread", "MiB/s", "1/IOPS, us",
             *(f"{name}, us" for _, name in PERCENTILES)),
            [(side, summary.range_text(found), f"{100 * found.deviation:.0f} %",
              summary.number(median(results, side, job, "mib_s")),
              summary.number(1e6 / found.median if found.median else None),
              *(summary.number(median(results, side, job, key)) for key, _ in PERCENTILES))
             for side, found in rows]))
    return "".join(parts)


def latency_plot(results, job, names):
    """A bar to the median request, a line on to one in a hundred."""
    rows = []
    for side in names:
        half, most = median(results, side, job, "p50_us"), median(results, side, job, "p99_us")
        if half and most:
            rows.append((side, stats.Summary(half, half, most, 1), is_ours(side)))
    if not rows:
        return ""
    return plots.bars("plot_latency_" + job.replace("-", "_"),
                      summary.job_title(job) + ": latency, p50 (bar) to p99 (line)",
                      "microseconds (logarithmic)", rows)


def median(results, side, job, metric):
    found = results.summary(side, job, metric)
    return found.median if found else None


def tpm(results):
    sides = [side for side, what in results.data["sides"].items() if what["suite"] == "vtpm"]
    jobs = [job for side in sides[:1] for job in results.samples[side]]
    if not jobs:
        return ""
    parts = ["<h2>TPM</h2><p>Latency of a command, the same client on all; less is better. Ours "
             "runs in an emulated CPU, but for vtpm-native; swtpm on the bare host.</p>",
             compared(results.tpm_rows, "us")]
    for job in jobs:
        rows = [(side, found, is_ours(side))
                for side, found in job_rows(results, job, "us")]
        if rows:
            parts.append(plots.bars(f"plot_tpm_{jobs.index(job)}", job,
                                    "microseconds (logarithmic)", rows))
    names, rows = summary.tpm_costs(results)
    if rows:
        parts.append("<p>Counted for each command:</p>" + table(("", *names), rows))
    return "".join(parts)


def counted(results):
    parts = []
    for target, of_target in results.data["counted"].items():
        names = list(dict.fromkeys(name for costs in of_target.values() for name in costs))
        parts.append(f"<p>{text(target)}, for each request:</p>" + table(
            ("", *(name.replace("_", " ") for name in names)),
            [(summary.job_title(job), *(summary.number(costs.get(name)) for name in names))
             for job, costs in of_target.items()]))
    if not parts:
        return ""
    return ("<h2>Counted costs</h2><p>These do not depend on how fast the machine is. Instructions "
            "are the guest's, by QEMU's -icount, of jobs that do not wait.</p>" + "".join(parts))


def provenance(results):
    data = results.data
    parts = ["<h2>How it was measured</h2>",
             table(("", ""), [(name, value) for name, value in
                              [*data["environment"].items(), *data["settings"].items()]]),
             "<h2>Command lines</h2>"]
    for side, command in data["commands"].items():
        parts.append(f"<p><b>{text(side)}</b>: {text(results.title(side))}</p>"
                     f"<pre>{text(command)}</pre>")
    parts.append("<h2>Turns</h2><p>CPU time that went to other programs while a side ran, in "
                 "cores.</p>")
    parts.append(table(("side", "repetition", "seconds", "others, cores"),
                       [(turn["side"], turn["repetition"], turn["seconds"], turn["others_cores"])
                        for turn in data["loads"]]))
    return "".join(parts)


def failures(results):
    if not results.data["failures"]:
        return ""
    return "<h2>Failed</h2>" + "".join(
        f"<p>{text(failure['side'])}, repetition {failure['repetition']}:</p>"
        f"<pre>{text(failure['why'])}</pre>" for failure in results.data["failures"])


def page(results):
    data = results.data
    warning = results.busy_warning()
    others = [row for row in results.storage_rows if row.met is None]
    body = [
        "<h1>Holdfast beside its peers</h1>",
        f"<p>{text(data['started'])}, {data['seconds'] // 60} min {data['seconds'] % 60} s, "
        f"{text(data['environment']['CPU'])}, {text(data['environment']['QEMU'])}.</p>",
        f'<p class="warning">{text(warning)}.</p>' if warning else "",
        failures(results), verdicts(results),
        "".join(f"<p>{text(sentence)}.</p>" for sentence in summary.agreement(results)),
        "<h2>Other peers</h2>" + compared(others, "IOPS") if others else "",
        figures_of_jobs(results), tpm(results), counted(results), provenance(results)]
    return (f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
            f"<title>Holdfast: benchmarks</title><style>{STYLE}</style></head><body>"
            + "\n".join(body) + "</body></html>\n")
