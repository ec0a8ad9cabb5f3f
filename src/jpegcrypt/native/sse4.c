/* Kernels for SSE4.2, that is x86-64-v2. */
#include "jpegcrypt.h"
#include "sse4.h"

#if defined(__x86_64__)
#include <nmmintrin.h>

#define TARGET __attribute__((target("sse4.2,popcnt")))
#define INLINE static inline __attribute__((always_inline)) TARGET

typedef __m128i vec;

INLINE vec v_load(const void *p) { return _mm_loadu_si128(p); }
INLINE vec v_load_low(const void *p) { return _mm_loadl_epi64(p); }
INLINE void v_store(void *p, vec a) { _mm_storeu_si128(p, a); }
INLINE void v_store_low(void *p, vec a) { _mm_storel_epi64(p, a); }
INLINE vec v_splat16(int16_t a) { return _mm_set1_epi16(a); }
INLINE vec v_splat32(int32_t a) { return _mm_set1_epi32(a); }
INLINE vec v_broadcast32(const void *p) { return _mm_castps_si128(_mm_load1_ps(p)); }
INLINE vec v_or(vec a, vec b) { return _mm_or_si128(a, b); }
INLINE vec v_not(vec a) { return _mm_xor_si128(a, _mm_set1_epi8(-1)); }
INLINE vec v_add16(vec a, vec b) { return _mm_add_epi16(a, b); }
INLINE vec v_sub16(vec a, vec b) { return _mm_sub_epi16(a, b); }
INLINE vec v_add32(vec a, vec b) { return _mm_add_epi32(a, b); }
INLINE vec v_sub32(vec a, vec b) { return _mm_sub_epi32(a, b); }
INLINE vec v_mul16(vec a, vec b) { return _mm_mullo_epi16(a, b); }
INLINE vec v_mul32(vec a, vec b) { return _mm_mullo_epi32(a, b); }
INLINE vec v_madd(vec a, vec b) { return _mm_madd_epi16(a, b); }
INLINE vec v_mulround16(vec a, vec b) { return _mm_mulhrs_epi16(a, b); } /* (a b + 2^14) >> 15 */
INLINE vec v_mulhi_u16(vec a, vec b) { return _mm_mulhi_epu16(a, b); }
INLINE vec v_abs16(vec a) { return _mm_abs_epi16(a); }
INLINE vec v_min16(vec a, vec b) { return _mm_min_epi16(a, b); }
INLINE vec v_sign16(vec a, vec sign) { return _mm_sign_epi16(a, sign); }
INLINE vec v_shl16(vec a, int n) { return _mm_sll_epi16(a, _mm_cvtsi32_si128(n)); }
INLINE vec v_shl32(vec a, int n) { return _mm_sll_epi32(a, _mm_cvtsi32_si128(n)); }
INLINE vec v_shr32(vec a, int n) { return _mm_sra_epi32(a, _mm_cvtsi32_si128(n)); }
INLINE vec v_shr_logical16(vec a, int n) { return _mm_srl_epi16(a, _mm_cvtsi32_si128(n)); }
INLINE vec v_shr_logical32(vec a, int n) { return _mm_srl_epi32(a, _mm_cvtsi32_si128(n)); }
INLINE vec v_blend_odd16(vec even, vec odd) { return _mm_blend_epi16(even, odd, 0xAA); }
INLINE vec v_pack32(vec a, vec b) { return _mm_packs_epi32(a, b); }
INLINE vec v_pack16(vec a, vec b) { return _mm_packs_epi16(a, b); }
INLINE vec v_packu16(vec a, vec b) { return _mm_packus_epi16(a, b); }
INLINE vec v_ziplo16(vec a, vec b) { return _mm_unpacklo_epi16(a, b); }
INLINE vec v_ziphi16(vec a, vec b) { return _mm_unpackhi_epi16(a, b); }
INLINE vec v_ziplo32(vec a, vec b) { return _mm_unpacklo_epi32(a, b); }
INLINE vec v_ziphi32(vec a, vec b) { return _mm_unpackhi_epi32(a, b); }
INLINE vec v_ziplo64(vec a, vec b) { return _mm_unpacklo_epi64(a, b); }
INLINE vec v_ziphi64(vec a, vec b) { return _mm_unpackhi_epi64(a, b); }
INLINE vec v_widen_u8_low(vec a) { return _mm_cvtepu8_epi16(a); }
INLINE vec v_widen_u8_high(vec a) { return _mm_unpackhi_epi8(a, _mm_setzero_si128()); }
INLINE vec v_widen_s16_low(vec a) { return _mm_cvtepi16_epi32(a); }
INLINE vec v_widen_s16_high(vec a) { return _mm_cvtepi16_epi32(_mm_unpackhi_epi64(a, a)); }
INLINE vec v_sum_pairs_u8(vec a) { return _mm_maddubs_epi16(a, _mm_set1_epi8(1)); }
#define v_lane32(a, i) _mm_shuffle_epi32(a, (i) * 0x55)
INLINE uint32_t v_zero_mask8(vec a) {
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(a, _mm_setzero_si128()));
}

typedef struct {
    uint8_t index[4][4][16]; /* [output][input], 0x80 for what comes from another input */
} v_order;

static void v_order_init(v_order *order, const uint8_t source[64]) {
    for (int i = 0; i < 64; i++)
        for (int input = 0; input < 4; input++)
            order->index[i >> 4][input][i & 15] =
                source[i] >> 4 == input ? source[i] & 15 : 0x80;
}

/* out[i] = in[order[i]] over 64 bytes; `in` and `out` may be the same. */
INLINE void v_permute64(const vec in[4], const v_order *order, vec out[4]) {
    vec a = in[0], b = in[1], c = in[2], d = in[3];
    for (int i = 0; i < 4; i++)
        out[i] = v_or(v_or(_mm_shuffle_epi8(a, v_load(order->index[i][0])),
                           _mm_shuffle_epi8(b, v_load(order->index[i][1]))),
                      v_or(_mm_shuffle_epi8(c, v_load(order->index[i][2])),
                           _mm_shuffle_epi8(d, v_load(order->index[i][3]))));
}

/* 48 bytes between interleaved pixels and three planes. */
static uint8_t rgb_order[2][3][3][16]; /* [load, store][output][input] */

static void init_rgb_order(void) {
    for (int c = 0; c < 3; c++)
        for (int x = 0; x < 16; x++)
            for (int i = 0; i < 3; i++) {
                int byte = 3 * x + c;
                rgb_order[0][c][i][x] = byte >> 4 == i ? (uint8_t)(byte & 15) : 0x80;
                rgb_order[1][byte >> 4][i][byte & 15] = i == c ? (uint8_t)x : 0x80;
            }
}

INLINE void permute_rgb(const vec in[3], uint8_t order[3][3][16], vec out[3]) {
    for (int i = 0; i < 3; i++)
        out[i] = v_or(v_or(_mm_shuffle_epi8(in[0], v_load(order[i][0])),
                           _mm_shuffle_epi8(in[1], v_load(order[i][1]))),
                      _mm_shuffle_epi8(in[2], v_load(order[i][2])));
}

INLINE void v_load_rgb(const uint8_t *rgb, vec out[3]) {
    vec in[3] = {v_load(rgb), v_load(rgb + 16), v_load(rgb + 32)};
    permute_rgb(in, rgb_order[0], out);
}

INLINE void v_store_rgb(uint8_t *rgb, const vec in[3]) {
    vec out[3];
    permute_rgb(in, rgb_order[1], out);
    for (int i = 0; i < 3; i++) v_store(rgb + 16 * i, out[i]);
}

#include "simd128.h"

int jc_sse4_available(void) {
    return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
}

void jc_sse4_init(void) {
    init_rgb_order();
    init_orders();
}

const jc_kernels jc_sse4 = SIMD128_KERNELS("sse4");

#endif
