"""Memory that native code fills and Python reads, and the layouts of Arrow: bits, codes, texts."""
from libc.stdint cimport uint8_t


cdef class Memory:
    cdef void* data
    cdef Py_ssize_t size
    cdef Py_ssize_t stride     # always 1: what `Py_buffer.strides` points to

# `size` octets that are not cleared, from huge pages where large; raises MemoryError.
cdef Memory new_memory(size_t size)
# As `new_memory`, over memory from `malloc` or `big_alloc`, which is freed with it.
cdef Memory adopt_memory(void* data, size_t size)


cdef inline void set_bit(uint8_t* bits, size_t at) noexcept nogil:
    bits[at >> 3] |= <uint8_t>(1 << (at & 7))
