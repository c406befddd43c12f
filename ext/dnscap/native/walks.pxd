"""What a resolver asked upstream for one of its clients, joined by cause."""
from libc.stdint cimport int64_t, uint32_t, uint64_t

from dnscap.native.resolution_state cimport Entry, Era, Resolving

cdef enum:
    MOST_TARGETS = 24          # names that one walk looks for: the question, its aliases, name servers on the way
    MOST_WAITED = 64           # exchanges of one walk that are kept
    TARGET_SUFFIXES = 40

cdef extern from *:
    """
    #define DNSCAP_LONGEST_FETCH INT64_C(10000000000)      /* nanoseconds: a fetch that others join is no older */
    """
    const int64_t LONGEST "DNSCAP_LONGEST_FETCH"

cdef struct Target:            # a name that the walk needs
    uint64_t[40] path          # suffixes.pxd; of one that only has its hash only set once the walk is looked for
    uint64_t name              # hash of the whole name
    const Era* era             # that `code` is of, as long as the path is not set; NULL then
    uint32_t code
    uint32_t labels
    bint host                  # of a name server: its addresses are wanted

cdef struct Walk:
    Target* targets
    uint32_t target_count
    uint64_t[64] numbers
    uint32_t count
    uint32_t direct            # exchanges for the very question, or that of an alias
    uint32_t good              # of these: answered in time with something to pass on
    uint32_t failed            # answered in time with a failure
    uint32_t silent            # not answered in time
    uint32_t before            # sent before the client asked
    uint32_t forwarded
    uint32_t ancestors         # walk on the way to it
    uint32_t denied            # a name above does not exist
    int64_t last               # answer that came last in time
    bint refreshing
    bint again                 # sent for this client though the same question was out already

cdef bint open_targets(Walk* w) noexcept nogil      # False without memory
cdef void close_targets(Walk* w) noexcept nogil
# A name that is needed; one whose hash is known need not be taken apart yet.
cdef Target* add_target(const Resolving* t, Walk* w, const unsigned char* text, uint32_t size, bint host) noexcept nogil
cdef void add_known(Walk* w, uint64_t name, const Era* era, uint32_t code) noexcept nogil
# Look for the exchanges of the very question.
cdef void find_direct(Resolving* t, Walk* w, const Entry* e) noexcept nogil
# And for those on the way there; fills numbers.
cdef void find_walk(Resolving* t, Walk* w, Entry* e) noexcept nogil
# Nanoseconds between question and answer in which something upstream was out, and the depth the walk began at.
cdef void charge(Resolving* t, Walk* w, Entry* e) noexcept nogil
# Whether an answer to the very question of `e` came from upstream between two times.
cdef bint upstream_between(Resolving* t, const Entry* e, int64_t begin, int64_t end) noexcept nogil
# Whether an answer from upstream, that a name does not exist, may tell of a name above that of `e`.
cdef bint may_be_denied(Resolving* t, const Entry* e) noexcept nogil
# Whether any answer came from upstream while `e` was open.
cdef bint upstream_during(Resolving* t, const Entry* e) noexcept nogil
