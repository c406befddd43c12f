"""The report: one model, three renderings that agree, and a page that is safe to open."""

from __future__ import annotations

import base64
import hashlib
import html
import itertools
import json
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.utils import wrpcap
from tables_by_hand import MS, SECOND, lookup, lookups

import dnscap
from dnscap.findings.diagnosis import Diagnosis
from dnscap.report.glossary import used
from dnscap.report.html import prose
from dnscap.report.model import Report, build
from dnscap.resolutions.resolving import Resolving

ROOT = Path(__file__).resolve().parents[2]
FIRST_LOOK = ROOT / "examples" / "first-look.pcap"
LOOKUPS = ROOT / "tests" / "data" / "lookups"
CAPTURES = [
    FIRST_LOOK,
    *(LOOKUPS / f"{name}.pcap" for name in ("search-k8s", "lame", "all-dead-glibc", "dnspython")),
]

HOSTILE = (
    b"<script>document.title='run'</script>",
    b'"><img src=x onerror=alert(1)>',
    b"{{7*7}}{% raw %}",
    b"</style><svg onload=alert(1)>",
    b"\x1b]0;title\x07`code`",
    b"javascript:alert(1)",
)
"""Labels that a page must show and never obey."""

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """Elements of a page, their nesting checked, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.contents: dict[str, list[str]] = {"style": [], "script": []}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in self.contents:
            self.contents[self.open[-1]].append(data)
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def report_of(path: Path, slowest: int = 5) -> Report:
    return dnscap.read(path).diagnose(slowest=slowest)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A capture of questions with hostile names, none of them answered."""
    path = tmp_path_factory.mktemp("hostile") / "<b>hostile&amp;.pcap"
    packets = []
    for number, label in enumerate(HOSTILE):
        for copy in range(2):
            question = DNS(id=number + 1, rd=1, qd=DNSQR(qname="placeholder.example.", qtype="A"))
            payload = bytes(question).replace(b"\x0bplaceholder", bytes([len(label)]) + label)
            packet = (
                Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
                / IP(src="192.0.2.1", dst="192.0.2.53")
                / UDP(sport=40000 + number, dport=53)
                / payload
            )
            packet.time = 1_700_000_000 + 10 * number + 5 * copy
            packets.append(packet)
    wrpcap(str(path), packets)
    return path


# ---------------------------------------------------------------- one model


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_renderings_agree(path: Path) -> None:
    report = report_of(path)
    text = " ".join(str(report).split())
    page = Page(report.html()).text
    data = json.loads(report.json())
    for said in (report.headline, report.totals, *report.remarks):
        assert said in text and said in page
    assert data["headline"] == report.headline and data["totals"] == report.totals
    assert [f["title"] for f in data["findings"]] == [f.title for f in report.findings]
    for finding in report.loud:
        assert finding.title in text and finding.title in page
        assert f"confidence {100 * finding.confidence:.0f} %" in text
        assert f"confidence {100 * finding.confidence:.0f} %" in page
    for figure in report.scorecard:
        assert figure.metric in text and figure.metric in page and figure.value in page
    assert [row["lookup"]["lookup"] for row in data["slowest"]] == [
        e.lookup["lookup"] for e in report.slowest
    ]
    for explanation in report.slowest:
        assert f'id="lookup-{explanation.lookup["lookup"]}"' in report.html()


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_the_model_counts_what_the_tables_hold(path: Path) -> None:
    capture = dnscap.read(path)
    report, lookups, exchanges = capture.diagnose(), capture.lookups, capture.exchanges
    assert report.lookups == len(lookups) == sum(span.lookups for span in report.course.spans)
    asked = ~exchanges["outcome"].isin(["unsolicited", "duplicate"])
    assert report.queries == asked.sum() == sum(span.queries for span in report.course.spans)
    assert report.lookup_outcomes == {k: v for k, v in lookups["outcome"].value_counts().items() if v}
    waited = (lookups["duration"] - lookups["t_gap"]).dt.total_seconds()
    assert report.slow == (waited >= 1).sum() == sum(span.slow for span in report.course.spans)
    assert report.longest == (lookups["duration"] - lookups["t_gap"]).max().value
    assert sum(b.count for b in report.lookup_times.bins) == report.lookup_times.timed
    assert [row["server"] for row in report.servers.rows] == capture.servers["server"].tolist()
    assert [row["client"] for row in report.clients.rows] == capture.clients["client"].tolist()
    assert report.clients.total == len(capture.clients)
    for span in report.course.spans:
        began = (lookups["time"].astype("int64") // report.course.width * report.course.width) == span.start
        assert span.lookups == began.sum()


def test_the_headline_says_what_is_the_matter() -> None:
    assert report_of(FIRST_LOOK).headline == (
        "2 of 15 lookups took over 1 s; both waited for 10.53.1.9, which never answers."
    )
    assert build(["empty.pcap"], Diagnosis()).headline == "No query of unicast DNS in this capture."


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("pair-race-glibc", "lost one of two questions sent at once from one port."),
        ("slow-client-side", "which answered late."),
        ("all-dead-glibc", "which never answers."),
        ("search-k8s", "none failed."),
        ("servfail", "because of servfail"),
    ],
)
def test_the_headline_names_the_reason(name: str, said: str) -> None:
    assert said in report_of(LOOKUPS / f"{name}.pcap").headline


@pytest.mark.parametrize(
    ("outcomes", "headline"),
    [
        (["ok"], "The only lookup took 2.00 ms and did not fail."),
        (["ok", "nxdomain"], "None of 2 lookups took over 1 s, none failed."),
        (["unfinished"], "The only lookup had not ended when the capture did."),
        (["refused"], "The only lookup failed after 2.00 ms."),
        (["unfinished"] * 2, "2 lookups: the capture ends before any of them does."),
        (
            ["ok", "servfail", "unfinished"],
            "1 of 3 lookups failed; none took over 1 s; 1 had not ended when the capture did.",
        ),
        (["timeout"] * 2, "Both lookups failed; none took over 1 s."),
    ],
)
def test_the_headline_of_quick_lookups(outcomes: list[str], headline: str) -> None:
    diagnosis = Diagnosis()
    rows = [lookup(n, outcome=outcome, duration=2 * MS) for n, outcome in enumerate(outcomes)]
    diagnosis.feed(lookups=lookups(*rows))
    diagnosis.finish()
    assert build(["x"], diagnosis).headline == headline


def test_lookups_that_took_no_time_can_be_drawn() -> None:
    diagnosis = Diagnosis()
    diagnosis.feed(lookups=lookups(lookup(0, duration=0), lookup(1, 400 * SECOND, duration=0)))
    diagnosis.finish()
    assert Page(build(["x"], diagnosis).html()).text


def test_an_empty_report_can_be_shown_in_every_way() -> None:
    empty = build(["empty.pcap"], Diagnosis())
    assert "No query of unicast DNS in this capture." in str(empty)
    assert "No query of unicast DNS in this capture." in Page(empty.html()).text
    assert json.loads(empty.json())["lookups"] == 0
    assert "No query" in empty._repr_html_()


def test_the_report_does_not_depend_on_how_the_capture_was_cut() -> None:
    whole = report_of(FIRST_LOOK)
    capture = dnscap.read(FIRST_LOOK)
    diagnosis, resolving = Diagnosis(), Resolving()
    for batch, sent, looked in capture._assembled(7, True, None, resolving):
        capture._feed_resolutions(diagnosis, resolving)
        if batch is None:
            diagnosis.note_sources(capture._tables["sources"])
        capture._feed(diagnosis, batch, sent, looked)
    diagnosis.finish()
    cut = build(capture.inputs, diagnosis, capture._tables["sources"], capture.quality, slowest=5)
    assert json.loads(cut.json()) == json.loads(whole.json())


# ---------------------------------------------------------------- the page


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_the_page_needs_nothing_else(path: Path) -> None:
    text = report_of(path, 20).html()
    page = Page(text)
    assert len(text.encode()) < 1_000_000
    assert [
        tag for tag, _ in page.elements if tag in ("img", "link", "iframe", "object", "base", "form")
    ] == []
    for tag, attributes in page.elements:
        assert "style" not in attributes, tag
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "xlink:href")]
        assert attributes.get("href", "#").startswith("#")
    for name in re.findall(r'href="#([^"]+)"', text):
        assert f'id="{name}"' in text


def test_the_policy_allows_our_own_style_and_script_by_hash_and_nothing_else() -> None:
    page = Page(report_of(FIRST_LOOK).html())
    policy = next(
        a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    for kind in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256("".join(page.contents[kind]).encode()).digest()).decode()
        assert rules[f"{kind}-src"] == f"'sha256-{digest}'"


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_the_page_can_be_read_by_ear_and_by_keyboard(path: Path) -> None:
    text = report_of(path).html()
    page = Page(text)
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    identities = [a["id"] for _, a in page.elements if "id" in a]
    assert len(identities) == len(set(identities))
    named = [a for tag, a in page.elements if tag == "svg" and ("role" in a or "aria-hidden" in a)]
    assert all(a.get("aria-label") or a.get("aria-hidden") for a in named)
    assert next(a for tag, a in page.elements if tag == "html")["lang"] == "en"


def test_what_comes_from_the_wire_is_shown_and_not_obeyed(hostile: Path) -> None:
    report = report_of(hostile, 20)
    assert report.lookups == len(HOSTILE)
    text = report.html()
    page = Page(text)
    assert [tag for tag, _ in page.elements].count("script") == 1
    assert not [tag for tag, _ in page.elements if tag in ("img", "b>hostile")]
    assert "<script>document\\.title='run'</script>.example." in page.text
    assert "{{7*7}}" in page.text
    assert "\x1b" not in text and "\x07" not in text
    for shown in (report._repr_html_(), report.slowest[0]._repr_html_()):
        assert "<script" not in shown and "<img" not in shown
    assert html.escape("<b>hostile") in text


@pytest.mark.requires("chromium")
def test_a_browser_runs_our_script_and_not_that_of_the_wire(hostile: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(report_of(hostile, 20).html(), encoding="utf-8")
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0"]
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    done = subprocess.run(
        [*command, profile, "--dump-dom", f"{path.as_uri()}#lookup-3"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "<title>DNS report: " in done.stdout
    assert 'aria-sort="none"' not in done.stdout or "<button" in done.stdout
    assert re.search(r'<details class="lookup" id="lookup-3" open', done.stdout), "the script did not run"
    assert "Content Security Policy" not in done.stderr


@pytest.mark.requires("chromium")
def test_tables_sort_where_their_headings_are_pressed(tmp_path: Path) -> None:
    text = report_of(LOOKUPS / "lame.pcap").html()
    press = """<script>
      const table = document.querySelector("#servers table");
      const place = [...table.tHead.rows[0].cells].findIndex((head) => head.textContent === "queries");
      const orders = [1, 2].map(() => {
        table.tHead.rows[0].cells[place].querySelector("button").click();
        return [...table.tBodies[0].rows].map((row) => row.cells[place].dataset.v).join(",");
      });
      document.title = orders.join(";");
    </script>"""
    path = tmp_path / "report.html"
    policy = re.search(r"<meta http-equiv=[^>]*>", text)
    assert policy is not None
    path.write_text(text.replace(policy[0], "").replace("</body>", press + "</body>"), encoding="utf-8")
    done = subprocess.run(
        [
            *(
                "chromium",
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                f"--user-data-dir={tmp_path / 'profile'}",
            ),
            *("--dump-dom", path.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    title = re.search(r"<title>(.*?)</title>", done.stdout)
    assert title is not None
    down, up = ([int(n) for n in order.split(",")] for order in title[1].split(";"))
    assert len(down) > 1 and down == sorted(down, reverse=True) and up == sorted(up)


@given(st.binary(max_size=60))
def test_any_name_leaves_the_page_whole(label: bytes) -> None:
    from dnscap.report.notebook import finding_card

    text = label.decode("latin-1")
    assert "<" not in str(prose(text)).replace("<code>", "").replace("</code>", "")
    finding = report_of_words(text)
    card = Page(str(finding_card(finding)))
    assert {tag for tag, _ in card.elements} <= {"div", "p", "b", "code"}


def report_of_words(text: str) -> dnscap.findings.Finding:  # type: ignore[name-defined]
    from dnscap.findings import Finding

    return Finding(
        "x-y", "high", text, [], text, 1, 0, 0.0, 0, 0.5, [f"lookup:{text}"], text, text, text, text
    )


def test_a_word_is_explained_where_it_stands_as_a_word() -> None:
    assert [term for term, _ in used("Nothing is missing.")] == []
    assert [term for term, _ in used("Two misses, one hit.")] == ["hit", "miss"]
    assert [term for term, _ in used("miss.example.com. was asked for")] == []


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("half (50 %) within 3 ms", "half (50\u00a0%) within 3\u00a0ms"),
        ("use `timeout:1 s` <now>", "use <code>timeout:1\u00a0s</code> &lt;now&gt;"),
        ("13 servers, 2 mistakes", "13 servers, 2 mistakes"),
    ],
)
def test_a_number_and_its_unit_stay_in_one_line(text: str, html: str) -> None:
    assert prose(text) == html
