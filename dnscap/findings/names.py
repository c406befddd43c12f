"""What the names tell: aliases that loop or dangle, long chains, typing errors, internal names outside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from dnscap.findings.asked_names import NameTally
from dnscap.findings.costs import Cost
from dnscap.findings.gate import bounded
from dnscap.findings.rule import MOST_EVIDENCE, Case, Facts, Finding, Rule, plural

LONG_CHAIN = 3
"""Aliases in a chain before it is called long: each may cost the resolver a walk of its own."""

POPULAR = 3
"""Lookups of a name before a likely misspelling of it is called one."""

_MOST_ABSENT = 200
_MOST_POPULAR = 300
_SHORTEST = 6
"""Letters of a name that can be called a misspelling of another: short names are alike by chance."""


class _Alias(Rule):
    certainty = 0.85
    rests_on = "content"

    def subject(self, case: Case, facts: Facts) -> str | None:
        name: str | None = case.kept.row["name"]
        return name


class CnameLoop(_Alias):
    """Aliases lead back to where they began."""

    id = "cname-loop"
    causes = ("cname-loop",)
    explanation = "The CNAME records of this name lead in a circle, so it can never be resolved."
    remedy = "Correct the CNAME records of the names in the chain."
    disproved_by = "An address at the end of the chain in an answer of the zone's own server."

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        return f"The aliases of {subject} lead in a circle: {plural(cost.lookups, 'lookup')} affected"


class DanglingCname(_Alias):
    """An alias points to a name that does not exist."""

    id = "dangling-cname"
    causes = ("dangling-cname",)
    explanation = (
        "The CNAME record of this name points to one that does not exist. Beside failing, it can be taken "
        "over by whoever may register the target."
    )
    remedy = "Remove the CNAME record or create its target."
    disproved_by = "An address for the target from its zone's own server."

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        return (
            f"The alias of {subject} points to a name that does not exist: {plural(cost.lookups, 'lookup')} "
            "affected"
        )


class LongCnameChain(Rule):
    """An answer leads through many aliases."""

    id = "long-cname-chain"
    rests_on = "content"
    certainty = 0.95
    explanation = (
        "The answer leads through a chain of aliases. Each link may lie in another zone and cost the "
        "resolver another walk when it is not cached."
    )
    remedy = "Point the first alias at the last target where both are yours."
    disproved_by = "A shorter chain in later answers: content networks change theirs."

    def find(self, facts: Facts) -> Iterator[Finding]:
        """Give one finding if chains are long."""
        long = [k for k in facts.kept if k.aliases > LONG_CHAIN and k.row["outcome"] == "ok"]
        if not long:
            return
        long.sort(key=lambda k: -k.aliases)
        worst = long[0].row
        cost = Cost(len(long), 0, 0.0, 0)
        yield self.finding(
            facts,
            worst["name"],
            cost,
            long,
            causes=[],
            confidence=self.confidence(cost, facts),
            severity="info",
        )

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        return (
            f"Answers lead through more than {LONG_CHAIN} aliases, those of {subject} through most: "
            f"{plural(cost.lookups, 'lookup')}"
        )


class TypoNxdomain(Rule):
    """A name that does not exist is one letter off a name that does."""

    id = "nxdomain-typo"
    rests_on = "content"
    certainty = 0.4
    explanation = (
        "A name that does not exist differs by a letter or two from one that is often resolved here: most "
        "likely it is misspelt somewhere."
    )
    remedy = "Look for the misspelt name in configuration and code."
    disproved_by = "Both names being meant, as with numbered hosts."

    def find(self, facts: Facts) -> Iterator[Finding]:
        """Give one finding a misspelt name."""
        names: NameTally | None = facts.names
        if names is None:
            return
        popular: dict[int, list[str]] = {}
        for name, count in names.resolved.most_common(_MOST_POPULAR):
            if count >= POPULAR:
                popular.setdefault(name.count("."), []).append(name)
        for absent, count in names.absent.most_common(_MOST_ABSENT):
            kept = facts.named(absent)
            if not kept:
                continue
            meant = next(
                (name for name in popular.get(absent.count((".")), ()) if is_misspelt(absent, name)), None
            )
            if meant is None:
                continue
            cost = Cost(count, 0, 0.0, sum(k.row["queries"] or 0 for k in kept))
            finding = self.finding(
                facts, absent, cost, kept, causes=[], confidence=self.confidence(cost, facts), severity="info"
            )
            finding.title = f"{absent} does not exist; {meant} does and may be meant"
            yield finding

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        return f"{subject} does not exist"


class InternalNameLeak(Rule):
    """Internal names are asked of resolvers outside."""

    id = "internal-name-leak"
    certainty = 0.8
    explanation = (
        "Names that mean something only inside (private suffixes, cluster names, reverse zones of private "
        "addresses) are asked of resolvers on the public Internet. They tell outsiders about the inside, "
        "and cost a useless round trip."
    )
    remedy = (
        "Resolve internal names by internal servers (split DNS), and keep the search list away from clients "
        "that ask outside."
    )
    disproved_by = "That address being an internal resolver with a public address."

    def find(self, facts: Facts) -> Iterator[Finding]:
        """Give one finding an outside server."""
        names: NameTally | None = facts.names
        if names is None or not names.leaks:
            return
        for server, count in Counter(server for server, _ in names.leaks).most_common():
            told = [(name, numbers) for (to, name), numbers in names.leaks.items() if to == server]
            kept = [k for k in facts.kept if server in (k.row["servers"] or ())][:3]
            finding = self.finding(
                facts,
                server,
                Cost(count, 0, 0.0, count),
                kept,
                causes=[],
                confidence=bounded(self.certainty),
                severity="medium" if count >= 5 else "low",
            )
            finding.title += f", such as {told[0][0]}"
            finding.evidence = [f"exchange:{exchange}" for _, (exchange, _) in told[: MOST_EVIDENCE[1]]]
            finding.evidence += facts.origins.all_told((frame for _, (_, frame) in told), MOST_EVIDENCE[2])
            yield finding

    def title(self, subject: str | None, cost: Cost, facts: Facts) -> str:
        return f"{plural(cost.queries, 'internal name')} told to {subject} outside"


def is_misspelt(absent: str, name: str) -> bool:
    """Whether a name is another with one or two letters wrong, and not merely numbered differently.

    Examples
    --------
    >>> is_misspelt("wwww.example.com.", "www.example.com.")
    True
    >>> is_misspelt("node7.example.com.", "node3.example.com.")
    False
    """
    if absent == name or abs(len(absent) - len(name)) > 2 or len(name) < _SHORTEST:
        return False
    if absent.count(".") != name.count("."):
        return False
    one, two = absent.translate(_NO_DIGITS), name.translate(_NO_DIGITS)
    return one != two and _distance_at_most(absent, name, 2 if len(name) > 12 else 1)


_NO_DIGITS = str.maketrans("", "", "0123456789")


def _distance_at_most(one: str, two: str, most: int) -> bool:
    """Whether `most` insertions, deletions, replacements or swaps turn one text into the other."""
    start = 0
    shorter = min(len(one), len(two))
    while start < shorter and one[start] == two[start]:
        start += 1
    end = 0
    while end < shorter - start and one[-1 - end] == two[-1 - end]:
        end += 1
    one, two = one[start : len(one) - end], two[start : len(two) - end]
    if len(one) > 2 * most + 2 or len(two) > 2 * most + 2:
        # What differs spans more letters than so few changes reach, unless they lie far apart.
        return _far_apart(one, two, most)
    return _distance(one, two) <= most


def _far_apart(one: str, two: str, most: int) -> bool:
    return len(one) == len(two) and sum(a != b for a, b in zip(one, two, strict=True)) <= most


def _distance(one: str, two: str) -> int:
    before: list[int] = []
    row = list(range(len(two) + 1))
    for i, a in enumerate(one, 1):
        following = [i]
        for j, b in enumerate(two, 1):
            best = min(row[j] + 1, following[j - 1] + 1, row[j - 1] + (a != b))
            if i > 1 and j > 1 and a == two[j - 2] and one[i - 2] == b:
                best = min(best, before[j - 2] + 1)
            following.append(best)
        before, row = row, following
    return row[-1]


RULES = (CnameLoop(), DanglingCname(), LongCnameChain(), TypoNxdomain(), InternalNameLeak())
