/* The native core of jpegcrypt: shared types, and what each stage offers the others.
 *
 *   encode:  color.c -> block.c -> huffman_encode.c            (driven by encode.c)
 *   decode:  huffman_decode.c -> block.c -> color.c            (driven by decode.c)
 *
 * Samples live in planes of tiles: one 8x8 block is 64 consecutive bytes, so a block is found
 * by one address and the permutation moves whole cache lines. Keys never come here: a plan is
 * an array of records and a permutation.
 *
 * Clause numbers are those of ITU-T T.81. */
#ifndef JPEGCRYPT_H
#define JPEGCRYPT_H

#include <stddef.h>
#include <stdint.h>

enum {
    JC_BLOCK = 64,              /* samples or coefficients of a block */
    JC_MAX_COMPONENTS = 3,
    JC_RECORD = 16,             /* bytes of a plan record: 9 matrix indices, rotation, 6 unused */
    JC_BATCH = 16,              /* MCUs worked on together, so that their data stays in L1 */
    JC_CACHE_LINE = 64,         /* a tile fills one */
    JC_PREFETCH = 12,           /* blocks that the permutation is looked up ahead */
    JC_COLOR_PREFETCH = 1024,   /* bytes of RGB: the hardware looks ahead no farther than a page */
    JC_MAX_MCU = 10,            /* blocks of an MCU that interleaves components, B.2.3 */
    JC_MAX_SAMPLING = 48,       /* blocks of components of any factors */
    JC_SLACK = 32,              /* elements that wide stores may touch beyond what they write */
    JC_EXACT_BITS = 4,          /* fraction bits of coefficients before quantization */
};

typedef enum {
    JC_OK = 0,
    JC_NO_MEMORY,
    JC_TRUNCATED,      /* the entropy-coded data ended before the last block */
    JC_BAD_CODE,       /* a bit sequence that is no code of the table in force */
    JC_BAD_RUN,        /* a run that leaves the spectral band */
    JC_BAD_RESTART,    /* restart markers do not follow the restart interval */
    JC_BAD_REFINEMENT, /* a refinement scan (G.1.2.3) brings a value of more than one bit */
    JC_BAD_TABLE,      /* a table given to the encoder lacks a code it needs */
    JC_BAD_VALUE,      /* a coefficient given to the encoder has no code in baseline JPEG */
} jc_status;

/* Figure A.6: zig-zag position -> index in natural (row after row) order, and in transposed
 * (column after column) order. */
extern const uint8_t jc_natural[64], jc_transposed[64], jc_identity[64];
extern const uint8_t jc_zeros[JC_BLOCK];

/* ---- Frame: the geometry of A.1.1 and A.2.4 ---- */

typedef struct {
    int h, v;                      /* sampling factors */
    uint32_t samples_w, samples_h; /* x_i, y_i of A.1.1 */
    uint32_t blocks_w, blocks_h;   /* blocks with at least one real sample; MCU padding not counted */
} jc_component;

typedef struct {
    uint32_t width, height;
    int n_components;
    int h_max, v_max;
    uint32_t mcus_w, mcus_h; /* MCUs of a scan that interleaves several components */
    jc_component component[JC_MAX_COMPONENTS];
} jc_frame;

void jc_frame_geometry(jc_frame *frame); /* fills in what follows from size and factors */
size_t jc_component_blocks(const jc_frame *frame, int c);

/* ---- Plan: what the key decided ---- */

typedef struct {
    const uint8_t *records;      /* [blocks][JC_RECORD], raster order of the written picture */
    const uint32_t *permutation; /* block o of the written picture holds block permutation[o] */
} jc_plan;                       /* both NULL: no key */

/* A bank of orthonormal 8x8 matrices M in Q14, each packed twice for pair products. */
typedef struct {
    const int16_t (*forward)[4][8][2]; /* [matrix][p][k][e] = M[k][2p+e] */
    const int16_t (*inverse)[4][8][2]; /* [matrix][p][i][e] = M[2p+e][i] */
    const int16_t (*halved)[2][2][2][4][2]; /* [matrix][p>>1][k>>2][p&1][k&3][e] = M[k][2p+e] */
    uint32_t mask;                     /* number of matrices - 1, a power of two minus one */
} jc_bank;

enum { JC_BANK_SIZE = 3 * JC_BLOCK }; /* int16_t of memory that packing takes, a matrix */
/* `memory` is aligned to a cache line; `n` is a power of two. */
void jc_bank_pack(const int16_t (*matrices)[8][8], uint32_t n, int16_t *memory, jc_bank *bank);

typedef struct {
    uint16_t natural[64], transposed[64]; /* the steps, in the orders of the inverse kernels */
    uint16_t bias[64], reciprocal[64], scale[64]; /* exact division, see jc_quantizer_init */
} jc_quantizer;

/* Coefficients crowd towards zero, so the middle of a quantization step lies beyond its mean.
 * Decryption puts AC values of components at full resolution 1/16 of a step nearer to zero. (Where
 * chroma is subsampled, its loss of contrast outweighs the gain.) */
extern const int16_t jc_shrink_ac[64], jc_shrink_none[64]; /* transposed order */

/* `forward_order` is that of the kernels in use. */
void jc_quantizer_init(jc_quantizer *quantizer, const uint16_t natural[64],
                       const uint8_t forward_order[64]);

static inline uint8_t jc_clamp(int32_t sample) {
    return (uint8_t)(sample < 0 ? 0 : sample > 255 ? 255 : sample);
}

/* The first place in a cache line, at or behind `p`. */
static inline uint8_t *jc_align(uint8_t *p) {
    return (uint8_t *)(((uintptr_t)p + JC_CACHE_LINE - 1) & ~(uintptr_t)(JC_CACHE_LINE - 1));
}

/* ---- Growing buffers: reserved a batch ahead, never a byte at a time ---- */

typedef struct {
    uint8_t *data;
    size_t size, capacity;
} jc_buffer;

jc_status jc_reserve(jc_buffer *buffer, size_t more);
void jc_use_large_pages(void *p, size_t size); /* a hint for what is touched here and there */
void jc_free(jc_buffer *buffer);

/* ---- huffman_encode.c ---- */

/* A DHT table: BITS and HUFFVAL of B.2.4.2. */
typedef struct {
    uint8_t bits[17]; /* bits[n]: codes of length n, n = 1..16 */
    uint8_t values[256];
    int n_values;
} jc_huffman_table;

/* A token is one code with its additional bits, before there are tables:
 * bits 0-15 the additional bits, 16-23 the symbol, 24 set for DC, 25 set for the second table. */
enum { JC_TOKEN_DC = 1 << 24, JC_TOKEN_CHROMA = 1 << 25, JC_TOKEN_TABLES = 4 };

/* [table][symbol] = (code << additional bits) << 5 | total length; 0: the symbol has no code. */
typedef uint32_t jc_emit_table[JC_TOKEN_TABLES][256];

/* Returns 0 if the table makes no prefix code; `complete` also asks for a code for each symbol that
 * a picture of 8 bits may need (Tables F.1 and F.2). */
int jc_emit_table_init(jc_emit_table table, int which, const jc_huffman_table *huffman,
                       int complete);
void jc_huffman_optimize(const uint32_t histogram[256], jc_huffman_table *huffman);

/* What codes cost in jc_trellis: lambda times bits, in units of squared coefficients before
 * quantization. */
enum { JC_MAX_AC_SIZE = 10, JC_MAX_DC_SIZE = 11 }; /* Tables F.2, F.1 */
enum { JC_AC_SIZES = JC_MAX_AC_SIZE + 1, JC_DC_SIZES = JC_MAX_DC_SIZE + 1 + 1 }; /* one to spare */
typedef struct {
    int32_t ac[JC_AC_SIZES][64]; /* [size][run]: a value of that size behind `run` zeros */
    int32_t end_of_block;
    int32_t dc[JC_DC_SIZES];
} jc_rates;

typedef struct {
    uint64_t accumulator; /* only its low `pending` bits are still to be written */
    int pending;          /* 0..7 */
} jc_bit_writer;

/* ---- huffman_decode.c ---- */

enum { JC_LOOKUP_BITS = 10 };

typedef struct {
    uint32_t lookup[1 << JC_LOOKUP_BITS]; /* run and value at once: see huffman_decode.h */
    uint16_t symbol[1 << JC_LOOKUP_BITS]; /* length << 8 | symbol, 0: a longer code */
    uint32_t code_end[17];                /* codes of length n end here, left-aligned in 16 bits */
    int32_t offset[17];                   /* index into values = offset[n] + code */
    uint8_t values[256];
} jc_huffman_decoder;

/* Returns 0 if the table makes no prefix code, or has a DC category above 15. */
int jc_huffman_decoder_init(jc_huffman_decoder *decoder, const jc_huffman_table *huffman, int is_dc);

/* Entropy-coded data of a scan without stuffing and restart markers. A block takes at most
 * 64 * (16 + 15) bits, so a decoder that looks at its position after each block never reads more
 * than JC_READ_AHEAD bytes past the end. */
enum { JC_READ_AHEAD = 512 };
typedef struct {
    jc_buffer memory; /* of `data`; may come with some */
    uint8_t *data;    /* `size` bytes, then JC_READ_AHEAD zeros */
    size_t size;
    size_t *ends; /* where restart interval i ends */
    size_t n_intervals;
    size_t source_start, source_end; /* in the file; the end is a marker or the end of the file */
    int restarts_in_order;           /* RST0, RST1, ... RST7, RST0, ... (E.1.2) */
} jc_entropy;

jc_status jc_unstuff(const uint8_t *file, size_t size, size_t start, jc_entropy *out);
void jc_entropy_free(jc_entropy *entropy);
/* Offset in the file of byte `position` of entropy->data. */
size_t jc_source_offset(const jc_entropy *entropy, const uint8_t *file, size_t position);

typedef struct {
    const jc_frame *frame;
    int n_components;                 /* of this scan */
    int component[JC_MAX_COMPONENTS]; /* index into frame->component */
    const jc_huffman_decoder *dc[JC_MAX_COMPONENTS], *ac[JC_MAX_COMPONENTS];
    int spectral_start, spectral_end, high, low; /* Ss, Se, Ah, Al */
    uint32_t restart_interval;
    const jc_entropy *entropy;
} jc_scan;

/* Bits of one restart interval, left-aligned. */
typedef struct {
    uint64_t bits;
    int count; /* of valid bits */
    const uint8_t *next, *end;
    uint32_t dc_prediction[JC_MAX_COMPONENTS]; /* unsigned: hostile sums wrap */
    uint32_t eob_run;
} jc_reader;

typedef struct {
    const jc_scan *scan;
    jc_reader reader;
    uint32_t left;   /* MCUs before the next restart marker */
    size_t interval; /* restart intervals before this one */
} jc_walk;

jc_status jc_walk_start(jc_walk *walk, const jc_scan *scan, size_t interval);
jc_status jc_walk_mcu(jc_walk *walk); /* before each MCU: goes on to the next restart interval */
jc_status jc_walk_end(const jc_walk *walk, int is_last); /* whether no interval may follow */
size_t jc_walk_position(const jc_walk *walk); /* in scan->entropy->data */

/* ---- Kernels: one table of functions per instruction set ---- */

typedef struct {
    const char *name;
    /* Pixels to a row of a plane: n samples, a multiple of 8; each group of 8 lies JC_BLOCK bytes
     * behind the one before. Chroma is the mean of n_rows x step pixels. */
    void (*rgb_to_y)(const uint8_t *rgb, uint32_t n, uint8_t *y);
    void (*rgb_to_cbcr)(const uint8_t *const *rows, int n_rows, int step, uint32_t n, uint8_t *cb,
                        uint8_t *cr);
    /* Both at once for 2x2 pixels a chroma sample, n MCUs of 16 pixels; NULL: nothing gained. */
    void (*rgb_to_ycc_2x2)(const uint8_t *top, const uint8_t *bottom, uint32_t n, uint8_t *y_top,
                           uint8_t *y_bottom, uint8_t *cb, uint8_t *cr);
    /* Each group of 8 luma samples lies `step` bytes behind the one before. */
    void (*ycc_to_rgb)(const uint8_t *y, size_t step, const uint8_t *cb, const uint8_t *cr,
                       uint32_t n, uint8_t *rgb);
    /* The weighted sum of a row of two rows of tiles; up to JC_SLACK samples more are written. */
    void (*weigh)(const uint8_t *near, const uint8_t *far, uint32_t n_tiles, int near_weight,
                  int far_weight, uint16_t *out);
    /* Triangle filter from n samples to 2n; row[-1] and row[n] are read too. Up to JC_SLACK samples
     * more may be read and written. */
    void (*widen)(const uint16_t *row, uint32_t n, int left_bias, int right_bias, int shift,
                  uint8_t *out);
    /* Where forward_block puts the coefficient of each zig-zag position. */
    const uint8_t *forward_order;
    /* Rotates, transforms and quantizes a tile; returns the mask of non-zeros, bit k for zig-zag
     * position k. `exact`, unless NULL, gets the coefficients before quantization, in the same
     * order with JC_EXACT_BITS fraction bits. */
    uint64_t (*forward_block)(const uint8_t *tile, const uint8_t *record, const jc_bank *bank,
                              const jc_quantizer *quantizer, int16_t *block, int16_t *exact);
    /* Appends the tokens of a block, and to `values` the non-zeros in zig-zag order, little-endian.
     * DC may have any value, AC must have a code (Table F.2): at most 1023 in magnitude.
     * Up to JC_SLACK tokens and values more than that may be touched. */
    uint32_t *(*tokenize)(const int16_t *block, uint64_t nonzero, int *dc_prediction,
                          uint32_t table_bits, uint32_t *tokens, uint8_t **values);
    /* The inverse, from transposed order into a tile. `nonzero` is a mask as of forward_block;
     * `shrink` is 1 where a coefficient is moved towards zero, else 0; see jc_shrink. */
    void (*inverse_block)(const int16_t *transposed, uint64_t nonzero, const uint8_t *record,
                          const jc_bank *bank,
                          const jc_quantizer *quantizer, const int16_t *shrink, uint8_t *tile);
    /* The inverse DCT of libjpeg, bit for bit: what every viewer shows. From natural order. */
    void (*inverse_dct)(const int16_t *natural, const jc_quantizer *quantizer, uint8_t *tile);
    uint8_t *(*emit)(jc_bit_writer *writer, const uint32_t *tokens, size_t n,
                     const jc_emit_table table, uint8_t *out);
    jc_status (*decode_block)(jc_reader *reader, const jc_scan *scan, int i, const uint8_t *order,
                              int16_t *block, uint8_t **values, uint64_t *nonzero);
    /* Copies bytes and puts a zero after each 0xFF (F.1.2.3); returns the new end. */
    uint8_t *(*stuff)(const uint8_t *source, size_t n, uint8_t *target);
} jc_kernels;

extern const jc_kernels jc_portable;
const jc_kernels *jc_dispatch(const char *forced); /* NULL if `forced` is unknown or lacking here */

/* A scan into arrays [blocks_h][blocks_w][64] in natural order, zeroed before the first one.
 * On failure `position` is where in entropy->data. */
jc_status jc_decode_sequential(const jc_kernels *k, const jc_scan *scan,
                               int16_t *const *coefficients, size_t *position);
jc_status jc_decode_progressive(const jc_scan *scan, int16_t *const *coefficients,
                                size_t *position); /* Annex G */

/* ---- color.c ---- */

/* Rows [first, last): of MCUs one way, of pixels the other. The samples of each component are added
 * up in `sums`. */
jc_status jc_image_to_planes(const jc_kernels *k, const jc_frame *frame, const uint8_t *image,
                             ptrdiff_t row_stride, uint32_t first, uint32_t last,
                             uint8_t *const *planes, uint64_t *sums);
jc_status jc_planes_to_image(const jc_kernels *k, const jc_frame *frame, int is_rgb,
                             const uint8_t *const *planes, uint32_t first, uint32_t last,
                             uint8_t *image);

/* ---- dc.c ---- */

/* From tiles to the DC value of each block as coded, and from coefficients to the DC value of each
 * block as transformed; both arrays are in raster order of the written picture. `level` is the level
 * shift, which predicts the first block. */
jc_status jc_dc_to_residuals(const jc_frame *frame, int c, const uint8_t *plane,
                             const jc_quantizer *quantizer, int level, const jc_bank *bank,
                             const jc_plan *plan, int16_t *coded);
jc_status jc_dc_from_residuals(const jc_frame *frame, int c, const int16_t *coefficients,
                               const jc_quantizer *quantizer, int level, const jc_bank *bank,
                               const jc_plan *plan, int16_t *dc);

/* ---- encode.c ---- */

typedef struct {
    const jc_kernels *kernels;
    const jc_frame *frame;
    const jc_bank *bank;
    const jc_quantizer *quantizer[JC_MAX_COMPONENTS];
    jc_plan plan[JC_MAX_COMPONENTS];
    uint8_t *plane[JC_MAX_COMPONENTS]; /* tiles */
    const int16_t *coefficients[JC_MAX_COMPONENTS]; /* instead: blocks in raster and natural order */
    int dc_only;                       /* of given coefficients */
    int level[JC_MAX_COMPONENTS];      /* with a plan: the level shift of A.3.1, 128 without */
    int16_t *dc[JC_MAX_COMPONENTS];    /* of jc_dc_to_residuals, or NULL */
    uint32_t restart_interval;         /* MCUs, 0: none */
    int optimize;                      /* make tables for this picture, else use `tables` as given */
    uint32_t trellis;                  /* lambda as a factor in Q16, see jc_encode_rates; 0: round */
    jc_rates rates[2];                 /* of luma, of chroma */
    int want_message;                  /* collect what the tag authenticates */
    jc_huffman_table tables[JC_TOKEN_TABLES]; /* in or out, see `optimize` */
    jc_emit_table emit;
} jc_encoder;

/* Bits of a slice from the end of the piece before; a restart marker lies between two pieces. */
typedef struct {
    size_t end;    /* in jc_slice.bits, whole bytes */
    int tail_bits; /* in the byte at `end` */
} jc_piece;

/* Rows of MCUs for one thread. */
typedef struct {
    uint32_t first_row, last_row;
    jc_buffer tokens;   /* uint32_t, when the tables are still to be made */
    jc_buffer restarts; /* size_t: number of tokens before each restart marker */
    uint32_t histogram[2][JC_TOKEN_TABLES * 256];
    jc_bit_writer writer;
    jc_buffer bits;   /* not yet stuffed */
    jc_buffer pieces; /* jc_piece */
    jc_buffer message;
} jc_slice;

/* All blocks of a component, quantized, in the order of jc_encoder.coefficients. */
void jc_planes_to_coefficients(const jc_encoder *encoder, int c, int16_t *natural);

/* With `trellis`, comes first. */
void jc_encode_rates(jc_encoder *encoder);
/* In this order; what is given a slice may run in several threads, each with a slice of its own.
 * Without `optimize` the tables come before the blocks, and there are no bits to be made after. */
jc_status jc_encode_blocks(const jc_encoder *encoder, jc_slice *slice);
int jc_encode_tables(jc_encoder *encoder, jc_slice *slices, int n_slices); /* 0: unfit as given */
jc_status jc_encode_bits(const jc_encoder *encoder, jc_slice *slice);
/* The entropy-coded data with stuffing and restart markers. */
jc_status jc_join_slices(const jc_encoder *encoder, const jc_slice *slices, int n_slices,
                         jc_buffer *scan);

/* What the tag authenticates of one block: a little-endian mask of the non-zero zig-zag
 * positions, then those values as little-endian int16. */
enum { JC_MAX_MESSAGE = 8 + 2 * (64 + JC_SLACK) };

/* ---- decode.c ---- */

typedef struct {
    const jc_kernels *kernels;
    const jc_frame *frame;
    const jc_bank *bank; /* NULL: no key, plain inverse DCT */
    const jc_quantizer *quantizer[JC_MAX_COMPONENTS];
    jc_plan plan[JC_MAX_COMPONENTS];
    int level[JC_MAX_COMPONENTS];       /* as in jc_encoder */
    const int16_t *dc[JC_MAX_COMPONENTS]; /* of jc_dc_from_residuals, or NULL */
    uint8_t *planes[JC_MAX_COMPONENTS]; /* tiles, out */
    jc_buffer *message;                 /* NULL: not wanted */
} jc_decoder;

/* Rows of MCUs [first, last) of a sequential scan of all components straight into tiles, without a
 * coefficient image; the walk starts there and ends with an interval. */
jc_status jc_decode_to_planes(const jc_decoder *decoder, jc_walk *walk, uint32_t first, uint32_t last);
/* Its two stages, a row taking jc_row_bytes of memory, aligned to a cache line: scan to blocks, in
 * order; blocks to tiles, also in another thread. */
size_t jc_row_bytes(const jc_frame *frame);
jc_status jc_decode_rows(const jc_decoder *decoder, jc_walk *walk, uint32_t first, uint32_t last,
                         uint8_t *memory);
void jc_put_rows(const jc_decoder *decoder, uint32_t first, uint32_t last, uint8_t *memory);
/* The same from coefficient arrays, for files of several or progressive scans. */
jc_status jc_coefficients_to_planes(const jc_decoder *decoder, const int16_t *const *coefficients);

#endif
