/* Kernels for AVX2 (with BMI, as every processor that has AVX2).
 *
 * The arithmetic is that of block.c and color.c, product pairs by vpmaddwd; see there for bounds. */
#include "jpegcrypt.h"
#include "avx2.h"

#if defined(__x86_64__)
#include "block.h"
#include "color.h"
#include "huffman.h"
#include "huffman_decode.h"

#include <cpuid.h>
#include <immintrin.h>

#define TARGET __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt")))
#define INLINE static inline __attribute__((always_inline)) TARGET

/* ---- Rotation ---- */

static const _Alignas(32) uint8_t gather_columns[16] = {0, 4, 8,  12, 1, 5, 9,  13,
                                                        2, 6, 10, 14, 3, 7, 11, 15};
static const _Alignas(32) uint8_t keep_or_mirror[2][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8},
};

INLINE __m256i both_lanes(const uint8_t *bytes) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)bytes));
}

typedef struct {
    __m256i top, bottom; /* rows 0-3 and 4-7 of 8x8 bytes */
} tile8x8;

INLINE tile8x8 transpose(tile8x8 t) {
    const __m256i order = _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7);
    const __m256i columns = both_lanes(gather_columns);
    /* Quarter columns: bytes of rows 0-3 (4-7) of columns 0-3 | 4-7. */
    __m256i a = _mm256_shuffle_epi8(_mm256_permutevar8x32_epi32(t.top, order), columns);
    __m256i b = _mm256_shuffle_epi8(_mm256_permutevar8x32_epi32(t.bottom, order), columns);
    __m256i low = _mm256_unpacklo_epi32(a, b), high = _mm256_unpackhi_epi32(a, b);
    return (tile8x8){_mm256_permute2x128_si256(low, high, 0x20),
                     _mm256_permute2x128_si256(low, high, 0x31)};
}

/* Clockwise by 90 degrees times `rotation`: transpose, mirror columns, mirror rows, each selected
 * without a branch on the key. */
INLINE tile8x8 rotate(tile8x8 t, int rotation) {
    int transposed = rotation & 1, columns = (rotation == 1) | (rotation == 2), rows = rotation >> 1;
    tile8x8 u = transpose(t);
    __m256i select = _mm256_set1_epi32(-transposed);
    t.top = _mm256_blendv_epi8(t.top, u.top, select);
    t.bottom = _mm256_blendv_epi8(t.bottom, u.bottom, select);
    __m256i mirror = both_lanes(keep_or_mirror[columns]);
    t.top = _mm256_shuffle_epi8(t.top, mirror);
    t.bottom = _mm256_shuffle_epi8(t.bottom, mirror);
    select = _mm256_set1_epi32(-rows);
    __m256i top = _mm256_permute4x64_epi64(t.bottom, 0x1B);
    __m256i bottom = _mm256_permute4x64_epi64(t.top, 0x1B);
    return (tile8x8){_mm256_blendv_epi8(t.top, top, select),
                     _mm256_blendv_epi8(t.bottom, bottom, select)};
}

/* ---- Transform ---- */

/* Four products of pairs, summed: a matrix (four registers of pairs) times a vector. */
INLINE __m256i product(const __m256i matrix[4], __m256i p0, __m256i p1, __m256i p2, __m256i p3) {
    __m256i low = _mm256_add_epi32(_mm256_madd_epi16(matrix[0], p0), _mm256_madd_epi16(matrix[1], p1));
    __m256i high = _mm256_add_epi32(_mm256_madd_epi16(matrix[2], p2), _mm256_madd_epi16(matrix[3], p3));
    return _mm256_add_epi32(low, high);
}

INLINE const __m256i *matrix(const int16_t (*bank)[4][8][2], uint32_t mask, uint8_t index) {
    return (const __m256i *)(const void *)bank[index & mask];
}

INLINE const __m256i *halved(const jc_bank *bank, uint8_t index) {
    return (const __m256i *)(const void *)bank->halved[index & bank->mask];
}

/* Zero-extends the high byte: int16 pairs from the low halves of `even` and `odd`, both shifted
 * right by `shift`. */
#define PAIRS(even, odd, shift)                                                         \
    _mm256_blend_epi16(_mm256_srli_epi32(even, shift), _mm256_slli_epi32(odd, 16 - (shift)), 0xAA)

#define SPREAD(v, i) _mm256_shuffle_epi32(v, (i) * 0x55)

INLINE __m256i quantize(__m256i y, const jc_quantizer *q, int i) {
    __m256i n = _mm256_add_epi16(_mm256_abs_epi16(y),
                                 _mm256_loadu_si256((const __m256i *)(const void *)(q->bias + i)));
    n = _mm256_mulhi_epu16(
        n, _mm256_loadu_si256((const __m256i *)(const void *)(q->reciprocal + i)));
    n = _mm256_mulhi_epu16(n, _mm256_loadu_si256((const __m256i *)(const void *)(q->scale + i)));
    n = _mm256_min_epi16(n, _mm256_set1_epi16(JC_MAX_COEFFICIENT));
    return _mm256_sign_epi16(n, y);
}

/* Packed bytes, columns u = 0 2 | 1 3 and 4 6 | 5 7, to zig-zag order: [output][source lane]. */
static _Alignas(32) uint8_t to_zigzag[2][4][32];

static void rotation_init(void);
static void token_init(void);

void jc_avx2_init(void) {
    for (int k = 0; k < 64; k++) {
        int u = jc_transposed[k] >> 3, lane = (u >> 2) * 2 + (u & 1);
        for (int source = 0; source < 4; source++)
            to_zigzag[k >> 5][source][k & 31] =
                lane == source ? (uint8_t)((u & 2) * 4 + (jc_transposed[k] & 7)) : 0x80;
    }
    rotation_init();
    token_init();
}

INLINE uint64_t nonzero_mask(const __m256i columns[4]) {
    __m256i a = _mm256_packs_epi16(columns[0], columns[1]);
    __m256i b = _mm256_packs_epi16(columns[2], columns[3]);
    __m256i source[4] = {
        _mm256_permute2x128_si256(a, a, 0x00), _mm256_permute2x128_si256(a, a, 0x11),
        _mm256_permute2x128_si256(b, b, 0x00), _mm256_permute2x128_si256(b, b, 0x11)};
    uint64_t mask = 0;
#pragma GCC unroll 2
    for (int half = 0; half < 2; half++) {
        const __m256i *order = (const __m256i *)(const void *)to_zigzag[half];
        __m256i bytes = _mm256_or_si256(
            _mm256_or_si256(_mm256_shuffle_epi8(source[0], order[0]),
                            _mm256_shuffle_epi8(source[1], order[1])),
            _mm256_or_si256(_mm256_shuffle_epi8(source[2], order[2]),
                            _mm256_shuffle_epi8(source[3], order[3])));
        uint32_t zero = (uint32_t)_mm256_movemask_epi8(
            _mm256_cmpeq_epi8(bytes, _mm256_setzero_si256()));
        mask |= (uint64_t)~zero << 32 * half;
    }
    return mask;
}

/* ---- Forward: rotation on the way into pair products ---- */

/* A rotation is: mirror the rows, mirror the columns, transpose, each or not. Rows are mirrored by
 * the addresses of the loads (two rows each), columns by the byte orders below. All addresses lie
 * in the one cache line of the tile. */
static _Alignas(32) uint8_t row_pairs[4][32];    /* 16-bit pairs of two rows, by pair */
static _Alignas(32) uint8_t column_pairs[4][32]; /* columns 0 1 4 5 | 2 3 6 7 of two rows, twice */

static int mirrors_rows(int rotation) { return (rotation == 1) | (rotation == 2); }

static void rotation_init(void) {
    for (int r = 0; r < 4; r++) {
        int first = mirrors_rows(r) ? 8 : 0, second = 8 - first, mirror = r >> 1 ? 7 : 0;
        for (int lane = 0; lane < 2; lane++)
            for (int i = 0; i < 4; i++) {
                uint8_t *pair = row_pairs[r] + 16 * lane + 4 * i;
                pair[0] = (uint8_t)(first + ((2 * i) ^ mirror));
                pair[1] = (uint8_t)(first + ((2 * i + 1) ^ mirror));
                pair[2] = (uint8_t)(second + ((2 * i) ^ mirror));
                pair[3] = (uint8_t)(second + ((2 * i + 1) ^ mirror));
                int column = ((i & 1) + (i >> 1) * 4 + 2 * lane) ^ mirror;
                for (int half = 0; half < 2; half++) {
                    pair = column_pairs[r] + 16 * lane + 8 * half + 2 * i;
                    pair[0] = (uint8_t)(first + column);
                    pair[1] = (uint8_t)(second + column);
                }
            }
    }
}

INLINE __m256i two_rows(const uint8_t *tile, int i) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)(tile + i)));
}

/* x[p]: samples 2p and 2p+1 of rows 0 1 4 5 | 2 3 6 7 of the rotated tile, less `level`. */
INLINE void load_rotated(const uint8_t *tile, int rotation, __m256i level, __m256i x[4]) {
    int a = mirrors_rows(rotation) * 48, b = a ^ 16, c = a ^ 32, d = a ^ 48;
    const __m256i by_row = _mm256_load_si256((const __m256i *)(const void *)row_pairs[rotation]);
    const __m256i by_column = _mm256_load_si256((const __m256i *)(const void *)column_pairs[rotation]);
    const __m256i zero = _mm256_setzero_si256();
    __m256i q[4] = {two_rows(tile, a), two_rows(tile, b), two_rows(tile, c), two_rows(tile, d)};
    __m256i top = _mm256_shuffle_epi8(_mm256_blend_epi32(q[0], q[1], 0xF0), by_row);
    __m256i bottom = _mm256_shuffle_epi8(_mm256_blend_epi32(q[2], q[3], 0xF0), by_row);
    for (int i = 0; i < 4; i++) q[i] = _mm256_shuffle_epi8(q[i], by_column);
    __m256i transposed = _mm256_set1_epi32(-(rotation & 1));
    __m256i low = _mm256_blendv_epi8(_mm256_unpacklo_epi32(top, bottom),
                                     _mm256_blend_epi32(q[0], q[1], 0xCC), transposed);
    __m256i high = _mm256_blendv_epi8(_mm256_unpackhi_epi32(top, bottom),
                                      _mm256_blend_epi32(q[2], q[3], 0xCC), transposed);
    x[0] = _mm256_sub_epi16(_mm256_unpacklo_epi8(low, zero), level);
    x[1] = _mm256_sub_epi16(_mm256_unpackhi_epi8(low, zero), level);
    x[2] = _mm256_sub_epi16(_mm256_unpacklo_epi8(high, zero), level);
    x[3] = _mm256_sub_epi16(_mm256_unpackhi_epi8(high, zero), level);
}

/* a.low + a.high | b.low + b.high */
INLINE __m256i fold(__m256i a, __m256i b) {
    return _mm256_add_epi32(_mm256_blend_epi32(a, b, 0xF0), _mm256_permute2x128_si256(a, b, 0x21));
}

typedef struct {
    __m256i low, high; /* outputs 0-3 and 4-7: sums over pairs 0, 2 | 1, 3 of the inputs */
} halves;

/* `even` and `odd`: pairs 0 | 1 and 2 | 3 of a vector. */
INLINE halves column_product(const __m256i *m, __m256i even, __m256i odd) {
    return (halves){
        _mm256_add_epi32(_mm256_madd_epi16(m[0], even), _mm256_madd_epi16(m[2], odd)),
        _mm256_add_epi32(_mm256_madd_epi16(m[1], even), _mm256_madd_epi16(m[3], odd))};
}

/* Two columns of frequencies, u = 2t | 2t + 1, with 4 fraction bits. */
INLINE __m256i two_columns(halves a, halves b) {
    const __m256i half = _mm256_set1_epi32(1 << 15);
    return _mm256_packs_epi32(
        _mm256_srai_epi32(_mm256_add_epi32(fold(a.low, b.low), half), 16),
        _mm256_srai_epi32(_mm256_add_epi32(fold(a.high, b.high), half), 16));
}

TARGET static uint64_t forward_block(const uint8_t *tile, const uint8_t *record,
                                     const jc_bank *bank, const jc_quantizer *quantizer,
                                     int16_t *block, int16_t *exact) {
    __m256i x[4], out[4];
    load_rotated(tile, record[JC_RECORD_ROTATION] & 3, _mm256_set1_epi16(128), x);
    const int32_t *r = (const int32_t *)(const void *)bank->halved[record[0] & bank->mask];
    const __m256i round = _mm256_set1_epi32(128);
    /* Each loop is independent work, as much as the processor looks ahead. */
    __m256i pairs[4]; /* pairs 0, 2 of column 2t, of 2t + 1 | pairs 1, 3 */
#pragma GCC unroll 4
    for (int t = 0; t < 4; t++) {
        __m256i y[2];
#pragma GCC unroll 2
        for (int i = 0; i < 2; i++) {
            const int32_t *pair = r + (t >> 1) * 8 + ((2 * t + i) & 3); /* of output 2t + i */
            y[i] = _mm256_add_epi32(
                _mm256_add_epi32(_mm256_madd_epi16(x[0], _mm256_set1_epi32(pair[0])),
                                 _mm256_madd_epi16(x[1], _mm256_set1_epi32(pair[4]))),
                _mm256_add_epi32(_mm256_madd_epi16(x[2], _mm256_set1_epi32(pair[16])),
                                 _mm256_madd_epi16(x[3], _mm256_set1_epi32(pair[20]))));
            y[i] = _mm256_srai_epi32(_mm256_add_epi32(y[i], round), 8);
        }
        pairs[t] = _mm256_packs_epi32(y[0], y[1]);
    }
#pragma GCC unroll 4
    for (int t = 0; t < 4; t++) {
        halves a = column_product(halved(bank, record[1 + 2 * t]), SPREAD(pairs[t], 0),
                                  SPREAD(pairs[t], 1));
        halves b = column_product(halved(bank, record[2 + 2 * t]), SPREAD(pairs[t], 2),
                                  SPREAD(pairs[t], 3));
        out[t] = two_columns(a, b);
    }
    if (exact)
        for (int t = 0; t < 4; t++)
            _mm256_storeu_si256((__m256i *)(void *)(exact + 16 * t), out[t]);
#pragma GCC unroll 4
    for (int t = 0; t < 4; t++) {
        out[t] = quantize(out[t], quantizer, 16 * t);
        _mm256_storeu_si256((__m256i *)(void *)(block + 16 * t), out[t]);
    }
    return nonzero_mask(out);
}

/* ---- Tokens ---- */

/* Size and additional bits of every value (Tables F.1, F.2): [value + 1024] */
static uint32_t value_token[2048];
/* Of a zig-zag position in a block. 64 stands for none left and reads the last: AC values are at
 * most JC_MAX_COEFFICIENT, so that they have a token, where DC may be any int16. */
static uint8_t place[64 + 1];

static void token_init(void) {
    for (int value = -1024; value < 1024; value++) {
        int size = jc_bit_size(value);
        value_token[value + 1024] = (uint32_t)size << 16 | jc_additional_bits(value, size);
    }
    memcpy(place, jc_transposed, 64);
    place[64] = place[63];
}

/* Whether 16 zeros or more lie between two non-zeros. */
INLINE int has_long_run(uint64_t ac) {
    uint64_t zeros = ~(ac | 1) & (~0ull >> _lzcnt_u64(ac | 1));
    zeros &= zeros >> 1;
    zeros &= zeros >> 2;
    zeros &= zeros >> 4;
    return (zeros & zeros >> 8) != 0;
}

/* Four at a time, so that few branches depend on how many there are; what goes beyond the end is
 * overwritten by what comes next. */
TARGET static uint32_t *tokenize(const int16_t *block, uint64_t nonzero, int *dc_prediction,
                                 uint32_t table_bits, uint32_t *tokens, uint8_t **values) {
    uint64_t ac = nonzero & ~1ull;
    *tokens++ = jc_dc_token(block[0], dc_prediction, table_bits);
    memcpy(*values, block, 2);
    *values += 2 * (nonzero & 1);
    if (__builtin_expect(has_long_run(ac), 0))
        return jc_tokenize_ac(block, jc_transposed, ac, table_bits, tokens, values);
    uint32_t n = (uint32_t)_mm_popcnt_u64(ac), last = 0, fixed = table_bits - (1u << 20);
    uint8_t *out = *values;
    *values += 2 * n;
    for (uint32_t i = 0; i < n; i += 4) {
#pragma GCC unroll 4
        for (uint32_t j = i; j < i + 4; j++) {
            uint32_t k = (uint32_t)_tzcnt_u64(ac);
            int16_t value = block[place[k]];
            memcpy(out + 2 * j, &value, 2);
            tokens[j] = value_token[value + 1024] + ((k - last) << 20) + fixed;
            last = k;
            ac = _blsr_u64(ac);
        }
    }
    tokens[n] = table_bits; /* EOB, kept unless the block is full */
    return tokens + n + !(nonzero >> 63);
}

/* The first 2 n columns of frequencies; the others are zero. */
INLINE void inverse_columns(int n, const int16_t *transposed, const uint8_t *record,
                            const jc_bank *bank, const jc_quantizer *quantizer,
                            const int16_t *shrink, __m256i x[8]) {
    const __m256i round = _mm256_set1_epi32(1 << 13);
    __m256i y[4]; /* y[p]: pairs (u = 2p, 2p+1) for each row */
#pragma GCC unroll 4
    for (int p = 0; p < n; p++) {
        __m256i q = _mm256_loadu_si256((const __m256i *)(const void *)(transposed + 16 * p));
        __m256i less = _mm256_loadu_si256((const __m256i *)(const void *)(shrink + 16 * p));
        __m256i z = _mm256_mullo_epi16(
            _mm256_sub_epi16(_mm256_slli_epi16(q, 4), _mm256_sign_epi16(less, q)),
            _mm256_loadu_si256((const __m256i *)(const void *)(quantizer->transposed + 16 * p)));
        __m256i a = _mm256_permute2x128_si256(z, z, 0x00);
        __m256i b = _mm256_permute2x128_si256(z, z, 0x11);
        a = product(matrix(bank->inverse, bank->mask, record[1 + 2 * p]), SPREAD(a, 0),
                    SPREAD(a, 1), SPREAD(a, 2), SPREAD(a, 3));
        b = product(matrix(bank->inverse, bank->mask, record[2 + 2 * p]), SPREAD(b, 0),
                    SPREAD(b, 1), SPREAD(b, 2), SPREAD(b, 3));
        y[p] = PAIRS(_mm256_add_epi32(a, round), _mm256_add_epi32(b, round), 14);
    }
    const int32_t *r = (const int32_t *)(const void *)bank->inverse[record[0] & bank->mask];
    const __m256i offset = _mm256_set1_epi32((128 << 18) + (1 << 17));
#pragma GCC unroll 8
    for (int j = 0; j < 8; j++) { /* x[j]: column j, a row a lane */
        __m256i low = _mm256_add_epi32(_mm256_madd_epi16(y[0], _mm256_set1_epi32(r[j])),
                                       _mm256_madd_epi16(y[1], _mm256_set1_epi32(r[8 + j])));
        __m256i sum = _mm256_add_epi32(offset, low);
        if (n == 4)
            sum = _mm256_add_epi32(
                sum, _mm256_add_epi32(_mm256_madd_epi16(y[2], _mm256_set1_epi32(r[16 + j])),
                                      _mm256_madd_epi16(y[3], _mm256_set1_epi32(r[24 + j]))));
        x[j] = _mm256_srai_epi32(sum, 18);
    }
}

TARGET static void inverse_block(const int16_t *transposed, uint64_t nonzero,
                                 const uint8_t *record, const jc_bank *bank,
                                 const jc_quantizer *quantizer, const int16_t *shrink,
                                 uint8_t *tile) {
    __m256i x[8];
    if (nonzero & JC_HIGH_COLUMNS)
        inverse_columns(4, transposed, record, bank, quantizer, shrink, x);
    else
        inverse_columns(2, transposed, record, bank, quantizer, shrink, x);
    /* Columns 0-3 (4-7), rows 0-3 | 4-7, and then rows. */
    __m256i a = _mm256_packus_epi16(_mm256_packs_epi32(x[0], x[1]), _mm256_packs_epi32(x[2], x[3]));
    __m256i b = _mm256_packus_epi16(_mm256_packs_epi32(x[4], x[5]), _mm256_packs_epi32(x[6], x[7]));
    const __m256i columns = both_lanes(gather_columns);
    a = _mm256_shuffle_epi8(a, columns);
    b = _mm256_shuffle_epi8(b, columns);
    __m256i low = _mm256_unpacklo_epi32(a, b), high = _mm256_unpackhi_epi32(a, b);
    tile8x8 t = {_mm256_permute2x128_si256(low, high, 0x20),
                 _mm256_permute2x128_si256(low, high, 0x31)};
    t = rotate(t, (4 - (record[JC_RECORD_ROTATION] & 3)) & 3);
    _mm256_storeu_si256((__m256i *)(void *)tile, t.top);
    _mm256_storeu_si256((__m256i *)(void *)(tile + 32), t.bottom);
}

/* ---- Inverse DCT, as jc_inverse_dct_c: eight columns, then eight rows at a time ---- */

INLINE __m256i times(__m256i a, int32_t constant) {
    return _mm256_mullo_epi32(a, _mm256_set1_epi32(constant));
}

INLINE void inverse_dct_8(__m256i v[8], int shift) {
    __m256i z1 = times(_mm256_add_epi32(v[2], v[6]), JC_F_0_541);
    __m256i e2 = _mm256_sub_epi32(z1, times(v[6], JC_F_1_847));
    __m256i e3 = _mm256_add_epi32(z1, times(v[2], JC_F_0_765));
    __m256i e0 = _mm256_slli_epi32(_mm256_add_epi32(v[0], v[4]), 13);
    __m256i e1 = _mm256_slli_epi32(_mm256_sub_epi32(v[0], v[4]), 13);
    __m256i round = _mm256_set1_epi32(1 << (shift - 1));
    e0 = _mm256_add_epi32(e0, round);
    e1 = _mm256_add_epi32(e1, round);
    __m256i even[4] = {_mm256_add_epi32(e0, e3), _mm256_add_epi32(e1, e2),
                       _mm256_sub_epi32(e1, e2), _mm256_sub_epi32(e0, e3)};

    __m256i a = v[7], b = v[5], c = v[3], d = v[1];
    __m256i ac = _mm256_add_epi32(a, c), bd = _mm256_add_epi32(b, d);
    __m256i z5 = times(_mm256_add_epi32(ac, bd), JC_F_1_175);
    __m256i za = times(_mm256_add_epi32(a, d), -JC_F_0_899);
    __m256i zb = times(_mm256_add_epi32(b, c), -JC_F_2_562);
    __m256i zc = _mm256_sub_epi32(z5, times(ac, JC_F_1_961));
    __m256i zd = _mm256_sub_epi32(z5, times(bd, JC_F_0_390));
    __m256i odd[4] = {
        _mm256_add_epi32(times(d, JC_F_1_501), _mm256_add_epi32(za, zd)),
        _mm256_add_epi32(times(c, JC_F_3_072), _mm256_add_epi32(zb, zc)),
        _mm256_add_epi32(times(b, JC_F_2_053), _mm256_add_epi32(zb, zd)),
        _mm256_add_epi32(times(a, JC_F_0_298), _mm256_add_epi32(za, zc)),
    };
    for (int i = 0; i < 4; i++) {
        v[i] = _mm256_srai_epi32(_mm256_add_epi32(even[i], odd[i]), shift);
        v[7 - i] = _mm256_srai_epi32(_mm256_sub_epi32(even[i], odd[i]), shift);
    }
}

INLINE void transpose_8x8(__m256i v[8]) {
    __m256i a[8], b[8];
    for (int i = 0; i < 4; i++) {
        a[2 * i] = _mm256_unpacklo_epi32(v[2 * i], v[2 * i + 1]);
        a[2 * i + 1] = _mm256_unpackhi_epi32(v[2 * i], v[2 * i + 1]);
    }
    for (int i = 0; i < 2; i++) {
        b[4 * i] = _mm256_unpacklo_epi64(a[4 * i], a[4 * i + 2]);
        b[4 * i + 1] = _mm256_unpackhi_epi64(a[4 * i], a[4 * i + 2]);
        b[4 * i + 2] = _mm256_unpacklo_epi64(a[4 * i + 1], a[4 * i + 3]);
        b[4 * i + 3] = _mm256_unpackhi_epi64(a[4 * i + 1], a[4 * i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        v[i] = _mm256_permute2x128_si256(b[i], b[4 + i], 0x20);
        v[4 + i] = _mm256_permute2x128_si256(b[i], b[4 + i], 0x31);
    }
}

TARGET static void inverse_dct(const int16_t *natural, const jc_quantizer *quantizer,
                               uint8_t *tile) {
    __m256i v[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
        v[i] = _mm256_cvtepi16_epi32(_mm_mullo_epi16(
            _mm_loadu_si128((const __m128i *)(const void *)(natural + 8 * i)),
            _mm_loadu_si128((const __m128i *)(const void *)(quantizer->natural + 8 * i))));
    inverse_dct_8(v, 13 - 2);
    transpose_8x8(v);
    inverse_dct_8(v, 13 + 2 + 3);
    transpose_8x8(v);
    const __m256i center = _mm256_set1_epi16(128);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        /* Lanes: row 2i left, row 2i+1 left | right, right. */
        __m256i rows = _mm256_adds_epi16(_mm256_packs_epi32(v[2 * i], v[2 * i + 1]), center);
        rows = _mm256_permute4x64_epi64(rows, 0xD8);
        _mm_storeu_si128((__m128i *)(void *)(tile + 16 * i),
                         _mm_packus_epi16(_mm256_castsi256_si128(rows),
                                          _mm256_extracti128_si256(rows, 1)));
    }
}

/* ---- Color ---- */

/* Bytes of one channel out of three registers of 16 interleaved bytes: [channel][register]. */
static const uint8_t channel[3][3][16] = {
#define X 0x80
    {{0, 3, 6, 9, 12, 15, X, X, X, X, X, X, X, X, X, X},
     {X, X, X, X, X, X, 2, 5, 8, 11, 14, X, X, X, X, X},
     {X, X, X, X, X, X, X, X, X, X, X, 1, 4, 7, 10, 13}},
    {{1, 4, 7, 10, 13, X, X, X, X, X, X, X, X, X, X, X},
     {X, X, X, X, X, 0, 3, 6, 9, 12, 15, X, X, X, X, X},
     {X, X, X, X, X, X, X, X, X, X, X, 2, 5, 8, 11, 14}},
    {{2, 5, 8, 11, 14, X, X, X, X, X, X, X, X, X, X, X},
     {X, X, X, X, X, 1, 4, 7, 10, 13, X, X, X, X, X, X},
     {X, X, X, X, X, X, X, X, X, X, 0, 3, 6, 9, 12, 15}},
};
/* And back: [register][channel]. */
static const uint8_t interleaved[3][3][16] = {
    {{0, X, X, 1, X, X, 2, X, X, 3, X, X, 4, X, X, 5},
     {X, 0, X, X, 1, X, X, 2, X, X, 3, X, X, 4, X, X},
     {X, X, 0, X, X, 1, X, X, 2, X, X, 3, X, X, 4, X}},
    {{X, X, 6, X, X, 7, X, X, 8, X, X, 9, X, X, 10, X},
     {5, X, X, 6, X, X, 7, X, X, 8, X, X, 9, X, X, 10},
     {X, 5, X, X, 6, X, X, 7, X, X, 8, X, X, 9, X, X}},
    {{X, 11, X, X, 12, X, X, 13, X, X, 14, X, X, 15, X, X},
     {X, X, 11, X, X, 12, X, X, 13, X, X, 14, X, X, 15, X},
     {10, X, X, 11, X, X, 12, X, X, 13, X, X, 14, X, X, 15}},
#undef X
};

typedef struct {
    __m256i r, g, b;
} rgb32;

/* 16 pixels of each of two places, one a lane. */
INLINE rgb32 load_rgb(const uint8_t *low, const uint8_t *high) {
    __m256i v[3], out[3];
    for (int i = 0; i < 3; i++)
        v[i] = _mm256_inserti128_si256(
            _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)(low + 16 * i))),
            _mm_loadu_si128((const __m128i *)(const void *)(high + 16 * i)), 1);
    for (int c = 0; c < 3; c++)
        out[c] = _mm256_or_si256(
            _mm256_or_si256(_mm256_shuffle_epi8(v[0], both_lanes(channel[c][0])),
                            _mm256_shuffle_epi8(v[1], both_lanes(channel[c][1]))),
            _mm256_shuffle_epi8(v[2], both_lanes(channel[c][2])));
    return (rgb32){out[0], out[1], out[2]};
}

INLINE __m256i pair(int16_t low, int16_t high) {
    return _mm256_set1_epi32((int32_t)((uint32_t)(uint16_t)low | (uint32_t)(uint16_t)high << 16));
}

/* 38470 G = 22086 G + 16384 G: constants must fit in 16 bits. */
INLINE __m256i luma_4x2(__m256i rg, __m256i bg) {
    __m256i sum = _mm256_add_epi32(_mm256_madd_epi16(rg, pair(19595, 22086)),
                                   _mm256_madd_epi16(bg, pair(7471, 16384)));
    return _mm256_srli_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32(1 << 15)), 16);
}

INLINE __m256i luma(rgb32 p) {
    const __m256i zero = _mm256_setzero_si256();
    __m256i rg0 = _mm256_unpacklo_epi8(p.r, p.g), rg1 = _mm256_unpackhi_epi8(p.r, p.g);
    __m256i bg0 = _mm256_unpacklo_epi8(p.b, p.g), bg1 = _mm256_unpackhi_epi8(p.b, p.g);
    __m256i y0 = luma_4x2(_mm256_unpacklo_epi8(rg0, zero), _mm256_unpacklo_epi8(bg0, zero));
    __m256i y1 = luma_4x2(_mm256_unpackhi_epi8(rg0, zero), _mm256_unpackhi_epi8(bg0, zero));
    __m256i y2 = luma_4x2(_mm256_unpacklo_epi8(rg1, zero), _mm256_unpacklo_epi8(bg1, zero));
    __m256i y3 = luma_4x2(_mm256_unpackhi_epi8(rg1, zero), _mm256_unpackhi_epi8(bg1, zero));
    return _mm256_packus_epi16(_mm256_packus_epi32(y0, y1), _mm256_packus_epi32(y2, y3));
}

/* 16 samples into two tiles; `out` is the row of the first. */
INLINE void store_row(uint8_t *out, __m128i samples) {
    _mm_storel_epi64((__m128i *)(void *)out, samples);
    _mm_storel_epi64((__m128i *)(void *)(out + JC_BLOCK), _mm_unpackhi_epi64(samples, samples));
}

TARGET static void rgb_to_y(const uint8_t *rgb, uint32_t n, uint8_t *y) {
    for (; n >= 32; n -= 32, rgb += 3 * 32, y += 4 * JC_BLOCK) {
        __m256i samples = luma(load_rgb(rgb, rgb + 48));
        store_row(y, _mm256_castsi256_si128(samples));
        store_row(y + 2 * JC_BLOCK, _mm256_extracti128_si256(samples, 1));
    }
    if (n >= 16) {
        store_row(y, _mm256_castsi256_si128(luma(load_rgb(rgb, rgb))));
        n -= 16, rgb += 3 * 16, y += 2 * JC_BLOCK;
    }
    jc_rgb_to_y_c(rgb, n, y);
}

INLINE __m256i chroma_8(__m256i red_green, __m256i blue, __m256i first, __m256i second,
                        __m256i offset, int shift) {
    __m256i sum = _mm256_add_epi32(_mm256_madd_epi16(red_green, first),
                                   _mm256_madd_epi16(blue, second));
    return _mm256_srai_epi32(_mm256_add_epi32(sum, offset), shift);
}

/* Chroma of 16 sums of 1 << (shift - 16) pixels each. 32768 = 16384 * 2, so blue in Cb and red in
 * Cr are paired with themselves. */
INLINE void chroma_16(__m256i r, __m256i g, __m256i b, int shift, uint8_t *cb, uint8_t *cr) {
    const __m256i offset = _mm256_set1_epi32((128 << shift) + (1 << (shift - 1)) - 1);
    __m256i out[2][2];
    for (int high = 0; high < 2; high++) {
        __m256i rg = high ? _mm256_unpackhi_epi16(r, g) : _mm256_unpacklo_epi16(r, g);
        __m256i gb = high ? _mm256_unpackhi_epi16(g, b) : _mm256_unpacklo_epi16(g, b);
        __m256i rr = high ? _mm256_unpackhi_epi16(r, r) : _mm256_unpacklo_epi16(r, r);
        __m256i bb = high ? _mm256_unpackhi_epi16(b, b) : _mm256_unpacklo_epi16(b, b);
        __m256i half = pair(16384, 16384);
        out[0][high] = chroma_8(rg, bb, pair(-11059, -21709), half, offset, shift);
        out[1][high] = chroma_8(gb, rr, pair(-27439, -5329), half, offset, shift);
    }
    __m256i both = _mm256_packus_epi16(_mm256_packs_epi32(out[0][0], out[0][1]),
                                       _mm256_packs_epi32(out[1][0], out[1][1]));
    both = _mm256_permute4x64_epi64(both, 0xD8); /* cb | cr */
    store_row(cb, _mm256_castsi256_si128(both));
    store_row(cr, _mm256_extracti128_si256(both, 1));
}

/* 16-bit sums of 16 samples of one channel: `a` holds bytes 0-15 | 16-31 of a row. */
INLINE __m256i sum_pairs(__m256i a) { return _mm256_maddubs_epi16(a, _mm256_set1_epi8(1)); }

TARGET static void rgb_to_cbcr(const uint8_t *const *rows, int n_rows, int step, uint32_t n,
                               uint8_t *cb, uint8_t *cr) {
    uint32_t x = 0;
    int shift = 16 + (n_rows * step > 1) + (n_rows * step > 2);
    if (step == 2 && n_rows <= 2)
        for (; x + 16 <= n; x += 16, cb += 2 * JC_BLOCK, cr += 2 * JC_BLOCK) {
            __m256i r = _mm256_setzero_si256(), g = r, b = r;
            for (int i = 0; i < n_rows; i++) {
                const uint8_t *row = rows[i] + 6 * x;
                rgb32 p = load_rgb(row, row + 48);
                r = _mm256_add_epi16(r, sum_pairs(p.r));
                g = _mm256_add_epi16(g, sum_pairs(p.g));
                b = _mm256_add_epi16(b, sum_pairs(p.b));
            }
            chroma_16(r, g, b, shift, cb, cr);
        }
    else if (step == 1 && n_rows <= 2)
        for (; x + 16 <= n; x += 16, cb += 2 * JC_BLOCK, cr += 2 * JC_BLOCK) {
            __m256i r = _mm256_setzero_si256(), g = r, b = r;
            for (int i = 0; i < n_rows; i++) {
                rgb32 p = load_rgb(rows[i] + 3 * x, rows[i] + 3 * x);
                r = _mm256_add_epi16(r, _mm256_cvtepu8_epi16(_mm256_castsi256_si128(p.r)));
                g = _mm256_add_epi16(g, _mm256_cvtepu8_epi16(_mm256_castsi256_si128(p.g)));
                b = _mm256_add_epi16(b, _mm256_cvtepu8_epi16(_mm256_castsi256_si128(p.b)));
            }
            chroma_16(r, g, b, shift, cb, cr);
        }
    const uint8_t *rest[4];
    for (int i = 0; i < n_rows; i++) rest[i] = rows[i] + 3 * (size_t)x * (size_t)step;
    jc_rgb_to_cbcr_c(rest, n_rows, step, n - x, cb, cr);
}

/* Four pixels of 12 bytes, behind 0 or 4 others, to pairs of words. */
#define X (char)0x80
#define FOUR_PIXELS(first, second)                                                              \
    first, X, second, X, first + 3, X, second + 3, X, first + 6, X, second + 6, X, first + 9, X, \
        second + 9, X
static const _Alignas(16) char red_green[2][16] = {{FOUR_PIXELS(0, 1)}, {FOUR_PIXELS(4, 5)}};
static const _Alignas(16) char blue_green[2][16] = {{FOUR_PIXELS(2, 1)}, {FOUR_PIXELS(6, 5)}};
#undef FOUR_PIXELS
#undef X

/* Words of every second 32-bit lane of a and b, plus those of their neighbors. */
INLINE __m256i add_neighbors(__m256i a, __m256i b) {
    __m256 x = _mm256_castsi256_ps(a), y = _mm256_castsi256_ps(b);
    return _mm256_add_epi16(_mm256_castps_si256(_mm256_shuffle_ps(x, y, 0x88)),
                            _mm256_castps_si256(_mm256_shuffle_ps(x, y, 0xDD)));
}

/* a.low + a.high | b.low + b.high, of words */
INLINE __m256i fold_words(__m256i a, __m256i b) {
    return _mm256_add_epi16(_mm256_blend_epi32(a, b, 0xF0), _mm256_permute2x128_si256(a, b, 0x21));
}

/* A lane for each row. 32768 does not fit 16 bits, -32768 does. */
TARGET static void rgb_to_ycc_2x2(const uint8_t *top, const uint8_t *bottom, uint32_t n,
                                  uint8_t *y_top, uint8_t *y_bottom, uint8_t *cb, uint8_t *cr) {
    const __m256i offset = _mm256_set1_epi32((128 << 18) + (1 << 17) - 1);
    for (; n; n--, top += 48, bottom += 48, y_top += 2 * JC_BLOCK, y_bottom += 2 * JC_BLOCK,
              cb += JC_BLOCK, cr += JC_BLOCK) {
        _mm_prefetch((const char *)top + JC_COLOR_PREFETCH, _MM_HINT_T0);
        _mm_prefetch((const char *)bottom + JC_COLOR_PREFETCH, _MM_HINT_T0);
        __m256i rg[4], bg[4], y[4];
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            int at = i < 3 ? 12 * i : 32, shifted = i == 3; /* within the 48 bytes */
            __m256i pixels = _mm256_inserti128_si256(
                _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)(top + at))),
                _mm_loadu_si128((const __m128i *)(const void *)(bottom + at)), 1);
            rg[i] = _mm256_shuffle_epi8(pixels, both_lanes((const uint8_t *)red_green[shifted]));
            bg[i] = _mm256_shuffle_epi8(pixels, both_lanes((const uint8_t *)blue_green[shifted]));
            y[i] = luma_4x2(rg[i], bg[i]);
        }
        __m256i luma16 = _mm256_packus_epi16(_mm256_packus_epi32(y[0], y[1]),
                                             _mm256_packus_epi32(y[2], y[3]));
        store_row(y_top, _mm256_castsi256_si128(luma16));
        store_row(y_bottom, _mm256_extracti128_si256(luma16, 1));

        __m256i red = fold_words(add_neighbors(rg[0], rg[1]), add_neighbors(rg[2], rg[3]));
        __m256i blue = fold_words(add_neighbors(bg[0], bg[1]), add_neighbors(bg[2], bg[3]));
        __m256i b = _mm256_sub_epi32(_mm256_madd_epi16(red, pair(-11059, -21709)),
                                     _mm256_madd_epi16(blue, pair(-32768, 0)));
        __m256i r = _mm256_sub_epi32(_mm256_madd_epi16(blue, pair(-5329, -27439)),
                                     _mm256_madd_epi16(red, pair(-32768, 0)));
        b = _mm256_srai_epi32(_mm256_add_epi32(b, offset), 18);
        r = _mm256_srai_epi32(_mm256_add_epi32(r, offset), 18);
        __m256i both = _mm256_packs_epi32(b, r); /* Cb 0-3, Cr 0-3 | Cb 4-7, Cr 4-7 */
        both = _mm256_packus_epi16(both, both);
        __m128i low = _mm256_castsi256_si128(both), high = _mm256_extracti128_si256(both, 1);
        __m128i samples = _mm_unpacklo_epi32(low, high); /* Cb 0-3, Cb 4-7, Cr 0-3, Cr 4-7 */
        _mm_storel_epi64((__m128i *)(void *)cb, samples);
        _mm_storel_epi64((__m128i *)(void *)cr, _mm_unpackhi_epi64(samples, samples));
    }
}

/* Constants that fit 16 bits: 1.402 = 1 + 0.402, 1.772 = 1 + 0.772, -0.71414 = 0.28586 - 1. In Q15
 * the first two round as in color.c for each of the 256 values. */
INLINE __m256i enlarge(__m256i v, int16_t more_than_1) {
    return _mm256_add_epi16(v, _mm256_mulhrs_epi16(v, _mm256_set1_epi16(more_than_1)));
}

INLINE __m256i green_part(__m256i u, __m256i v) {
    const __m256i half = _mm256_set1_epi32(1 << 15), constants = pair(-22554, 18734);
    __m256i low = _mm256_madd_epi16(_mm256_unpacklo_epi16(u, v), constants);
    __m256i high = _mm256_madd_epi16(_mm256_unpackhi_epi16(u, v), constants);
    return _mm256_packs_epi32(_mm256_srai_epi32(_mm256_add_epi32(low, half), 16),
                              _mm256_srai_epi32(_mm256_add_epi32(high, half), 16));
}

INLINE rgb32 to_rgb(__m256i y, __m256i u, __m256i v) {
    return (rgb32){_mm256_add_epi16(y, enlarge(v, 13173)),
                   _mm256_add_epi16(y, _mm256_sub_epi16(green_part(u, v), v)),
                   _mm256_add_epi16(y, enlarge(u, 25297))};
}

INLINE __m128i two_tiles(const uint8_t *y, size_t step) {
    return _mm_unpacklo_epi64(_mm_loadl_epi64((const __m128i *)(const void *)y),
                              _mm_loadl_epi64((const __m128i *)(const void *)(y + step)));
}

TARGET static void ycc_to_rgb(const uint8_t *y, size_t step, const uint8_t *cb, const uint8_t *cr,
                              uint32_t n, uint8_t *rgb) {
    const __m256i center = _mm256_set1_epi16(128), zero = _mm256_setzero_si256();
    for (; n >= 32; n -= 32, y += 4 * step, cb += 32, cr += 32, rgb += 3 * 32) {
        __m256i l = _mm256_inserti128_si256(_mm256_castsi128_si256(two_tiles(y, step)),
                                            two_tiles(y + 2 * step, step), 1);
        __m256i u = _mm256_loadu_si256((const __m256i *)(const void *)cb);
        __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)cr);
        rgb32 low = to_rgb(_mm256_unpacklo_epi8(l, zero),
                           _mm256_sub_epi16(_mm256_unpacklo_epi8(u, zero), center),
                           _mm256_sub_epi16(_mm256_unpacklo_epi8(v, zero), center));
        rgb32 high = to_rgb(_mm256_unpackhi_epi8(l, zero),
                            _mm256_sub_epi16(_mm256_unpackhi_epi8(u, zero), center),
                            _mm256_sub_epi16(_mm256_unpackhi_epi8(v, zero), center));
        __m256i planes[3] = {_mm256_packus_epi16(low.r, high.r), _mm256_packus_epi16(low.g, high.g),
                             _mm256_packus_epi16(low.b, high.b)};
        __m256i out[3]; /* each 16 bytes of pixels 0-15 | 16-31 */
        for (int i = 0; i < 3; i++)
            out[i] = _mm256_or_si256(
                _mm256_or_si256(_mm256_shuffle_epi8(planes[0], both_lanes(interleaved[i][0])),
                                _mm256_shuffle_epi8(planes[1], both_lanes(interleaved[i][1]))),
                _mm256_shuffle_epi8(planes[2], both_lanes(interleaved[i][2])));
        _mm256_storeu_si256((__m256i *)(void *)rgb, _mm256_permute2x128_si256(out[0], out[1], 0x20));
        _mm256_storeu_si256((__m256i *)(void *)(rgb + 32),
                            _mm256_permute2x128_si256(out[2], out[0], 0x30));
        _mm256_storeu_si256((__m256i *)(void *)(rgb + 64),
                            _mm256_permute2x128_si256(out[1], out[2], 0x31));
    }
    jc_ycc_to_rgb_c(y, step, cb, cr, n, rgb);
}

INLINE __m128i tile_rows(const uint8_t *near, const uint8_t *far) {
    return _mm_unpacklo_epi8(_mm_loadl_epi64((const __m128i *)(const void *)near),
                             _mm_loadl_epi64((const __m128i *)(const void *)far));
}

/* The last of an odd number of tiles is read twice. */
TARGET static void weigh(const uint8_t *near, const uint8_t *far, uint32_t n_tiles, int near_weight,
                         int far_weight, uint16_t *out) {
    const __m256i weights = _mm256_set1_epi16((int16_t)(near_weight | far_weight << 8));
    for (uint32_t i = 0; i < n_tiles; i += 2, near += 2 * JC_BLOCK, far += 2 * JC_BLOCK, out += 16) {
        size_t next = i + 1 < n_tiles ? JC_BLOCK : 0;
        __m256i pairs = _mm256_inserti128_si256(_mm256_castsi128_si256(tile_rows(near, far)),
                                                tile_rows(near + next, far + next), 1);
        _mm256_storeu_si256((__m256i *)(void *)out, _mm256_maddubs_epi16(pairs, weights));
    }
}

TARGET static void widen(const uint16_t *row, uint32_t n, int left_bias, int right_bias, int shift,
                         uint8_t *out) {
    const __m256i left_round = _mm256_set1_epi16((int16_t)left_bias);
    const __m256i right_round = _mm256_set1_epi16((int16_t)right_bias);
    const __m128i count = _mm_cvtsi32_si128(shift);
    for (uint32_t x = 0; x < n; x += 16) {
        __m256i here = _mm256_loadu_si256((const __m256i *)(const void *)(row + x));
        __m256i left = _mm256_loadu_si256((const __m256i *)(const void *)(row + x - 1));
        __m256i right = _mm256_loadu_si256((const __m256i *)(const void *)(row + x + 1));
        here = _mm256_add_epi16(here, _mm256_slli_epi16(here, 1));
        left = _mm256_add_epi16(_mm256_add_epi16(here, left), left_round);
        right = _mm256_add_epi16(_mm256_add_epi16(here, right), right_round);
        left = _mm256_srl_epi16(left, count);
        right = _mm256_slli_epi16(_mm256_srl_epi16(right, count), 8);
        _mm256_storeu_si256((__m256i *)(void *)(out + 2 * (size_t)x), _mm256_or_si256(left, right));
    }
}

/* ---- Entropy coding: the portable code, compiled for BMI ---- */

TARGET static uint8_t *emit(jc_bit_writer *writer, const uint32_t *tokens, size_t n,
                            const jc_emit_table table, uint8_t *out) {
    return jc_emit_inline(writer, tokens, n, table, out);
}

TARGET static jc_status decode_block(jc_reader *r, const jc_scan *scan, int i, const uint8_t *order,
                                     int16_t *block, uint8_t **values, uint64_t *nonzero) {
    return jc_decode_block_inline(r, scan, i, order, block, values, nonzero);
}

/* ---- Stuffing ---- */

TARGET static uint8_t *stuff(const uint8_t *source, size_t n, uint8_t *target) {
    const __m256i ff = _mm256_set1_epi8(-1);
    size_t i = 0;
    while (i + 32 <= n) {
        __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)(source + i));
        uint32_t found = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, ff));
        _mm256_storeu_si256((__m256i *)(void *)target, bytes);
        uint32_t run = found ? (uint32_t)__builtin_ctz(found) + 1 : 32;
        target += run;
        i += run;
        if (found) *target++ = 0;
    }
    return jc_stuff_c(source + i, n - i, target);
}

int jc_avx2_available(void) {
    unsigned a, b, c, d; /* clang 14 cannot be asked for lzcnt */
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
           __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt") &&
           __get_cpuid(0x80000001, &a, &b, &c, &d) && c & bit_LZCNT;
}

const jc_kernels jc_avx2 = {
    .name = "avx2",
    .rgb_to_y = rgb_to_y,
    .rgb_to_cbcr = rgb_to_cbcr,
    .rgb_to_ycc_2x2 = rgb_to_ycc_2x2,
    .ycc_to_rgb = ycc_to_rgb,
    .weigh = weigh,
    .forward_order = jc_transposed,
    .forward_block = forward_block,
    .tokenize = tokenize,
    .inverse_block = inverse_block,
    .inverse_dct = inverse_dct,
    .widen = widen,
    .emit = emit,
    .decode_block = decode_block,
    .stuff = stuff,
};

#endif
