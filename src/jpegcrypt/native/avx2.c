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

/* Zero-extends the high byte: int16 pairs from the low halves of `even` and `odd`, both shifted
 * right by `shift`. */
#define PAIRS(even, odd, shift)                                                         \
    _mm256_blend_epi16(_mm256_srli_epi32(even, shift), _mm256_slli_epi32(odd, 16 - (shift)), 0xAA)

#define SPREAD(v, i) _mm256_shuffle_epi32(v, (i) * 0x55)

INLINE __m256i quantize(__m256i a, __m256i b, const jc_quantizer *q, int i) {
    const __m256i half = _mm256_set1_epi32(1 << 15);
    a = _mm256_srai_epi32(_mm256_add_epi32(a, half), 16);
    b = _mm256_srai_epi32(_mm256_add_epi32(b, half), 16);
    __m256i y = _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xD8);
    __m256i n = _mm256_add_epi16(_mm256_abs_epi16(y),
                                 _mm256_loadu_si256((const __m256i *)(const void *)(q->bias + i)));
    n = _mm256_mulhi_epu16(
        n, _mm256_loadu_si256((const __m256i *)(const void *)(q->reciprocal + i)));
    n = _mm256_mulhi_epu16(n, _mm256_loadu_si256((const __m256i *)(const void *)(q->scale + i)));
    n = _mm256_min_epi16(n, _mm256_set1_epi16(JC_MAX_COEFFICIENT));
    return _mm256_sign_epi16(n, y);
}

/* Bytes of the transposed order to zig-zag order: [output register][source lane]. */
static _Alignas(32) uint8_t to_zigzag[2][4][32];

void jc_avx2_init(void) {
    for (int k = 0; k < 64; k++)
        for (int lane = 0; lane < 4; lane++)
            to_zigzag[k >> 5][lane][k & 31] =
                jc_transposed[k] >> 4 == lane ? jc_transposed[k] & 15 : 0x80;
}

TARGET static uint64_t nonzero_mask(const __m256i column_pairs[4]) {
    __m256i a = _mm256_permute4x64_epi64(_mm256_packs_epi16(column_pairs[0], column_pairs[1]), 0xD8);
    __m256i b = _mm256_permute4x64_epi64(_mm256_packs_epi16(column_pairs[2], column_pairs[3]), 0xD8);
    __m256i source[4] = {
        _mm256_permute2x128_si256(a, a, 0x00), _mm256_permute2x128_si256(a, a, 0x11),
        _mm256_permute2x128_si256(b, b, 0x00), _mm256_permute2x128_si256(b, b, 0x11)};
    uint64_t mask = 0;
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

TARGET static uint64_t forward_block(const uint8_t *tile, const uint8_t *record,
                                     const jc_bank *bank, const jc_quantizer *quantizer,
                                     int16_t *block) {
    tile8x8 t = {_mm256_loadu_si256((const __m256i *)(const void *)tile),
                 _mm256_loadu_si256((const __m256i *)(const void *)(tile + 32))};
    t = rotate(t, record[JC_RECORD_ROTATION] & 3);
    const __m256i sign = _mm256_set1_epi8((char)0x80); /* x - 128 as a signed byte */
    t.top = _mm256_xor_si256(t.top, sign);
    t.bottom = _mm256_xor_si256(t.bottom, sign);
    const __m256i rows[4] = {_mm256_cvtepi8_epi16(_mm256_castsi256_si128(t.top)),
                             _mm256_cvtepi8_epi16(_mm256_extracti128_si256(t.top, 1)),
                             _mm256_cvtepi8_epi16(_mm256_castsi256_si128(t.bottom)),
                             _mm256_cvtepi8_epi16(_mm256_extracti128_si256(t.bottom, 1))};

    const __m256i *r = matrix(bank->forward, bank->mask, record[0]);
    const __m256i round = _mm256_set1_epi32(128);
    __m256i y[4]; /* y[p]: pairs (row 2p, row 2p+1) for each u */
#pragma GCC unroll 4
    for (int p = 0; p < 4; p++) {
        __m256i a = _mm256_permute2x128_si256(rows[p], rows[p], 0x00);
        __m256i b = _mm256_permute2x128_si256(rows[p], rows[p], 0x11);
        a = product(r, SPREAD(a, 0), SPREAD(a, 1), SPREAD(a, 2), SPREAD(a, 3));
        b = product(r, SPREAD(b, 0), SPREAD(b, 1), SPREAD(b, 2), SPREAD(b, 3));
        y[p] = PAIRS(_mm256_add_epi32(a, round), _mm256_add_epi32(b, round), 8);
    }
    __m256i z[8];
#define HALF(half)                                                                                \
    do {                                                                                          \
        __m256i p0 = _mm256_permute2x128_si256(y[0], y[0], (half) * 0x11);                        \
        __m256i p1 = _mm256_permute2x128_si256(y[1], y[1], (half) * 0x11);                        \
        __m256i p2 = _mm256_permute2x128_si256(y[2], y[2], (half) * 0x11);                        \
        __m256i p3 = _mm256_permute2x128_si256(y[3], y[3], (half) * 0x11);                        \
        COLUMN(half, 0);                                                                          \
        COLUMN(half, 1);                                                                          \
        COLUMN(half, 2);                                                                          \
        COLUMN(half, 3);                                                                          \
    } while (0)
#define COLUMN(half, i)                                                                           \
    z[4 * (half) + (i)] = product(matrix(bank->forward, bank->mask, record[1 + 4 * (half) + (i)]), \
                                  SPREAD(p0, i), SPREAD(p1, i), SPREAD(p2, i), SPREAD(p3, i))
    HALF(0);
    HALF(1);
#undef HALF
#undef COLUMN
    __m256i out[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        out[i] = quantize(z[2 * i], z[2 * i + 1], quantizer, 16 * i);
        _mm256_storeu_si256((__m256i *)(void *)(block + 16 * i), out[i]);
    }
    return nonzero_mask(out);
}

TARGET static uint32_t *tokenize(const int16_t *block, uint64_t nonzero, int *dc_prediction,
                                 uint32_t table_bits, uint32_t *tokens, uint8_t *values) {
    return jc_tokenize_ordered(block, jc_transposed, nonzero, dc_prediction, table_bits, tokens,
                               values);
}

TARGET static void inverse_block(const int16_t *transposed, const uint8_t *record,
                                 const jc_bank *bank, const jc_quantizer *quantizer,
                                 const int16_t *shrink, uint8_t *tile) {
    const __m256i round = _mm256_set1_epi32(1 << 13);
    __m256i y[4]; /* y[p]: pairs (u = 2p, 2p+1) for each row */
#pragma GCC unroll 4
    for (int p = 0; p < 4; p++) {
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
    __m256i x[8]; /* x[j]: column j, a row a lane */
#pragma GCC unroll 8
    for (int j = 0; j < 8; j++)
        x[j] = _mm256_srai_epi32(
            _mm256_add_epi32(offset, product(y, _mm256_set1_epi32(r[j]), _mm256_set1_epi32(r[8 + j]),
                                             _mm256_set1_epi32(r[16 + j]),
                                             _mm256_set1_epi32(r[24 + j]))),
            18);
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
    __m256i r, g, b; /* bytes */
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

/* With constants that fit: 1.402 = 1 + 0.402, 1.772 = 2 - 0.228, -0.71414 = 0.28586 - 1, each
 * product rounded like the 32-bit one: (2 v c >> 16) + 1 >> 1 = (v c + 2^15) >> 16. */
TARGET static void ycc_to_rgb(const uint8_t *y, const uint8_t *cb, const uint8_t *cr, uint32_t n,
                              uint8_t *rgb) {
    const __m256i center = _mm256_set1_epi16(128), one = _mm256_set1_epi16(1);
    const __m256i half = _mm256_set1_epi32(1 << 15);
    uint32_t x = 0;
    for (; x + 16 <= n; x += 16) {
        __m256i luma16 = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(y + x)));
        __m256i u = _mm256_sub_epi16(
            _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(cb + x))), center);
        __m256i v = _mm256_sub_epi16(
            _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(cr + x))), center);
        __m256i v402 = _mm256_mulhi_epi16(_mm256_add_epi16(v, v), _mm256_set1_epi16(26345));
        v402 = _mm256_srai_epi16(_mm256_add_epi16(v402, one), 1);
        __m256i u228 = _mm256_mulhi_epi16(_mm256_add_epi16(u, u), _mm256_set1_epi16(-14942));
        u228 = _mm256_srai_epi16(_mm256_add_epi16(u228, one), 1);
        __m256i g0 = _mm256_madd_epi16(_mm256_unpacklo_epi16(u, v), pair(-22554, 18734));
        __m256i g1 = _mm256_madd_epi16(_mm256_unpackhi_epi16(u, v), pair(-22554, 18734));
        __m256i green = _mm256_packs_epi32(_mm256_srai_epi32(_mm256_add_epi32(g0, half), 16),
                                           _mm256_srai_epi32(_mm256_add_epi32(g1, half), 16));
        __m256i r16 = _mm256_add_epi16(luma16, _mm256_add_epi16(v, v402));
        __m256i g16 = _mm256_add_epi16(luma16, _mm256_sub_epi16(green, v));
        __m256i b16 = _mm256_add_epi16(luma16, _mm256_add_epi16(_mm256_add_epi16(u, u), u228));
        __m256i rg = _mm256_permute4x64_epi64(_mm256_packus_epi16(r16, g16), 0xD8);
        __m128i planes[3] = {
            _mm256_castsi256_si128(rg), _mm256_extracti128_si256(rg, 1),
            _mm_packus_epi16(_mm256_castsi256_si128(b16), _mm256_extracti128_si256(b16, 1))};
        for (int i = 0; i < 3; i++) {
            __m128i out = _mm_setzero_si128();
            for (int c = 0; c < 3; c++)
                out = _mm_or_si128(
                    out, _mm_shuffle_epi8(planes[c], _mm_loadu_si128((const __m128i *)(const void *)
                                                                         interleaved[i][c])));
            _mm_storeu_si128((__m128i *)(void *)(rgb + 3 * (size_t)x + 16 * i), out);
        }
    }
    jc_ycc_to_rgb_c(y + x, cb + x, cr + x, n - x, rgb + 3 * (size_t)x);
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
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
           __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt") &&
           __builtin_cpu_supports("lzcnt");
}

const jc_kernels jc_avx2 = {
    .name = "avx2",
    .rgb_to_y = rgb_to_y,
    .rgb_to_cbcr = rgb_to_cbcr,
    .ycc_to_rgb = ycc_to_rgb,
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
