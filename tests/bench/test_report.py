# SPDX-License-Identifier: MIT
"""Pages out of figures that were not measured."""

import html.parser
import json

import pytest

from benchmarks import __main__ as bench
from benchmarks import plots, report, results, summary


class Checker(html.parser.HTMLParser):
    """Elements are closed in order, and nothing is loaded from elsewhere."""

    VOID = {"meta", "br"}

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href"):
                assert value.startswith("#"), f"{tag} loads {value}"
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def page_of(data):
    text = report.page(results.Results(data, {("raw", "linux-raw", "rr4k-qd1"): "slow <cipher>"}))
    checker = Checker()
    checker.feed(text)
    assert not checker.open
    return text, checker.seen


@pytest.fixture
def data(measured):
    return measured({"raw": [100, 120, 110], "linux-raw": [20, 30, 20], "volume": [7, 7, 7]},
                    counted={"raw": {"rr4k-qd1": {"requests": 10, "notifications": 0.5,
                                                  "instructions": 1234.5}}})


def test_the_page_has_everything(data):
    text, seen = page_of(data)
    assert seen.count("svg") == 2 * 6  # Rates and latencies of six jobs.
    for words in ("run &lt;raw&gt;", "title of linux-raw", "2 x &lt;CPU &amp; more&gt;", "1,234",
                  "slow &lt;cipher&gt;", "5.00 (4.00 to 5.50)", "&gt;= 9", "p99.9", "missed"):
        assert words in text, words
    assert "warning" not in text.split("</style>")[1]


def test_failures_and_a_busy_machine_are_said_first(data):
    data["failures"] = [{"side": "gcm-journal", "repetition": 2, "why": "no <disk>\nmore"}]
    data["loads"][0]["others_cores"] = 1.25
    text, _ = page_of(data)
    assert "no &lt;disk&gt;" in text and "gcm-journal, repetition 2" in text
    assert "1 of 3 turns shared the machine" in text
    assert text.index("gcm-journal") < text.index("Targets")
    for words in (summary.markdown(results.Results(data)), summary.terminal(results.Results(data))):
        assert "no <disk>" in words and "more" not in words.split("no <disk>")[1].split("\n")[0]
        assert "1 of 3 turns shared the machine" in words


def test_the_summary_has_the_verdicts(data):
    words = summary.markdown(results.Results(data, {}))
    assert "## Targets: 4 of 6 met" in words
    assert "| 4K random read, depth 1: raw / linux-raw | 110 | 20 | 5.00 (4.00 to 5.50) | 3 " \
        "| >= 9 | missed |" in words
    assert "- raw, 4K random read, depth 1: 3 repetitions within 9.1 % of their median, 110 IOPS." \
        in words
    assert "instead of >= 9. No cause has been measured yet." in words
    assert "raw: 4K random read, depth 1" in words


def test_without_a_peer_there_are_figures(measured):
    words = summary.terminal(results.Results(measured({"raw": [100, 120, 110]}), {}))
    assert "110 iops (100 to 120)" in words


def test_a_bar_whose_name_is_hostile():
    row = results.stats.Summary(2, 1, 3, 3)
    drawn = plots.bars("p", 'a "title" with $1 `x` \\', "label", [('n"a`m\\e', row, True)])
    assert "<svg" in drawn


def test_a_report_out_of_a_file(data, tmp_path):
    source, folder = tmp_path / "in.json", tmp_path / "report"
    data["is_everything"] = False
    source.write_text(json.dumps(data))
    assert bench.main(["--report-from", str(source), "--report", str(folder)]) == 0
    written = json.loads((folder / "results.json").read_text())
    assert written["samples"] == data["samples"]
    assert {row["job"] for row in written["comparisons"]} == set(data["samples"]["raw"])
    assert "<svg" in (folder / "index.html").read_text()


@pytest.mark.parametrize("text", ['{"format": 0}', "[]"])
def test_a_file_that_is_no_results(tmp_path, text):
    (tmp_path / "in.json").write_text(text)
    with pytest.raises(results.FormatError):
        bench.main(["--report-from", str(tmp_path / "in.json"), "--report", str(tmp_path)])


def test_a_build_against_itself(measured):
    def agrees(again):
        return results.Results(measured({"raw": [100, 100, 100], "raw-again": again}, twin=True),
                               {}).agrees_with_itself()
    assert agrees([95, 105, 130])
    assert not agrees([80, 85, 100])
    assert not agrees([None, None, None])


def test_a_latency_may_be_at_most_its_target(measured):
    """Less is better, and what was counted stands beside it."""
    data = measured({}, samples={
        "vtpm-native": {"NV_Write 1024": [{"us": 90}], "NV_Increment": [{"us": 110}]},
        "swtpm-fsync": {"NV_Write 1024": [{"us": 100}], "NV_Increment": [{"us": 100}]}},
        tpm_costs={"vtpm-native": {"NV_Write 1024": {"device writes": 1.0, "flushes": 1.0}},
                   "swtpm-fsync": {"NV_Write 1024": {"flushes": 2.0}}})
    done = results.Results(data, {})
    assert [(row.job, row.met) for row in done.judged] == \
        [("NV_Write 1024", True), ("NV_Increment", False)]
    words = summary.markdown(done)
    assert "## Targets: 1 of 2 met" in words
    assert "| <= 1 | met |" in words and "| <= 1 | missed |" in words
    assert "| NV_Write 1024: swtpm-fsync | - | 2 |" in words
    assert "1.10 instead of <= 1" in words
    assert "IOPS" not in words.split("## TPM")[1]
