"""Stub resolvers by their habits: a table of profiles, and which of them the queries of a lookup fit."""
from libc.stdint cimport int16_t, int64_t, uint8_t, uint16_t, uint32_t

from dnscap.native.attempts cimport Attempt, Lookup

cdef enum:                     # stubs
    STUB_UNKNOWN = 0
    STUB_GLIBC = 1
    STUB_MUSL = 2
    STUB_GO = 3
    STUB_CARES = 4
    STUB_DNSPYTHON = 5
    STUB_RESOLVED = 6
    STUB_DIG = 7
    STUB_WINDOWS = 8
    STUB_DNSMASQ = 9
    STUBS = 10

cdef struct Profile:
    const char* name
    int64_t wait               # nanoseconds it waits for an answer by default
    uint8_t same_id            # a retry keeps id and, while the server stays, port
    uint8_t one_port           # both families leave from one port
    uint8_t all_families       # fails where one family fails, though another was answered
    uint8_t truncation_final   # takes a truncated answer as it is
    uint8_t rests              # after a failure of one family it keeps the answer of the other
    uint8_t first_counts       # the family asked first decides: without an answer of it the other's is thrown away
    uint8_t all_servers        # asks all servers at once and takes what comes first

cdef const Profile* profile(uint8_t stub) noexcept nogil

# Weigh the habits that the queries of a lookup show: a Stub, with `score` set to how strongly (0: not at all).
cdef uint8_t fingerprint(const Lookup* l, int16_t* score) noexcept nogil
# The same of a lookup of one query.
cdef uint8_t fingerprint_one(const Attempt* a, int16_t* score) noexcept nogil
