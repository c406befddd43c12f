"""Headers that few captures have: rare link layers, and shims between an EtherType and the next.

Each takes off its header and returns what follows: an EtherType, or one of the kinds below.
"""
from libc.stdint cimport uint16_t, uint32_t

from dnscap.native.packets cimport Packet

cdef enum:
    TYPE_NONE = 0              # something else, or cut before it could be told
    # kinds that no EtherType names
    TYPE_LLC = 0x10000         # IEEE 802.2
    TYPE_WIRELESS = 0x10001    # IEEE 802.11
    TYPE_BARE_IP = 0x10002     # IP of either version
    TYPE_UNKNOWN = 0x10003     # not one of these link layers

cdef uint32_t rare_link(uint16_t link, Packet* p) noexcept nogil
# What follows an EtherType that stands for a header of its own; TYPE_NONE for all others.
cdef uint32_t shim(uint32_t kind, Packet* p) noexcept nogil
