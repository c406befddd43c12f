"""Tunnels: from the first octet behind IP or UDP to what the tunnel carries, headers taken off.

Each returns the EtherType of what follows, TYPE_BRIDGED for a whole Ethernet frame, or NO_TUNNEL.
"""
from libc.stdint cimport uint32_t

from dnscap.native.packets cimport Packet

cdef enum:
    NO_TUNNEL = 0              # what is there is not what the tunnel would put there
    PORT_L2TP = 1701
    PORT_GTP = 2152
    PORT_TEREDO = 3544
    PORT_LISP = 4341
    PORT_VXLAN = 4789
    PORT_VXLAN_GPE = 4790
    PORT_GENEVE = 6081
    PORT_MPLS = 6635
    PORT_VXLAN_LINUX = 8472    # what Linux used before IANA gave one
    PORT_TZSP = 37008          # packets that routers send to who watches them

cdef uint32_t gre_tunnel(Packet* p) noexcept nogil
cdef uint32_t etherip_tunnel(Packet* p) noexcept nogil
# The body is the payload of UDP; without a tunnel it stays as it is.
cdef uint32_t udp_tunnel(Packet* p, uint32_t src_port, uint32_t dst_port) noexcept nogil


cdef inline bint is_tunnel(uint32_t port) noexcept nogil:
    return (port == PORT_VXLAN or port == PORT_VXLAN_GPE or port == PORT_VXLAN_LINUX or port == PORT_GENEVE
            or port == PORT_GTP or port == PORT_TEREDO or port == PORT_TZSP or port == PORT_L2TP
            or port == PORT_MPLS or port == PORT_LISP)
