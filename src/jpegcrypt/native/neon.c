/* Kernels for NEON, which every 64-bit Arm processor has. */
#include "jpegcrypt.h"
#include "neon.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#define TARGET
#define INLINE static inline __attribute__((always_inline))

typedef int16x8_t vec;

#define AS8(a) vreinterpretq_s8_s16(a)
#define ASU8(a) vreinterpretq_u8_s16(a)
#define ASU16(a) vreinterpretq_u16_s16(a)
#define AS32(a) vreinterpretq_s32_s16(a)
#define ASU32(a) vreinterpretq_u32_s16(a)
#define AS64(a) vreinterpretq_s64_s16(a)
#define FROM8(a) vreinterpretq_s16_s8(a)
#define FROMU8(a) vreinterpretq_s16_u8(a)
#define FROMU16(a) vreinterpretq_s16_u16(a)
#define FROM32(a) vreinterpretq_s16_s32(a)
#define FROMU32(a) vreinterpretq_s16_u32(a)
#define FROM64(a) vreinterpretq_s16_s64(a)

INLINE vec v_load(const void *p) { return FROMU8(vld1q_u8(p)); }
INLINE vec v_load_low(const void *p) { return FROMU8(vcombine_u8(vld1_u8(p), vdup_n_u8(0))); }
INLINE void v_store(void *p, vec a) { vst1q_u8(p, ASU8(a)); }
INLINE void v_store_low(void *p, vec a) { vst1_u8(p, vget_low_u8(ASU8(a))); }
INLINE vec v_splat16(int16_t a) { return vdupq_n_s16(a); }
INLINE vec v_splat32(int32_t a) { return FROM32(vdupq_n_s32(a)); }
INLINE vec v_broadcast32(const void *p) { return FROM32(vld1q_dup_s32(p)); }
INLINE vec v_or(vec a, vec b) { return vorrq_s16(a, b); }
INLINE vec v_not(vec a) { return vmvnq_s16(a); }
INLINE vec v_add16(vec a, vec b) { return vaddq_s16(a, b); }
INLINE vec v_sub16(vec a, vec b) { return vsubq_s16(a, b); }
INLINE vec v_add32(vec a, vec b) { return FROM32(vaddq_s32(AS32(a), AS32(b))); }
INLINE vec v_sub32(vec a, vec b) { return FROM32(vsubq_s32(AS32(a), AS32(b))); }
INLINE vec v_mul16(vec a, vec b) { return vmulq_s16(a, b); }
INLINE vec v_mul32(vec a, vec b) { return FROM32(vmulq_s32(AS32(a), AS32(b))); }
INLINE vec v_madd(vec a, vec b) {
    return FROM32(vpaddq_s32(vmull_s16(vget_low_s16(a), vget_low_s16(b)), vmull_high_s16(a, b)));
}
INLINE vec v_mulround16(vec a, vec b) { return vqrdmulhq_s16(a, b); } /* (a b + 2^14) >> 15 */
INLINE vec v_mulhi_u16(vec a, vec b) {
    uint32x4_t low = vmull_u16(vget_low_u16(ASU16(a)), vget_low_u16(ASU16(b)));
    uint32x4_t high = vmull_high_u16(ASU16(a), ASU16(b));
    return vuzp2q_s16(FROMU32(low), FROMU32(high));
}
INLINE vec v_abs16(vec a) { return vabsq_s16(a); }
INLINE vec v_min16(vec a, vec b) { return vminq_s16(a, b); }
INLINE vec v_sign16(vec a, vec sign) { /* 0 where the sign is 0 */
    return vbicq_s16(vbslq_s16(vcltzq_s16(sign), vnegq_s16(a), a),
                     vreinterpretq_s16_u16(vceqzq_s16(sign)));
}
INLINE vec v_shl16(vec a, int n) { return vshlq_s16(a, vdupq_n_s16((int16_t)n)); }
INLINE vec v_shl32(vec a, int n) { return FROM32(vshlq_s32(AS32(a), vdupq_n_s32(n))); }
INLINE vec v_shr32(vec a, int n) { return FROM32(vshlq_s32(AS32(a), vdupq_n_s32(-n))); }
INLINE vec v_shr_logical16(vec a, int n) {
    return FROMU16(vshlq_u16(ASU16(a), vdupq_n_s16((int16_t)-n)));
}
INLINE vec v_shr_logical32(vec a, int n) {
    return FROMU32(vshlq_u32(ASU32(a), vdupq_n_s32(-n)));
}
INLINE vec v_blend_odd16(vec even, vec odd) {
    return vbslq_s16(vreinterpretq_u16_u32(vdupq_n_u32(0xFFFF)), even, odd);
}
INLINE vec v_pack32(vec a, vec b) { return vqmovn_high_s32(vqmovn_s32(AS32(a)), AS32(b)); }
INLINE vec v_pack16(vec a, vec b) { return FROM8(vqmovn_high_s16(vqmovn_s16(a), b)); }
INLINE vec v_packu16(vec a, vec b) { return FROMU8(vqmovun_high_s16(vqmovun_s16(a), b)); }
INLINE vec v_ziplo16(vec a, vec b) { return vzip1q_s16(a, b); }
INLINE vec v_ziphi16(vec a, vec b) { return vzip2q_s16(a, b); }
INLINE vec v_ziplo32(vec a, vec b) { return FROM32(vzip1q_s32(AS32(a), AS32(b))); }
INLINE vec v_ziphi32(vec a, vec b) { return FROM32(vzip2q_s32(AS32(a), AS32(b))); }
INLINE vec v_ziplo64(vec a, vec b) { return FROM64(vzip1q_s64(AS64(a), AS64(b))); }
INLINE vec v_ziphi64(vec a, vec b) { return FROM64(vzip2q_s64(AS64(a), AS64(b))); }
INLINE vec v_widen_u8_low(vec a) { return FROMU16(vmovl_u8(vget_low_u8(ASU8(a)))); }
INLINE vec v_widen_u8_high(vec a) { return FROMU16(vmovl_high_u8(ASU8(a))); }
INLINE vec v_widen_s16_low(vec a) { return FROM32(vmovl_s16(vget_low_s16(a))); }
INLINE vec v_widen_s16_high(vec a) { return FROM32(vmovl_high_s16(a)); }
INLINE vec v_sum_pairs_u8(vec a) { return FROMU16(vpaddlq_u8(ASU8(a))); }
#define v_lane32(a, i) FROM32(vdupq_laneq_s32(AS32(a), i))
INLINE uint32_t v_zero_mask8(vec a) {
    static const uint8_t weights[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    uint8x16_t bits = vandq_u8(vceqzq_u8(ASU8(a)), vld1q_u8(weights));
    return (uint32_t)vaddv_u8(vget_low_u8(bits)) | (uint32_t)vaddv_u8(vget_high_u8(bits)) << 8;
}

typedef struct {
    uint8_t index[64];
} v_order;

static void v_order_init(v_order *order, const uint8_t source[64]) {
    for (int i = 0; i < 64; i++) order->index[i] = source[i];
}

/* out[i] = in[order[i]] over 64 bytes; `in` and `out` may be the same. */
INLINE void v_permute64(const vec in[4], const v_order *order, vec out[4]) {
    uint8x16x4_t table = {{ASU8(in[0]), ASU8(in[1]), ASU8(in[2]), ASU8(in[3])}};
    for (int i = 0; i < 4; i++)
        out[i] = FROMU8(vqtbl4q_u8(table, vld1q_u8(order->index + 16 * i)));
}

INLINE void v_load_rgb(const uint8_t *rgb, vec out[3]) {
    uint8x16x3_t pixels = vld3q_u8(rgb);
    for (int c = 0; c < 3; c++) out[c] = FROMU8(pixels.val[c]);
}

INLINE void v_store_rgb(uint8_t *rgb, const vec in[3]) {
    uint8x16x3_t pixels = {{ASU8(in[0]), ASU8(in[1]), ASU8(in[2])}};
    vst3q_u8(rgb, pixels);
}

#include "simd128.h"

void jc_neon_init(void) { init_orders(); }

const jc_kernels jc_neon = SIMD128_KERNELS("neon");

#endif
