"""From frames to payloads: link layers, IP with its fragments, tunnels, UDP and TCP ports, ICMP errors."""
from libc.stdint cimport uint32_t, uint64_t

from dnscap.native.datagrams cimport Outbox
from dnscap.native.events cimport EventLog
from dnscap.native.fragments cimport Fragments
from dnscap.native.frames cimport Frame
from dnscap.native.notices cimport ArpTable
from dnscap.native.packets cimport PORT_WORDS
from dnscap.native.streams cimport Streams

cdef struct WalkCounts:        # what was seen and passed over; all reach the user as capture quality
    uint64_t frames
    uint64_t octets            # captured octets of all frames
    uint64_t cut_frames        # captured short of their wire size
    uint64_t unknown_link      # link type not supported
    uint64_t not_ip
    uint64_t bad_ip            # header lengths that make no sense
    uint64_t other_transport   # IP, but neither UDP, TCP nor a tunnel or ICMP error of interest
    uint64_t other_ports       # UDP and TCP on ports that are not DNS
    uint64_t dns_udp
    uint64_t dns_tcp           # TCP segments on DNS ports
    uint64_t fragments         # IP fragments seen
    uint64_t tunnelled         # frames whose inner packet was followed
    uint64_t too_deep          # encapsulation nested deeper than followed
    uint64_t icmp_errors       # that quote DNS
    uint64_t dot               # TCP segments on port 853
    uint64_t doq               # UDP datagrams on port 853
    uint64_t doh               # 443 to the addresses of known DoH resolvers

cdef struct ArpTable           # private to walk.pyx

cdef class Walk:
    cdef WalkCounts seen
    cdef ArpTable* arp
    cdef uint32_t dns_ports[PORT_WORDS]
    cdef Fragments fragments
    cdef Streams streams

    # Walk a batch of frames: DNS payloads to `box` in the order in which they became whole, events to
    # `events`.  0, or -1 without memory.
    cdef int frames(self, Frame* frames, uint32_t count, Outbox* box, EventLog* events) noexcept nogil
    # the capture ends: expire fragments, close connections
    cdef int finish(self, Outbox* box, EventLog* events) noexcept nogil
