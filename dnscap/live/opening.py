"""Opens what is captured from: interfaces with their filters, streams, and the fallback without libpcap."""

from __future__ import annotations

import difflib
import io
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dnscap.capture import expand_inputs
from dnscap.errors import CaptureError, UsageError
from dnscap.live import privileges
from dnscap.live.feeds import DeviceFeed, Feed, ScapyFeed, StreamFeed, scapy_configuration
from dnscap.live.session import Session
from dnscap.messages.decoding import DNS_PORTS
from dnscap.native import libpcap

DNS_OVER_TLS = 853
"""Captured so that it can be said how much of DNS is not readable."""

SNAPLEN = 65_535
"""Octets of a frame captured by default: all of any DNS message, and of what a network card puts together."""

RING = 32 << 20
"""Octets of the kernel's ring by default: half a second of a hundred thousand packets per second, at least."""

_INSTALL = (
    "install it (Debian and Ubuntu: apt install libpcap0.8; Fedora: dnf install libpcap; "
    "Alpine: apk add libpcap)"
)


def default_filter(ports: Sequence[int] = DNS_PORTS) -> str:
    """The filter that is used unless another is given.

    Messages on DNS ports, IP fragments (later ones have no ports), and the ICMP errors that say that a query did
    not arrive.
    """
    wanted = " or ".join(f"port {port}" for port in dict.fromkeys((*ports, DNS_OVER_TLS)))
    fragments = "ip[6:2] & 0x1fff != 0 or ip6[6] = 44"
    errors = "icmp[0] = 3 or icmp[0] = 4 or icmp[0] = 5 or icmp[0] = 11 or icmp[0] = 12 or (icmp6 and ip6[40] < 128)"
    return f"{wanted} or {fragments} or {errors}"


def interfaces() -> list[tuple[str, str]]:
    """Names and descriptions of the interfaces that can be captured from.

    Raises
    ------
    CaptureError
        If neither libpcap nor scapy can tell.
    """
    if libpcap.load() is not None:
        try:
            return libpcap.interfaces()
        except OSError as error:
            raise CaptureError("interfaces", str(error)) from None
    try:
        conf = scapy_configuration()
    except ImportError:
        raise CaptureError("interfaces", "libpcap is not installed", hint=_INSTALL) from None
    return [("any", "all interfaces"), *((str(i.name), str(i.description)) for i in conf.ifaces.values())]


def open_interface(
    name: str,
    *,
    filter: str | None = None,
    ports: Sequence[int] = DNS_PORTS,
    snaplen: int = SNAPLEN,
    ring: int = RING,
    promiscuous: bool = False,
) -> Feed:
    """Open an interface, or all of them (``any``).

    Parameters
    ----------
    name : str
        The interface.
    filter : str, optional
        What to capture, as tcpdump has it; by default, what `default_filter` gives.
    ports : sequence of int
        Ports of the default filter.
    snaplen : int
        Octets of a frame that are captured at most.
    ring : int
        Octets of the kernel's ring.
    promiscuous : bool
        Whether frames for other hosts are wanted.

    Raises
    ------
    CaptureError
        If there is no such interface, it must not be captured from, or libpcap is missing.
    UsageError
        If the filter makes no sense.
    """
    if libpcap.load() is None:
        return _without_libpcap(name, filter, snaplen, promiscuous)
    try:
        device = libpcap.Device(name, snaplen, promiscuous, ring)
    except PermissionError:
        raise CaptureError(name, "you may not capture", hint=privileges.hint(name)) from None
    except FileNotFoundError:
        raise CaptureError(name, "there is no such interface", hint=_suggestion(name)) from None
    except OSError as error:
        raise CaptureError(name, f"cannot be captured from: {error}", hint=_suggestion(name)) from None
    try:
        if filter is not None:
            device.set_filter(filter)
        else:
            plain = default_filter(ports)
            try:
                device.set_filter(f"{plain} or (vlan and ({plain}))")
            except ValueError:
                device.set_filter(plain)  # a link type without VLAN tags, such as that of "any"
    except ValueError as error:
        raise UsageError(f"not a filter for {name}: {filter}: {error}") from None
    return DeviceFeed(device, name)


def _suggestion(name: str) -> str:
    try:
        names = [one for one, _ in interfaces()]
    except CaptureError:
        names = []
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]}? `dnscap live -D` lists all" if close else "`dnscap live -D` lists all"


def _without_libpcap(name: str, filter: str | None, snaplen: int, promiscuous: bool) -> Feed:
    if filter is not None:
        raise CaptureError(name, "a filter needs libpcap, which is not installed", hint=_INSTALL)
    try:
        return ScapyFeed(name, snaplen, promiscuous)
    except ImportError:
        raise CaptureError(
            name,
            "libpcap is not installed",
            hint=f"{_INSTALL}, or, much slower: pip install 'dnscap[scapy]'",
        ) from None
    except PermissionError:
        raise CaptureError(name, "you may not capture", hint=privileges.hint(name)) from None
    except FileNotFoundError:
        raise CaptureError(name, "there is no such interface", hint=_suggestion(name)) from None
    except (OSError, ValueError) as error:
        raise CaptureError(name, f"cannot be captured from: {error}", hint=_suggestion(name)) from None


def open_stream(source: Any) -> Feed:
    """Open a capture that is written while it is read: ``-``, a named pipe, a binary file object.

    Raises
    ------
    CaptureError
        If it does not exist.
    """
    (item,) = expand_inputs(source)
    return StreamFeed(item)


def is_stream(source: Any) -> bool:
    """Whether a source is a stream rather than the name of an interface."""
    if not isinstance(source, str | os.PathLike):
        return hasattr(source, "read") or isinstance(source, io.IOBase)
    text = os.fspath(source)
    if text == "-":
        return True
    try:
        mode = Path(text).stat().st_mode
    except OSError:
        return "/" in str(text)
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def live(
    source: Any = "any",
    *,
    filter: str | None = None,
    duration: float | None = None,
    frames: int = 0,
    ports: Sequence[int] = DNS_PORTS,
    snaplen: int = SNAPLEN,
    ring: int = RING,
    promiscuous: bool = False,
    save: str | None = None,
    findings: bool = True,
) -> Session:
    """Capture DNS from an interface, as batches of the same tables that captures have.

    Parameters
    ----------
    source : str or binary file object
        An interface, ``"any"`` for all of them, ``"-"`` for a capture on standard input, a named pipe or a file
        object.
    filter : str, optional
        What to capture, as tcpdump has it. By default DNS ports, IP fragments and ICMP errors.
    duration : float, optional
        Seconds after which to end.
    frames : int, optional
        Frames after which to end.
    ports : sequence of int
        UDP and TCP ports taken as DNS.
    snaplen, ring : int
        Octets of a frame at most, and of the kernel's ring.
    promiscuous : bool
        Whether frames for other hosts are wanted.
    save : str, optional
        A pcapng file that gets all frames.
    findings : bool
        Whether batches have findings.

    Returns
    -------
    Session
        An iterator of `LiveBatch`, and a context manager. Interrupting it (Ctrl-C, a notebook's stop) ends it as
        it should: the last batch has what was still open.

    Raises
    ------
    CaptureError
        If the source cannot be opened; the message says what would help.

    Examples
    --------
    >>> import dnscap
    >>> for batch in dnscap.live("any", duration=60):  # doctest: +SKIP
    ...     print(batch.lookups[["name", "duration", "outcome"]])
    """
    from dnscap.live.saving import Saver

    if is_stream(source):
        feed = open_stream(source)
    else:
        feed = open_interface(
            str(source), filter=filter, ports=ports, snaplen=snaplen, ring=ring, promiscuous=promiscuous
        )
    saver = Saver(save) if save is not None else None
    return Session(feed, dns_ports=ports, saver=saver, frames=frames, duration=duration, judging=findings)
