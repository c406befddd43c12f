"""What other protocols say of DNS packets: ICMP errors that quote them, ARP requests without reply."""
from libc.stdint cimport uint8_t, uint32_t

from dnscap.native.events cimport EventLog
from dnscap.native.frames cimport Frame
from dnscap.native.packets cimport Ends, Packet

cdef struct ArpTable           # private to notices.pyx

cdef ArpTable* arp_open() noexcept nogil       # NULL without memory
cdef void arp_close(ArpTable* table) noexcept nogil

# Whether an ICMP packet (protocol PROTOCOL_ICMP or PROTOCOL_ICMP6) is an error that quotes a packet on DNS
# ports (RFC 792, RFC 4443); if so it is an event.
cdef bint note_icmp(Packet* p, const Ends* ends, uint32_t protocol, const uint32_t* dns_ports,
                    const Frame* frame, EventLog* events) noexcept nogil
# Note an IPv4 address that is asked for again and again while nobody answers (RFC 826).
cdef void note_arp(ArpTable* table, Packet* p, const Frame* frame, EventLog* events) noexcept nogil
