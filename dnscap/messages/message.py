"""One message with its octets, convertible to what dnspython and scapy make of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import dns.message


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a capture.

    Attributes
    ----------
    number : int
        Row of the messages table.
    wire : bytes
        Octets as far as captured.
    row : dict
        Its row of the messages table.
    """

    number: int
    wire: bytes
    row: dict[str, Any]

    def to_dnspython(self) -> dns.message.Message:
        """The message as dnspython reads it; with what can be read of a malformed one.

        Raises
        ------
        dns.exception.DNSException
            If dnspython cannot read even the header.
        """
        import dns.message

        return dns.message.from_wire(self.wire, continue_on_error=True, ignore_trailing=True)

    def to_scapy(self) -> Any:
        """The message as a scapy packet: IP or IPv6, UDP or TCP, DNS."""
        from scapy.layers.dns import DNS
        from scapy.layers.inet import IP, TCP, UDP
        from scapy.layers.inet6 import IPv6

        row = self.row
        network = IPv6 if ":" in row["src"] else IP
        lower = network(src=row["src"], dst=row["dst"])
        if row["transport"] == "tcp":
            return lower / TCP(sport=row["src_port"], dport=row["dst_port"]) / DNS(self.wire)
        return lower / UDP(sport=row["src_port"], dport=row["dst_port"]) / DNS(self.wire)

    def __str__(self) -> str:
        """Text as dig prints it."""
        return str(self.to_dnspython().to_text())
