"""What the view knows of a live capture: counts of all of it, rows of some of it; plain Python."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from dnscap.explain.explanation import Explanation
from dnscap.explain.saving import write_frames
from dnscap.findings import SEVERITIES
from dnscap.live.frame_ring import FrameRing, Traces
from dnscap.live.totals import RESPONSE, SLOW
from dnscap.live.view.following import FINAL, SETTLED, WAITING, Following, Row
from dnscap.live.view.pulse import Pulse
from dnscap.live.view.tops import ServerHealth, Tops
from dnscap.messages.arrow import NO_CODE
from dnscap.quality import COUNTS

if TYPE_CHECKING:
    from dnscap.findings.rule import Finding
    from dnscap.live.session import LiveBatch, Session

EVERY = 0.25
"""Seconds between two looks at open lookups."""

MOST_FINDINGS = 200
"""Findings remembered as they arose."""

LOST = [count for count in COUNTS if count.weight == "lost"]


class Watch:
    """Takes in batches of a session, in the thread that runs it, and tells what is shown, in any.

    Parameters
    ----------
    session : Session
        What is watched.
    ring : FrameRing, optional
        The frames of the session, for saving some.
    """

    def __init__(self, session: Session, ring: FrameRing | None = None) -> None:
        self.session = session
        self.source = session.feed.name
        self.lock = threading.RLock()
        """Held while rows change, and by those who read them."""
        self.pulse = Pulse()
        self.tops = Tops()
        self.findings: deque[tuple[int, Finding]] = deque(maxlen=MOST_FINDINGS)
        """When each arose, and what it is."""
        self.ended = False
        self.now = 0
        """The time in the capture, as of the latest look."""
        self.waiting = 0
        self.frames = 0
        self.lost: dict[str, int] = {}
        """Counts of capture quality that take something away from the picture."""
        self._ring = ring
        self._held: dict[int, tuple[bool, int, int]] = {}
        self._begun = 0
        self._lookups: Counter[str] = Counter()
        self._slow = 0
        self._next_look = 0.0
        self._next_quality = 0.0
        self.following = Following(
            session.totals.threshold if session.totals.threshold else SLOW,
            self.pulse.feed_wait,
            self.tops.feed_end,
            self._gone,
        )

    # ------------------------------------------------------------ taking in

    def step(self) -> bool:
        """Let the session go on a little; False once it has ended."""
        batch = self.session.step()
        if batch is not None:
            self.take(batch)
        if time.monotonic() >= self._next_look and not self.ended:
            self.look()
            self._next_look = time.monotonic() + EVERY
        return not self.ended

    def take(self, batch: LiveBatch) -> None:
        """Take in what the session gave."""
        with self.lock:
            for messages in batch.message_batches:
                self.tops.feed(messages)
                queries = (messages.column("flags") & RESPONSE) == 0
                queries &= messages.column("sighting_of") == NO_CODE
                self.pulse.feed_queries(np.asarray(messages.column("time"))[queries])
            self.following.feed(batch)
            for finding in batch.findings:
                self.findings.append((self.session.now, finding))
            if batch.last:
                self.ended = True
                self.following.waiting = []
                self.tops.finish()
                self._note()
                self._hold()

    def look(self) -> None:
        """Look at lookups that are open."""
        with self.lock:
            self.following.look(self.session)
            self._note()
            self._hold()

    def _note(self) -> None:
        session = self.session
        self.now = max(self.now, session.now)
        self.waiting = 0 if self.ended else session.waiting
        self.frames = session.frames
        self._begun = session.begun
        self._lookups = Counter(session.totals.lookups)
        self._slow = session.totals.slow
        if time.monotonic() >= self._next_quality or self.ended:
            self._next_quality = time.monotonic() + 4 * EVERY
            counts = session.quality
            self.lost = {count.name: n for count in LOST if (n := counts.get(count.name, 0))}

    def _hold(self) -> None:
        """See to it that the frames of troubled lookups stay."""
        if self._ring is not None:
            for row in self.following.troubled():
                ends = sum(item["latency"] is not None for item in row.sent)
                known = (row.state == FINAL, len(row.sent), ends)
                if row.sent and self._held.get(row.number) != known:
                    self._held[row.number] = known
                    self._ring.hold(row.number, Traces.of(row.as_lookup(), row.sent))

    def _gone(self, number: int) -> None:
        self._held.pop(number, None)
        if self._ring is not None:
            self._ring.release(number)

    # ------------------------------------------------------------ telling

    @property
    def dropped(self) -> int | None:
        """Frames that the kernel or the interface dropped; None where there is no telling."""
        counters = self.session.totals.counters
        return None if counters is None else counters.dropped + counters.interface_dropped

    @property
    def elapsed(self) -> float:
        """Seconds since the capture was begun."""
        started = self.session.started
        return 0.0 if started is None else time.monotonic() - started

    def outcomes(self) -> tuple[Counter[str], int]:
        """Lookups by outcome, those settled included, and how many are not told yet nor wait."""
        with self.lock:
            totals = self._lookups.copy()
            told = sum(totals.values())
            early = 0
            for row in self.following:
                if row.state == SETTLED or (row.state == FINAL and row.number >= told):
                    totals[row.outcome] += 1
                    early += 1
            rest = self._begun - told - early - self.waiting
            return totals, max(rest, 0)

    def slow(self) -> int:
        """Lookups that were slow, and those that wait for long."""
        with self.lock:
            told = sum(self._lookups.values())
            early = sum(row.slow for row in self.following.troubled() if row.number >= told)
            return self._slow + early

    def servers(self, count: int) -> list[ServerHealth]:
        """Servers within the last minute."""
        with self.lock:
            return self.tops.servers(self.now, count, self.following.waiting)

    def most(self, what: str, count: int) -> tuple[list[tuple[str, int]], int]:
        """The most frequent names or clients within the last minute, with how often, and the sum of all."""
        with self.lock:
            return self.tops.most(what, self.now, count)

    def worst_findings(self) -> list[Finding]:
        """What is wrong as far as is known now: judged findings, and those that arose and are not judged yet."""
        with self.lock:
            judged = [finding for finding in self.session.findings if finding.severity != "info"]
            known = {(finding.id, finding.subject) for finding in judged}
            early = [one for _, one in self.findings if (one.id, one.subject) not in known]
            unique = {(one.id, one.subject): one for one in early}
            everything = [*judged, *unique.values()]
            return sorted(everything, key=lambda one: -SEVERITIES.index(one.severity))

    # ------------------------------------------------------------ one lookup

    def explanation(self, number: int) -> Explanation | None:
        """A lookup explained as far as it is known now; None where it is shown no more."""
        with self.lock:
            row = self.following.get(number)
            if row is None:
                return None
            lookup = row.as_lookup()
            sent = self._sent(row)
        if row.state == WAITING:
            lookup = lookup | {"duration": row.took}
        return Explanation(lookup, sent)

    def _sent(self, row: Row) -> list[dict[str, Any]]:
        """Its queries, from what is kept for findings where it was over too soon to be followed."""
        if row.sent:
            final = row.state == FINAL
            return [
                item | {"outcome": "unanswered"} if final and item["outcome"] == "waiting" else item
                for item in row.sent
            ]
        kept = self.session.diagnosis.keeper.kept.get(row.number)
        return [dict(item) for item in kept.exchanges] if kept is not None else []

    def marked(self) -> list[Row]:
        """Marked rows, in order of time."""
        with self.lock:
            return sorted(
                (row for row in self.following.troubled() if row.marked), key=lambda row: row.number
            )

    def save(self, numbers: Sequence[int], stream: BinaryIO) -> int:
        """Write the frames of some lookups as pcapng; gives how many."""
        with self.lock:
            rows = [row for number in numbers if (row := self.following.get(number)) is not None]
            wanted = {row.number: Traces.of(row.as_lookup(), self._sent(row)) for row in rows}
        found = self._ring.frames_of(wanted) if self._ring is not None else []
        names = ", ".join(f"lookup {row.number} of {row.name}" for row in rows[:8])
        more = f" and {len(rows) - 8} more" if len(rows) > 8 else ""
        return write_frames(stream, found, f"{names}{more}")
