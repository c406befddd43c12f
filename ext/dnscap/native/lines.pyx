"""Text lines out of Arrow record batches: CSV and JSON Lines, without Python per row.

A batch comes in through the Arrow C data interface; each of its columns becomes a
`Column`, and rows are then written one after another into one growing buffer.  What
repeats is made once: the text before a value (the comma of CSV, the key of JSON), null,
false and true, and each entry of a dictionary when it is first used.  Those are *cells*,
kept on a shelf and copied whole.

What a batch holds is trusted as far as the interface allows: dictionary codes, list and
text offsets are checked against each other, buffer sizes are not told to the consumer.
"""
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.math cimport INFINITY, fabs
from libc.stdint cimport INT64_MIN, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from dnscap.native.digits cimport (
    NUMBER_ROOM,
    put_duration,
    put_float,
    put_nine,
    put_signed,
    put_two,
    put_unsigned,
)
from dnscap.native.quoting cimport (
    BAD_BATCH,
    FINE,
    FIRST_ROOM,
    NO_MEMORY,
    Sink,
    copy_blocks,
    grow,
    has_room,
    put_csv_text,
    put_json_text,
)

# The Arrow C data interface, a fixed ABI.
cdef struct ArrowSchema:
    const char* format
    const char* name
    const char* metadata
    int64_t flags
    int64_t n_children
    ArrowSchema** children
    ArrowSchema* dictionary
    void (*release)(ArrowSchema*) noexcept
    void* private_data

cdef struct ArrowArray:
    int64_t length
    int64_t null_count
    int64_t offset
    int64_t n_buffers
    int64_t n_children
    const void** buffers
    ArrowArray** children
    ArrowArray* dictionary
    void (*release)(ArrowArray*) noexcept
    void* private_data

cdef enum:
    NULLS
    BOOL
    INT8
    INT16
    INT32
    INT64
    UINT8
    UINT16
    UINT32
    UINT64
    FLOAT
    TIME
    DURATION
    TEXT32
    TEXT64
    CODED
    LIST32
    LIST64

# Seconds since 1970 of 0001-01-01T00:00:00Z and of 9999-12-31T23:59:59Z: RFC 3339 has four
# digits for the year.
cdef int64_t FIRST_SECOND = -62135596800
cdef int64_t LAST_SECOND = 253402300799
cdef const uint8_t* NOTHING = b""


cdef struct Cell:
    size_t at                 # on the shelf
    size_t size               # 0: not made yet


cdef struct Column:
    int kind
    int code_kind             # CODED: how the codes are stored
    const uint8_t* validity   # NULL: nothing is null
    const void* values        # TEXT, LIST: the offsets
    const uint8_t* text
    int64_t offset
    int64_t length
    int64_t limit             # TEXT: the last offset
    int64_t ticks             # TIME, DURATION: per second
    Column* child             # CODED: the dictionary; LIST: the items
    Cell* cells               # CODED: one for each entry of the dictionary
    Cell key                  # what stands before each value
    Cell null
    Cell no
    Cell yes
    int64_t second            # TIME: the second that `clock` shows
    uint8_t[20] clock


cdef struct Sheet:
    Column* columns
    int64_t count
    int64_t rows
    bint json
    Sink out
    Sink shelf
    Sink joined


# Times

cdef void set_clock(Column* column, int64_t second) noexcept nogil:
    """Write the calendar form of a second, in the proleptic Gregorian calendar."""
    # Days are counted from 0000-03-01, so that the leap day ends a year, and years in
    # cycles of 400, which all have 146097 days.
    cdef uint8_t* at = column.clock
    cdef int64_t days = (second - FIRST_SECOND) // 86400 + 306
    cdef uint32_t left = <uint32_t>((second - FIRST_SECOND) % 86400)
    cdef uint32_t cycle = <uint32_t>(days // 146097)
    cdef uint32_t day = <uint32_t>(days % 146097)
    cdef uint32_t year = (day - day // 1460 + day // 36524 - day // 146096) // 365
    cdef uint32_t month
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day = day - (153 * month + 2) // 5 + 1
    year += 400 * cycle
    if month >= 10:
        year += 1
        month -= 9
    else:
        month += 3
    put_two(at, year // 100)
    put_two(at + 2, year % 100)
    at[4] = c'-'
    put_two(at + 5, month)
    at[7] = c'-'
    put_two(at + 8, day)
    at[10] = c'T'
    put_two(at + 11, left // 3600)
    at[13] = c':'
    put_two(at + 14, left // 60 % 60)
    at[16] = c':'
    put_two(at + 17, left % 60)
    at[19] = c'.'
    column.second = second


cdef inline uint8_t* put_time(uint8_t* at, Column* column, int64_t ticks) noexcept nogil:
    cdef int64_t second = ticks // column.ticks
    cdef int64_t rest = ticks % column.ticks
    cdef uint32_t nanoseconds
    if rest < 0:              # C divides towards zero
        rest += column.ticks
        second -= 1
    nanoseconds = <uint32_t>(rest * (1000000000 // column.ticks))
    if second < FIRST_SECOND:
        second = FIRST_SECOND
        nanoseconds = 0
    elif second > LAST_SECOND:
        second = LAST_SECOND
        nanoseconds = 999999999
    if second != column.second:
        set_clock(column, second)
    memcpy(at, column.clock, 20)
    put_nine(at + 20, nanoseconds)
    at[29] = c'Z'
    return at + 30


# Cells

cdef inline int put_cell_ready(Sheet* sheet, const Cell* cell, Sink* out) noexcept nogil:
    if not has_room(out, cell.size):
        return NO_MEMORY
    # only now: `out` may be the shelf itself and have moved
    copy_blocks(out.at, sheet.shelf.base + cell.at, cell.size)
    out.at += cell.size
    return FINE


cdef inline int text_at(const Column* column, int64_t i, const uint8_t** text, size_t* size) noexcept nogil:
    cdef int64_t start
    cdef int64_t end
    if column.kind == TEXT32:
        start = (<const int32_t*>column.values)[i]
        end = (<const int32_t*>column.values)[i + 1]
    else:
        start = (<const int64_t*>column.values)[i]
        end = (<const int64_t*>column.values)[i + 1]
    if not 0 <= start <= end <= column.limit:
        return BAD_BATCH
    text[0] = column.text + start
    size[0] = <size_t>(end - start)
    return FINE


cdef inline int64_t code_at(const Column* column, int64_t i) noexcept nogil:
    cdef int kind = column.code_kind
    if kind == INT8:
        return (<const int8_t*>column.values)[i]
    elif kind == INT16:
        return (<const int16_t*>column.values)[i]
    elif kind == INT32:
        return (<const int32_t*>column.values)[i]
    elif kind == UINT8:
        return (<const uint8_t*>column.values)[i]
    elif kind == UINT16:
        return (<const uint16_t*>column.values)[i]
    elif kind == UINT32:
        return (<const uint32_t*>column.values)[i]
    return (<const int64_t*>column.values)[i]    # what does not fit is negative, hence refused


cdef inline bint bit_at(const uint8_t* bits, int64_t i) noexcept nogil:
    return bits[i >> 3] >> (i & 7) & 1


cdef inline bint known_at(const Column* column, int64_t i) noexcept nogil:
    return column.kind != NULLS and (column.validity == NULL or bit_at(column.validity, i))


cdef int put_cell(Sheet* sheet, Column* column, int64_t row, Sink* out) noexcept nogil:
    """Write the key (or comma) and the value of a row."""
    cdef int64_t i = row + column.offset
    cdef int kind = column.kind
    cdef const uint8_t* text
    cdef size_t size
    cdef int64_t code
    cdef Cell* cell
    cdef uint8_t* at
    cdef double real
    cdef int status
    if not known_at(column, i):
        return put_cell_ready(sheet, &column.null, out)
    if kind == BOOL:
        cell = &column.yes if bit_at(<const uint8_t*>column.values, i) else &column.no
        return put_cell_ready(sheet, cell, out)
    if kind == CODED:
        code = code_at(column, i)
        if not 0 <= code < column.child.length:
            return BAD_BATCH
        cell = &column.cells[code]
        if cell.size == 0:
            cell.at = sheet.shelf.at - sheet.shelf.base
            status = put_cell(sheet, column.child, code, &sheet.shelf)
            if status:
                return status
            cell.size = (sheet.shelf.at - sheet.shelf.base) - cell.at
            if cell.size == 0:    # a null entry in the first column of CSV: no comma, no text
                return FINE
        return put_cell_ready(sheet, cell, out)

    if not has_room(out, column.key.size + NUMBER_ROOM):
        return NO_MEMORY
    at = out.at
    copy_blocks(at, sheet.shelf.base + column.key.at, column.key.size)
    at += column.key.size
    if kind == INT8:
        at = put_signed(at, (<const int8_t*>column.values)[i])
    elif kind == INT16:
        at = put_signed(at, (<const int16_t*>column.values)[i])
    elif kind == INT32:
        at = put_signed(at, (<const int32_t*>column.values)[i])
    elif kind == INT64:
        at = put_signed(at, (<const int64_t*>column.values)[i])
    elif kind == UINT8:
        at = put_unsigned(at, (<const uint8_t*>column.values)[i])
    elif kind == UINT16:
        at = put_unsigned(at, (<const uint16_t*>column.values)[i])
    elif kind == UINT32:
        at = put_unsigned(at, (<const uint32_t*>column.values)[i])
    elif kind == UINT64:
        at = put_unsigned(at, (<const uint64_t*>column.values)[i])
    elif kind == DURATION:
        at = put_duration(at, (<const int64_t*>column.values)[i], column.ticks)
    elif kind == TIME:
        if sheet.json:
            at[0] = c'"'
            at = put_time(at + 1, column, (<const int64_t*>column.values)[i])
            at[0] = c'"'
            at += 1
        else:
            at = put_time(at, column, (<const int64_t*>column.values)[i])
    elif kind == FLOAT:
        real = (<const double*>column.values)[i]
        if real != real or fabs(real) == INFINITY:      # JSON has neither; RFC 8259 section 6
            return put_cell_ready(sheet, &column.null, out)
        at = put_float(at, real)
    elif kind == TEXT32 or kind == TEXT64:
        status = text_at(column, i, &text, &size)
        if status:
            return status
        out.at = at
        return put_json_text(out, text, size) if sheet.json else put_csv_text(out, text, size)
    else:
        out.at = at
        return put_list(sheet, column, i, out)
    out.at = at
    return FINE


cdef int put_list(Sheet* sheet, Column* column, int64_t i, Sink* out) noexcept nogil:
    """Write the items of a list: an array in JSON, joined by a space in CSV."""
    cdef Column* items = column.child
    cdef Column* texts
    cdef const uint8_t* text
    cdef size_t size
    cdef int64_t start
    cdef int64_t end
    cdef int64_t k
    cdef int64_t entry
    cdef int status
    if column.kind == LIST32:
        start = (<const int32_t*>column.values)[i]
        end = (<const int32_t*>column.values)[i + 1]
    else:
        start = (<const int64_t*>column.values)[i]
        end = (<const int64_t*>column.values)[i + 1]
    if not 0 <= start <= end <= items.length:
        return BAD_BATCH
    if sheet.json:
        out.at[0] = c'['
        out.at += 1
        for k in range(start, end):
            status = put_cell(sheet, items, k, out)
            if status:
                return status
            if not has_room(out, 1):
                return NO_MEMORY
            out.at[0] = c','
            out.at += 1
        if end > start:
            out.at -= 1
        if not has_room(out, 1):
            return NO_MEMORY
        out.at[0] = c']'
        out.at += 1
        return FINE

    # Whether the cell needs quotes is known only when it is whole.
    texts = items.child if items.kind == CODED else items
    if texts.kind != TEXT32 and texts.kind != TEXT64:
        size = out.at - out.base
        for k in range(start, end):
            status = put_cell(sheet, items, k, out)
            if status:
                return status
            if not has_room(out, 1):
                return NO_MEMORY
            out.at[0] = c' '
            out.at += 1
        if end > start:
            out.at -= 1
        # a list without anything to show is not an unknown list
        return FINE if out.at > out.base + size else put_csv_text(out, NULL, 0)
    sheet.joined.at = sheet.joined.base
    for k in range(start, end):
        entry = k + items.offset
        size = 0
        if known_at(items, entry):
            if items.kind == CODED:
                entry = code_at(items, entry)
                if not 0 <= entry < texts.length:
                    return BAD_BATCH
                entry += texts.offset
            if items.kind != CODED or known_at(texts, entry):
                status = text_at(texts, entry, &text, &size)
                if status:
                    return status
        if not has_room(&sheet.joined, size + 1):
            return NO_MEMORY
        if size:
            memcpy(sheet.joined.at, text, size)
        sheet.joined.at[size] = c' '
        sheet.joined.at += size + 1
    if end > start:
        sheet.joined.at -= 1
    return put_csv_text(out, sheet.joined.base, sheet.joined.at - sheet.joined.base)


cdef int write_rows(Sheet* sheet, const uint8_t* before, size_t before_size,
                    const uint8_t* after, size_t after_size) noexcept nogil:
    cdef int64_t row
    cdef int64_t i
    cdef int status
    for row in range(sheet.rows):
        if not has_room(&sheet.out, before_size):
            return NO_MEMORY
        memcpy(sheet.out.at, before, before_size)
        sheet.out.at += before_size
        for i in range(sheet.count):
            status = put_cell(sheet, &sheet.columns[i], row, &sheet.out)
            if status:
                return status
        if not has_room(&sheet.out, after_size):
            return NO_MEMORY
        memcpy(sheet.out.at, after, after_size)
        sheet.out.at += after_size
    return FINE


# Columns out of the Arrow C data interface

cdef int kind_of(bytes form, int64_t* ticks) except -1:
    cdef int kind = {
        b"n": NULLS, b"b": BOOL, b"c": INT8, b"s": INT16, b"i": INT32, b"l": INT64, b"C": UINT8,
        b"S": UINT16, b"I": UINT32, b"L": UINT64, b"g": FLOAT, b"u": TEXT32, b"U": TEXT64,
        b"+l": LIST32, b"+L": LIST64,
    }.get(form, NULLS)
    if kind != NULLS or form == b"n":
        return kind
    if form[:2] == b"ts" or form[:2] == b"tD":
        ticks[0] = {b"s": 1, b"m": 1000, b"u": 1000000, b"n": 1000000000}[form[2:3]]
        return TIME if form[:2] == b"ts" else DURATION
    raise TypeError(f"no text form for Arrow format {form.decode()!r}")


cdef int shelve(Sheet* sheet, Cell* cell, bytes text) except -1:
    cell.at = sheet.shelf.at - sheet.shelf.base
    cell.size = len(text)
    if not has_room(&sheet.shelf, cell.size):
        raise MemoryError
    memcpy(sheet.shelf.at, <const uint8_t*>text, cell.size)
    sheet.shelf.at += cell.size
    return 0


cdef int open_column(Sheet* sheet, Column* column, ArrowSchema* schema, ArrowArray* array, bytes key,
                     bytes null) except -1:
    cdef int kind = kind_of(schema.format, &column.ticks)
    column.kind = kind
    column.second = INT64_MIN     # outside FIRST_SECOND to LAST_SECOND
    column.offset = array.offset
    column.length = array.length
    shelve(sheet, &column.key, key)
    shelve(sheet, &column.null, key + null)
    shelve(sheet, &column.no, key + b"false")
    shelve(sheet, &column.yes, key + b"true")
    if kind == NULLS:
        return 0
    if array.null_count != 0:
        column.validity = <const uint8_t*>array.buffers[0]
    column.values = array.buffers[1]
    if kind == TEXT32 or kind == TEXT64:
        # a column of empty texts may come without a buffer for them
        column.text = <const uint8_t*>array.buffers[2] if array.buffers[2] != NULL else NOTHING
        if column.values != NULL:     # may be missing where there is no row
            if kind == TEXT32:
                column.limit = (<const int32_t*>column.values)[array.offset + array.length]
            else:
                column.limit = (<const int64_t*>column.values)[array.offset + array.length]
    elif kind == LIST32 or kind == LIST64:
        column.child = <Column*>calloc(1, sizeof(Column))
        if column.child == NULL:
            raise MemoryError
        null = b"null" if sheet.json else b""
        open_column(sheet, column.child, schema.children[0], array.children[0], b"", null)
        if column.child.kind == LIST32 or column.child.kind == LIST64:
            raise TypeError("no text form for lists of lists")
    if schema.dictionary != NULL:
        if not INT8 <= kind <= UINT64:
            raise TypeError("dictionary codes that are not integers")
        column.kind = CODED
        column.code_kind = kind
        column.child = <Column*>calloc(1, sizeof(Column))
        # never touched for entries that no row uses, hence cheap for a large dictionary
        column.cells = <Cell*>calloc(array.dictionary.length + 1, sizeof(Cell))
        if column.child == NULL or column.cells == NULL:
            raise MemoryError
        open_column(sheet, column.child, schema.dictionary, array.dictionary, key, null)
        if column.child.child != NULL:
            raise TypeError("no text form for dictionaries of lists or dictionaries")
    return 0


cdef void close_column(Column* column) noexcept:
    if column.child != NULL:
        close_column(column.child)
        free(column.child)
    free(column.cells)


cdef bytes format_rows(object batch, bint json, bytes before, bytes after):
    cdef Sheet sheet
    cdef ArrowSchema* schema
    cdef ArrowArray* array
    cdef int status
    cdef int64_t i
    cdef bytes name
    cdef bytes quoted
    cdef bytes key
    cdef bytes null
    cdef const uint8_t* before_text = before
    cdef const uint8_t* after_text = after
    cdef size_t before_size = len(before)
    cdef size_t after_size = len(after)
    # the capsules own what they hold and must outlive the writing
    schema_capsule, array_capsule = batch.__arrow_c_array__()
    schema = <ArrowSchema*>PyCapsule_GetPointer(schema_capsule, "arrow_schema")
    array = <ArrowArray*>PyCapsule_GetPointer(array_capsule, "arrow_array")
    if schema.format == NULL or bytes(schema.format) != b"+s":
        raise TypeError("a record batch is needed")
    if array.null_count > 0:
        raise TypeError("rows of a record batch can not be null")

    sheet.columns = NULL
    sheet.count = array.n_children
    sheet.rows = array.length
    sheet.json = json
    sheet.out.base = sheet.out.at = sheet.out.end = NULL
    sheet.shelf.base = sheet.shelf.at = sheet.shelf.end = NULL
    sheet.joined.base = sheet.joined.at = sheet.joined.end = NULL
    if sheet.rows == 0 or sheet.count == 0:
        return b""
    try:
        if not grow(&sheet.out, FIRST_ROOM) or not grow(&sheet.shelf, FIRST_ROOM):
            raise MemoryError
        if not grow(&sheet.joined, FIRST_ROOM):
            raise MemoryError
        sheet.columns = <Column*>calloc(sheet.count, sizeof(Column))
        if sheet.columns == NULL:
            raise MemoryError
        for i in range(sheet.count):
            name = schema.children[i].name if schema.children[i].name != NULL else b""
            if json:
                sheet.joined.at = sheet.joined.base
                if put_json_text(&sheet.joined, name, len(name)):
                    raise MemoryError
                quoted = sheet.joined.base[:sheet.joined.at - sheet.joined.base]
                key = (b"{" if i == 0 else b",") + quoted + b":"
                null = b"null"
            else:
                key = b"" if i == 0 else b","
                # a line without anything is no record to most readers
                null = b'""' if sheet.count == 1 else b""
            if array.children[i].length < array.offset + array.length:
                raise ValueError(f"column {name.decode(errors='replace')!r} is shorter than its batch")
            try:
                open_column(&sheet, &sheet.columns[i], schema.children[i], array.children[i], key, null)
            except TypeError as error:
                raise TypeError(f"column {name.decode(errors='replace')!r}: {error}") from None
            sheet.columns[i].offset += array.offset
        with nogil:
            status = write_rows(&sheet, before_text, before_size, after_text, after_size)
        if status == NO_MEMORY:
            raise MemoryError
        if status:
            raise ValueError("a record batch whose offsets or dictionary codes do not fit its values")
        return PyBytes_FromStringAndSize(<char*>sheet.out.base, sheet.out.at - sheet.out.base)
    finally:
        if sheet.columns != NULL:
            for i in range(sheet.count):
                close_column(&sheet.columns[i])
            free(sheet.columns)
        free(sheet.out.base)
        free(sheet.shelf.base)
        free(sheet.joined.base)


def format_csv(batch) -> bytes:
    """Return the rows of a record batch as CSV lines, without a header.

    Cells are quoted as RFC 4180 has it, only where they must be; lines end with a line feed.
    Times are RFC 3339 in UTC with nine decimals, durations seconds with nine decimals at most,
    booleans ``true`` and ``false``, lists joined by a space.  What is unknown is empty, a known
    text without characters is ``""``.

    A text (never a number, time or duration) that a spreadsheet would take for a formula, because
    it begins with ``=``, ``+``, ``-`` or ``@``, gets a backslash before that character.  In a domain
    name that is the same name (RFC 1035 section 5.1).  The same holds after a semicolon, a tab or a line
    end inside a text, where spreadsheets of some languages begin the next cell.  Other control
    characters are written ``\\DDD``, octets that are not UTF-8 become U+FFFD.

    Parameters
    ----------
    batch : object with ``__arrow_c_array__``
        A `pyarrow.RecordBatch` or the like.
    """
    return format_rows(batch, 0, b"", b"\n")


def format_jsonl(batch, *, bint array=False) -> bytes:
    """Return the rows of a record batch as JSON objects, one a line; keys are the column names.

    Times, durations and booleans are those of `format_csv`; lists are arrays, unknown is null,
    and so is a float that is not a finite number.  Control characters and marks of direction are
    escaped, octets that are not UTF-8 become U+FFFD: every line is valid JSON.

    Parameters
    ----------
    batch : object with ``__arrow_c_array__``
        A `pyarrow.RecordBatch` or the like.
    array : bool
        Write each object with a comma and a line feed *before* it, for the inside of an array.
    """
    if array:
        return format_rows(batch, 1, b",\n", b"}")
    return format_rows(batch, 1, b"", b"}\n")
