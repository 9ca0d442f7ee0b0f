# SPDX-License-Identifier: MIT
"""gnuplot's SVG, to be put into a page as it is: dark on light, bars with their range."""

import re
import subprocess

OURS, THEIRS = "#1b6ca8", "#9aa5b1"
ROW_PX, FRAME_PX, WIDTH_PX = 26, 110, 760
BARS = """set terminal svg size {width},{height} dynamic font 'sans-serif,13' background '#ffffff' \
name '{name}'
set title "{title}" noenhanced
set xlabel "{label}" noenhanced
{scale}
set yrange [{rows} - 0.5:-0.5]
set border 3 linecolor rgb '#444444'
set tics nomirror textcolor rgb '#222222'
set grid xtics linecolor rgb '#dddddd' linetype 1
set ytics noenhanced
unset key
$bars << EOD
{data}
EOD
plot $bars using 3:1:({least}):3:($1-0.32):($1+0.32):6:ytic(2) with boxxyerror \
fill solid 0.85 noborder linecolor rgb variable, \
$bars using 3:1:4:5 with xerrorbars pointtype 0 linecolor rgb '#222222'
"""


class PlotError(Exception):
    """gnuplot said no."""


def draw(script):
    """The SVG element that a script of gnuplot's draws."""
    done = subprocess.run(["gnuplot"], input=script, capture_output=True, text=True, check=False)
    found = re.search(r"<svg.*</svg>", done.stdout, re.S)
    if done.returncode != 0 or not found:
        raise PlotError(f"gnuplot: {done.stderr.strip()[-300:]}")
    return found.group(0)


def quoted(text):
    """As gnuplot takes it between double quotes."""
    return text.replace("\\", "").replace('"', "'")


def bars(name, title, label, rows, is_log=True):
    """rows: (label, summary, is ours), a bar each from the top. Rates of different stacks differ
    by powers of ten: a logarithmic axis shows ratios as lengths."""
    lowest = min(summary.low for _, summary, _ in rows)
    least = 10 ** (len(str(int(max(1, lowest)))) - 1) / 2 if is_log else 0
    data = "\n".join(
        f'{at} "{quoted(text)}" {summary.median} {summary.low} {summary.high} '
        f'{int((OURS if ours else THEIRS)[1:], 16)}'
        for at, (text, summary, ours) in enumerate(rows))
    scale = f"set logscale x\nset format x '%.0s%c'\nset xrange [{least}:*]" if is_log else \
        "set xrange [0:*]"
    return draw(BARS.format(width=WIDTH_PX, height=FRAME_PX + ROW_PX * len(rows), name=name,
                            title=quoted(title), label=quoted(label), scale=scale,
                            rows=len(rows), data=data, least=least))
