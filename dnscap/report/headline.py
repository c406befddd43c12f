"""The headline: what is the matter, in one sentence, and what it is a part of."""

from __future__ import annotations

from collections import Counter

from dnscap.clients import Kept
from dnscap.findings import RULES
from dnscap.findings.course import SLOW, CourseTally
from dnscap.findings.rule import Case, Facts, plural, seconds
from dnscap.output.cells import duration
from dnscap.tables.histogram import percentile

WAITS = {
    "nameserver-timeout": "waited for {subject}, which {silence}",
    "no-answer": "got no answer from {subject}",
    "server-unreachable": "asked {subject}, which cannot be reached",
    "packet-loss": "waited for a packet that was lost",
    "pair-race": "lost one of two questions sent at once from one port",
    "aaaa-dropped": "waited for an AAAA answer that never came",
    "second-answer-dropped": "waited for the second of two answers",
    "reply-swallowed": "waited for a reply that was swallowed on the way",
    "queue-overflow": "waited because a queue was full",
    "truncation": "had to ask again over TCP",
    "tcp-blocked": "needed TCP, which is blocked",
    "tcp-retransmission": "lost segments of a TCP connection",
    "fragments-lost": "lost fragments of a large answer",
    "edns-fallback": "had to ask again without EDNS",
    "edns-dropped": "had questions with EDNS dropped",
    "servfail": "got SERVFAIL from {subject}",
    "refused": "were refused by {subject}",
    "search-fanout": "went through the search list first",
    "slow-answer": "waited for {subject}, which answered late",
    "serial-a-aaaa": "asked for A and AAAA in turn",
    "cold-recursion": "waited for a recursion that no cache saved",
    "slow-authoritative": "waited for a slow authoritative server",
    "dead-authoritative": "waited for an authoritative server that is silent",
    "lame-delegation": "met a lame delegation",
}
"""What lookups did that a rule explains; ``because of <cause>`` where it is not listed."""

LEAST_SHARE = 0.25
"""Share of the slow lookups that one explanation has to hold for to be told."""


def headline(facts: Facts, course: CourseTally) -> str:
    """The sentence on top of a report."""
    if not facts.lookups:
        return _without_lookups(course)
    if course.slow:
        some = _some(course.slow, facts.lookups)
        return f"{some} took over {seconds_round(SLOW)}{_why(facts, course)}."
    open_still = course.lookup_outcomes["unfinished"]
    if facts.lookups == 1 and (open_still or facts.failed):
        if open_still:
            return "The only lookup had not ended when the capture did."
        return f"The only lookup failed after {duration(course.longest)}{_worst(facts)}."
    if open_still == facts.lookups:
        return f"{plural(facts.lookups, 'lookup')}: the capture ends before any of them does."
    ending = f"; {open_still:,} had not ended when the capture did" if open_still else ""
    if facts.failed:
        return (
            f"{_some(facts.failed, facts.lookups)} failed{_worst(facts)}; none took over "
            f"{seconds_round(SLOW)}{ending}."
        )
    if facts.lookups == 1:
        return f"The only lookup took {duration(course.longest)} and did not fail."
    quick = min(percentile(course.durations, 0.99) or 0, course.longest)
    within = f"; 99 in 100 took at most {duration(quick)}" if quick and facts.lookups >= 100 else ""
    return f"None of {plural(facts.lookups, 'lookup')} took over {seconds_round(SLOW)}, none failed{within}{ending}."


def _without_lookups(course: CourseTally) -> str:
    """What is there where no application asked: queries of servers, or responses alone."""
    queries = int(course.queries.counts[:, 0].sum())
    if queries:
        return f"No lookup of an application in this capture, only {plural(queries, 'query')} of servers."
    responses = course.exchange_outcomes["unsolicited"]
    if responses:
        return f"No query in this capture, only {plural(responses, 'response')}."
    return "No query of unicast DNS in this capture."


def totals(facts: Facts, course: CourseTally) -> str:
    """What the headline is a part of: lookups, failures, time waited."""
    if not facts.lookups:
        return ""
    failed = f", {facts.failed:,} of them failed" if facts.failed else ""
    return f"{plural(facts.lookups, 'lookup')}{failed}; applications waited {seconds(facts.seconds)} in all."


def _why(facts: Facts, course: CourseTally) -> str:
    slow = [kept for kept in facts.kept if kept.waited >= SLOW]
    groups = Counter(reason for kept in slow if (reason := _reason(kept, facts)) is not None)
    if not groups:
        return ""
    reason, count = groups.most_common(1)[0]
    if count < LEAST_SHARE * len(slow):
        return ""
    if facts.lookups == 1:
        return f"; it {_singular(reason)}"
    if len(slow) == course.slow:
        many = (
            "it"
            if course.slow == 1
            else "both"
            if count == course.slow == 2
            else _of_them(count, course.slow)
        )
        return f"; {many} {_singular(reason) if course.slow == 1 else reason}"
    # Of many slow lookups only some are kept whole; their share stands for all.
    share = 100 * count / len(slow)
    return f"; {'nearly all' if share >= 99.5 else f'about {share:.0f} %'} of them {reason}"


def _reason(kept: Kept, facts: Facts) -> str | None:
    causes = kept.row["causes"] or ()
    if not causes:
        return None
    rule = next((rule for rule in RULES if causes[0] in rule.causes), None)
    if rule is None:
        return f"waited because of {causes[0]}"
    subject = rule.subject(Case(kept, [causes[0]], 0.0, 0), facts) or "any server"
    row = facts.server(subject)
    silence = "never answers" if row is not None and not row["answered"] else "did not answer them"
    told = WAITS.get(rule.id, f"waited because of {rule.id}")
    return told.format(subject=subject, silence=silence)


def _singular(reason: str) -> str:
    return reason.replace("did not answer them", "did not answer").replace("were refused", "was refused")


def _of_them(count: int, whole: int) -> str:
    return "all of them" if count == whole else f"{count:,} of them"


def _worst(facts: Facts) -> str:
    worst = max(facts.costs.items(), key=lambda item: item[1].failed, default=None)
    if worst is None or worst[1].failed * 2 <= facts.failed:
        return ""
    most = "most " if worst[1].failed < facts.failed else ""
    return f", {most}because of {worst[0]}"


def _some(part: int, whole: int) -> str:
    if part < whole:
        return f"{part:,} of {plural(whole, 'lookup')}"
    return {1: "The only lookup", 2: "Both lookups"}.get(whole, f"All {plural(whole, 'lookup')}")


def seconds_round(nanoseconds: int) -> str:
    """Whole seconds."""
    return f"{nanoseconds // 1_000_000_000} s"
