/* Kernels for AVX-512 as of Ice Lake and Zen 4 (VBMI, VBMI2, VNNI); the rest is AVX2's.
 *
 * The arithmetic is that of block.c; see there for bounds. A register holds two vectors of eight
 * 32-bit sums, "low | high". */
#include "jpegcrypt.h"
#include "avx512.h"

#if defined(__x86_64__)
#include "avx2.h"
#include "block.h"
#include "color.h"
#include "huffman.h"

#include <immintrin.h>

#define TARGET                                                                                  \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512cd,avx512vbmi,avx512vbmi2," \
                          "avx512vnni,avx2,bmi,bmi2,lzcnt,popcnt")))
#define INLINE static inline __attribute__((always_inline)) TARGET

enum { MIXED = 0xAAAAAAAA }; /* every second 16-bit lane */

/* Packed results to zig-zag order; rotated tile positions of packed bytes. See jc_avx512_init. */
static _Alignas(64) uint16_t to_zigzag[64];
static _Alignas(64) uint8_t unrotate[4][64];

INLINE __m512i load(const void *p) { return _mm512_loadu_si512(p); }

/* a.low + a.high | b.low + b.high */
INLINE __m512i fold(__m512i a, __m512i b) {
    return _mm512_add_epi32(_mm512_mask_blend_epi64(0xF0, a, b), _mm512_shuffle_i64x2(a, b, 0x4E));
}

/* Pairs of int16: `even` and `odd` shifted right. */
INLINE __m512i pairs(__m512i even, __m512i odd, unsigned shift) {
    return _mm512_mask_blend_epi16(MIXED, _mm512_srli_epi32(even, shift),
                                   _mm512_slli_epi32(odd, 16 - shift));
}

typedef struct {
    __m512i p01, p23; /* pairs 0 | 1 and 2 | 3 of a matrix */
} matrix;

INLINE matrix load_matrix(const int16_t (*bank)[4][8][2], uint32_t mask, uint8_t index) {
    const int16_t(*m)[8][2] = bank[index & mask];
    return (matrix){load(m[0]), load(m[2])};
}

INLINE __m512i quantize(__m512i y, const jc_quantizer *q, int i) {
    __m512i n = _mm512_add_epi16(_mm512_abs_epi16(y), load(q->bias + i));
    n = _mm512_mulhi_epu16(n, load(q->reciprocal + i));
    n = _mm512_mulhi_epu16(n, load(q->scale + i));
    n = _mm512_min_epi16(n, _mm512_set1_epi16(JC_MAX_COEFFICIENT));
    return _mm512_mask_sub_epi16(n, _mm512_movepi16_mask(y), _mm512_setzero_si512(), n);
}

/* One pair of those in each 128-bit lane, four times. (Cheaper than a shuffle across lanes.) */
#define PAIR(v, p) _mm512_shuffle_epi32(v, (p) * 0x55)

/* 128-bit lanes 0 0 2 2 and 1 1 3 3. */
#define EVEN_LANES(v) _mm512_shuffle_i32x4(v, v, 0xA0)
#define ODD_LANES(v) _mm512_shuffle_i32x4(v, v, 0xF5)

/* A matrix times two vectors, whose pairs the lanes of `x` hold; rounded to 6 fraction bits later. */
INLINE __m512i row_product(const __m512i m[4], __m512i x) {
    __m512i a = _mm512_dpwssd_epi32(_mm512_set1_epi32(128), m[0], PAIR(x, 0));
    __m512i b = _mm512_dpwssd_epi32(_mm512_setzero_si512(), m[1], PAIR(x, 1));
    a = _mm512_dpwssd_epi32(a, m[2], PAIR(x, 2));
    b = _mm512_dpwssd_epi32(b, m[3], PAIR(x, 3));
    return _mm512_add_epi32(a, b);
}

TARGET static uint64_t forward_block(const uint8_t *tile, const uint8_t *record,
                                     const jc_bank *bank, const jc_quantizer *quantizer,
                                     int16_t *block, int16_t *exact) {
    __m512i bytes = _mm512_permutexvar_epi8(load(jc_rotation[record[JC_RECORD_ROTATION] & 3]),
                                            load(tile));
    bytes = _mm512_xor_si512(bytes, _mm512_set1_epi8((char)0x80)); /* x - 128, signed */
    const __m512i rows[2] = {_mm512_cvtepi8_epi16(_mm512_castsi512_si256(bytes)),
                             _mm512_cvtepi8_epi16(_mm512_extracti64x4_epi64(bytes, 1))};

    const int16_t(*r)[8][2] = bank->forward[record[0] & bank->mask];
    __m512i m[4], left[2], right[2]; /* u = 0 to 3, 4 to 7: pairs (row 4h, 4h+1) | (4h+2, 4h+3) */
#pragma GCC unroll 4
    for (int p = 0; p < 4; p++)
        m[p] = _mm512_broadcast_i64x4(_mm256_loadu_si256((const void *)r[p]));
#pragma GCC unroll 2
    for (int h = 0; h < 2; h++) {
        __m512i y = pairs(row_product(m, EVEN_LANES(rows[h])), row_product(m, ODD_LANES(rows[h])), 8);
        left[h] = EVEN_LANES(y);
        right[h] = ODD_LANES(y);
    }
    const __m512i half = _mm512_maskz_set1_epi32(0xFF, 1 << 15); /* once in what `fold` adds */
    __m512i z[8], column[4]; /* 2t | 2t+1, Q20 */
#define COLUMN(u, y)                                                                \
    do {                                                                            \
        matrix c = load_matrix(bank->forward, bank->mask, record[1 + (u)]);         \
        z[u] = _mm512_dpwssd_epi32(half, c.p01, PAIR(y[0], (u) & 3));               \
        z[u] = _mm512_dpwssd_epi32(z[u], c.p23, PAIR(y[1], (u) & 3));               \
    } while (0)
    COLUMN(0, left);
    COLUMN(1, left);
    COLUMN(2, left);
    COLUMN(3, left);
    COLUMN(4, right);
    COLUMN(5, right);
    COLUMN(6, right);
    COLUMN(7, right);
#undef COLUMN
#pragma GCC unroll 4
    for (int t = 0; t < 4; t++) column[t] = fold(z[2 * t], z[2 * t + 1]);
    __m512i a = _mm512_mask_blend_epi16(MIXED, _mm512_srli_epi32(column[0], 16), column[1]);
    __m512i b = _mm512_mask_blend_epi16(MIXED, _mm512_srli_epi32(column[2], 16), column[3]);
    __m512i low = _mm512_permutex2var_epi16(a, load(to_zigzag), b);
    __m512i high = _mm512_permutex2var_epi16(a, load(to_zigzag + 32), b);
    if (exact) {
        _mm512_storeu_si512(exact, low);
        _mm512_storeu_si512(exact + 32, high);
    }
    low = quantize(low, quantizer, 0);
    high = quantize(high, quantizer, 32);
    _mm512_storeu_si512(block, low);
    _mm512_storeu_si512(block + 32, high);
    return (uint64_t)_mm512_test_epi16_mask(low, low) |
           (uint64_t)_mm512_test_epi16_mask(high, high) << 32;
}

/* The positions of the non-zeros are compressed to the front, then sixteen tokens are made at a time.
 * Values are fetched by position: a load behind two stores that overlap would wait for them. */
TARGET static uint32_t *tokenize(const int16_t *block, uint64_t nonzero, int *dc_prediction,
                                 uint32_t table_bits, uint32_t *tokens, uint8_t **values) {
    uint64_t ac = nonzero & ~1ull;
    int n = __builtin_popcountll(ac);
    *tokens++ = jc_dc_token(block[0], dc_prediction, table_bits);
    memcpy(*values, block, 2);
    *values += 2 * (nonzero & 1);

    const __m512i one = _mm512_set1_epi8(1), identity = load(jc_identity);
    __m512i here = _mm512_maskz_compress_epi8(ac, identity);
    __m512i before = _mm512_maskz_permutexvar_epi8(~1ull, _mm512_sub_epi8(identity, one), here);
    __m512i zeros = _mm512_sub_epi8(_mm512_sub_epi8(here, before), one);
    if (_mm512_mask_cmpgt_epu8_mask(((uint64_t)1 << n) - 1, zeros, _mm512_set1_epi8(15)))
        return jc_tokenize_ac(block, jc_identity, ac, table_bits, tokens, values); /* with ZRL */

    const __m512i low = load(block), high = load(block + 32);
    uint8_t *out = *values;
    *values += 2 * n;
    for (int i = 0; i < n; i += 16) {
        __m256i from = _mm256_cvtepu8_epi16(_mm512_castsi512_si128(here));
        __m256i words = _mm512_castsi512_si256(
            _mm512_permutex2var_epi16(low, _mm512_castsi256_si512(from), high));
        _mm256_storeu_si256((void *)(out + 2 * i), words);
        __m512i value = _mm512_cvtepi16_epi32(words);
        __m512i size = _mm512_sub_epi32(_mm512_set1_epi32(32),
                                        _mm512_lzcnt_epi32(_mm512_abs_epi32(value)));
        __m512i bits = _mm512_add_epi32(value, _mm512_srai_epi32(value, 31));
        bits = _mm512_andnot_si512(_mm512_sllv_epi32(_mm512_set1_epi32(-1), size), bits);
        __m512i runs = _mm512_cvtepu8_epi32(_mm512_castsi512_si128(zeros));
        __m512i token = _mm512_or_si512(
            _mm512_or_si512(bits, _mm512_set1_epi32((int)table_bits)),
            _mm512_or_si512(_mm512_slli_epi32(runs, 20), _mm512_slli_epi32(size, 16)));
        _mm512_storeu_si512(tokens + i, token);
        here = _mm512_alignr_epi64(here, here, 2); /* the next sixteen */
        zeros = _mm512_alignr_epi64(zeros, zeros, 2);
    }
    tokens[n] = table_bits; /* EOB, kept unless the block is full */
    return tokens + n + !(nonzero >> 63);
}

/* Sums over a column of frequencies for all rows; `z` holds pairs 0 2 | 1 3 of this and the next. */
#define COLUMN(u, z, p)                                                              \
    _mm512_dpwssd_epi32(                                                             \
        _mm512_dpwssd_epi32(round, load(bank->inverse[record[1 + (u)] & bank->mask][0]), PAIR(z, p)), \
        load(bank->inverse[record[1 + (u)] & bank->mask][2]), PAIR(z, (p) + 1))

/* Samples, packed, from the first 4 n columns of frequencies; the others are zero. */
INLINE __m512i inverse_columns(int n, const int16_t *transposed, const uint8_t *record,
                               const jc_bank *bank, const jc_quantizer *quantizer,
                               const int16_t *shrink) {
    const __m512i round = _mm512_maskz_set1_epi32(0xFF, 1 << 13); /* once in what `fold` adds */
    const __m512i first = _mm512_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6, 1, 3, 5, 7, 1, 3, 5, 7);
    const __m512i last = _mm512_add_epi32(first, _mm512_set1_epi32(8));
    __m512i y[2]; /* y[h]: pairs (u = 4h, 4h+1) | (4h+2, 4h+3), for each row */
#pragma GCC unroll 2
    for (int h = 0; h < n; h++) {
        __m512i q = load(transposed + 32 * h), less = load(shrink + 32 * h);
        __m512i sign = _mm512_min_epi16(
            _mm512_max_epi16(q, _mm512_sub_epi16(_mm512_setzero_si512(), less)), less); /* or 0 */
        __m512i z = _mm512_mullo_epi16(_mm512_sub_epi16(_mm512_slli_epi16(q, 4), sign),
                                       load(quantizer->transposed + 32 * h));
        __m512i a = _mm512_permutexvar_epi32(first, z), b = _mm512_permutexvar_epi32(last, z);
        __m512i even = fold(COLUMN(4 * h, a, 0), COLUMN(4 * h + 2, b, 0));
        __m512i odd = fold(COLUMN(4 * h + 1, a, 2), COLUMN(4 * h + 3, b, 2));
        y[h] = pairs(even, odd, 14);
    }
    matrix r = load_matrix(bank->inverse, bank->mask, record[0]);
    __m512i p01[2] = {EVEN_LANES(r.p01), ODD_LANES(r.p01)};
    __m512i p23[2] = {EVEN_LANES(r.p23), ODD_LANES(r.p23)};
    const __m512i offset = _mm512_maskz_set1_epi32(0xFF, (128 << 18) + (1 << 17));
    __m512i x[8], column[4]; /* column[t]: 2t | 2t+1 */
#define SAMPLES(j)                                                                          \
    do {                                                                                    \
        x[j] = _mm512_dpwssd_epi32(offset, y[0], PAIR(p01[(j) >> 2], (j) & 3));             \
        if (n == 2) x[j] = _mm512_dpwssd_epi32(x[j], y[1], PAIR(p23[(j) >> 2], (j) & 3));   \
    } while (0)
    SAMPLES(0);
    SAMPLES(1);
    SAMPLES(2);
    SAMPLES(3);
    SAMPLES(4);
    SAMPLES(5);
    SAMPLES(6);
    SAMPLES(7);
#undef SAMPLES
#pragma GCC unroll 4
    for (int t = 0; t < 4; t++) column[t] = _mm512_srai_epi32(fold(x[2 * t], x[2 * t + 1]), 18);
    return _mm512_packus_epi16(_mm512_packs_epi32(column[0], column[1]),
                               _mm512_packs_epi32(column[2], column[3]));
}
#undef COLUMN

TARGET static void inverse_block(const int16_t *transposed, uint64_t nonzero, const uint8_t *record,
                                 const jc_bank *bank, const jc_quantizer *quantizer,
                                 const int16_t *shrink, uint8_t *tile) {
    __m512i samples = nonzero & JC_HIGH_COLUMNS
                          ? inverse_columns(2, transposed, record, bank, quantizer, shrink)
                          : inverse_columns(1, transposed, record, bank, quantizer, shrink);
    const uint8_t *order = unrotate[record[JC_RECORD_ROTATION] & 3];
    _mm512_storeu_si512(tile, _mm512_permutexvar_epi8(load(order), samples));
}

/* ---- Color ---- */

/* 16 pixels to words R, G and B, G of each; byte orders for _mm512_permutexvar_epi8 whose odd bytes
 * are masked to zero. */
static _Alignas(64) uint8_t rg_order[64], bg_order[64];
enum { RGB16 = 48 }; /* bytes of 16 pixels */

/* 64 pixels back: the bytes of each register from R (0 to 63) and G (64 to 127), or from B. */
static _Alignas(64) uint8_t rgb_order[3][64];
static uint64_t blue_bytes[3];

static void color_init(void) {
    for (int i = 0; i < 16; i++) {
        rg_order[4 * i] = (uint8_t)(3 * i);
        bg_order[4 * i] = (uint8_t)(3 * i + 2);
        rg_order[4 * i + 2] = bg_order[4 * i + 2] = (uint8_t)(3 * i + 1);
    }
    for (int i = 0; i < 3 * 64; i++) {
        rgb_order[i / 64][i % 64] = (uint8_t)(i / 3 + (i % 3 == 1 ? 64 : 0));
        blue_bytes[i / 64] |= (uint64_t)(i % 3 == 2) << i % 64;
    }
}

typedef struct {
    __m512i rg, bg;
} pixels16;

INLINE pixels16 load_pixels(const uint8_t *rgb) {
    const __mmask64 words = 0x5555555555555555ull;
    __m512i bytes = _mm512_maskz_loadu_epi8((1ull << RGB16) - 1, rgb);
    return (pixels16){_mm512_maskz_permutexvar_epi8(words, load(rg_order), bytes),
                      _mm512_maskz_permutexvar_epi8(words, load(bg_order), bytes)};
}

INLINE int32_t pair(int low, int high) {
    return (int32_t)((uint32_t)(uint16_t)low | (uint32_t)(uint16_t)high << 16);
}

INLINE __m512i even_odd(int32_t even, int32_t odd) { /* 32-bit lanes */
    return _mm512_mask_blend_epi32(0xAAAA, _mm512_set1_epi32(even), _mm512_set1_epi32(odd));
}

/* 16 samples into two tiles; `out` is the row of the first. */
INLINE void store_row(uint8_t *out, __m128i samples) {
    _mm_storel_epi64((void *)out, samples);
    _mm_storel_epi64((void *)(out + JC_BLOCK), _mm_unpackhi_epi64(samples, samples));
}

/* The constants of color.c; 38470 G = 22086 G + 16384 G, which fit 16 bits. */
INLINE __m128i luma(pixels16 p) {
    __m512i sum = _mm512_set1_epi32(1 << 15);
    sum = _mm512_dpwssd_epi32(sum, p.rg, _mm512_set1_epi32(pair(19595, 22086)));
    sum = _mm512_dpwssd_epi32(sum, p.bg, _mm512_set1_epi32(pair(7471, 16384)));
    return _mm512_cvtepi32_epi8(_mm512_srli_epi32(sum, 16));
}

TARGET static void rgb_to_y(const uint8_t *rgb, uint32_t n, uint8_t *y) {
    for (; n >= 16; n -= 16, rgb += RGB16, y += 2 * JC_BLOCK) store_row(y, luma(load_pixels(rgb)));
    jc_rgb_to_y_c(rgb, n, y);
}

/* Sums of 2x2 pixels, each in two neighboring lanes. */
INLINE __m512i sum_2x2(__m512i top, __m512i bottom) {
    __m512i sum = _mm512_add_epi16(top, bottom);
    return _mm512_add_epi16(sum, _mm512_shuffle_epi32(sum, _MM_PERM_CDAB));
}

/* Even lanes become Cb, odd ones Cr, all with the opposite sign: -32768 fits 16 bits, 32768 not. */
TARGET static void rgb_to_ycc_2x2(const uint8_t *top, const uint8_t *bottom, uint32_t n,
                                  uint8_t *y_top, uint8_t *y_bottom, uint8_t *cb, uint8_t *cr) {
    const __m512i offset = _mm512_set1_epi32((128 << 18) + (1 << 17) - 1);
    const __m512i of_rg = even_odd(pair(11059, 21709), pair(-32768, 27439));
    const __m512i of_b = even_odd(pair(-32768, 0), pair(5329, 0));
    const __m128i apart = _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
    for (; n; n--, top += RGB16, bottom += RGB16, y_top += 2 * JC_BLOCK, y_bottom += 2 * JC_BLOCK,
              cb += JC_BLOCK, cr += JC_BLOCK) {
        _mm_prefetch((const char *)top + JC_COLOR_PREFETCH, _MM_HINT_T0);
        _mm_prefetch((const char *)bottom + JC_COLOR_PREFETCH, _MM_HINT_T0);
        pixels16 a = load_pixels(top), b = load_pixels(bottom);
        store_row(y_top, luma(a));
        store_row(y_bottom, luma(b));
        __m512i less = _mm512_madd_epi16(sum_2x2(a.rg, b.rg), of_rg);
        less = _mm512_dpwssd_epi32(less, sum_2x2(a.bg, b.bg), of_b);
        __m512i chroma = _mm512_srli_epi32(_mm512_sub_epi32(offset, less), 18);
        __m128i samples = _mm_shuffle_epi8(_mm512_cvtepi32_epi8(chroma), apart);
        _mm_storel_epi64((void *)cb, samples);
        _mm_storel_epi64((void *)cr, _mm_unpackhi_epi64(samples, samples));
    }
}

/* As in avx2.c, from in-lane halves to in-lane halves. */
INLINE __m512i enlarge(__m512i v, int16_t more_than_1) {
    return _mm512_add_epi16(v, _mm512_mulhrs_epi16(v, _mm512_set1_epi16(more_than_1)));
}

INLINE __m512i green(__m512i y, __m512i u, __m512i v) {
    const __m512i half = _mm512_set1_epi32(1 << 15), factors = _mm512_set1_epi32(pair(-22554, 18734));
    __m512i low = _mm512_dpwssd_epi32(half, _mm512_unpacklo_epi16(u, v), factors);
    __m512i high = _mm512_dpwssd_epi32(half, _mm512_unpackhi_epi16(u, v), factors);
    __m512i sum = _mm512_packs_epi32(_mm512_srai_epi32(low, 16), _mm512_srai_epi32(high, 16));
    return _mm512_add_epi16(y, _mm512_sub_epi16(sum, v));
}

/* Eight samples of each of eight tiles. */
INLINE __m512i load_row(const uint8_t *y, size_t step) {
    __m512i row = _mm512_undefined_epi32();
#define TILES(i)                                                                           \
    row = _mm512_inserti32x4(                                                              \
        row, _mm_unpacklo_epi64(_mm_loadl_epi64((const void *)(y + 2 * (i) * step)),       \
                                _mm_loadl_epi64((const void *)(y + (2 * (i) + 1) * step))), i)
    TILES(0);
    TILES(1);
    TILES(2);
    TILES(3);
#undef TILES
    return row;
}

TARGET static void ycc_to_rgb(const uint8_t *y, size_t step, const uint8_t *cb, const uint8_t *cr,
                              uint32_t n, uint8_t *rgb) {
    const __m512i center = _mm512_set1_epi16(128), zero = _mm512_setzero_si512();
    for (; n >= 64; n -= 64, y += 8 * step, cb += 64, cr += 64, rgb += 3 * 64) {
        __m512i l = load_row(y, step), u = load(cb), v = load(cr);
        __m512i l0 = _mm512_unpacklo_epi8(l, zero), l1 = _mm512_unpackhi_epi8(l, zero);
        __m512i u0 = _mm512_sub_epi16(_mm512_unpacklo_epi8(u, zero), center);
        __m512i u1 = _mm512_sub_epi16(_mm512_unpackhi_epi8(u, zero), center);
        __m512i v0 = _mm512_sub_epi16(_mm512_unpacklo_epi8(v, zero), center);
        __m512i v1 = _mm512_sub_epi16(_mm512_unpackhi_epi8(v, zero), center);
        __m512i r = _mm512_packus_epi16(_mm512_add_epi16(l0, enlarge(v0, 13173)),
                                        _mm512_add_epi16(l1, enlarge(v1, 13173)));
        __m512i g = _mm512_packus_epi16(green(l0, u0, v0), green(l1, u1, v1));
        __m512i b = _mm512_packus_epi16(_mm512_add_epi16(l0, enlarge(u0, 25297)),
                                        _mm512_add_epi16(l1, enlarge(u1, 25297)));
#pragma GCC unroll 3
        for (int i = 0; i < 3; i++) {
            __m512i order = load(rgb_order[i]);
            __m512i out = _mm512_permutex2var_epi8(r, order, g);
            out = _mm512_mask_permutexvar_epi8(out, blue_bytes[i], order, b);
            _mm512_storeu_si512(rgb + 64 * i, out);
        }
    }
    jc_avx2.ycc_to_rgb(y, step, cb, cr, n, rgb);
}

int jc_avx512_available(void) {
    return jc_avx2_available() && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512cd") &&
           __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2") &&
           __builtin_cpu_supports("avx512vnni");
}

jc_kernels jc_avx512;

void jc_avx512_init(void) {
    /* Where a packed result comes to lie: 32-bit lanes hold columns 2t | 2t+1, and the pack
     * instructions work on 128-bit lanes, here number 2 (column & 1) + (row >> 2). */
    for (int k = 0; k < 64; k++) {
        int u = jc_natural[k] & 7, v = jc_natural[k] >> 3;
        to_zigzag[k] = (uint16_t)((u >> 2) * 32 + (u & 1) * 16 + v * 2 + (u >> 1 & 1));
    }
    for (int rotation = 0; rotation < 4; rotation++)
        for (int i = 0; i < 8; i++)
            for (int j = 0; j < 8; j++)
                unrotate[rotation][jc_rotation[rotation][i * 8 + j]] =
                    (uint8_t)(((j & 1) * 2 + (i >> 2)) * 16 + (j >> 1) * 4 + (i & 3));
    color_init();
    jc_avx2_init();
    jc_avx512 = jc_avx2;
    jc_avx512.name = "avx512";
    jc_avx512.rgb_to_y = rgb_to_y;
    jc_avx512.rgb_to_ycc_2x2 = rgb_to_ycc_2x2;
    jc_avx512.ycc_to_rgb = ycc_to_rgb;
    jc_avx512.forward_order = jc_identity;
    jc_avx512.forward_block = forward_block;
    jc_avx512.tokenize = tokenize;
    jc_avx512.inverse_block = inverse_block;
}

#endif
