"""Link layers: from the first octet of a frame, or of an encapsulated one, to the IP packet inside."""
from libc.stdint cimport uint16_t, uint32_t

from dnscap.native.packets cimport Packet

# LINKTYPE_ values as pcap files hold them, https://www.tcpdump.org/linktypes.html
cdef enum Link:
    LINK_NULL = 0
    LINK_ETHERNET = 1
    LINK_EXPERIMENTAL_ETHERNET = 2
    LINK_SLIP = 8
    LINK_PPP = 9
    LINK_FDDI = 10
    LINK_RAW_BSD = 12
    LINK_RAW_OPENBSD = 14
    LINK_PPP_HDLC = 50
    LINK_PPP_ETHER = 51
    LINK_ATM_RFC1483 = 100
    LINK_RAW = 101
    LINK_C_HDLC = 104
    LINK_IEEE802_11 = 105
    LINK_FRELAY = 107
    LINK_LOOP = 108
    LINK_ENC = 109
    LINK_LINUX_SLL = 113
    LINK_PFLOG = 117
    LINK_IEEE802_11_PRISM = 119
    LINK_IEEE802_11_RADIOTAP = 127
    LINK_ARCNET_LINUX = 129
    LINK_IEEE802_11_AVS = 163
    LINK_PPP_PPPD = 166
    LINK_PPI = 192
    LINK_PPP_WITH_DIR = 204
    LINK_C_HDLC_WITH_DIR = 205
    LINK_IPNET = 226
    LINK_IPV4 = 228
    LINK_IPV6 = 229
    LINK_NFLOG = 239
    LINK_NETLINK = 253
    LINK_PKTAP = 258
    LINK_LINUX_SLL2 = 276

cdef enum:
    ARPHRD_LOOPBACK = 772      # of a cooked header: what was sent on the host's own interface lo, and came back at once
    TYPE_IP4 = 0x0800
    TYPE_ARP = 0x0806
    TYPE_BRIDGED = 0x6558      # transparent Ethernet bridging, in GRE and Geneve
    TYPE_IP6 = 0x86DD
    # encapsulations (tunnels, pseudowires) followed in one frame; real ones nest two or three deep
    MOST_DEPTH = 8
    # times that an EtherType led on in one frame: no chain of headers can nest calls without end
    MOST_LAYERS = 32

cdef enum Layer:
    LAYER_IP = 0               # the body is an IP packet, either version
    LAYER_ARP = 1              # the body is an ARP packet
    LAYER_OTHER = 2            # something else, or cut before it could be told
    LAYER_UNKNOWN = 3          # a link type that is not supported
    LAYER_DEEP = 4             # nested deeper than MOST_DEPTH

# Each takes off all layers down to an IP or ARP packet and returns a Layer.
cdef int link_layer(uint16_t link, Packet* p) noexcept nogil
cdef int ethernet_layer(Packet* p) noexcept nogil
cdef int typed_layer(uint32_t kind, Packet* p) noexcept nogil      # the body follows an EtherType
# the body starts with a PPP protocol number
cdef int ppp_layer(Packet* p) noexcept nogil
# the body starts with what netfilter logs of a packet
cdef int nflog(Packet* p) noexcept nogil
# the body may be an Ethernet frame that carries IP or ARP
cdef bint ethernet_likely(const Packet* p) noexcept nogil
