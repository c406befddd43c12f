"""What both formats of capture files keep while they are read: sources, and the texts that describe them."""
from libc.stdint cimport UINT32_MAX
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

cdef enum:
    MOST_TEXT = 4 * 1024 * 1024  # octets of names, filters and comments a file


cdef void file_begin(CaptureFile* file) noexcept nogil:
    file.index += 1            # 0 for the first
    file.state = STATE_HEADER
    file.fault = FAULT_NONE
    file.fault_value = 0
    file.cut = False
    file.offset = file.frame_number = 0
    file.wanted = 0
    file.last_time = 0
    file.file_source = file.section = file.source_count
    file.interfaces = 0
    file.file_text = file.text_used


cdef void file_close(CaptureFile* file) noexcept nogil:
    free(file.sources)
    free(file.texts)


cdef Source* new_source(CaptureFile* file) noexcept nogil:
    cdef uint32_t room
    cdef Source* sources
    if file.source_count == file.source_room:
        room = file.source_room * 2 if file.source_room else 8
        if room <= file.source_room:
            return NULL
        sources = <Source*>realloc(file.sources, <size_t>room * sizeof(Source))
        if sources == NULL:
            return NULL
        file.sources = sources
        file.source_room = room
    sources = &file.sources[file.source_count]
    memset(sources, 0, sizeof(Source))
    sources.file = file.index
    file.source_count += 1
    return sources


cdef bint add_text(CaptureFile* file, Text* text, const uint8_t* p, size_t size) noexcept nogil:
    """Append octets to a text that is empty or the last one added to."""
    cdef size_t room
    cdef char* texts
    if size == 0:
        return True
    if file.text_used + size - file.file_text > MOST_TEXT or file.text_used + size > UINT32_MAX:
        file.lost_texts += 1
        return False
    if file.text_used + size > file.text_room:
        room = (file.text_used + size) * 2
        texts = <char*>realloc(file.texts, room)
        if texts == NULL:
            file.lost_texts += 1
            return False
        file.texts = texts
        file.text_room = room
    if text.size == 0:
        text.offset = <uint32_t>file.text_used
    memcpy(file.texts + file.text_used, p, size)
    file.text_used += size
    text.size += <uint32_t>size
    return True
