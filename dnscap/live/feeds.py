"""Where live octets come from: an interface through libpcap, a growing stream, or scapy's sockets."""

from __future__ import annotations

import contextlib
import ctypes
import struct
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass
from typing import Any

from dnscap.capture import CaptureInput
from dnscap.errors import CaptureError
from dnscap.native import libpcap
from dnscap.native.recording import Recorder

MOST_WAITING = 8 << 20
"""Octets of a stream that wait for the engine at most; then the other end of the pipe has to. (Frames of an
interface, which cannot wait, have more room: see `dnscap.native.libpcap.Device`.)"""


@dataclass(frozen=True, slots=True)
class Counters:
    """What the kernel counted since the beginning.

    Attributes
    ----------
    received : int
        Frames that met the filter.
    dropped : int
        Frames for which the kernel's ring had no room.
    interface_dropped : int
        Frames that the interface or its driver dropped.
    """

    received: int = 0
    dropped: int = 0
    interface_dropped: int = 0


class Feed(ABC):
    """A source of octets that grows while it is read.

    Attributes
    ----------
    name : str
        What it is, as shown to people.
    form : str
        Format of the octets.
    recorded : bool
        Whether the octets are whole pcapng blocks as `dnscap.native.recording` writes them.
    """

    name: str
    form: str = "pcapng"
    recorded: bool = True

    @abstractmethod
    def start(self, frames: int = 0) -> None:
        """Begin; end by itself after `frames` frames, unless that is 0."""

    @abstractmethod
    def take(self, seconds: float) -> Any:
        """The octets that came since the last time, as a buffer; None where none came within `seconds`."""

    @abstractmethod
    def stop(self) -> None:
        """Ask for no more than came until now; some of it may still be on its way."""

    @property
    @abstractmethod
    def running(self) -> bool:
        """Whether more octets may come."""

    @property
    @abstractmethod
    def fault(self) -> CaptureError | None:
        """Why it ended, if not as it should."""

    @property
    def counters(self) -> Counters | None:
        """What the kernel counted; None where there is no telling."""
        return None

    def close(self) -> None:  # noqa: B027
        """Let go of what is open."""


class DeviceFeed(Feed):
    """Frames of an interface, through libpcap.

    Parameters
    ----------
    device : Device
        Opened, with its filter set.
    """

    def __init__(self, device: libpcap.Device, name: str) -> None:
        self.name = name
        self._device = device
        self._thread: threading.Thread | None = None

    def start(self, frames: int = 0) -> None:
        self._thread = threading.Thread(
            target=self._device.run, args=(frames,), name="dnscap-capture", daemon=True
        )
        self._thread.start()

    def take(self, seconds: float) -> Any:
        return self._device.take(seconds)

    def stop(self) -> None:
        self._device.stop()

    @property
    def running(self) -> bool:
        return self._device.running

    @property
    def fault(self) -> CaptureError | None:
        if self._device.fault is not None:
            return CaptureError(self.name, f"capturing ended: {self._device.fault}")
        if self._device.out_of_memory:
            return CaptureError(self.name, f"{self._device.out_of_memory} frames lost for want of memory")
        return None

    @property
    def counters(self) -> Counters:
        return Counters(*self._device.statistics())

    def close(self) -> None:
        if self._thread is not None and self._thread.is_alive():
            self._device.stop()
            self._thread.join(2)


class ThreadFeed(Feed):
    """What a thread puts into a queue of bounded size."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._queue: deque[bytes] = deque()
        self._waiting = 0
        self._change = threading.Condition()
        self._ended = False
        self._stopping = False
        self._error: CaptureError | None = None
        self._frames = 0

    def start(self, frames: int = 0) -> None:
        self._frames = frames
        threading.Thread(target=self._run, name="dnscap-capture", daemon=True).start()

    def _run(self) -> None:
        try:
            self._read()
        except CaptureError as error:
            self._error = error
        except OSError as error:
            self._error = CaptureError(self.name, f"capturing ended: {error.strerror or error}")
        finally:
            with self._change:
                self._ended = True
                self._change.notify_all()

    @abstractmethod
    def _read(self) -> None:
        """Call `_put` until `_stopping` is set or nothing more comes."""

    def _put(self, octets: bytes) -> None:
        with self._change:
            while self._waiting >= MOST_WAITING and not self._stopping:
                self._change.wait(0.2)
            self._queue.append(octets)
            self._waiting += len(octets)
            self._change.notify_all()

    def take(self, seconds: float) -> Any:
        until = time.monotonic() + seconds
        with self._change:
            while not self._queue and not self._ended and (rest := until - time.monotonic()) > 0:
                self._change.wait(min(rest, 0.1))
            if not self._queue:
                return None
            octets = self._queue.popleft() if len(self._queue) == 1 else b"".join(self._queue)
            self._queue.clear()
            self._waiting = 0
            self._change.notify_all()
            return octets

    def stop(self) -> None:
        with self._change:
            self._stopping = True
            self._change.notify_all()

    @property
    def running(self) -> bool:
        return not self._ended

    @property
    def fault(self) -> CaptureError | None:
        return self._error


class StreamFeed(ThreadFeed):
    """A capture that is written while it is read: standard input, a named pipe, a file object.

    The thread waits for octets and the engine does not, so that time goes by while none come.
    """

    recorded = False

    def __init__(self, item: CaptureInput) -> None:
        super().__init__(item.name)
        self._item = item

    def _read(self) -> None:
        windows = self._item.open()
        with windows:
            self.form = "/".join((*windows.compression, self._item.kind or ""))
            while not self._stopping:
                view, last = windows.view()
                octets = bytes(view)
                view.release()
                windows.used(len(octets))
                if octets:
                    self._put(octets)
                if last:
                    self._error = windows.error()
                    return

    @property
    def running(self) -> bool:
        # A stream that is not wanted any more may keep its thread waiting for ever.
        return not (self._ended or self._stopping)


RECEIVE_BUFFER = 8 << 20
"""Octets that the kernel keeps of a socket of scapy; it may grant less to those who are not root."""

_SOL_PACKET, _PACKET_STATISTICS, _PACKET_IGNORE_OUTGOING = 263, 6, 23
_SO_ATTACH_FILTER, _SO_RCVBUFFORCE = 26, 33

MOST_EMPTYING = 5.0
"""Seconds for which sockets are emptied at the end, where they cannot be kept from filling meanwhile."""


def scapy_configuration() -> Any:
    """What scapy knows of interfaces, sockets and link types.

    Raises
    ------
    ImportError
        If scapy is not installed.
    """
    import scapy.arch
    import scapy.layers.inet6
    import scapy.layers.l2  # noqa: F401 - link types
    from scapy.config import conf

    if not conf.ifaces:
        conf.ifaces.reload()
    return conf


class ScapyFeed(ThreadFeed):
    """Frames of interfaces, one by one through scapy's sockets: slow, but needs no libpcap.

    Parameters
    ----------
    interface : str
        Name, or ``any`` for all that are up.
    """

    def __init__(self, interface: str, snaplen: int, promiscuous: bool) -> None:
        super().__init__(interface)
        conf = scapy_configuration()
        self._snaplen = snaplen
        self._received = self._dropped = 0
        known = {str(one.name): str(getattr(one, "flags", "UP")) for one in conf.ifaces.values()}
        names = (
            [name for name, flags in known.items() if "UP" in flags] if interface == "any" else [interface]
        )
        if interface != "any" and interface not in known:
            raise FileNotFoundError(interface)
        self._sockets: dict[Any, tuple[str, int]] = {}
        for name in names:
            try:
                socket = conf.L2listen(iface=name, promisc=promiscuous)
            except PermissionError:
                raise
            except OSError:
                if interface == "any":
                    continue  # one that cannot be captured from, or has just gone
                raise
            _make_room(socket.ins, name)
            link = conf.l2types.layer2num.get(getattr(socket, "LL", None), 1)
            self._sockets[socket] = (name, link)
        if not self._sockets:
            raise OSError("no interface can be captured from")

    def _read(self) -> None:
        import select

        recorder = Recorder()
        recorder.section()
        recorder.interface(self.name, 1, self._snaplen)
        numbers = {
            s: recorder.interface(name, link, self._snaplen) for s, (name, link) in self._sockets.items()
        }
        full = False
        until = None
        while not full:
            if self._stopping and until is None:
                # What waits in the sockets came before the end: it is taken, and nothing joins it.
                for socket in self._sockets:
                    _let_nothing_in(socket.ins)
                until = time.monotonic() + MOST_EMPTYING
            ready, _, _ = select.select(list(self._sockets), [], [], 0.1 if until is None else 0)
            if until is not None and (not ready or time.monotonic() > until):
                break
            for socket in ready:
                _, octets, at = socket.recv_raw(65_536)
                if octets is None:
                    continue
                now = int(at * 1_000_000_000) if at else time.time_ns()
                recorder.frame(numbers[socket], now, bytes(octets[: self._snaplen]), len(octets))
                if recorder.frames == self._frames:
                    full = True
                    break
            if octets := recorder.take():
                self._put(octets)

    @property
    def counters(self) -> Counters | None:
        try:
            for socket in self._sockets:
                # Reading the counts of a socket sets them to zero.
                frames, drops = struct.unpack(
                    "=II", socket.ins.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
                )
                self._received += frames
                self._dropped += drops
        except (OSError, AttributeError, struct.error):
            return None
        return Counters(self._received, self._dropped)

    def close(self) -> None:
        for socket in self._sockets:
            with contextlib.suppress(Exception):
                socket.close()


def _let_nothing_in(socket: Any) -> None:
    """Have the kernel pass every frame by (a filter of one instruction that returns 0) and count none of them."""
    code = ctypes.create_string_buffer(struct.pack("=HBBI", 6, 0, 0, 0))
    with contextlib.suppress(OSError, AttributeError):
        socket.setsockopt(1, _SO_ATTACH_FILTER, struct.pack("@HP", 1, ctypes.addressof(code)))


def _make_room(socket: Any, name: str) -> None:
    """Let the kernel keep more of a socket, and on a loopback interface not show each frame twice."""
    with contextlib.suppress(OSError, AttributeError):
        socket.setsockopt(1, _SO_RCVBUFFORCE, RECEIVE_BUFFER)
    if name.startswith("lo"):
        with contextlib.suppress(OSError, AttributeError):
            socket.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
