"""Verdicts over single lookups; see verdicts.pxd.

A verdict looks only at the lookup's own attempts and at what is known of its servers, so it can be given as soon as the
lookup is over, and does not change with what follows.
"""
from libc.stdint cimport INT64_MAX, int16_t, int64_t, uint8_t, uint32_t
from libc.string cimport memset

from dnscap.native.attempts cimport *
from dnscap.native.budget cimport account, cause_of, second_of_pair, spend
from dnscap.native.datagrams cimport TRANSPORT_TCP
from dnscap.native.exchanges cimport (
    EXCHANGE_EDNS, NO_LOOKUP, OUTCOME_ANSWER, OUTCOME_FORMERR, OUTCOME_NOTIMP, OUTCOME_NXDOMAIN,
    OUTCOME_OPEN, OUTCOME_OTHER_RCODE, OUTCOME_REFERRAL, OUTCOME_REFUSED, OUTCOME_SERVFAIL, OUTCOME_TRUNCATED,
    OUTCOME_UNREACHABLE,
)
from dnscap.native.losses cimport weigh_pairs
from dnscap.native.stubs cimport STUB_CARES, Profile, profile
from dnscap.native.upstreams cimport Upstream, upstream_causes
from dnscap.native.weighing cimport *

cdef enum:
    TYPE_A = 1
    TYPE_AAAA = 28
    LINEAR = 4                 # SYNs that are sent again at equal distance (tcp_syn_linear_timeouts)

cdef int64_t WIDEST = 5900000000   # a span wider than this says nothing
cdef int64_t SHORTEST = 1000000000  # the shortest wait that resolv.conf can ask for
cdef int64_t COMMON = 5000000000   # what most stubs wait for a connection
cdef int64_t LONGEST_DIAL = 137000000000   # more than the 127 s after which Linux gives up a connection (tcp_syn_retries)
cdef int64_t LONGEST = 86400000000000      # a day: no lookup takes as long, and a clock that says so is not believed


cdef inline int64_t near(const Lookup* l, int64_t time) noexcept nogil:
    return min(max(time, l.time - LONGEST), l.time + LONGEST)


cdef void bound_times(Lookup* l) noexcept nogil:
    """Take times of a clock that leapt for ones near the lookup, so that sums of any waits stay within bounds."""
    cdef uint32_t i
    cdef Attempt* a
    cdef Dial* d
    for i in range(l.attempt_count):
        a = &l.attempts[i]
        a.time = near(l, a.time)
        if a.answered >= 0:
            a.answered = near(l, a.answered)
    for i in range(l.dial_count):
        d = &l.dials[i]
        d.time = near(l, d.time)
        d.last = near(l, d.last)
        if d.ended >= 0:
            d.ended = near(l, d.ended)
    l.last = near(l, l.last)


cdef void pair_again(Lookup* l) noexcept nogil:
    """Give the answers of a query sent several times to the transmissions that most likely drew them.

    Answers are matched in order.  Where fewer came than queries were sent, something was lost, and an answer belongs
    to the last transmission before it rather than to the first.
    """
    cdef uint32_t i, j, sent, came, k
    cdef Attempt* a
    cdef Attempt* b
    cdef Attempt* to
    for i in range(l.attempt_count):
        a = &l.attempts[i]
        if a.first != <uint32_t>a.exchange or a.transport == TRANSPORT_TCP:
            continue
        sent = came = 0
        for j in range(i, l.attempt_count):
            b = &l.attempts[j]
            if b.first == a.first:
                sent += 1
                if b.answered >= 0:
                    came += 1
        if sent < 2 or came == 0 or came == sent:
            continue
        # From the last answer back: each moves to the latest unanswered transmission that was sent before it.
        for j in range(l.attempt_count):
            k = l.attempt_count - 1 - j
            b = &l.attempts[k]
            if b.first != a.first or b.answered < 0 or b.outcome == OUTCOME_UNREACHABLE:
                continue
            to = NULL
            for k in range(k + 1, l.attempt_count):
                if l.attempts[k].first == a.first and l.attempts[k].answered < 0 and l.attempts[k].time <= b.answered + STEP:
                    to = &l.attempts[k]
            if to != NULL:
                to.answered = b.answered
                to.outcome = b.outcome
                to.rcode = b.rcode
                to.flags |= b.flags & ~ATTEMPT_BOGUS
                b.answered = -1
                b.outcome = OUTCOME_OPEN
                b.flags &= ATTEMPT_BOGUS


cdef void ask(Work* w, Lookup* l) noexcept nogil:
    """List the questions and what became of each."""
    cdef uint32_t i, j
    cdef Attempt* a
    cdef Question* q
    cdef int64_t again
    cdef bint everyone = profile(l.end.stub).all_servers != 0
    w.question_count = 0
    for i in range(l.attempt_count):
        a = &l.attempts[i]
        q = NULL
        for j in range(w.question_count):
            if w.questions[j].qtype == a.qtype and w.questions[j].candidate == a.candidate:
                q = &w.questions[j]
                break
        if q == NULL:
            if w.question_count == MOST_QUESTIONS:
                continue
            q = &w.questions[w.question_count]
            w.question_count += 1
            memset(q, 0, sizeof(Question))
            q.qtype = a.qtype
            q.candidate = a.candidate
            q.winner = -1
            q.first = <int16_t>i
            q.begun = a.time
            q.settled = -1
        q.last = <int16_t>i
        if usable(w, a):
            # Asked anew after an answer (glibc, for both families or a larger buffer): the last one counts.  Where all
            # servers are asked at once, one may have answered before the next was asked: that is not anew.
            if q.winner < 0 or a.answered < q.settled or a.time >= q.settled and not (everyone and a.time - q.begun < TOGETHER):
                q.winner = <int16_t>i
                q.settled = a.answered
            q.resolved = 1
        elif failure(a):
            again = after(l, i)
            if again >= 0 and again - a.answered > ROUND:
                q.patient = 1
        if a.answered >= 0 and a.flags & ATTEMPT_FRAGMENT:
            q.cut = 1
    for j in range(w.question_count):
        q = &w.questions[j]
        if q.resolved:
            continue
        for i in range(l.attempt_count):
            a = &l.attempts[i]
            if a.qtype != q.qtype or a.candidate != q.candidate:
                continue
            if a.flags & ATTEMPT_LED:
                continue
            if (a.answered < 0 or a.flags & ATTEMPT_LATE) and a.time >= l.attempts[q.last].time - TOGETHER:
                q.open = 1
            elif a.answered > q.settled:
                q.settled = a.answered
                q.failed = 1


cdef void give_up(Work* w, Lookup* l) noexcept nogil:
    """Mark answers that came when the stub had given up: its host says so, or the waits it showed before do."""
    cdef Question* q
    cdef Attempt* a
    cdef uint32_t i, j
    cdef int64_t gap, start, until
    cdef bint changed = False, rejected, taken
    cdef int64_t heard = -1
    for i in range(l.attempt_count):
        a = &l.attempts[i]
        if a.answered >= 0 and not a.flags & ATTEMPT_REJECTED:
            heard = max(heard, a.answered)
        if a.outcome == OUTCOME_TRUNCATED:
            heard = INT64_MAX      # it closed that socket to go on over TCP
    for j in range(w.question_count):
        q = &w.questions[j]
        if not q.resolved and not q.failed:
            continue
        rejected = taken = False
        for i in range(l.attempt_count):
            a = &l.attempts[i]
            if a.qtype == q.qtype and a.candidate == q.candidate and a.answered >= 0:
                if a.flags & ATTEMPT_REJECTED:
                    rejected = True
                else:
                    taken = True
        # A stub also closes its socket at an answer that ends the lookup; it has asked nothing since then.  And what was
        # rejected may be a second copy, made on the way: no timer is up when a copy comes.
        if rejected and not taken and heard < l.attempts[l.attempt_count - 1].time:
            gap = observed(l, q, &start)
            until = l.attempts[q.last].time + (gap if gap > 0 else SHORTEST) - SLACK
            for i in range(l.attempt_count):
                a = &l.attempts[i]
                if a.qtype == q.qtype and a.candidate == q.candidate and a.flags & ATTEMPT_REJECTED and a.answered > until:
                    a.flags |= ATTEMPT_LATE
                    changed = True
            continue
        if q.last == q.first:
            continue
        gap = observed(l, q, &start)
        if gap < 0:
            continue
        until = l.attempts[q.last].time + gap + gap // 4 + SLACK
        if l.end.stub == STUB_CARES:
            until += gap
        if q.settled <= until:
            continue
        for i in range(l.attempt_count):
            a = &l.attempts[i]
            if a.qtype == q.qtype and a.candidate == q.candidate and a.answered > until:
                a.flags |= ATTEMPT_LATE
                changed = True
    if changed:
        ask(w, l)


cdef int64_t observed(const Lookup* l, const Question* q, int64_t* start) noexcept nogil:
    """How long the stub waits for an answer, by what it did before in this lookup; -1 where it did nothing of the kind.

    `start` becomes the begin of its last round.
    """
    cdef const Attempt* last = &l.attempts[q.last]
    cdef const Attempt* a
    cdef uint32_t i
    cdef int64_t gap = -1, same = -1, other = -1, before = -1, same_before = -1
    start[0] = q.begun
    for i in range(l.attempt_count):
        a = &l.attempts[i]
        if a.qtype != q.qtype or a.candidate != q.candidate:
            continue
        if before < 0:
            before = a.time
        elif a.time - before > ROUND:
            gap = a.time - before
            # The wait belongs to the server (glibc): take the one that followed the same server before.
            if same_before >= 0 and same < 0:
                same = a.time - same_before
            same_before = -1
            before = a.time
            start[0] = a.time
        if same_server(a, last) and i != <uint32_t>q.last and same_before < 0:
            same_before = before
    if same > 0:
        return same
    if gap > 0:
        return gap
    before = -1
    for i in range(l.attempt_count):
        a = &l.attempts[i]
        if before >= 0 and a.time - before > ROUND and (other < 0 or a.time - before < other):
            other = a.time - before
        before = a.time
    return other


cdef bint left_before(const Lookup* l, int16_t last, const ServerNote* notes) noexcept nogil:
    """Whether other lookups saw the server leave queries like this one without an answer."""
    cdef const Attempt* a = &l.attempts[last]
    cdef const ServerNote* n
    cdef uint32_t i, own = 0, own_aaaa = 0
    if a.note == NO_NOTE:
        return False
    n = &notes[a.note]
    for i in range(l.attempt_count):
        if l.attempts[i].note == a.note:
            own += 1
            own_aaaa += l.attempts[i].qtype == TYPE_AAAA
    return n.lost_second + n.lost_other > 0 or n.answered == 0 and n.asked > own \
        or a.qtype == TYPE_AAAA and n.answered_aaaa == 0 and n.asked_aaaa > own_aaaa


cdef int64_t dialled(const Lookup* l, int64_t* most) noexcept nogil:
    """When the stub gave up the connection that never opened; -1 where there is none."""
    cdef const Dial* d = NULL
    cdef uint32_t i, j
    cdef int64_t gap = 1000000000
    for i in range(l.dial_count):
        if l.dials[i].ended < 0:
            d = &l.dials[i]
    if d == NULL:
        return -1
    if 2 < d.syns <= 1 + LINEAR and d.last - d.time < 13 * gap * (d.syns - 1) // 10:
        # Linux 6.5 and later: the first resends are a second apart.
        most[0] = d.last + gap + gap // 20 + 500000000
        return d.last + gap
    if d.syns > 2:
        # A blocking connect: the kernel doubles its wait (1, 2, 4 ... s), the last wait being twice the one before.
        while gap < LONGEST_DIAL and gap * 3 < d.last - d.time:
            gap *= 2
        gap *= 2
        most[0] = d.last + gap + gap // 20 + 500000000
        return d.last + gap
    # A timer of the stub: as it waited for the connection before.
    for i in range(l.dial_count):
        if &l.dials[i] == d:
            break
        for j in range(l.attempt_count):
            if l.attempts[j].time > l.dials[i].time + ROUND:
                most[0] = d.time + l.attempts[j].time - l.dials[i].time + SLACK
                return d.time + l.attempts[j].time - l.dials[i].time
    most[0] = d.time + WIDEST
    return d.time + COMMON


cdef void release(Work* w, Lookup* l, const Surroundings* s) noexcept nogil:
    """When the application was released: the last of what its stub waited for."""
    cdef const Profile* p = profile(l.end.stub)
    cdef Question* q
    cdef uint32_t i, j
    cdef int64_t at, least, most, start, gap
    cdef uint8_t final = <uint8_t>(l.candidate_count - 1), basis
    cdef bint sure
    w.release = l.time
    w.least = w.most = l.time
    w.basis = END_PACKET
    for i in range(w.question_count):
        q = &w.questions[i]
        if q.candidate != final:
            continue
        basis = END_PACKET
        if q.resolved:
            at = least = most = q.settled
        else:
            most = -1
            at = -1
            if l.dial_count and l.attempts[q.last].outcome == OUTCOME_TRUNCATED:
                at = dialled(l, &most)
                if at >= 0:
                    basis = END_TIMER
                    least = at - 6 * SLACK
                else:
                    # Refused: the failure is the end.
                    at = q.settled
                    for j in range(l.dial_count):
                        if l.dials[j].refused and l.dials[j].ended > at:
                            at = l.dials[j].ended
                    least = most = at
            elif not q.open and not q.patient and not (p.all_families and q.failed) and not q.cut:
                at = least = most = q.settled
            else:
                basis = END_TIMER
                gap = observed(l, q, &start)
                sure = gap > 0
                if not sure:
                    gap = p.wait
                at = start + gap
                if sure:
                    least = at - SLACK - gap // 20
                    most = at + SLACK + gap // 10
                    if l.end.stub == STUB_CARES:
                        most = at + min(gap + SLACK, <int64_t>(WIDEST - SLACK - gap // 20 - SLACK))
                else:
                    # Nothing tells what this one waits; from at once to what most do.
                    least = max(l.last, start)
                    most = max(at + gap // 10, least + WIDEST)
                    if most - least > WIDEST:
                        least = most - WIDEST
                # The client went on with its next lookup: this one was over, unless it runs several at a time.
                # No stub gives up sooner than its shortest timer: a lookup that begins before that runs beside this one.
                if l.next_start >= 0 and l.next_start > l.last and l.next_start < at and l.next_start - start > ROUND:
                    if sure and at - l.next_start <= SLACK:
                        pass
                    else:
                        basis = END_NEXT_LOOKUP
                        least = max(l.last, l.next_start - WIDEST)
                        at = l.next_start
                        if most - least > WIDEST:
                            most = least + WIDEST
                elif l.next_start >= 0 and l.next_start >= at and most > l.next_start and not sure:
                    most = l.next_start
                if q.open and not sure and s.now - l.attempts[q.last].time < UNFINISHED \
                        and l.attempt_count == <uint32_t>w.question_count \
                        and (s.cut or not left_before(l, q.last, s.notes)):
                    basis = END_UNKNOWN
                    at = max(s.now, l.last)
                    least = at
                    most = least + WIDEST
        if least > w.least:
            w.least = least
        if most > w.most:
            w.most = most
        if at > w.release or at == w.release and basis != END_PACKET:
            w.release = at
            w.basis = basis
    if w.basis == END_PACKET:
        w.least = w.most = w.release
    else:
        w.least = min(w.least, w.release)
        w.most = max(w.most, w.release)


cdef uint8_t outcome(Work* w, Lookup* l, const Surroundings* s) noexcept nogil:
    """What the application got."""
    cdef const Profile* p = profile(l.end.stub)
    cdef Question* q
    cdef const Attempt* a
    cdef uint32_t i, j
    cdef uint8_t final = <uint8_t>(l.candidate_count - 1)
    cdef bint ok = False, nodata = False, out = False, cut = False, truncated = False
    cdef bint first_out = False, first_failed = False
    cdef int16_t begun = -1        # the attempt that the final name was first asked with
    cdef uint8_t bad = OUTCOME_OPEN, walk = OUTCOME_OPEN
    for i in range(w.question_count):
        q = &w.questions[i]
        if q.candidate == final and (begun < 0 or q.first < begun):
            begun = q.first
    for i in range(w.question_count):
        q = &w.questions[i]
        if q.candidate != final:
            # A candidate that could not be looked up makes the whole walk inconclusive.
            if not q.resolved and q.failed and l.attempts[q.last].outcome == OUTCOME_SERVFAIL:
                walk = OUTCOME_SERVFAIL
            continue
        if q.resolved:
            a = &l.attempts[q.winner]
            if a.outcome == OUTCOME_ANSWER:
                ok = True
            elif a.outcome == OUTCOME_NXDOMAIN:
                pass                # what is said where nothing better was heard
            elif a.outcome == OUTCOME_TRUNCATED:
                if a.flags & ATTEMPT_WANTED:
                    ok = True
                else:
                    nodata = True
            else:
                nodata = True
        elif q.cut:
            cut = True
        elif q.open:
            out = True
            first_out |= q.first == begun
        else:
            a = &l.attempts[q.last]
            first_failed |= q.first == begun
            if a.outcome == OUTCOME_TRUNCATED:
                truncated = True
            elif q.patient and (a.outcome == OUTCOME_FORMERR or a.outcome == OUTCOME_NOTIMP):
                out = True         # it never took the answer for one
            elif a.answered >= 0 and (bad == OUTCOME_OPEN or bad == OUTCOME_UNREACHABLE):
                bad = a.outcome
    if ok and not (p.all_families and (out or bad != OUTCOME_OPEN)) and not (p.first_counts and first_out and w.basis != END_UNKNOWN):
        return LOOKUP_OK
    if p.first_counts and first_failed and nodata and bad == OUTCOME_SERVFAIL and walk == OUTCOME_OPEN:
        return LOOKUP_NODATA       # that the other family has no records is taken for the whole answer
    if walk != OUTCOME_OPEN:
        bad = walk
    if w.basis == END_UNKNOWN:
        return LOOKUP_UNFINISHED
    if truncated:
        for j in range(l.dial_count):
            if l.dials[j].ended < 0:
                return LOOKUP_TIMEOUT
        return LOOKUP_UNREACHABLE
    if bad == OUTCOME_SERVFAIL or bad == OUTCOME_OTHER_RCODE or bad == OUTCOME_REFERRAL:
        return LOOKUP_SERVFAIL
    if bad == OUTCOME_REFUSED:
        return LOOKUP_REFUSED
    if bad == OUTCOME_FORMERR:
        return LOOKUP_FORMERR
    if bad == OUTCOME_NOTIMP:
        return LOOKUP_NOTIMP
    if out or cut:
        return LOOKUP_TIMEOUT
    if bad == OUTCOME_UNREACHABLE:
        return LOOKUP_UNREACHABLE
    # One family may be said not to exist where the other does: the name exists then.
    return LOOKUP_NODATA if nodata else LOOKUP_NXDOMAIN


cdef bint chosen(const Work* w) noexcept nogil:
    cdef uint32_t i
    for i in range(CAUSE_COLD_RECURSION, CAUSES):
        if w.forced[i]:
            return True
    return w.forced[CAUSE_CNAME_LOOP] != 0


cdef void explain(Work* w, Lookup* l, const Surroundings* s, bint failed) noexcept nogil:
    """Where the far side of the resolver is in the capture and tells more, let its causes stand for the near side's."""
    cdef int64_t[39] cost
    cdef uint32_t i
    cdef uint32_t most = 0
    cdef int64_t top = 0, near = 0
    memset(cost, 0, sizeof(cost))
    if not upstream_causes(<const Upstream*>s.upstream, l, l.time, w.release, failed, cost, w.forced):
        return
    for i in range(CAUSE_COLD_RECURSION, CAUSES):
        if cost[i] > top:
            top = cost[i]
            most = i
    if failed and top > 0 and not chosen(w):
        w.forced[most] = 1     # it comes before the failure that it led to
    for i in range(CAUSE_COLD_RECURSION, CAUSES):
        # Small parts of the whole are no reason.
        if cost[i] >= (top + 3) // 4:
            w.cost[i] += cost[i]
    for i in range(CAUSE_COLD_RECURSION):
        if i == CAUSE_SLOW_ANSWER or i == CAUSE_NO_ANSWER or i == CAUSE_NAMESERVER_TIMEOUT or i == CAUSE_PACKET_LOSS \
                or i == CAUSE_PAIR_RACE:
            near = max(near, w.cost[i])
            w.cost[i] = 0
            w.forced[i] = 0
    if near >= COSTS and 0 < top < COSTS and not chosen(w):
        # Several small parts make up what was slow: the greatest of them stands for it.
        w.cost[most] = near


cdef bint half(const Work* w, const Lookup* l) noexcept nogil:
    """Whether the application got the addresses of one family, and an error in place of the others."""
    cdef uint32_t j
    cdef const Question* q
    cdef bint found = False, failed = False
    for j in range(w.question_count):
        q = &w.questions[j]
        if q.candidate != <uint8_t>(l.candidate_count - 1) or q.qtype != TYPE_A and q.qtype != TYPE_AAAA:
            continue
        if q.resolved:
            found |= l.attempts[q.winner].outcome == OUTCOME_ANSWER
        else:
            failed |= failure(&l.attempts[q.last])
    return found and failed


cdef void name_causes(Work* w, Lookup* l, const Surroundings* s) noexcept nogil:
    cdef uint32_t i, j, n = 0
    cdef int64_t duration = w.release - l.time, top
    cdef uint8_t best, final = <uint8_t>(l.candidate_count - 1)
    cdef Question* q
    cdef bint failed = l.end.outcome != LOOKUP_OK and l.end.outcome != LOOKUP_UNFINISHED, several = False, answered = False
    cdef const Attempt* a
    for i in range(l.attempt_count):
        a = &l.attempts[i]
        if not same_server(a, &l.attempts[0]):
            several = True
        if a.answered >= 0 and a.outcome != OUTCOME_UNREACHABLE and not a.flags & ATTEMPT_LATE:
            answered = True
    if failed:
        for j in range(w.question_count):
            q = &w.questions[j]
            if q.candidate != final and not (not q.resolved and q.failed):
                continue
            a = &l.attempts[q.last]
            if q.resolved:
                a = &l.attempts[q.winner]
                if a.outcome == OUTCOME_TRUNCATED:
                    w.forced[CAUSE_TRUNCATION] = 1         # taken as it came: what was wanted may have been cut away
                elif a.flags & ATTEMPT_LOOP:
                    w.forced[CAUSE_CNAME_LOOP] = 1
                elif a.flags & ATTEMPT_ALIAS and not a.flags & ATTEMPT_WANTED:
                    w.forced[CAUSE_DANGLING_CNAME] = 1
            elif q.cut:
                w.forced[CAUSE_FRAGMENTS_LOST] = 1
            elif a.outcome == OUTCOME_TRUNCATED:
                w.forced[CAUSE_TRUNCATION] = 1
                w.forced[CAUSE_TCP_BLOCKED] = 1
            elif a.flags & ATTEMPT_CLOSED:
                w.forced[CAUSE_TCP_BLOCKED] = 1
                w.forced[CAUSE_TRUNCATION] = 1
            elif a.flags & ATTEMPT_LOOP:
                w.forced[CAUSE_CNAME_LOOP] = 1
            elif failure(a) and not a.flags & ATTEMPT_LATE:
                w.forced[cause_of(a.outcome)] = 1
            elif a.outcome == OUTCOME_UNREACHABLE:
                w.forced[CAUSE_SERVER_UNREACHABLE] = 1
            elif q.open and not answered:
                w.forced[CAUSE_NO_ANSWER] = 1
                if several:
                    w.cost[CAUSE_NAMESERVER_TIMEOUT] = w.cost[CAUSE_NO_ANSWER]
    if failed and l.end.outcome != LOOKUP_NXDOMAIN and l.end.outcome != LOOKUP_NODATA or duration >= COSTS:
        explain(w, l, s, failed and l.end.outcome != LOOKUP_NXDOMAIN and l.end.outcome != LOOKUP_NODATA)
    for i in range(CAUSES):
        if w.forced[i]:
            w.cost[i] = max(w.cost[i], duration + (i >= CAUSE_CNAME_LOOP))
    if l.end.outcome == LOOKUP_UNFINISHED:
        return
    while n < MOST_CAUSES:
        best = NO_CAUSE
        top = 0
        for i in range(CAUSES):
            if (w.cost[i] >= COSTS or w.forced[i]) and (best == NO_CAUSE or w.cost[i] > top):
                best = <uint8_t>i
                top = w.cost[i]
        if best == NO_CAUSE:
            break
        w.cost[best] = 0
        w.forced[best] = 0
        l.end.causes[n] = best
        n += 1
    if n < MOST_CAUSES and l.end.outcome == LOOKUP_OK and half(w, l):
        l.end.causes[n] = CAUSE_PARTIAL_ANSWER     # it costs no time, and so comes last
        n += 1
    l.end.cause_count = <uint8_t>n


cdef void count(Work* w, Lookup* l) noexcept nogil:
    cdef uint32_t i, followed = 0
    cdef Attempt* a
    cdef uint8_t final = <uint8_t>(l.candidate_count - 1)
    for i in range(l.attempt_count):
        a = &l.attempts[i]
        if a.role == ROLE_RETRANSMISSION:
            l.end.retransmissions += 1
        elif a.role == ROLE_FAILOVER:
            l.end.failovers += 1
        elif a.role == ROLE_TCP_FALLBACK:
            l.end.tcp_fallback = 1
        elif a.role == ROLE_EDNS_FALLBACK:
            l.end.edns_fallback = 1
        if a.role == ROLE_RETRANSMISSION or (a.candidate != final and l.end.outcome == LOOKUP_OK):
            l.end.wasted += 1
        followed += a.exchange != NO_LOOKUP
    l.end.wasted += l.queries - followed
    if l.dial_count:
        for i in range(l.attempt_count):
            if l.attempts[i].outcome == OUTCOME_TRUNCATED:
                l.end.tcp_fallback = 1


cdef void weigh_losses(Lookup* l, ServerNote* notes) noexcept nogil:
    cdef uint32_t i, j
    cdef const Attempt* a
    cdef const Attempt* b
    pair_again(l)
    weigh_pairs(l, notes)
    for i in range(l.attempt_count):
        a = &l.attempts[i]
        if a.answered >= 0 or a.transport == TRANSPORT_TCP or a.flags & ATTEMPT_BOGUS or a.note == NO_NOTE:
            continue
        for j in range(i + 1, l.attempt_count):
            b = &l.attempts[j]
            if b.qtype == a.qtype and b.candidate == a.candidate and b.answered >= 0 and same_server(a, b) \
                    and (a.sent ^ b.sent) & EXCHANGE_EDNS == 0:
                notes[a.note].lost_under[a.load] += 1
                if second_of_pair(l, i):
                    notes[a.note].lost_second += 1
                else:
                    notes[a.note].lost_other += 1
                break


cdef void judge(Lookup* l, const Surroundings* s) noexcept nogil:
    cdef Work w
    cdef uint32_t i
    cdef bint connected = False
    memset(w.cost, 0, sizeof(w.cost))
    memset(w.reach, 0, sizeof(w.reach))
    memset(w.forced, 0, sizeof(w.forced))
    w.wait_count = 0
    w.fragments = 0
    bound_times(l)
    pair_again(l)
    for i in range(l.attempt_count):
        if l.attempts[i].transport == TRANSPORT_TCP:
            connected = True
        if l.attempts[i].flags & ATTEMPT_FRAGMENT and after(l, i) >= 0:
            w.fragments = 1
    w.truncation_final = not connected and l.dial_count == 0
    ask(&w, l)
    give_up(&w, l)
    release(&w, l, s)
    l.end.outcome = outcome(&w, l, s)
    account(&w, l, s)
    spend(&w, l)
    count(&w, l)
    name_causes(&w, l, s)
    l.end.duration = w.release - l.time
    l.end.duration_min = max(w.least - l.time, <int64_t>0)
    l.end.duration_max = w.most - l.time
    l.end.end_basis = w.basis
    l.end.final = <uint8_t>(l.candidate_count - 1)
