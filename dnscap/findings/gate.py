"""Capture quality as a judge of findings: what the capture lacks makes some of them less sure."""

from __future__ import annotations

from dataclasses import dataclass, field

LEAST_CONFIDENCE = 0.05
MOST_CONFIDENCE = 0.99

SHORT_SNAPLEN = 300
"""Octets of a frame that most responses need: headers of link, IPv6 and UDP, question, a few records."""

FEW_SILENT = 5
"""Lookups without an answer, none of them asked again, that do not yet show that the answers went another way."""

WITHHELD_BELOW = 0.25
"""A finding less sure than this is told as information only."""


@dataclass(slots=True)
class CaptureQuality:
    """What the capture lacks, as far as it bears on findings.

    Attributes
    ----------
    queries, responses, unsolicited : int
        Queries, responses paired with one, and responses without one.
    drops : int
        Packets that the capturing system says it dropped.
    cut : bool
        The capture ends inside a packet, or could not be read to its end.
    gaps : int
        Gaps in TCP connections.
    short : int
        Messages known only in part for the snap length.
    snaplen : int or None
        Octets kept of each frame at most, where that is too few for most responses.
    filtered : bool
        A capture filter is known that passes by later fragments and ICMP.
    silent, asked_again : int
        Lookups that got no answer, and those of them in which a question was sent more than once.
    """

    queries: int = 0
    responses: int = 0
    unsolicited: int = 0
    drops: int = 0
    cut: bool = False
    gaps: int = 0
    short: int = 0
    snaplen: int | None = None
    filtered: bool = False
    silent: int = 0
    asked_again: int = 0
    notes: list[str] = field(default_factory=list)

    def factor(self, what: str) -> float:
        """What remains of the confidence in a finding that rests on `what`.

        Parameters
        ----------
        what : {"silence", "headers", "content", "fragments", "errors", "habits"}
            Answers that did not come; codes and times of those that did, which any snap length leaves; what they say;
            fragments; ICMP errors; what many exchanges share.
        """
        left = 1.0
        if what == "silence":
            if self.drops:
                # Each packet that the capture lost may be an answer thought missing.
                missing = max(self.queries - self.responses, 1)
                left *= 0.2 if self.drops >= missing else 0.6
            if self.unsolicited > max(self.responses, 5) or self.one_way:
                left *= 0.2
            elif self.queries and not self.responses:
                left *= 0.5
            if self.gaps:
                left *= 0.9
        if what == "content" and self.short:
            left *= 0.7
        if what in ("content", "errors", "fragments") and self.snaplen:
            # Of answers, and of what TCP carries, little more than the question is left.
            left *= 0.2
        if what in ("fragments", "errors") and self.filtered:
            left *= 0.4
        if self.cut:
            left *= 0.95
        return left

    @property
    def one_way(self) -> bool:
        """Whether only queries are here, and those that asked must have been answered: nobody asked again."""
        return not self.responses and self.silent > FEW_SILENT and self.asked_again * 4 < self.silent

    def remarks(self) -> list[str]:
        """Sentences for people about what weakens the findings."""
        said = list(self.notes)
        if self.drops:
            said.append(
                f"the capturing system dropped {self.drops:,} packets: what looks unanswered may have been "
                "answered"
            )
        if self.unsolicited > max(self.responses, 5):
            said.append("most responses have no query here: the capture seems to see one direction only")
        elif self.one_way:
            said.append(
                "no response at all, and hardly a question was asked again: the capture sees one direction only"
            )
        elif self.queries and not self.responses:
            said.append("no response at all: either nothing answered, or the capture sees one direction only")
        if self.short:
            said.append(f"{self.short:,} messages are cut by the snap length")
        if self.snaplen:
            said.append(f"frames are cut to {self.snaplen} octets: what answers say is known only in part")
        if self.filtered:
            said.append("the capture filter passes by later fragments and ICMP errors")
        return said


def bounded(confidence: float) -> float:
    """A confidence above 0 and below 1, to two digits."""
    return round(min(max(confidence, LEAST_CONFIDENCE), MOST_CONFIDENCE), 2)
