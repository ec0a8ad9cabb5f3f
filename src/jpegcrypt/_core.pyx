# cython: language_level=3, wraparound=False, cdivision=True
"""The compiled core: checks shapes, owns buffers, releases the GIL and calls ``native/``.

Nothing here sees a key. A plan (`cipher.plan`) is an array of records and a permutation; without
one the same code writes and reads ordinary JPEGs.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from math import gcd

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_FillInfo
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int16_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

import numpy as np

from jpegcrypt.errors import MalformedJpeg


cdef extern from "native/jpegcrypt.h" nogil:
    ctypedef enum jc_status:
        JC_OK, JC_NO_MEMORY, JC_TRUNCATED, JC_BAD_CODE, JC_BAD_RUN, JC_BAD_RESTART
        JC_BAD_REFINEMENT, JC_BAD_TABLE, JC_BAD_VALUE
    enum: JC_BLOCK, JC_RECORD, JC_CACHE_LINE, JC_BANK_SIZE, JC_MAX_MCU
    uint8_t *jc_align(uint8_t *)

    ctypedef struct jc_component:
        int h, v
        uint32_t samples_w, samples_h, blocks_w, blocks_h
    ctypedef struct jc_frame:
        uint32_t width, height
        int n_components, h_max, v_max
        uint32_t mcus_w, mcus_h
        jc_component component[3]
    void jc_frame_geometry(jc_frame *)
    size_t jc_component_blocks(const jc_frame *, int)

    ctypedef struct jc_plan:
        const uint8_t *records
        const uint32_t *permutation
    ctypedef struct jc_bank:
        pass
    void jc_bank_pack(const int16_t (*)[8][8], uint32_t, int16_t *, jc_bank *)
    ctypedef struct jc_quantizer:
        uint16_t natural[64]
    void jc_quantizer_init(jc_quantizer *, const uint16_t *, const uint8_t *)
    ctypedef struct jc_buffer:
        uint8_t *data
        size_t size, capacity
    jc_status jc_reserve(jc_buffer *, size_t)
    void jc_free(jc_buffer *)
    ctypedef struct jc_kernels:
        const char *name
        const uint8_t *forward_order
    const jc_kernels *jc_dispatch(const char *)
    jc_status jc_image_to_planes(const jc_kernels *, const jc_frame *, const uint8_t *, ptrdiff_t,
                                 uint32_t, uint32_t, uint8_t **, uint64_t *)
    jc_status jc_planes_to_image(const jc_kernels *, const jc_frame *, int, const uint8_t **,
                                 uint32_t, uint32_t, uint8_t *)

    jc_status jc_dc_to_residuals(const jc_frame *, int, const uint8_t *, const jc_quantizer *, int,
                                 const jc_bank *, const jc_plan *, int16_t *)
    jc_status jc_dc_from_residuals(const jc_frame *, int, const int16_t *, const jc_quantizer *, int,
                                   const jc_bank *, const jc_plan *, int16_t *)

    ctypedef struct jc_huffman_table:
        uint8_t bits[17]
        uint8_t values[256]
        int n_values
    ctypedef struct jc_encoder:
        const jc_kernels *kernels
        const jc_frame *frame
        const jc_bank *bank
        const jc_quantizer *quantizer[3]
        jc_plan plan[3]
        uint8_t *plane[3]
        const int16_t *coefficients[3]
        int dc_only
        int level[3]
        int16_t *dc[3]
        uint32_t restart_interval
        int optimize, want_message
        uint32_t trellis
        jc_huffman_table tables[4]
    ctypedef struct jc_slice:
        uint32_t first_row, last_row
        jc_buffer tokens, restarts, bits, pieces, message
    void jc_planes_to_coefficients(const jc_encoder *, int, int16_t *)
    void jc_encode_rates(jc_encoder *)
    jc_status jc_encode_blocks(const jc_encoder *, jc_slice *)
    int jc_encode_tables(jc_encoder *, jc_slice *, int)
    jc_status jc_encode_bits(const jc_encoder *, jc_slice *)
    jc_status jc_join_slices(const jc_encoder *, const jc_slice *, int, jc_buffer *)

    ctypedef struct jc_huffman_decoder:
        pass
    int jc_huffman_decoder_init(jc_huffman_decoder *, const jc_huffman_table *, int)
    ctypedef struct jc_entropy:
        jc_buffer memory
        size_t size, n_intervals, source_end
    jc_status jc_unstuff(const uint8_t *, size_t, size_t, jc_entropy *)
    void jc_entropy_free(jc_entropy *)
    size_t jc_source_offset(const jc_entropy *, const uint8_t *, size_t)
    ctypedef struct jc_scan:
        const jc_frame *frame
        int n_components
        int component[3]
        const jc_huffman_decoder *dc[3]
        const jc_huffman_decoder *ac[3]
        int spectral_start, spectral_end, high, low
        uint32_t restart_interval
        const jc_entropy *entropy
    jc_status jc_decode_sequential(const jc_kernels *, const jc_scan *, int16_t **, size_t *)
    jc_status jc_decode_progressive(const jc_scan *, int16_t **, size_t *)

    ctypedef struct jc_decoder:
        const jc_kernels *kernels
        const jc_frame *frame
        const jc_bank *bank
        const jc_quantizer *quantizer[3]
        jc_plan plan[3]
        int level[3]
        const int16_t *dc[3]
        uint8_t *planes[3]
        jc_buffer *message
    ctypedef struct jc_walk:
        pass
    jc_status jc_walk_start(jc_walk *, const jc_scan *, size_t)
    size_t jc_walk_position(const jc_walk *)
    jc_status jc_walk_end(const jc_walk *, int)
    jc_status jc_decode_to_planes(const jc_decoder *, jc_walk *, uint32_t, uint32_t)
    size_t jc_row_bytes(const jc_frame *)
    jc_status jc_decode_rows(const jc_decoder *, jc_walk *, uint32_t, uint32_t, uint8_t *)
    void jc_put_rows(const jc_decoder *, uint32_t, uint32_t, uint8_t *)
    jc_status jc_coefficients_to_planes(const jc_decoder *, const int16_t **)


# ---- Instruction set ----

cdef const jc_kernels *kernels

cdef _choose_kernels():
    global kernels
    forced = os.environ.get("JPEGCRYPT_SIMD", "")
    cdef bytes name = forced.encode()
    cdef const char *level = name
    kernels = jc_dispatch(level if name else <const char *> NULL)
    if kernels is NULL:
        raise ImportError(f"JPEGCRYPT_SIMD={forced!r}: this build or processor has no such level")

_choose_kernels()


def simd_level():
    """Name of the instruction set in use; the environment variable JPEGCRYPT_SIMD forces one."""
    return kernels.name.decode()


# ---- Frame ----

cdef class Frame:
    """Geometry of a picture and its components (T.81 A.1.1, A.2.4).

    Parameters
    ----------
    width, height : int
        Size in pixels, 1..65535.
    sampling : sequence of (int, int)
        Factors (H, V), 1..4, of the one or three components.
    """

    cdef jc_frame c

    def __init__(self, int width, int height, sampling):
        if not (1 <= width <= 65535 and 1 <= height <= 65535):
            raise ValueError(f"a frame of {width}x{height}: a JPEG has 1 to 65535 rows and columns")
        if len(sampling) not in (1, 3):
            raise ValueError(f"{len(sampling)} components, expected 1 or 3")
        self.c.width = width
        self.c.height = height
        self.c.n_components = len(sampling)
        for i, (h, v) in enumerate(sampling):
            if not (1 <= h <= 4 and 1 <= v <= 4):
                raise ValueError(f"sampling factors {h}x{v}, expected 1 to 4")
            self.c.component[i].h = h
            self.c.component[i].v = v
        jc_frame_geometry(&self.c)

    @property
    def width(self):
        return self.c.width

    @property
    def height(self):
        return self.c.height

    @property
    def n_components(self):
        return self.c.n_components

    @property
    def sampling(self):
        """Factors (H, V) of each component; (1, 1) for a single one."""
        return tuple((self.c.component[i].h, self.c.component[i].v)
                     for i in range(self.c.n_components))

    @property
    def block_shapes(self):
        """Rows and columns of blocks of each component, MCU padding not counted."""
        return tuple((self.c.component[i].blocks_h, self.c.component[i].blocks_w)
                     for i in range(self.c.n_components))


# ---- Tables ----

cdef class TransformBank:
    """A bank of 8x8 matrices for the kernels.

    Parameters
    ----------
    matrices : int16 array (n, 8, 8)
        Orthonormal matrices times 2**14, n a power of two up to 256. The rows of a matrix are its
        basis functions.
    """

    cdef jc_bank c
    cdef int16_t *packed

    def __init__(self, const int16_t[:, :, ::1] matrices):
        cdef Py_ssize_t n = matrices.shape[0]
        if matrices.shape[1] != 8 or matrices.shape[2] != 8 or not 1 <= n <= 256 or n & (n - 1):
            raise ValueError(f"matrices of shape {(n, matrices.shape[1], matrices.shape[2])}, "
                             "expected (n, 8, 8) with n a power of two up to 256")
        free(self.packed)
        # Aligned for wide loads; the pointer itself is kept for free().
        self.packed = <int16_t *> malloc(<size_t> n * JC_BANK_SIZE * sizeof(int16_t) + JC_CACHE_LINE)
        if self.packed is NULL:
            raise MemoryError
        jc_bank_pack(<const int16_t (*)[8][8]> &matrices[0, 0, 0], <uint32_t> n,
                     <int16_t *> jc_align(<uint8_t *> self.packed), &self.c)

    def __dealloc__(self):
        free(self.packed)


cdef class Quantizer:
    """A quantization table for the kernels: uint16 array of 64 steps >= 1 in natural order."""

    cdef jc_quantizer c

    def __init__(self, const uint16_t[::1] table):
        if table.shape[0] != 64:
            raise ValueError(f"a quantization table of {table.shape[0]} entries, expected 64")
        cdef Py_ssize_t i
        for i in range(64):
            if table[i] == 0:
                raise ValueError("a quantization step of 0")
        jc_quantizer_init(&self.c, &table[0], kernels.forward_order)


cdef int fill_table(jc_huffman_table *table, bytes bits, bytes values) except -1:
    if len(bits) != 16 or len(values) > 256:
        raise ValueError("a Huffman table has 16 counts and at most 256 values")
    table.bits[0] = 0
    memcpy(&table.bits[1], <const uint8_t *> bits, 16)
    memcpy(&table.values[0], <const uint8_t *> values, len(values))
    table.n_values = <int> len(values)
    return 0


cdef class HuffmanDecoder:
    """Look-up tables for the codes of a DHT segment: BITS (16 bytes), HUFFVAL; ValueError if they
    make no prefix code."""

    cdef jc_huffman_decoder *c

    def __cinit__(self):
        self.c = <jc_huffman_decoder *> malloc(sizeof(jc_huffman_decoder))
        if self.c is NULL:
            raise MemoryError

    def __init__(self, bytes bits, bytes values, bint is_dc):
        cdef jc_huffman_table table
        fill_table(&table, bits, values)
        if not jc_huffman_decoder_init(self.c, &table, is_dc):
            raise ValueError("the code lengths of a Huffman table make no prefix code, "
                             "or a DC category is above 15")

    def __dealloc__(self):
        free(self.c)


# ---- Memory ----

# Memory that a picture needed is kept for the next one: fresh pages cost more than the work that is
# done in them. The GIL guards it.
cdef enum:
    SPARES = 24
    MAX_SPARE = 128 << 20  # bytes in all
    LARGE = 1 << 18  # arrays from here on use such memory: malloc may take fresh pages for each

cdef jc_buffer spares[SPARES]
cdef size_t spare_bytes = 0


cdef void take_spare(jc_buffer *buffer, size_t size) noexcept:
    """Gives an empty buffer memory that is kept: the least that is enough, or else the most, but not
    far more than a size that is known."""
    global spare_bytes
    cdef int best = -1, i
    for i in range(SPARES):
        if spares[i].data is NULL or (size and spares[i].capacity // 4 > size):
            continue
        if best < 0 or (spares[i].capacity < spares[best].capacity
                        if spares[best].capacity >= size and spares[i].capacity >= size
                        else spares[i].capacity > spares[best].capacity):
            best = i
    if best >= 0:
        buffer[0] = spares[best]
        spare_bytes -= buffer.capacity
        memset(&spares[best], 0, sizeof(jc_buffer))


cdef void keep_spare(jc_buffer *buffer) noexcept:
    """Keeps the memory of a buffer, if need be instead of the least that is kept, or frees it."""
    global spare_bytes
    cdef int least = 0, i
    for i in range(SPARES):
        if spares[i].capacity < spares[least].capacity:
            least = i
    if (buffer.capacity > spares[least].capacity
            and buffer.capacity - spares[least].capacity <= MAX_SPARE - spare_bytes):
        spare_bytes += buffer.capacity - spares[least].capacity
        jc_free(&spares[least])
        spares[least] = buffer[0]
        spares[least].size = 0
        memset(buffer, 0, sizeof(jc_buffer))
    jc_free(buffer)


cdef class Buffer:
    """Bytes that the core made, to be had through the buffer protocol; `start` comes first."""

    cdef jc_buffer c

    def __cinit__(self, const uint8_t[::1] start=None, *, size_t room=0):
        take_spare(&self.c, room)
        if room and jc_reserve(&self.c, room) != JC_OK:
            raise MemoryError
        if start is not None and start.shape[0]:
            if jc_reserve(&self.c, <size_t> start.shape[0]) != JC_OK:
                raise MemoryError
            memcpy(self.c.data, &start[0], <size_t> start.shape[0])
            self.c.size = <size_t> start.shape[0]

    def __getbuffer__(self, Py_buffer *view, int flags):
        PyBuffer_FillInfo(view, self, self.c.data, <Py_ssize_t> self.c.size, 0, flags)

    def __len__(self):
        return self.c.size

    def __dealloc__(self):
        keep_spare(&self.c)


def new_bytes(Py_ssize_t size):
    """Return uint8 (size,) with whatever is in it, to be filled."""
    cdef Buffer memory
    if size < LARGE:
        return np.empty(size, np.uint8)
    memory = Buffer(room=<size_t> size)
    memory.c.size = <size_t> size
    return np.frombuffer(memory, np.uint8)


cdef class Planes:
    """Samples of all components as tiles, between entropy coding and color.

    Attributes
    ----------
    means : tuple of int
        Of `image_to_planes`: the rounded mean of the samples of each component.
    """

    cdef Frame frame
    cdef readonly tuple means
    cdef jc_buffer memory
    cdef uint8_t *plane[3]

    def __cinit__(self, Frame frame not None):
        cdef size_t blocks = 0
        cdef int i
        self.frame = frame
        for i in range(frame.c.n_components):
            blocks += jc_component_blocks(&frame.c, i)
        if blocks > (<size_t> -1) // 2 // JC_BLOCK - 1:  # on a 32-bit machine
            raise MemoryError
        take_spare(&self.memory, blocks * JC_BLOCK + JC_CACHE_LINE)
        if jc_reserve(&self.memory, blocks * JC_BLOCK + JC_CACHE_LINE) != JC_OK:
            raise MemoryError
        self.plane[0] = jc_align(self.memory.data)
        for i in range(1, frame.c.n_components):
            self.plane[i] = self.plane[i - 1] + jc_component_blocks(&frame.c, i - 1) * JC_BLOCK

    def __dealloc__(self):
        keep_spare(&self.memory)


# ---- Plan ----

cdef int fill_plan(jc_plan *plans, Frame frame, plan, list keep) except -1:
    """Points at the arrays of a plan; `keep` holds them."""
    cdef const uint8_t[:, ::1] records
    cdef const uint32_t[::1] permutation
    cdef size_t n
    cdef Py_ssize_t o
    cdef int i, outside
    if plan is None:
        return 0
    if len(plan) != frame.c.n_components:
        raise ValueError(f"a plan of {len(plan)} components for a frame of {frame.c.n_components}")
    for i in range(frame.c.n_components):
        records = plan[i].records
        permutation = plan[i].permutation
        n = jc_component_blocks(&frame.c, i)
        if <size_t> records.shape[0] != n or records.shape[1] != JC_RECORD:
            raise ValueError(f"records of shape {(records.shape[0], records.shape[1])}, "
                             f"expected {(n, JC_RECORD)}")
        if <size_t> permutation.shape[0] != n:
            raise ValueError(f"a permutation of {permutation.shape[0]} blocks, expected {n}")
        outside = 0
        with nogil:
            for o in range(<Py_ssize_t> n):
                outside |= permutation[o] >= n
        if outside:
            raise ValueError("a permutation that leaves its component")
        keep.append((records, permutation))
        plans[i].records = &records[0, 0]
        plans[i].permutation = &permutation[0]
    return 0


cdef int fill_quantizers(const jc_quantizer **out, Frame frame, quantizers) except -1:
    cdef Quantizer quantizer
    if len(quantizers) != frame.c.n_components:
        raise ValueError(f"{len(quantizers)} quantizers for {frame.c.n_components} components")
    for i in range(frame.c.n_components):
        quantizer = quantizers[i]
        out[i] = &quantizer.c
    return 0


cdef int fill_levels(int *out, Frame frame, levels) except -1:
    cdef int i
    for i in range(3):
        out[i] = 128
    if levels is None:
        return 0
    if len(levels) < frame.c.n_components:
        raise ValueError(f"{len(levels)} level shifts for {frame.c.n_components} components")
    for i in range(frame.c.n_components):
        if not 0 <= levels[i] <= 255:
            raise ValueError(f"a level shift of {levels[i]}, expected 0 to 255")
        out[i] = levels[i]
    return 0


def shuffle(uint32_t[::1] permutation, Py_ssize_t i, const uint8_t[::1] draws):
    """Fisher-Yates from index `i` down to 1, bounded by Lemire's rejection.

    Parameters
    ----------
    permutation : uint32 array (n,)
        Shuffled in place; the identity before the first call.
    i : int
        Index to continue at, n - 1 in the first call.
    draws : uint8 array
        Uniform words of 4 bytes, little-endian, used in order.

    Returns
    -------
    int
        The index at which the draws ran out; 0 when the shuffle is complete.
    """
    cdef Py_ssize_t used = 0, n_draws = draws.shape[0] // 4
    cdef const uint8_t *word
    cdef uint32_t size, threshold, j, swap
    cdef uint64_t product
    if i >= permutation.shape[0]:
        raise ValueError(f"index {i} of a permutation of {permutation.shape[0]}")
    with nogil:
        while i > 0 and used < n_draws:
            size = <uint32_t> i + 1
            word = &draws[4 * used]
            product = <uint64_t> size * (word[0] | <uint32_t> word[1] << 8 | <uint32_t> word[2] << 16
                                         | <uint32_t> word[3] << 24)
            used += 1
            if <uint32_t> product < size:
                threshold = (0 - size) % size  # 2**32 mod size
                if <uint32_t> product < threshold:
                    continue
            j = <uint32_t> (product >> 32)
            swap = permutation[i]
            permutation[i] = permutation[j]
            permutation[j] = swap
            i -= 1
    return i if i > 0 else 0


# ---- Encoding ----

cdef enum:
    MAX_THREADS = 64
    CHUNK_BYTES = 1 << 20  # of coefficients handed from one thread to the next


cdef int raise_status(jc_status status) except -1:
    if status == JC_BAD_TABLE:
        raise ValueError("Huffman tables that lack a code or make no prefix code")
    if status == JC_BAD_VALUE:
        raise ValueError("a coefficient that has no code in baseline JPEG: AC values go from -1023 to "
                         "1023, differences of DC values from -2047 to 2047")
    if status != JC_OK:
        raise MemoryError
    return 0


cdef each(stage, int n):
    """Call `stage` with 0 to n - 1, in as many threads; the first error counts."""
    if n == 1:
        stage(0)
        return
    with ThreadPoolExecutor(n) as pool:
        list(pool.map(stage, range(n)))


cdef int append(jc_buffer *to, const jc_buffer *more) except -1:
    raise_status(jc_reserve(to, more.size))
    memcpy(to.data + to.size, more.data, more.size)
    to.size += more.size
    return 0


def image_to_planes(const uint8_t[:, :, :] image, Frame frame not None, *, int threads=1):
    """Convert to Y, Cb, Cr and subsample; a gray image stays as it is.

    Parameters
    ----------
    image : uint8 array (height, width, components)
        Pixels of a row must be contiguous; rows may be strided.
    threads : int
        At most one a row of MCUs is used. The result does not depend on it.

    Returns
    -------
    Planes
    """
    if (<uint32_t> image.shape[0] != frame.c.height or <uint32_t> image.shape[1] != frame.c.width
            or image.shape[2] != frame.c.n_components):
        raise ValueError(f"an image of {(image.shape[0], image.shape[1], image.shape[2])} for a "
                         f"frame of {(frame.height, frame.width, frame.n_components)}")
    if (image.strides[1] != frame.c.n_components
            or (image.shape[2] > 1 and image.strides[2] != 1)):  # NumPy leaves it open for one
        raise ValueError("the pixels of a row are not contiguous")
    cdef int n = slice_count(frame.c.mcus_h, threads), i
    planes = Planes(frame)
    parts = [0] * n

    def convert(i):
        parts[i] = fill_planes(planes, image, slice_start(frame.c.mcus_h, i, n),
                               slice_start(frame.c.mcus_h, i + 1, n))

    check_encoder_frame(frame)
    each(convert, n)
    counts = [JC_BLOCK * jc_component_blocks(&frame.c, i) for i in range(frame.c.n_components)]
    planes.means = tuple((sum(sums) + count // 2) // count
                         for sums, count in zip(zip(*parts), counts))
    return planes


cdef int slice_count(uint32_t units, int threads) except -1:
    if threads < 1:
        raise ValueError(f"{threads} threads, expected at least 1")
    return <int> min(<uint32_t> min(threads, MAX_THREADS), units)


cdef uint32_t slice_start(uint32_t units, int i, int n):
    """The unit at which slice i of n starts."""
    return <uint32_t> (<uint64_t> units * <uint32_t> i // <uint32_t> n)


cdef uint32_t rows_of_intervals(Frame frame, uint32_t restart_interval):
    """Rows of MCUs after which a restart interval starts with a row again; all, if none does."""
    if not restart_interval:
        return frame.c.mcus_h
    return min(frame.c.mcus_h,
               restart_interval // <uint32_t> gcd(restart_interval, frame.c.mcus_w))


cdef fill_planes(Planes planes, const uint8_t[:, :, :] image, uint32_t first, uint32_t last):
    """Convert rows of MCUs; returns the sum of the samples of each component."""
    cdef jc_status status
    cdef uint64_t sums[3]
    memset(sums, 0, sizeof(sums))
    with nogil:
        status = jc_image_to_planes(kernels, &planes.frame.c, &image[0, 0, 0], image.strides[0],
                                    first, last, planes.plane, sums)
    raise_status(status)
    return [sums[k] for k in range(planes.frame.c.n_components)]


cdef int check_encoder_frame(Frame frame) except -1:
    cdef int blocks = 0, i
    for i in range(frame.c.n_components):
        blocks += frame.c.component[i].h * frame.c.component[i].v
        if i and (frame.c.component[i].h != 1 or frame.c.component[i].v != 1):
            blocks = 99
    if frame.c.component[0].h == 3 or frame.c.component[0].v == 3:  # means of chroma are shifts
        blocks = 99
    if blocks > JC_MAX_MCU:
        raise ValueError(f"sampling {frame.sampling}: the encoder takes luma of 1, 2 or 4 each "
                         f"way, chroma of (1, 1), and at most {JC_MAX_MCU} blocks in an MCU")
    return 0


cdef class ScanEncoder:
    """The stages of `encode_scan`, each of which may run in several threads at once."""

    cdef jc_encoder c
    cdef jc_slice *slices
    cdef readonly int n
    cdef bint apart  # every slice starts a restart interval, so that none waits for another
    cdef jc_buffer planes
    cdef Buffer message
    cdef list keep
    cdef jc_buffer dc[3]

    def __cinit__(self, Frame frame, tables, uint32_t restart_interval, int threads):
        cdef int i, k
        check_encoder_frame(frame)
        self.keep = [frame]
        self.c.kernels = kernels
        self.c.frame = &frame.c
        self.c.restart_interval = restart_interval
        self.c.optimize = tables is None
        if tables is not None:
            k = 2 if frame.c.n_components == 1 else 4
            if len(tables) != k:
                raise ValueError(f"{len(tables)} Huffman tables, expected {k}")
            for i in range(k):
                fill_table(&self.c.tables[i], tables[i][0], tables[i][1])
            self.make_tables()
        cdef uint32_t step = rows_of_intervals(frame, restart_interval), steps
        steps = (frame.c.mcus_h + step - 1) // step
        self.apart = steps >= 2 * <uint32_t> threads  # or else slices of one row more or less pay
        if not self.apart:
            step, steps = 1, frame.c.mcus_h
        self.n = slice_count(steps, threads)
        self.slices = <jc_slice *> calloc(<size_t> self.n, sizeof(jc_slice))
        if self.slices is NULL:
            raise MemoryError
        for i in range(self.n):
            self.slices[i].first_row = step * slice_start(steps, i, self.n)
            self.slices[i].last_row = min(frame.c.mcus_h, step * slice_start(steps, i + 1, self.n))
            take_spare(&self.slices[i].tokens if self.c.optimize else &self.slices[i].bits, 0)

    cdef use_trellis(self, double trellis_lambda):
        if not 0 <= trellis_lambda <= 1:
            raise ValueError(f"trellis_lambda {trellis_lambda}, expected 0 to 1")
        if trellis_lambda and not self.c.optimize:
            raise ValueError("a trellis makes its own Huffman tables")
        self.c.trellis = <uint32_t> (trellis_lambda * 65536)

    cdef want_message(self, message_start):
        cdef int i
        self.c.want_message = 1
        self.message = Buffer(message_start)
        self.slices[0].message = self.message.c
        memset(&self.message.c, 0, sizeof(jc_buffer))
        for i in range(1, self.n):
            take_spare(&self.slices[i].message, 0)

    cdef take_planes(self, Planes planes, quantizers, TransformBank bank, plan, levels,
                     bint dc_residuals):
        """What the blocks are made of; comes last, as it uses the planes up."""
        cdef int i, k
        cdef Frame frame = planes.frame
        if plan is None and (levels is not None or dc_residuals):
            raise ValueError("level shifts and DC residuals go with a plan")
        self.keep += [quantizers, bank]
        self.c.bank = &bank.c
        fill_quantizers(self.c.quantizer, frame, quantizers)
        for i in range(frame.c.n_components):
            for k in range(64):
                if self.c.quantizer[i].natural[k] > 255:
                    raise ValueError(f"a quantization step of {self.c.quantizer[i].natural[k]}: "
                                     "baseline JPEG has 1 to 255")
        fill_plan(self.c.plan, frame, plan, self.keep)
        fill_levels(self.c.level, frame, levels)
        self.take(planes)
        if dc_residuals:
            self.make_residuals()

    cdef take_coefficients(self, Frame frame, coefficients, bint dc_only):
        """Blocks that are there already."""
        fill_coefficients(<int16_t **> self.c.coefficients, frame, coefficients)
        self.keep.append(list(coefficients))
        self.c.dc_only = dc_only

    cdef take(self, Planes planes):
        """Before the GIL is released: no other thread that holds the planes may use them."""
        cdef int i
        if planes.memory.data is NULL:
            raise ValueError("planes that were encoded before")
        self.planes = planes.memory
        memset(&planes.memory, 0, sizeof(jc_buffer))
        for i in range(self.c.frame.n_components):
            self.c.plane[i] = planes.plane[i]

    cdef make_residuals(self):
        cdef jc_status status
        cdef int i
        cdef size_t size
        for i in range(self.c.frame.n_components):
            size = jc_component_blocks(self.c.frame, i) * sizeof(int16_t)
            take_spare(&self.dc[i], size)
            raise_status(jc_reserve(&self.dc[i], size))
            self.c.dc[i] = <int16_t *> self.dc[i].data
            with nogil:
                status = jc_dc_to_residuals(self.c.frame, i, self.c.plane[i], self.c.quantizer[i],
                                            self.c.level[i], self.c.bank, &self.c.plan[i],
                                            self.c.dc[i])
            raise_status(status)

    def blocks(self, int i):
        cdef jc_status status
        with nogil:
            status = jc_encode_blocks(&self.c, &self.slices[i])
        raise_status(status)

    def make_tables(self):
        if not jc_encode_tables(&self.c, self.slices, self.n):
            raise_status(JC_BAD_TABLE)

    def bits(self, int i):
        cdef jc_status status
        take_spare(&self.slices[i].bits, self.slices[i].tokens.size // 4)
        with nogil:
            status = jc_encode_bits(&self.c, &self.slices[i])
        raise_status(status)
        keep_spare(&self.slices[i].tokens)

    def run(self):
        """All stages up to the bits of the slices."""
        if self.c.trellis:
            with nogil:
                jc_encode_rates(&self.c)
        each(self.blocks, self.n)
        keep_spare(&self.planes)
        if self.c.optimize:
            self.make_tables()
            each(self.bits, self.n)

    cdef tables(self):
        """BITS and HUFFVAL of each table."""
        cdef int n = 2 if self.c.frame.n_components == 1 else 4, i
        return [(PyBytes_FromStringAndSize(<char *> &self.c.tables[i].bits[1], 16),
                 PyBytes_FromStringAndSize(<char *> self.c.tables[i].values,
                                           self.c.tables[i].n_values))
                for i in range(n)]

    def join(self):
        """The entropy-coded data; joined and stuffed in as many threads as have whole intervals."""
        cdef Buffer more, scan = Buffer()
        if not self.apart:
            self.join_slices(0, self.n, scan)
            return scan
        scans = [scan] + [Buffer() for _ in range(1, self.n)]
        each(lambda i: self.join_slices(i, 1, scans[i]), self.n)
        for more in scans[1:]:
            append(&scan.c, &more.c)
        return scan

    def join_slices(self, int i, int n, Buffer scan):
        cdef jc_status status
        with nogil:
            status = jc_join_slices(&self.c, &self.slices[i], n, &scan.c)
        raise_status(status)

    def join_messages(self):
        cdef int i
        self.message.c = self.slices[0].message
        memset(&self.slices[0].message, 0, sizeof(jc_buffer))
        for i in range(1, self.n):
            append(&self.message.c, &self.slices[i].message)
        return self.message

    def __dealloc__(self):
        cdef int i
        keep_spare(&self.planes)
        for i in range(3):
            keep_spare(&self.dc[i])
        if self.slices is NULL:
            return
        for i in range(self.n):
            keep_spare(&self.slices[i].tokens)
            keep_spare(&self.slices[i].restarts)
            keep_spare(&self.slices[i].bits)
            keep_spare(&self.slices[i].pieces)
            keep_spare(&self.slices[i].message)
        free(self.slices)


def encode_scan(Planes planes not None, quantizers, TransformBank bank not None, *,
                plan=None, levels=None, bint dc_residuals=False, tables=None,
                double trellis_lambda=0, uint32_t restart_interval=0, message_start=None,
                int threads=1):
    """Encode planes into the entropy-coded data of one interleaved baseline scan.

    Parameters
    ----------
    planes : Planes
        Of `image_to_planes`. Used up: their memory serves what comes next.
    quantizers : sequence of Quantizer
        One a component.
    bank : TransformBank
        The DCT alone when there is no plan.
    plan : sequence with .records (uint8 (n, 16)) and .permutation (uint32 (n,)), optional
    levels : sequence of int, optional
        Level shifts, one a component, 128 by default; with a plan only.
    dc_residuals : bool
        Permute what a prediction leaves of the DC values; with a plan only.
    tables : sequence of (bits, values), optional
        Huffman tables: AC and DC of the first, AC and DC of the second destination. None: tables
        optimal for this picture are made.
    trellis_lambda : float
        0 rounds coefficients to the nearest step. More, up to 1, chooses those of least squared
        error + lambda * bits, with lambda this factor of the mean squared step; goes with tables
        made for the picture.
    restart_interval : int
        MCUs between restart markers, 0 for none.
    message_start : bytes, optional
        Collect what the tag authenticates of the coefficients, behind these bytes.
    threads : int
        At most one a row of MCUs is used; if many restart intervals start with a row, each takes
        whole ones. The result does not depend on it.

    Returns
    -------
    scan : Buffer
        Stuffed, without markers other than RSTn.
    tables : sequence of (bytes, bytes)
        BITS and HUFFVAL in the order above; two for one component.
    message : Buffer or None
    """
    cdef ScanEncoder encoder = ScanEncoder(planes.frame, tables, restart_interval, threads)
    encoder.use_trellis(trellis_lambda)
    if message_start is not None:
        encoder.want_message(message_start)
    encoder.take_planes(planes, quantizers, bank, plan, levels, dc_residuals)
    encoder.run()
    scan = encoder.join()
    message = encoder.join_messages() if message_start is not None else None
    return scan, encoder.tables() if tables is None else tables, message


def encode_coefficients(Frame frame not None, coefficients, *, tables=None, bint dc_only=False,
                        int threads=1):
    """Encode coefficient arrays into the entropy-coded data of one interleaved scan; the inverse of
    `decode_scan`.

    Parameters
    ----------
    coefficients : list of int16 array (rows, columns, 64)
        One a component, natural order. Differences of DC values are taken modulo 2**16.
    tables : sequence of (bytes, bytes), optional
        As of `encode_scan`.
    dc_only : bool
        The codes of DC values alone: the first scan of a progressive file (G.1.2.1), instead of a
        baseline scan.
    threads : int

    Returns
    -------
    scan : Buffer
    tables : sequence of (bytes, bytes)

    Raises
    ------
    ValueError
        If a coefficient has no code in baseline JPEG, or an argument is wrong.
    """
    cdef ScanEncoder encoder = ScanEncoder(frame, tables, 0, threads)
    encoder.take_coefficients(frame, coefficients, dc_only)
    encoder.run()
    return encoder.join(), encoder.tables() if tables is None else tables


def planes_to_coefficients(Planes planes not None, quantizers, TransformBank bank not None, *,
                           plan=None, levels=None):
    """Transform and quantize planes, which are used up; the inverse of `coefficients_to_planes`.

    Parameters
    ----------
    quantizers, bank, plan, levels
        As of `encode_scan`.

    Returns
    -------
    list of int16 array (rows, columns, 64)
        One a component, natural order.
    """
    cdef ScanEncoder encoder = ScanEncoder(planes.frame, None, 0, 1)
    cdef int16_t[:, :, ::1] view
    cdef int i
    encoder.take_planes(planes, quantizers, bank, plan, levels, False)
    coefficients = [np.empty((*shape, 64), np.int16) for shape in planes.frame.block_shapes]
    for i in range(planes.frame.c.n_components):
        view = coefficients[i]
        with nogil:
            jc_planes_to_coefficients(&encoder.c, i, &view[0, 0, 0])
    return coefficients


# ---- Decoding ----

cdef class EntropyData:
    """The entropy-coded data of a scan, without stuffing and restart markers.

    Parameters
    ----------
    data : bytes-like
        The file.
    start : int
        Offset behind the scan header.
    """

    cdef jc_entropy c
    cdef const uint8_t[::1] data

    def __init__(self, const uint8_t[::1] data, Py_ssize_t start):
        if not 0 <= start <= data.shape[0]:
            raise ValueError("a scan that starts outside the file")
        self.let_go()
        self.data = data
        cdef jc_status status = JC_OK
        cdef const uint8_t *file = &data[0] if data.shape[0] else NULL
        take_spare(&self.c.memory, <size_t> (data.shape[0] - start))
        with nogil:
            status = jc_unstuff(file, <size_t> data.shape[0], <size_t> start, &self.c)
        if status != JC_OK:
            raise MemoryError

    @property
    def end(self):
        """Offset in the file of the marker that ended the scan, or the length of the file."""
        return self.c.source_end

    @property
    def size(self):
        """Bytes without stuffing and markers."""
        return self.c.size

    cdef void let_go(self) noexcept:
        keep_spare(&self.c.memory)
        jc_entropy_free(&self.c)

    def __dealloc__(self):
        self.let_go()


_REASONS = {
    JC_TRUNCATED: "the entropy-coded data ended before the last block",
    JC_BAD_CODE: "a bit sequence that is no code of the Huffman table",
    JC_BAD_RUN: "a zero run that leaves the block",
    JC_BAD_RESTART: "restart markers that do not follow the restart interval",
    JC_BAD_REFINEMENT: "a refinement scan with a value of more than one bit",
}


cdef int check(jc_status status, EntropyData entropy, size_t position) except -1:
    if status == JC_OK:
        return 0
    if status == JC_NO_MEMORY:
        raise MemoryError
    if status == JC_BAD_RESTART and entropy.c.source_end == <size_t> entropy.data.shape[0]:
        status = JC_TRUNCATED
    raise MalformedJpeg(
        _REASONS[status],
        offset=jc_source_offset(&entropy.c, &entropy.data[0], position),
        hint="the file is cut short" if status == JC_TRUNCATED else None)


cdef int fill_scan(jc_scan *scan, Frame frame, EntropyData entropy, components, dc, ac,
                   uint32_t restart_interval) except -1:
    cdef HuffmanDecoder decoder
    scan.frame = &frame.c
    scan.entropy = &entropy.c
    scan.restart_interval = restart_interval
    scan.n_components = len(components)
    scan.spectral_start, scan.spectral_end, scan.high, scan.low = 0, 63, 0, 0
    if not 1 <= scan.n_components <= frame.c.n_components:
        raise ValueError(f"a scan of {scan.n_components} components")
    if len(dc) != scan.n_components or len(ac) != scan.n_components:
        raise ValueError(f"{len(dc)} and {len(ac)} tables for {scan.n_components} components")
    for i in range(scan.n_components):
        if not 0 <= components[i] < frame.c.n_components:
            raise ValueError(f"component {components[i]} is not in the frame")
        scan.component[i] = components[i]
        scan.dc[i] = scan.ac[i] = NULL
        if dc[i] is not None:
            decoder = dc[i]
            scan.dc[i] = decoder.c
        if ac[i] is not None:
            decoder = ac[i]
            scan.ac[i] = decoder.c
    return 0


cdef int fill_coefficients(int16_t **out, Frame frame, coefficients) except -1:
    cdef int16_t[:, :, ::1] view
    cdef int i
    if len(coefficients) != frame.c.n_components:
        raise ValueError(f"{len(coefficients)} arrays for {frame.c.n_components} components")
    for i in range(frame.c.n_components):
        view = coefficients[i]
        if (<uint32_t> view.shape[0] != frame.c.component[i].blocks_h
                or <uint32_t> view.shape[1] != frame.c.component[i].blocks_w
                or view.shape[2] != 64):
            raise ValueError("a coefficient array of the wrong shape")
        out[i] = &view[0, 0, 0]
    return 0


def decode_scan(Frame frame not None, EntropyData entropy not None, components, dc, ac, coefficients, *,
                uint32_t restart_interval=0, progression=None):
    """Decode a scan into coefficient arrays.

    Parameters
    ----------
    components : sequence of int
        Those of the scan, as indices into the frame.
    dc, ac : sequence of HuffmanDecoder or None
        One a component of the scan.
    coefficients : list of int16 array (rows, columns, 64)
        One a component of the frame, natural order, zeroed before the first scan.
    progression : (Ss, Se, Ah, Al), optional
        Of a progressive scan; its bounds (G.1.1.1) are the caller's to check.

    Raises
    ------
    MalformedJpeg
        With the byte offset where decoding stopped.
    """
    cdef jc_scan scan
    cdef int16_t *arrays[3]
    cdef size_t position = 0
    cdef jc_status status
    fill_scan(&scan, frame, entropy, components, dc, ac, restart_interval)
    fill_coefficients(arrays, frame, coefficients)
    needs_dc = progression is None or (progression[0] == 0 and progression[2] == 0)
    needs_ac = progression is None or progression[0] > 0
    for i in range(scan.n_components):
        if (needs_dc and scan.dc[i] is NULL) or (needs_ac and scan.ac[i] is NULL):
            raise ValueError("a scan without its Huffman table")
    if progression is None:
        with nogil:
            status = jc_decode_sequential(kernels, &scan, arrays, &position)
    else:
        scan.spectral_start, scan.spectral_end, scan.high, scan.low = progression
        if not (0 <= scan.spectral_start <= scan.spectral_end <= 63 and 0 <= scan.low <= 13
                and (scan.spectral_end == 0 or scan.spectral_start > 0)
                and (scan.n_components == 1 or scan.spectral_start == 0)):
            raise ValueError(f"progression parameters {progression}")
        with nogil:
            status = jc_decode_progressive(&scan, arrays, &position)
    check(status, entropy, position)


cdef int fill_decoder(jc_decoder *decoder, Frame frame, quantizers, TransformBank bank, plan,
                      levels, Planes planes, Buffer message, list keep) except -1:
    cdef int i
    if (bank is None) != (plan is None):
        raise ValueError("a bank goes with a plan")
    decoder.kernels = kernels
    decoder.frame = &frame.c
    decoder.bank = NULL if bank is None else &bank.c
    decoder.message = NULL if message is None else &message.c
    for i in range(3):
        decoder.plan[i].records = NULL
        decoder.plan[i].permutation = NULL
        decoder.dc[i] = NULL
        decoder.planes[i] = planes.plane[i]
    fill_quantizers(decoder.quantizer, frame, quantizers)
    fill_plan(decoder.plan, frame, plan, keep)
    fill_levels(decoder.level, frame, levels)
    return 0


cdef class PlanesDecoder:
    """The work of `decode_to_planes`, for one or more threads."""

    cdef jc_decoder c
    cdef jc_scan scan
    cdef jc_walk walk
    cdef Frame frame
    cdef EntropyData entropy
    cdef Planes planes
    cdef Buffer message
    cdef list keep
    cdef jc_buffer chunks[3]  # rows of MCUs between the threads

    def __cinit__(self, Frame frame, EntropyData entropy, dc, ac, quantizers,
                  uint32_t restart_interval, TransformBank bank, plan, levels, message_start):
        cdef int i, blocks = 0
        self.frame, self.entropy, self.planes = frame, entropy, Planes(frame)
        self.message = None if message_start is None else Buffer(message_start)
        self.keep = [dc, ac, quantizers, bank]
        fill_scan(&self.scan, frame, entropy, range(frame.c.n_components), dc, ac, restart_interval)
        for i in range(self.scan.n_components):
            if self.scan.dc[i] is NULL or self.scan.ac[i] is NULL:
                raise ValueError("a scan without its Huffman table")
            blocks += frame.c.component[i].h * frame.c.component[i].v
        if blocks > JC_MAX_MCU:
            raise ValueError(f"{blocks} blocks in an MCU, at most {JC_MAX_MCU}")
        fill_decoder(&self.c, frame, quantizers, bank, plan, levels, self.planes, self.message,
                     self.keep)

    def run(self, int threads):
        cdef uint32_t rows = self.frame.c.mcus_h, step, steps
        if threads == 1:
            self.rows(0, rows, self.message)
            return
        step = rows_of_intervals(self.frame, self.scan.restart_interval)
        steps = (rows + step - 1) // step
        n = slice_count(steps, threads)
        bounds = [min(rows, step * slice_start(steps, i, n)) for i in range(n + 1)]
        if 3 * max(last - first for first, last in zip(bounds, bounds[1:])) > 2 * rows:
            self.run_in_two()
        else:
            self.run_by_intervals(bounds)

    def run_by_intervals(self, bounds):
        """Rows from one bound to the next, between restart markers, in threads of their own."""
        cdef Buffer message
        n = len(bounds) - 1
        messages = [self.message]
        messages += [None if self.message is None else Buffer() for _ in range(1, n)]
        each(lambda i: self.rows(bounds[i], bounds[i + 1], messages[i]), n)
        for message in messages[1:]:
            if message is not None:
                append(&self.message.c, &message.c)

    def rows(self, uint32_t first, uint32_t last, Buffer message):
        """Rows of MCUs of which the first starts a restart interval; for a thread of its own."""
        cdef jc_decoder decoder = self.c
        cdef jc_walk walk
        cdef jc_status status
        cdef size_t interval = 0
        decoder.message = NULL if message is None else &message.c
        if first:
            interval = <size_t> first * self.frame.c.mcus_w // self.scan.restart_interval
        with nogil:
            status = jc_walk_start(&walk, &self.scan, interval)
            if status == JC_OK:
                status = jc_decode_to_planes(&decoder, &walk, first, last)
        check(status, self.entropy, jc_walk_position(&walk))

    cdef check(self, jc_status status):
        check(status, self.entropy, jc_walk_position(&self.walk))

    def run_in_two(self):
        """Entropy decoding in this thread, what comes behind it in another."""
        cdef uint32_t row = 0, rows = self.frame.c.mcus_h, last
        cdef size_t row_bytes = jc_row_bytes(&self.frame.c)
        cdef uint32_t chunk = <uint32_t> max(<size_t> 1, CHUNK_BYTES // row_bytes)
        cdef int i
        for i in range(3):
            take_spare(&self.chunks[i], chunk * row_bytes + JC_CACHE_LINE)
            raise_status(jc_reserve(&self.chunks[i], chunk * row_bytes + JC_CACHE_LINE))
        self.check(jc_walk_start(&self.walk, &self.scan, 0))
        pending = []
        with ThreadPoolExecutor(1) as pool:
            i = 0
            while row < rows:
                last = min(row + chunk, rows)
                if len(pending) == 3:
                    pending.pop(0).result()
                self.decode(i, row, last)
                pending.append(pool.submit(self.put, i, row, last))
                row, i = last, (i + 1) % 3
        self.check(jc_walk_end(&self.walk, 1))

    cdef decode(self, int i, uint32_t first, uint32_t last):
        cdef jc_status status
        with nogil:
            status = jc_decode_rows(&self.c, &self.walk, first, last, jc_align(self.chunks[i].data))
        self.check(status)

    def put(self, int i, uint32_t first, uint32_t last):
        with nogil:
            jc_put_rows(&self.c, first, last, jc_align(self.chunks[i].data))

    def __dealloc__(self):
        cdef int i
        for i in range(3):
            keep_spare(&self.chunks[i])


def decode_to_planes(Frame frame not None, EntropyData entropy not None, dc, ac, quantizers, *,
                     uint32_t restart_interval=0, TransformBank bank=None, plan=None, levels=None,
                     message_start=None, int threads=1):
    """Decode a sequential scan of all components straight into samples.

    Parameters
    ----------
    dc, ac : sequence of HuffmanDecoder
        One a component.
    bank, plan
        Both or neither; without them the inverse DCT of libjpeg gives what every viewer shows.
    levels : sequence of int, optional
        Level shifts that the encoder had.
    threads : int
        At most one for each restart interval that starts with a row of MCUs; two if there are few.

    Returns
    -------
    planes : Planes
    message : Buffer or None
        What the tag authenticates.
    """
    cdef PlanesDecoder decoder = PlanesDecoder(frame, entropy, dc, ac, quantizers, restart_interval,
                                               bank, plan, levels, message_start)
    decoder.run(threads)
    return decoder.planes, decoder.message


cdef int fill_residuals(jc_decoder *decoder, int16_t **coefficients, list keep) except -1:
    cdef jc_status status
    cdef int i
    cdef size_t size
    cdef Buffer dc
    if decoder.bank is NULL:
        raise ValueError("DC residuals go with a plan")
    for i in range(decoder.frame.n_components):
        size = jc_component_blocks(decoder.frame, i) * sizeof(int16_t)
        dc = Buffer()
        raise_status(jc_reserve(&dc.c, size))
        keep.append(dc)
        decoder.dc[i] = <int16_t *> dc.c.data
        with nogil:
            status = jc_dc_from_residuals(decoder.frame, i, coefficients[i], decoder.quantizer[i],
                                          decoder.level[i], decoder.bank, &decoder.plan[i],
                                          <int16_t *> decoder.dc[i])
        raise_status(status)
    return 0


def coefficients_to_planes(Frame frame not None, coefficients, quantizers, *, TransformBank bank=None,
                           plan=None, levels=None, bint dc_residuals=False, message_start=None):
    """The same from coefficient arrays (rows, columns, 64): for files of several scans, and for DC
    residuals, whose values are known only when all of them are read."""
    cdef jc_decoder decoder
    cdef int16_t *arrays[3]
    cdef jc_status status
    cdef list keep = []
    cdef Planes planes = Planes(frame)
    cdef Buffer message = None if message_start is None else Buffer(message_start)
    fill_coefficients(arrays, frame, coefficients)
    fill_decoder(&decoder, frame, quantizers, bank, plan, levels, planes, message, keep)
    if dc_residuals:
        fill_residuals(&decoder, arrays, keep)
    with nogil:
        status = jc_coefficients_to_planes(&decoder, <const int16_t **> arrays)
    if status != JC_OK:
        raise MemoryError
    return planes, message


def planes_to_image(Frame frame not None, Planes planes not None, uint8_t[:, :, ::1] image, *,
                    bint is_rgb=False, int threads=1):
    """Upsample as libjpeg and convert to RGB.

    Parameters
    ----------
    image : uint8 array (height, width, components)
        Filled.
    is_rgb : bool
        The components are R, G, B already.
    threads : int
        At most one a row is used.
    """
    if (<uint32_t> image.shape[0] != frame.c.height or <uint32_t> image.shape[1] != frame.c.width
            or image.shape[2] != frame.c.n_components):
        raise ValueError("an image of the wrong shape")
    if planes.frame is not frame or planes.memory.data is NULL:
        raise ValueError("planes of another frame, or encoded before")
    cdef uint32_t height = frame.c.height
    cdef int n = slice_count(height, threads)
    each(lambda i: fill_rows(planes, image, is_rgb, slice_start(height, i, n),
                             slice_start(height, i + 1, n)), n)


cdef fill_rows(Planes planes, uint8_t[:, :, ::1] image, bint is_rgb, uint32_t first, uint32_t last):
    cdef jc_status status
    with nogil:
        status = jc_planes_to_image(kernels, &planes.frame.c, is_rgb, <const uint8_t **> planes.plane,
                                    first, last, &image[0, 0, 0])
    raise_status(status)
