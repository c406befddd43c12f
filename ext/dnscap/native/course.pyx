"""Lookups and exchanges counted by spans of time, by duration and by outcome, in one pass over native rows.

The counters are arrays of dnscap/findings/course.py, which makes spans for all times of a batch before it is counted.
"""
cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from dnscap.native.exchange_rows cimport ExchangeBatch, RowColumns
from dnscap.native.exchanges cimport (
    OUTCOME_ANSWER, OUTCOME_DUPLICATE, OUTCOME_OTHER_RCODE, OUTCOME_UNANSWERED, OUTCOME_UNREACHABLE, OUTCOME_UNSOLICITED,
)
from dnscap.native.histograms cimport BUCKETS, Scale
from dnscap.native.lookup_columns cimport LookupBatch, LookupBrief
from dnscap.native.packed cimport Rest, rest_of

cdef enum:
    UNFINISHED = 9             # outcomes of lookups
    FAILED_FROM = 3            # servfail ...
    FAILED_TO = 8              # ... timeout
    SEARCH_BUCKET = 4
    WORDS = 16                 # outcomes told apart, at least


@cython.final
cdef class Spans:
    """Spans of a timeline: the one that was counted last is found without a division."""
    cdef int64_t width
    cdef int64_t first
    cdef int64_t count
    cdef int64_t begin         # of the span counted last
    cdef int64_t at

    def __cinit__(self, int64_t width, int64_t first, int64_t count):
        if width <= 0 or count <= 0:
            raise ValueError("a timeline without spans")
        self.width = width
        self.first = first
        self.count = count
        self.at = 0
        self.begin = first * width

    cdef inline int64_t place(self, int64_t time) noexcept nogil:
        """Span of a time; -1 outside of all."""
        cdef int64_t span
        if not self.begin <= time < self.begin + self.width:
            span = time // self.width
            if time < 0 and span * self.width != time:
                span -= 1
            if not self.first <= span < self.first + self.count:
                return -1
            self.at = span - self.first
            self.begin = span * self.width
        return self.at


def lookup_times(LookupBatch batch not None):
    """First and last time of the lookups of a batch that is not empty."""
    cdef const LookupBrief* rows = batch.brief()
    cdef int64_t least, most
    cdef uint64_t i
    if not batch.count:
        raise ValueError("no lookups")
    least = most = rows[0].time
    for i in range(batch.count):
        least = min(least, rows[i].time)
        most = max(most, rows[i].time)
    return least, most


def exchange_times(ExchangeBatch batch not None):
    """First and last time of the exchanges of a batch that is not empty."""
    cdef const int64_t* times = batch.page.c.time + batch.first_row
    cdef int64_t least, most
    cdef uint32_t i
    if not batch.count:
        raise ValueError("no exchanges")
    least = most = times[0]
    for i in range(batch.count):
        least = min(least, times[i])
        most = max(most, times[i])
    return least, most


def count_lookups(
    LookupBatch batch not None, Scale scale not None, Spans spans not None, int64_t slow,
    int64_t[:, ::1] counts not None, int64_t[:, ::1] histograms not None, int64_t[::1] durations not None, int64_t[::1] outcomes not None,
    int64_t[::1] totals not None,
):
    """Count a batch of lookups.

    Parameters
    ----------
    batch : LookupBatch
        Rows to count.
    scale : Scale
        Buckets of durations.
    spans : Spans
        Spans that the counters of the timeline stand for.
    slow : int
        Nanoseconds from which a lookup counts as slow.
    counts, histograms : arrays
        A row a span: lookups, failed and slow ones; durations by bucket.
    durations, outcomes : arrays
        Counters of the whole.
    totals : array
        Slow lookups, longest wait, lookups that went through a search list, queries, wasted ones, nanoseconds
        waited for candidates.
    """
    cdef const LookupBrief* rows = batch.brief()
    cdef const LookupBrief* r
    cdef const Rest* rest
    cdef uint64_t i
    cdef int64_t at, waited
    cdef uint32_t bucket
    cdef bint is_slow
    if counts.shape[0] != spans.count or counts.shape[1] != 3 or histograms.shape[0] != spans.count or histograms.shape[1] != BUCKETS \
            or durations.shape[0] != BUCKETS or outcomes.shape[0] < WORDS or totals.shape[0] != 6:
        raise ValueError("counters of another shape")
    with nogil:
        for i in range(batch.count):
            r = &rows[i]
            waited = r.duration - r.gap
            is_slow = waited >= slow
            outcomes[r.outcome % WORDS] += 1
            totals[0] += is_slow
            totals[1] = max(totals[1], waited)
            totals[2] += r.candidates > 1
            totals[3] += r.queries
            if r.whole:
                rest = rest_of(batch.packed.octets + r.at)
                totals[4] += rest.wasted
                totals[5] += rest.budget[SEARCH_BUCKET]
            at = spans.place(r.time)
            if at < 0:
                continue
            counts[at, 0] += 1
            counts[at, 1] += FAILED_FROM <= r.outcome <= FAILED_TO
            counts[at, 2] += is_slow
            if r.outcome != UNFINISHED:
                bucket = scale.bucket_of(waited)
                durations[bucket] += 1
                histograms[at, bucket] += 1


def count_exchanges(
    ExchangeBatch batch not None, Scale scale not None, Spans spans not None,
    int64_t[:, ::1] counts not None, int64_t[:, ::1] histograms not None, int64_t[::1] latencies not None, int64_t[::1] outcomes not None,
    int64_t[::1] totals not None,
):
    """Count a batch of exchanges.

    Parameters
    ----------
    batch : ExchangeBatch
        Rows to count.
    scale : Scale
        Buckets of durations.
    spans : Spans
        Spans that the counters of the timeline stand for.
    counts, histograms : arrays
        A row a span: queries, those without an answer; latencies by bucket.
    latencies, outcomes : arrays
        Counters of the whole.
    totals : array
        The longest latency.
    """
    cdef RowColumns c = batch.page.c
    cdef uint32_t i, k, bucket
    cdef int64_t at, latency
    cdef uint8_t outcome
    if counts.shape[0] != spans.count or counts.shape[1] != 2 or histograms.shape[0] != spans.count or histograms.shape[1] != BUCKETS \
            or latencies.shape[0] != BUCKETS or outcomes.shape[0] < WORDS or totals.shape[0] != 1:
        raise ValueError("counters of another shape")
    with nogil:
        for i in range(batch.count):
            k = batch.first_row + i
            outcome = c.outcome[k]
            outcomes[outcome % WORDS] += 1
            at = spans.place(c.time[k])
            if at < 0:
                continue
            counts[at, 0] += outcome != OUTCOME_UNSOLICITED and outcome != OUTCOME_DUPLICATE
            counts[at, 1] += outcome == OUTCOME_UNANSWERED or outcome == OUTCOME_UNREACHABLE
            latency = c.latency[k]
            if latency >= 0 and OUTCOME_ANSWER <= outcome <= OUTCOME_OTHER_RCODE:
                bucket = scale.bucket_of(latency)
                latencies[bucket] += 1
                histograms[at, bucket] += 1
                totals[0] = max(totals[0], latency)
