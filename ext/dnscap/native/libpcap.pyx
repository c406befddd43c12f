"""Live interfaces through libpcap, opened at run time: frames of the kernel's ring recorded as pcapng blocks.

One thread drains the ring (`Device.run`, all of it without Python) into a recording in memory, another takes the
recording whenever it gets to it (`Device.take`).  So a pause of the second, as long as memory allows, loses nothing; when
the recording has as much as it may have, the kernel's own ring fills, and what it drops it counts.
"""
cimport cython
from cpython.buffer cimport PyBUF_FORMAT
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memset, strlen

from dnscap.native.octets cimport be32
from dnscap.native.recording cimport (
    MOST_INTERFACES, Recording, record_frame, record_interface, record_section, recording_close,
)

cdef extern from "libpcap.h" nogil:
    ctypedef struct pcap_t
    cdef struct timeval:
        long tv_sec
        long tv_usec
    cdef struct Header "dnscap_pcap_header":
        timeval ts
        uint32_t caplen
        uint32_t len
    cdef struct Statistics "dnscap_pcap_stat":
        unsigned int received
        unsigned int dropped
        unsigned int interface_dropped
    cdef struct Program "dnscap_bpf_program":
        unsigned int len
    cdef struct Interface "dnscap_pcap_if":
        Interface* next
        char* name
        char* description
        uint32_t flags
    ctypedef void (*Handler "dnscap_pcap_handler")(uint8_t*, const Header*, const uint8_t*) noexcept nogil
    cdef struct Library "dnscap_libpcap":
        void* library
        pcap_t* (*create)(const char*, char*) noexcept nogil
        int (*set_snaplen)(pcap_t*, int) noexcept nogil
        int (*set_promisc)(pcap_t*, int) noexcept nogil
        int (*set_timeout)(pcap_t*, int) noexcept nogil
        int (*set_buffer_size)(pcap_t*, int) noexcept nogil
        int (*set_tstamp_precision)(pcap_t*, int) noexcept nogil
        int (*get_tstamp_precision)(pcap_t*) noexcept nogil
        int (*activate)(pcap_t*) noexcept nogil
        int (*datalink)(pcap_t*) noexcept nogil
        int (*set_datalink)(pcap_t*, int) noexcept nogil
        int (*compile)(pcap_t*, Program*, const char*, int, uint32_t) noexcept nogil
        int (*setfilter)(pcap_t*, Program*) noexcept nogil
        void (*freecode)(Program*) noexcept nogil
        int (*setnonblock)(pcap_t*, int, char*) noexcept nogil
        int (*get_selectable_fd)(pcap_t*) noexcept nogil
        int (*dispatch)(pcap_t*, int, Handler, uint8_t*) noexcept nogil
        int (*stats)(pcap_t*, Statistics*) noexcept nogil
        char* (*geterr)(pcap_t*) noexcept nogil
        const char* (*statustostr)(int) noexcept nogil
        void (*close)(pcap_t*) noexcept nogil
        pcap_t* (*open_dead)(int, int) noexcept nogil
        int (*findalldevs)(Interface**, char*) noexcept nogil
        void (*freealldevs)(Interface*) noexcept nogil
        const char* (*lib_version)() noexcept nogil
    int load_libpcap "dnscap_load_libpcap"(Library* library, const char* path) noexcept

cdef extern from "<pthread.h>" nogil:
    ctypedef struct pthread_mutex_t:
        pass
    ctypedef struct pthread_cond_t:
        pass
    int pthread_mutex_init(pthread_mutex_t*, const void*) noexcept
    int pthread_mutex_lock(pthread_mutex_t*) noexcept
    int pthread_mutex_unlock(pthread_mutex_t*) noexcept
    int pthread_mutex_destroy(pthread_mutex_t*) noexcept
    int pthread_cond_init(pthread_cond_t*, const void*) noexcept
    int pthread_cond_signal(pthread_cond_t*) noexcept
    int pthread_cond_timedwait(pthread_cond_t*, pthread_mutex_t*, const timespec*) noexcept
    int pthread_cond_destroy(pthread_cond_t*) noexcept

cdef extern from "<time.h>" nogil:
    cdef struct timespec:
        long tv_sec
        long tv_nsec
    int clock_gettime(int, timespec*) noexcept
    int CLOCK_REALTIME
    int CLOCK_MONOTONIC

cdef extern from "<poll.h>" nogil:
    cdef struct pollfd:
        int fd
        short events
        short revents
    int POLLIN
    int poll(pollfd*, unsigned long, int) noexcept

cdef extern from "<unistd.h>" nogil:
    int usleep(unsigned int) noexcept

cdef extern from "<net/if.h>" nogil:
    char* if_indextoname(unsigned int, char*) noexcept

cdef enum:
    ERROR_SIZE = 256           # PCAP_ERRBUF_SIZE
    NAME_SIZE = 64             # more than IF_NAMESIZE
    NANOSECOND_PRECISION = 1
    ANY_NETMASK = 0xFFFFFFFF
    LINK_LINUX_SLL2 = 276
    # The kernel hands over a block of its ring when that is full or has waited this long, milliseconds.
    BLOCK_WAIT = 40
    AT_ONCE = 256              # frames taken under the lock
    WAKE_AT = 1 << 19          # octets recorded that are handed over before the time is up
    SPARE_ROOM = 4 << 20       # memory of a recording kept for the next one
    PLACES = 16384             # four times as many as MOST_INTERFACES: chains stay short

# The one piece of module state: set once, under the GIL, and never changed again.
cdef Library library
cdef bint loaded = False

LIBRARIES = ("libpcap.so.1", "libpcap.so.0.8", "libpcap.so", "libpcap.A.dylib", "libpcap.dylib")


def load(paths=LIBRARIES):
    """Find libpcap.

    Returns
    -------
    str or None
        What its version is; None where there is none that can be used.
    """
    global loaded
    cdef bytes path
    if not loaded:
        for name in paths:
            path = name.encode()
            memset(&library, 0, sizeof(library))
            if load_libpcap(&library, path) == 0:
                loaded = True
                break
    return library.lib_version().decode("ascii", "replace") if loaded else None


def need():
    """Raise where `load` finds no library."""
    if load() is None:
        raise OSError("libpcap is not installed")


def interfaces():
    """Names and descriptions of the interfaces that can be captured from.

    Returns
    -------
    list of (str, str)
    """
    cdef char error[ERROR_SIZE]
    cdef Interface* first = NULL
    cdef Interface* one
    need()
    error[0] = 0
    if library.findalldevs(&first, error) != 0:
        raise OSError(error.decode("utf-8", "replace"))
    found = []
    one = first
    while one != NULL:
        text = b""
        if one.description != NULL:
            text = one.description
        found.append((one.name.decode("utf-8", "replace"), text.decode("utf-8", "replace")))
        one = one.next
    library.freealldevs(first)
    return found


def compiles(str expression not None, int link, int snaplen=262144):
    """What is wrong with a filter expression for a link type; None where nothing is."""
    cdef Program program
    cdef bytes text = expression.encode()
    cdef pcap_t* handle
    need()
    handle = library.open_dead(link, snaplen)
    if handle == NULL:
        raise MemoryError("no memory for libpcap")
    try:
        if library.compile(handle, &program, text, 1, ANY_NETMASK) != 0:
            return library.geterr(handle).decode("utf-8", "replace")
        library.freecode(&program)
        return None
    finally:
        library.close(handle)


@cython.final
cdef class Blocks:
    """Whole pcapng blocks in native memory, as a read-only buffer."""

    cdef uint8_t* octets
    cdef Py_ssize_t size
    cdef Py_ssize_t room
    cdef Device owner

    def __len__(self):
        return self.size

    def __getbuffer__(self, Py_buffer* buffer, int flags):
        buffer.buf = self.octets
        buffer.obj = self
        buffer.len = self.size
        buffer.itemsize = 1
        buffer.readonly = 1
        buffer.ndim = 1
        buffer.format = <char*>b"B" if flags & PyBUF_FORMAT else NULL
        buffer.shape = &self.size
        buffer.strides = &buffer.itemsize
        buffer.suboffsets = NULL
        buffer.internal = NULL

    def __dealloc__(self):
        if self.owner is not None and self.room <= SPARE_ROOM:
            pthread_mutex_lock(&self.owner.mutex)
            if self.owner.spare == NULL:
                self.owner.spare = self.octets
                self.owner.spare_room = self.room
                self.octets = NULL
            pthread_mutex_unlock(&self.owner.mutex)
        free(self.octets)


cdef struct Place:             # an interface that frames were seen on
    uint32_t index             # as the kernel numbers it; 0 none
    uint32_t number            # in the recording

cdef struct Intake:            # what recording a frame takes
    Recording recording
    int64_t tick               # nanoseconds a sub-second unit of the time stamps
    int link
    int snaplen
    uint32_t place_count
    Place places[PLACES]


@cython.final
cdef class Device:
    """An interface, or all of them (``any``), that is captured from.

    Parameters
    ----------
    name : str
        The interface.
    snaplen : int
        Octets of a frame that are captured at most.
    promiscuous : bool
        Whether frames for other hosts are wanted.
    ring : int
        Octets of the kernel's ring.
    most : int
        Octets of frames that wait in memory at most, when nobody takes them.

    Attributes
    ----------
    link : int
        Link type.
    fault : str or None
        Why capturing ended.
    """

    cdef pcap_t* handle
    cdef pthread_mutex_t mutex
    cdef pthread_cond_t filled
    cdef pthread_cond_t emptied
    cdef bint locks
    cdef Intake intake
    cdef uint8_t* spare
    cdef size_t spare_room
    cdef size_t most
    cdef uint64_t wanted_frames    # to record; 0 without end
    cdef bytes name
    cdef bytes filter
    cdef int wanting               # a taker waits for the lock
    cdef int stopping              # no more frames are wanted than came until now
    cdef int ended                 # `run` is over
    cdef int64_t stop_at
    cdef char error[ERROR_SIZE]
    cdef bint failed
    cdef Statistics last_statistics
    cdef uint64_t received
    cdef uint64_t dropped
    cdef uint64_t interface_dropped

    def __cinit__(self, str name not None, int snaplen=262144, bint promiscuous=False, int ring=16 << 20,
                  size_t most=64 << 20):
        cdef char text[ERROR_SIZE]
        cdef int result
        need()
        if pthread_mutex_init(&self.mutex, NULL) != 0 or pthread_cond_init(&self.filled, NULL) != 0 \
                or pthread_cond_init(&self.emptied, NULL) != 0:
            raise MemoryError("no memory for a lock")
        self.locks = True
        self.name = name.encode("utf-8", "surrogateescape")
        self.filter = b""
        self.most = most
        self.intake.snaplen = snaplen
        text[0] = 0
        self.handle = library.create(self.name, text)
        if self.handle == NULL:
            raise OSError(text.decode("utf-8", "replace"))
        library.set_snaplen(self.handle, snaplen)
        library.set_promisc(self.handle, promiscuous)
        library.set_timeout(self.handle, BLOCK_WAIT)
        library.set_buffer_size(self.handle, ring)
        if library.set_tstamp_precision != NULL:
            library.set_tstamp_precision(self.handle, NANOSECOND_PRECISION)
        result = library.activate(self.handle)
        if result < 0:
            self.refuse(result)
        if self.name == b"any":
            library.set_datalink(self.handle, LINK_LINUX_SLL2)     # older libraries stay with the first version
        self.intake.link = library.datalink(self.handle)
        self.intake.tick = 1000
        if library.get_tstamp_precision != NULL and library.get_tstamp_precision(self.handle) == NANOSECOND_PRECISION:
            self.intake.tick = 1
        if library.setnonblock(self.handle, 1, text) != 0:
            raise OSError(text.decode("utf-8", "replace"))

    def __dealloc__(self):
        if self.handle != NULL:
            library.close(self.handle)
        if self.locks:
            pthread_mutex_destroy(&self.mutex)
            pthread_cond_destroy(&self.filled)
            pthread_cond_destroy(&self.emptied)
        recording_close(&self.intake.recording)
        free(self.spare)

    cdef object refuse(self, int result):
        """Raise what libpcap says: PermissionError for want of a privilege, else OSError."""
        told = library.geterr(self.handle).decode("utf-8", "replace")
        status = library.statustostr(result).decode("utf-8", "replace")
        if result in (-8, -11):       # PCAP_ERROR_PERM_DENIED, PCAP_ERROR_PROMISC_PERM_DENIED
            raise PermissionError(told or status)
        if result == -5:                        # PCAP_ERROR_NO_SUCH_DEVICE
            raise FileNotFoundError(told or status)
        raise OSError(told or status)

    def set_filter(self, str expression not None):
        """Take only frames that meet a condition.

        Raises
        ------
        ValueError
            If libpcap cannot make sense of it for this link type.
        """
        cdef Program program
        cdef bytes text = expression.encode()
        cdef int result
        if library.compile(self.handle, &program, text, 1, ANY_NETMASK) != 0:
            raise ValueError(library.geterr(self.handle).decode("utf-8", "replace"))
        result = library.setfilter(self.handle, &program)
        library.freecode(&program)
        if result != 0:
            raise ValueError(library.geterr(self.handle).decode("utf-8", "replace"))
        self.filter = text

    # ------------------------------------------------------------ the reader's side

    def run(self, uint64_t frames=0):
        """Record frames until `stop`, until there are `frames` of them, or until something goes wrong.

        For a thread of its own: nothing in it needs Python.
        """
        self.wanted_frames = frames
        if record_section(&self.intake.recording) != 0 or record_interface(
                &self.intake.recording, self.name, len(self.name), self.filter, len(self.filter), <uint16_t>self.intake.link,
                <uint32_t>self.intake.snaplen) != 0:
            raise MemoryError("no memory to record frames")
        with nogil:
            self.drain()
            pthread_mutex_lock(&self.mutex)
            self.ended = 1
            pthread_cond_signal(&self.filled)
            pthread_mutex_unlock(&self.mutex)

    cdef void drain(self) noexcept nogil:
        cdef pollfd ready
        cdef int got, many, i
        cdef char* told
        ready.fd = library.get_selectable_fd(self.handle)
        ready.events = <short>POLLIN
        while True:
            many = AT_ONCE
            if self.wanted_frames and self.wanted_frames - self.intake.recording.frames < AT_ONCE:
                many = <int>(self.wanted_frames - self.intake.recording.frames)
                if many == 0:
                    return
            if self.wanting:
                usleep(20)             # a lock just let go of would be ours again before the taker has woken
            pthread_mutex_lock(&self.mutex)
            while self.intake.recording.size >= self.most and not self.stopping:
                wait(&self.emptied, &self.mutex, 200)
            got = library.dispatch(self.handle, many, seen, <uint8_t*>&self.intake)
            if self.intake.recording.size >= WAKE_AT:
                pthread_cond_signal(&self.filled)
            pthread_mutex_unlock(&self.mutex)
            if got < 0:
                told = library.geterr(self.handle)
                for i in range(ERROR_SIZE - 1):
                    self.error[i] = told[i]
                    if told[i] == 0:
                        break
                self.failed = True
                return
            if self.stopping and monotonic() > self.stop_at:
                return
            if got == 0:
                ready.revents = 0
                if ready.fd < 0:
                    usleep(BLOCK_WAIT * 1000)
                else:
                    poll(&ready, 1, 10 if self.stopping else 100)

    # ------------------------------------------------------------ the taker's side

    def take(self, double seconds=0.0):
        """The blocks recorded since the last time; waits for as long as `seconds` while there are few.

        Returns
        -------
        Blocks or None
            None where nothing came.
        """
        cdef Blocks blocks
        cdef int64_t until = monotonic() + <int64_t>(seconds * 1e9)
        cdef int64_t rest
        cdef Recording* r = &self.intake.recording
        cdef uint8_t* octets = NULL
        cdef size_t size = 0, room = 0
        with nogil:
            self.wanting = 1
            pthread_mutex_lock(&self.mutex)
            self.wanting = 0
            while r.size < WAKE_AT and not self.ended:
                rest = (until - monotonic()) // 1000000
                if rest <= 0:
                    break
                wait(&self.filled, &self.mutex, rest)
                # Woken for a signal, perhaps: handlers run when the time is up, which is soon.
            if r.size:
                octets, size, room = r.octets, r.size, r.room
                r.octets, r.size, r.room = self.spare, 0, self.spare_room
                self.spare = NULL
                self.spare_room = 0
            pthread_cond_signal(&self.emptied)
            pthread_mutex_unlock(&self.mutex)
        if size == 0:
            return None
        blocks = Blocks()
        blocks.octets = octets
        blocks.size = <Py_ssize_t>size
        blocks.room = <Py_ssize_t>room
        blocks.owner = self
        return blocks

    def stop(self):
        """Take what the kernel has by now, and no more."""
        self.stop_at = monotonic() + (BLOCK_WAIT + 20) * <int64_t>1000000
        self.stopping = 1

    @property
    def link(self):
        return self.intake.link

    @property
    def snaplen(self):
        return self.intake.snaplen

    @property
    def running(self):
        """Whether frames may still come."""
        return not self.ended

    @property
    def fault(self):
        if not self.failed:
            return None
        return (<bytes>self.error).decode("utf-8", "replace")

    @property
    def frames(self):
        """Frames recorded."""
        return self.intake.recording.frames

    @property
    def last_time(self):
        """Time of the latest frame recorded, nanoseconds since the epoch; 0 before the first."""
        return self.intake.recording.last_time

    @property
    def out_of_memory(self):
        """Frames not recorded because there was no memory."""
        return self.intake.recording.lost

    def statistics(self):
        """Frames received, dropped by the kernel for want of room in its ring, and dropped by the interface.

        Returns
        -------
        tuple of int
            The kernel's own counters have 32 bits; these do not start again.
        """
        cdef Statistics now
        memset(&now, 0, sizeof(now))
        if library.stats(self.handle, &now) == 0:
            self.received += <uint32_t>(now.received - self.last_statistics.received)
            self.dropped += <uint32_t>(now.dropped - self.last_statistics.dropped)
            self.interface_dropped += <uint32_t>(now.interface_dropped - self.last_statistics.interface_dropped)
            self.last_statistics = now
        return self.received, self.dropped, self.interface_dropped


cdef int64_t monotonic() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <int64_t>now.tv_sec * 1000000000 + now.tv_nsec


cdef void wait(pthread_cond_t* condition, pthread_mutex_t* mutex, int64_t milliseconds) noexcept nogil:
    cdef timespec until
    cdef int64_t at
    clock_gettime(CLOCK_REALTIME, &until)
    at = <int64_t>until.tv_nsec + milliseconds * 1000000
    until.tv_sec += <long>(at // 1000000000)
    until.tv_nsec = <long>(at % 1000000000)
    pthread_cond_timedwait(condition, mutex, &until)


cdef uint32_t number_of(Intake* intake, uint32_t index) noexcept nogil:
    """Number in the recording of the interface that the kernel knows by `index`; 0 where there are too many."""
    cdef uint32_t at = (index * <uint32_t>2654435761U) % PLACES
    cdef char name[NAME_SIZE]
    cdef uint32_t number, digits, value
    while intake.places[at].index != 0:
        if intake.places[at].index == index:
            return intake.places[at].number
        at = (at + 1) % PLACES
    if intake.place_count >= MOST_INTERFACES - 1 or index == 0:
        return 0
    memset(name, 0, NAME_SIZE)
    if if_indextoname(index, name) == NULL:
        # gone by now
        name[0], name[1] = c"i", c"f"
        value, digits = index, 1
        while value >= 10:
            value //= 10
            digits += 1
        name[2 + digits] = 0
        value = index
        while digits:
            digits -= 1
            name[2 + digits] = <char>(c"0" + value % 10)
            value //= 10
    number = intake.recording.interfaces
    if record_interface(&intake.recording, name, strlen(name), NULL, 0, <uint16_t>intake.link,
                        <uint32_t>intake.snaplen) != 0:
        return 0
    intake.places[at].index = index
    intake.places[at].number = number
    intake.place_count += 1
    return number


cdef void seen(uint8_t* state, const Header* header, const uint8_t* octets) noexcept nogil:
    """A frame from libpcap."""
    cdef Intake* intake = <Intake*>state
    cdef uint32_t number = 0
    cdef int64_t time = <int64_t>header.ts.tv_sec * 1000000000 + <int64_t>header.ts.tv_usec * intake.tick
    if intake.link == LINK_LINUX_SLL2 and header.caplen >= 20:
        number = number_of(intake, be32(octets + 4))
    record_frame(&intake.recording, number, time, octets, header.caplen, header.len)
