"""Each finding is raised by lookups that call for it, and by nothing else."""

from __future__ import annotations

import random
from typing import Any

import pyarrow as pa
import pytest
from tables_by_hand import BUDGET, MS, SECOND, exchange, exchanges, lookup, lookups

from dnscap.findings import RULES, SEVERITIES, Finding
from dnscap.findings.costs import BUCKETS_OF, CauseTally, shares_of
from dnscap.findings.diagnosis import Diagnosis
from dnscap.findings.names import is_misspelt
from dnscap.tables.columns import Columns

CAUSES = sorted({cause for rule in RULES for cause in rule.causes})

VOCABULARY = [
    "search-fanout",
    "nameserver-timeout",
    "no-answer",
    "packet-loss",
    "pair-race",
    "aaaa-dropped",
    "second-answer-dropped",
    "reply-swallowed",
    "queue-overflow",
    "server-unreachable",
    "slow-answer",
    "serial-a-aaaa",
    "truncation",
    "tcp-blocked",
    "tcp-retransmission",
    "fragments-lost",
    "edns-fallback",
    "edns-dropped",
    "servfail",
    "refused",
    "formerr",
    "partial-answer",
    "bogus-answer-ignored",
    "cname-loop",
    "dangling-cname",
    "cold-recursion",
    "slow-authoritative",
    "lame-delegation",
    "dead-authoritative",
    "dnssec-bogus",
    "serve-stale",
    "upstream-refused",
    "upstream-servfail",
    "upstream-truncation",
    "upstream-tcp-blocked",
    "upstream-edns-fallback",
    "upstream-edns-dropped",
    "forwarder-upstream-timeout",
    "forwarder-edns-fallback",
]


def diagnosis_of(looked: list[dict[str, Any]], sent: list[dict[str, Any]]) -> Diagnosis:
    diagnosis = Diagnosis()
    diagnosis.feed(lookups=lookups(*looked), exchanges=exchanges(*sent))
    return diagnosis


def loud(diagnosis: Diagnosis) -> list[Finding]:
    return [finding for finding in diagnosis.findings if finding.severity != "info"]


def healthy(count: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    looked = [lookup(i, i * SECOND) for i in range(count)]
    sent = [
        exchange(
            2 * i + j,
            i * SECOND + j * 20_000,
            lookup=i,
            qtype="AAAA" if j else "A",
            role=("primary", ("companion"))[j],
        )
        for i in range(count)
        for j in range(2)
    ]
    return looked, sent


def sick(number: int, cause: str, cost: int = 5 * SECOND, **told: Any) -> dict[str, Any]:
    bucket = BUCKETS_OF.get(cause, ("t_answer",))[0]
    return lookup(
        number,
        number * SECOND,
        causes=[cause],
        duration=cost + 2 * MS,
        **{bucket: cost},
        wasted_queries=2,
        **told,
    )


def test_every_cause_of_the_vocabulary_has_a_rule() -> None:
    assert set(VOCABULARY) <= set(CAUSES)


def test_ids_are_unique_and_kebab_case() -> None:
    ids = [rule.id for rule in RULES]
    assert len(set(ids)) == len(ids)
    assert all(i == i.lower() and " " not in i and "_" not in i for i in ids)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_explains_itself(rule: Any) -> None:
    for text in (rule.explanation, rule.remedy, rule.disproved_by):
        assert text and text[0].isupper() and text.rstrip()[-1] in ".)", text


@pytest.mark.parametrize("cause", CAUSES)
def test_a_cause_makes_a_finding_that_names_it(cause: str) -> None:
    looked, sent = healthy(3)
    looked.append(sick(3, cause))
    sent.append(exchange(6, 3 * SECOND, lookup=3, outcome="unanswered", server="10.0.0.9"))
    sent.append(exchange(7, 8 * SECOND, lookup=3, role="failover"))
    found = loud(diagnosis_of(looked, sent))
    assert [f for f in found if cause in f.causes], [f.id for f in found]
    for finding in found:
        assert 0 < finding.confidence <= 1
        assert finding.evidence and any(e.startswith("frame:") for e in finding.evidence)
        assert "lookup:3" in finding.evidence
        assert finding.cost_seconds == pytest.approx(5, abs=0.01)
        assert finding.severity in SEVERITIES


def test_healthy_lookups_make_none() -> None:
    diagnosis = diagnosis_of(*healthy(50))
    assert diagnosis.findings == []


def test_failures_make_it_more_severe() -> None:
    def severity(**told: Any) -> str:
        looked, sent = healthy(50)
        looked.append(sick(50, "servfail", **told))
        sent.append(exchange(100, 50 * SECOND, lookup=50, outcome="servfail"))
        return loud(diagnosis_of(looked, sent))[0].severity

    assert severity(cost=150 * MS) == "low"
    assert severity(cost=150 * MS, outcome="servfail") == "medium"


def test_findings_about_two_servers_are_two() -> None:
    looked = [sick(0, "nameserver-timeout"), sick(1, "nameserver-timeout", cost=2 * SECOND)]
    sent = [
        exchange(0, 0, lookup=0, outcome="unanswered", server="10.0.0.8"),
        exchange(1, 1 * SECOND, lookup=1, outcome="unanswered", server="10.0.0.9"),
    ]
    found = loud(diagnosis_of(looked, sent))
    assert [(f.subject, f.cost_seconds) for f in found] == [("10.0.0.8", 5.0), ("10.0.0.9", 2.0)]
    assert "never answers" in found[0].title


def test_remedies_are_for_the_stub_that_was_seen() -> None:
    for stub, word in (("glibc", "single-request-reopen"), ("musl", "no option")):
        looked = [sick(0, "pair-race", stub=stub)]
        found = loud(diagnosis_of(looked, [exchange(0, 0, lookup=0, outcome="unanswered")]))
        assert word in found[0].remedy


# ---------------------------------------------------------------- capture quality


def test_drops_of_the_capture_withhold_silence() -> None:
    looked = [sick(0, "packet-loss")]
    sent = [
        exchange(0, 0, lookup=0, outcome="unanswered"),
        exchange(1, 5 * SECOND, lookup=0, role=("retransmission")),
    ]
    sure = diagnosis_of(looked, sent)
    doubtful = diagnosis_of(looked, sent)
    doubtful.quality.drops = 10
    assert loud(sure) and not loud(doubtful)
    assert doubtful.findings[0].severity == "info"
    assert doubtful.findings[0].confidence < sure.findings[0].confidence
    assert "dropped 10 packets" in doubtful.quality.remarks()[0]


@pytest.mark.parametrize("again", [0, 3])
def test_silence_that_nobody_minds_is_a_capture_of_one_direction(again: int) -> None:
    looked = [sick(i, "no-answer", retransmissions=1 if i < again else 0) for i in range(12)]
    sent = [exchange(i, i * SECOND, lookup=i, outcome="unanswered") for i in range(12)]
    silent = diagnosis_of(looked, sent)
    assert bool(loud(silent)) == (again > 0)
    said = "one direction only" if not again else "either nothing answered"
    assert any(said in remark for remark in silent.quality.remarks())


@pytest.mark.parametrize(
    ("cause", "told"), [("refused", True), ("slow-answer", True), ("dangling-cname", False)]
)
def test_codes_and_times_are_told_from_short_frames(cause: str, told: bool) -> None:
    looked = [sick(i, cause) for i in range(3)]
    sent = [exchange(i, i * SECOND, lookup=i, outcome="refused") for i in range(3)]
    short = diagnosis_of(looked, sent)
    short.quality.snaplen = 96
    assert bool(loud(short)) == told


def test_a_port_filter_weakens_lost_fragments() -> None:
    looked, sent = [sick(0, "fragments-lost")], [exchange(0, 0, lookup=0, outcome="unanswered")]
    filtered = diagnosis_of(looked, sent)
    filtered.quality.filtered = True
    assert filtered.findings[0].confidence < diagnosis_of(looked, sent).findings[0].confidence


# ---------------------------------------------------------------- costs


def test_causes_share_the_budget_without_counting_twice() -> None:
    row = lookup(
        0,
        duration=10 * SECOND,
        t_timeout=6 * SECOND,
        t_search=1 * SECOND,
        causes=["pair-race", "packet-loss", ("search-fanout")],
    )
    shares = shares_of(row)
    assert shares["pair-race"][0] == pytest.approx(6)
    assert shares["packet-loss"][0] == 0
    assert shares["search-fanout"][0] == pytest.approx(1)


def test_the_tally_adds_up_what_single_lookups_cost() -> None:
    chance = random.Random(7)
    rows = []
    for number in range(200):
        budget = {name: chance.choice([0, 0, 3 * MS, SECOND]) for name in BUDGET}
        causes = chance.sample(CAUSES, chance.randrange(4))
        rows.append(
            lookup(
                number,
                duration=sum(budget.values()),
                causes=causes,
                wasted_queries=chance.randrange(5),
                **budget,
            )
        )
    tally = CauseTally()
    batch = lookups(*rows)
    tally.feed_lookups(batch, Columns(batch))
    wanted: dict[str, list[float]] = {}
    for row in rows:
        for cause, (seconds, queries) in shares_of(row).items():
            total = wanted.setdefault(cause, [0, 0.0, 0])
            total[0] += 1
            total[1] += seconds
            total[2] += queries
    assert set(tally.costs) == set(wanted)
    for cause, (count, seconds, queries) in wanted.items():
        cost = tally.costs[cause]
        assert (cost.lookups, cost.queries) == (count, queries)
        assert cost.seconds == pytest.approx(seconds)


def test_findings_do_not_depend_on_how_batches_were_cut() -> None:
    looked, sent = healthy(30)
    for i, cause in enumerate(("pair-race", "search-fanout", "servfail")):
        looked.append(sick(30 + i, cause))
        sent.append(exchange(60 + i, (30 + i) * SECOND, lookup=30 + i, outcome="unanswered"))
    whole = diagnosis_of(looked, sent)
    cut = Diagnosis()
    for i in range(0, len(sent), 7):
        # exchanges run ahead of the lookups that they belong to
        cut.feed(exchanges=exchanges(*sent[i : i + 7]))
    for i in range(0, len(looked), 5):
        cut.feed(lookups=lookups(*looked[i : i + 5]))
    for table in ("servers", "clients", "findings"):
        assert cut.to_arrow(table).to_pylist() == whole.to_arrow(table).to_pylist()


# ---------------------------------------------------------------- without a cause


def test_search_list_waste_is_told_without_slow_lookups() -> None:
    suffixes = ("default.svc.cluster.local.", "svc.cluster.local.", "cluster.local.")
    looked = [
        lookup(
            i,
            name="api.example.com.",
            candidates=[*(f"api.example.com.{s}" for s in suffixes), "api.example.com."],
            queries=8,
            wasted_queries=6,
            duration=8 * MS,
            t_search=6 * MS,
        )
        for i in range(4)
    ]
    sent = [exchange(i, 0, lookup=i) for i in range(4)]
    (found,) = loud(diagnosis_of(looked, sent))
    assert (found.id, found.severity, found.cost_queries) == ("search-fanout", "low", 24)
    assert found.cost_seconds == pytest.approx(0.024)
    assert "Kubernetes" in found.remedy


@pytest.mark.parametrize(("absent", "named"), [(2, True), (8, False)])
def test_a_client_that_leaves_absent_names_alone_has_no_search_list(absent: int, named: bool) -> None:
    walk = lookup(
        0,
        name="www.",
        candidates=["www.one.example.", "www.two.example."],
        duration=100 * MS,
        t_search=95 * MS,
        causes=["search-fanout"],
    )
    others = [
        lookup(i, name=f"www.host{i}.example.", candidates=[f"www.host{i}.example."], outcome="nxdomain")
        for i in range(1, absent + 1)
    ]
    looked = [walk, *others]
    found = loud(diagnosis_of(looked, [exchange(i, 0, lookup=i) for i in range(len(looked))]))
    assert ("search-fanout" in [f.id for f in found]) is named


def test_a_misspelt_name_is_information() -> None:
    looked, sent = healthy(5)
    looked.append(lookup(5, name="wwww.example.com.", outcome="nxdomain"))
    sent.append(exchange(10, 5 * SECOND, lookup=5, qname="wwww.example.com.", outcome="nxdomain"))
    (found,) = diagnosis_of(looked, sent).findings
    assert (found.id, found.severity, found.subject) == ("nxdomain-typo", "info", "wwww.example.com.")
    assert "www.example.com." in found.title


def test_misspelt_means_letters_not_numbers() -> None:
    assert is_misspelt("exmaple.com.", "example.com.")
    assert is_misspelt("gogle.com.", "google.com.")
    assert not is_misspelt("host12.example.com.", "host13.example.com.")
    assert not is_misspelt("mail.example.com.", "www.example.com.")
    assert not is_misspelt("a.b.", "a.c.")


def test_a_long_alias_chain_is_information() -> None:
    looked, sent = healthy(2)
    looked.append(lookup(2, cname_chain=[f"c{i}.example." for i in range(5)]))
    sent.append(exchange(4, 2 * SECOND, lookup=2))
    (found,) = diagnosis_of(looked, sent).findings
    assert (found.id, found.severity) == ("long-cname-chain", "info")


def test_internal_names_outside_are_told() -> None:
    looked = [lookup(i, servers=["8.8.8.8"]) for i in range(6)]
    names = [
        "db.corp.",
        "x.svc.cluster.local.",
        "7.0.0.10.in-addr.arpa.",
        "printer.lan.",
        "nas.local.",
        ("www.example.com."),
    ]
    sent = [exchange(i, 0, lookup=i, server="8.8.8.8", qname=name) for i, name in enumerate(names)]
    (found,) = loud(diagnosis_of(looked, sent))
    assert (found.id, found.severity, found.subject, found.lookups) == (
        "internal-name-leak",
        "medium",
        ("8.8.8.8"),
        5,
    )
    inside = [{**row, "server": "10.0.0.53"} for row in sent]
    assert not loud(diagnosis_of(looked, inside))


@pytest.mark.parametrize(
    ("name", "causes", "found"),
    [
        ("9.0.0.10.in-addr.arpa.", {}, "ptr-timeout"),
        ("b._dns-sd._udp.example.com.", {"causes": ["no-answer"]}, "no-answer"),
    ],
)
def test_reverse_lookups_that_time_out(name: str, causes: dict[str, list[str]], found: str) -> None:
    looked = [
        lookup(
            0,
            name=name,
            qtypes=["PTR"],
            outcome=("timeout"),
            duration=10 * SECOND,
            t_timeout=10 * SECOND,
            **causes,
        )
    ]
    sent = [exchange(0, 0, lookup=0, qtype="PTR", outcome="unanswered")]
    assert [(f.id, f.failed) for f in loud(diagnosis_of(looked, sent))] == [(found, 1)]


def test_errors_that_set_off_a_storm() -> None:
    looked = [lookup(0, outcome="servfail", queries=10, duration=10 * MS, t_failed_server=9 * MS)]
    sent = [exchange(i, i * MS, lookup=0, outcome="servfail", role="failover") for i in range(10)]
    (found,) = loud(diagnosis_of(looked, sent))
    assert (found.id, found.cost_queries) == ("error-retry-storm", 10)


def test_retries_that_multiply() -> None:
    looked = [
        lookup(
            0,
            outcome=("timeout"),
            queries=12,
            retransmissions=6,
            failovers=2,
            duration=20 * SECOND,
            t_timeout=20 * SECOND,
        )
    ]
    sent = [exchange(i, i * SECOND, lookup=0, outcome="unanswered") for i in range(12)]
    found = loud(diagnosis_of(looked, sent))
    assert [f.id for f in found] == ["retry-multiplication"]


def test_a_slow_server_is_told_by_its_median() -> None:
    looked = [lookup(i, duration=150 * MS) for i in range(20)]
    sent = [exchange(i, i * SECOND, lookup=i, latency=150 * MS) for i in range(20)]
    (found,) = loud(diagnosis_of(looked, sent))
    assert (found.id, found.subject) == ("slow-server", "10.0.0.53")


def test_names_that_would_steer_a_terminal_are_escaped_in_text() -> None:
    from dnscap.report.model import build

    name = "\x1b[2Jx<script>.example."
    looked = [sick(0, "dangling-cname", name=name, outcome="nxdomain")]
    sent = [exchange(0, 0, lookup=0, qname=name, outcome="nxdomain")]
    report = build(["x.pcap"], diagnosis_of(looked, sent))
    assert "\x1b" not in str(report)
    assert "<script>" not in report._repr_html_()


def test_the_findings_table_has_the_declared_columns() -> None:
    table = diagnosis_of([sick(0, "refused")], [exchange(0, 0, lookup=0, outcome="refused")]).to_arrow(
        "findings"
    )
    assert isinstance(table, pa.Table) and table.num_rows == 1
    assert table.column("evidence").to_pylist()[0][0] == "lookup:0"


def test_one_wait_with_two_causes_is_one_finding() -> None:
    looked = [sick(0, "no-answer", outcome="timeout")]
    looked[0]["causes"] = ["nameserver-timeout", "no-answer"]
    sent = [
        exchange(i, i * SECOND, lookup=0, outcome="unanswered", server=f"10.0.0.{8 + i}") for i in range(2)
    ]
    (found,) = loud(diagnosis_of(looked, sent))
    assert found.id == "no-answer" and set(found.causes) == {"no-answer", "nameserver-timeout"}
    assert found.cost_seconds == pytest.approx(5)
    assert "gave up after 5.00 s" in found.title
