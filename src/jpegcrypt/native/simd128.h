/* Kernels for 128-bit vectors, written once over the operations v_*; sse4.c and neon.c define those
 * and include this file. The arithmetic is that of block.c and color.c; see there for bounds. */
#include "block.h"
#include "color.h"
#include "huffman.h"
#include "huffman_decode.h"

/* ---- Orders of 64 bytes ---- */

static v_order rotate_order[4], unrotate_order[4]; /* the latter from transposed order */
static v_order zigzag_order;                       /* from transposed order */

static void init_orders(void) {
    uint8_t order[64];
    for (int rotation = 0; rotation < 4; rotation++) {
        v_order_init(&rotate_order[rotation], jc_rotation[rotation]);
        for (int i = 0; i < 8; i++)
            for (int j = 0; j < 8; j++)
                order[jc_rotation[rotation][i * 8 + j]] = (uint8_t)(j * 8 + i);
        v_order_init(&unrotate_order[rotation], order);
    }
    v_order_init(&zigzag_order, jc_transposed);
}

/* ---- Transform ---- */

/* Half `h` (four sums) of a matrix times a vector of pairs p0..p3. */
INLINE vec product(const int16_t (*matrix)[8][2], int h, vec p0, vec p1, vec p2, vec p3) {
    vec low = v_add32(v_madd(v_load(matrix[0][4 * h]), p0), v_madd(v_load(matrix[1][4 * h]), p1));
    vec high = v_add32(v_madd(v_load(matrix[2][4 * h]), p2), v_madd(v_load(matrix[3][4 * h]), p3));
    return v_add32(low, high);
}

INLINE vec product_of_lanes(const int16_t (*matrix)[8][2], int h, vec pairs) {
    return product(matrix, h, v_lane32(pairs, 0), v_lane32(pairs, 1), v_lane32(pairs, 2),
                   v_lane32(pairs, 3));
}

/* Pairs of int16 from the low halves of `even` and `odd`, both shifted right. */
#define PAIRS(even, odd, shift) \
    v_blend_odd16(v_shr_logical32(even, shift), v_shl32(odd, 16 - (shift)))

INLINE vec column(vec low, vec high) { /* Q20 -> Q4 */
    const vec half = v_splat32(1 << 15);
    return v_pack32(v_shr32(v_add32(low, half), 16), v_shr32(v_add32(high, half), 16));
}

INLINE vec quantize(vec y, const jc_quantizer *q, int i) {
    vec n = v_add16(v_abs16(y), v_load(q->bias + i));
    n = v_mulhi_u16(n, v_load(q->reciprocal + i));
    n = v_mulhi_u16(n, v_load(q->scale + i));
    return v_sign16(v_min16(n, v_splat16(JC_MAX_COEFFICIENT)), y);
}

TARGET static uint64_t forward_block(const uint8_t *tile, const uint8_t *record,
                                     const jc_bank *bank, const jc_quantizer *quantizer,
                                     int16_t *block, int16_t *exact) {
    vec bytes[4] = {v_load(tile), v_load(tile + 16), v_load(tile + 32), v_load(tile + 48)};
    v_permute64(bytes, &rotate_order[record[JC_RECORD_ROTATION] & 3], bytes);
    const int16_t(*r)[8][2] = bank->forward[record[0] & bank->mask];
    const vec center = v_splat16(128), round = v_splat32(128);
    vec y[4][2]; /* y[p][h]: pairs (row 2p, 2p+1) for u = 4h..4h+3 */
    for (int p = 0; p < 4; p++) {
        vec even = v_sub16(v_widen_u8_low(bytes[p]), center);
        vec odd = v_sub16(v_widen_u8_high(bytes[p]), center);
        for (int h = 0; h < 2; h++)
            y[p][h] = PAIRS(v_add32(product_of_lanes(r, h, even), round),
                            v_add32(product_of_lanes(r, h, odd), round), 8);
    }
    vec out[8];
#define COLUMN(u)                                                                              \
    do {                                                                                       \
        const int16_t(*c)[8][2] = bank->forward[record[1 + (u)] & bank->mask];                  \
        vec p0 = v_lane32(y[0][(u) / 4], (u) % 4), p1 = v_lane32(y[1][(u) / 4], (u) % 4);       \
        vec p2 = v_lane32(y[2][(u) / 4], (u) % 4), p3 = v_lane32(y[3][(u) / 4], (u) % 4);       \
        vec z = column(product(c, 0, p0, p1, p2, p3), product(c, 1, p0, p1, p2, p3));           \
        if (exact) v_store(exact + 8 * (u), z);                                                 \
        out[u] = quantize(z, quantizer, 8 * (u));                                               \
        v_store(block + 8 * (u), out[u]);                                                       \
    } while (0)
    COLUMN(0);
    COLUMN(1);
    COLUMN(2);
    COLUMN(3);
    COLUMN(4);
    COLUMN(5);
    COLUMN(6);
    COLUMN(7);
#undef COLUMN
    for (int i = 0; i < 4; i++) bytes[i] = v_pack16(out[2 * i], out[2 * i + 1]);
    v_permute64(bytes, &zigzag_order, bytes);
    uint64_t zero = 0;
    for (int i = 0; i < 4; i++) zero |= (uint64_t)v_zero_mask8(bytes[i]) << 16 * i;
    return ~zero;
}

INLINE vec dequantize(const int16_t *q, const uint16_t *step, const int16_t *shrink) {
    vec coefficients = v_load(q), less = v_sign16(v_load(shrink), coefficients);
    return v_mul16(v_sub16(v_shl16(coefficients, 4), less), v_load(step));
}

TARGET static void inverse_block(const int16_t *transposed, uint64_t nonzero, const uint8_t *record,
                                 const jc_bank *bank, const jc_quantizer *quantizer,
                                 const int16_t *shrink, uint8_t *tile) {
    const vec round = v_splat32(1 << 13), offset = v_splat32((128 << 18) + (1 << 17));
    vec y[4][2]; /* y[p][h]: pairs (u = 2p, 2p+1) for rows 4h..4h+3 */
    int n = nonzero & JC_HIGH_COLUMNS ? 4 : 2;
    for (int p = 0; p < n; p++) {
        vec even = dequantize(transposed + 16 * p, quantizer->transposed + 16 * p, shrink + 16 * p);
        vec odd = dequantize(transposed + 16 * p + 8, quantizer->transposed + 16 * p + 8,
                             shrink + 16 * p + 8);
        const int16_t(*a)[8][2] = bank->inverse[record[1 + 2 * p] & bank->mask];
        const int16_t(*b)[8][2] = bank->inverse[record[2 + 2 * p] & bank->mask];
        for (int h = 0; h < 2; h++)
            y[p][h] = PAIRS(v_add32(product_of_lanes(a, h, even), round),
                            v_add32(product_of_lanes(b, h, odd), round), 14);
    }
    const int16_t(*r)[8][2] = bank->inverse[record[0] & bank->mask];
    vec columns[8], bytes[4];
    for (int j = 0; j < 8; j++) {
        vec half[2];
        for (int h = 0; h < 2; h++) {
            vec sum = v_add32(offset, v_add32(v_madd(y[0][h], v_broadcast32(r[0][j])),
                                              v_madd(y[1][h], v_broadcast32(r[1][j]))));
            if (n == 4)
                sum = v_add32(sum, v_add32(v_madd(y[2][h], v_broadcast32(r[2][j])),
                                           v_madd(y[3][h], v_broadcast32(r[3][j]))));
            half[h] = v_shr32(sum, 18);
        }
        columns[j] = v_pack32(half[0], half[1]);
    }
    for (int i = 0; i < 4; i++) bytes[i] = v_packu16(columns[2 * i], columns[2 * i + 1]);
    v_permute64(bytes, &unrotate_order[record[JC_RECORD_ROTATION] & 3], bytes);
    for (int i = 0; i < 4; i++) v_store(tile + 16 * i, bytes[i]);
}

TARGET static uint32_t *tokenize(const int16_t *block, uint64_t nonzero, int *dc_prediction,
                                 uint32_t table_bits, uint32_t *tokens, uint8_t **values) {
    return jc_tokenize_ordered(block, jc_transposed, nonzero, dc_prediction, table_bits, tokens,
                               values);
}

/* ---- Inverse DCT, as jc_inverse_dct_c ---- */

INLINE vec times(vec a, int32_t constant) { return v_mul32(a, v_splat32(constant)); }

INLINE void inverse_dct_4(vec v[8], int shift) {
    vec z1 = times(v_add32(v[2], v[6]), JC_F_0_541);
    vec e2 = v_sub32(z1, times(v[6], JC_F_1_847)), e3 = v_add32(z1, times(v[2], JC_F_0_765));
    const vec round = v_splat32(1 << (shift - 1));
    vec e0 = v_add32(v_shl32(v_add32(v[0], v[4]), 13), round);
    vec e1 = v_add32(v_shl32(v_sub32(v[0], v[4]), 13), round);
    vec even[4] = {v_add32(e0, e3), v_add32(e1, e2), v_sub32(e1, e2), v_sub32(e0, e3)};

    vec a = v[7], b = v[5], c = v[3], d = v[1];
    vec ac = v_add32(a, c), bd = v_add32(b, d), z5 = times(v_add32(ac, bd), JC_F_1_175);
    vec za = times(v_add32(a, d), -JC_F_0_899), zb = times(v_add32(b, c), -JC_F_2_562);
    vec zc = v_sub32(z5, times(ac, JC_F_1_961)), zd = v_sub32(z5, times(bd, JC_F_0_390));
    vec odd[4] = {v_add32(times(d, JC_F_1_501), v_add32(za, zd)),
                  v_add32(times(c, JC_F_3_072), v_add32(zb, zc)),
                  v_add32(times(b, JC_F_2_053), v_add32(zb, zd)),
                  v_add32(times(a, JC_F_0_298), v_add32(za, zc))};
    for (int i = 0; i < 4; i++) {
        v[i] = v_add32(even[i], odd[i]);
        v[7 - i] = v_sub32(even[i], odd[i]);
    }
}

/* Columns (rows) 4h..4h+3 of v[i][h], then transposed. */
INLINE void transform_and_transpose(vec v[8][2], int shift) {
    vec out[8][2];
    for (int h = 0; h < 2; h++) {
        vec half[8];
        for (int i = 0; i < 8; i++) half[i] = v[i][h];
        inverse_dct_4(half, shift);
        for (int i = 0; i < 8; i += 4) {
            vec a = v_ziplo32(half[i], half[i + 1]), b = v_ziphi32(half[i], half[i + 1]);
            vec c = v_ziplo32(half[i + 2], half[i + 3]), d = v_ziphi32(half[i + 2], half[i + 3]);
            out[4 * h][i / 4] = v_ziplo64(a, c);
            out[4 * h + 1][i / 4] = v_ziphi64(a, c);
            out[4 * h + 2][i / 4] = v_ziplo64(b, d);
            out[4 * h + 3][i / 4] = v_ziphi64(b, d);
        }
    }
    for (int i = 0; i < 8; i++)
        for (int h = 0; h < 2; h++) v[i][h] = out[i][h];
}

#define SHIFT_ALL(v, n) \
    for (int i_ = 0; i_ < 16; i_++) v[i_ / 2][i_ % 2] = v_shr32(v[i_ / 2][i_ % 2], n)

TARGET static void inverse_dct(const int16_t *natural, const jc_quantizer *quantizer,
                               uint8_t *tile) {
    vec v[8][2];
    for (int i = 0; i < 8; i++) {
        vec row = v_mul16(v_load(natural + 8 * i), v_load(quantizer->natural + 8 * i));
        v[i][0] = v_widen_s16_low(row);
        v[i][1] = v_widen_s16_high(row);
    }
    transform_and_transpose(v, 13 - 2);
    SHIFT_ALL(v, 13 - 2);
    transform_and_transpose(v, 13 + 2 + 3);
    SHIFT_ALL(v, 13 + 2 + 3);
    const vec center = v_splat32(128);
    for (int i = 0; i < 8; i += 2) {
        vec even = v_pack32(v_add32(v[i][0], center), v_add32(v[i][1], center));
        vec odd = v_pack32(v_add32(v[i + 1][0], center), v_add32(v[i + 1][1], center));
        v_store(tile + 8 * i, v_packu16(even, odd));
    }
}

/* ---- Color ---- */

INLINE void store_row(uint8_t *out, vec samples) {
    v_store_low(out, samples);
    v_store_low(out + JC_BLOCK, v_ziphi64(samples, samples));
}

INLINE vec pair(int low, int high) {
    return v_splat32((int32_t)((uint32_t)(uint16_t)low | (uint32_t)(uint16_t)high << 16));
}

/* 38470 G = 22086 G + 16384 G: constants must fit in 16 bits. */
INLINE vec luma_4(vec rg, vec bg) {
    vec sum = v_add32(v_madd(rg, pair(19595, 22086)), v_madd(bg, pair(7471, 16384)));
    return v_shr32(v_add32(sum, v_splat32(1 << 15)), 16);
}

INLINE vec luma_8(vec r, vec g, vec b) {
    return v_pack32(luma_4(v_ziplo16(r, g), v_ziplo16(b, g)), luma_4(v_ziphi16(r, g), v_ziphi16(b, g)));
}

TARGET static void rgb_to_y(const uint8_t *rgb, uint32_t n, uint8_t *y) {
    for (; n >= 16; n -= 16, rgb += 3 * 16, y += 2 * JC_BLOCK) {
        vec p[3];
        v_load_rgb(rgb, p);
        vec low = luma_8(v_widen_u8_low(p[0]), v_widen_u8_low(p[1]), v_widen_u8_low(p[2]));
        vec high = luma_8(v_widen_u8_high(p[0]), v_widen_u8_high(p[1]), v_widen_u8_high(p[2]));
        store_row(y, v_packu16(low, high));
    }
    jc_rgb_to_y_c(rgb, n, y);
}

INLINE vec chroma_4(vec a, vec b, vec first, vec offset, int shift) {
    vec sum = v_add32(v_madd(a, first), v_madd(b, pair(16384, 16384)));
    return v_shr32(v_add32(sum, offset), shift);
}

/* Chroma of 8 sums of pixels; 32768 x = 16384 x + 16384 x. */
INLINE void chroma_8(const vec sum[3], vec offset, int shift, uint8_t *cb, uint8_t *cr) {
    vec r = sum[0], g = sum[1], b = sum[2];
    vec to_cb = pair(-11059, -21709), to_cr = pair(-27439, -5329);
    vec blue = v_pack32(chroma_4(v_ziplo16(r, g), v_ziplo16(b, b), to_cb, offset, shift),
                        chroma_4(v_ziphi16(r, g), v_ziphi16(b, b), to_cb, offset, shift));
    vec red = v_pack32(chroma_4(v_ziplo16(g, b), v_ziplo16(r, r), to_cr, offset, shift),
                       chroma_4(v_ziphi16(g, b), v_ziphi16(r, r), to_cr, offset, shift));
    vec both = v_packu16(blue, red);
    v_store_low(cb, both);
    v_store_low(cr, v_ziphi64(both, both));
}

/* Steps of 2 pixels, as 4:2:0 and 4:2:2 have them. */
TARGET static void rgb_to_cbcr(const uint8_t *const *rows, int n_rows, int step, uint32_t n,
                               uint8_t *cb, uint8_t *cr) {
    const uint8_t *at[4];
    for (int i = 0; i < n_rows; i++) at[i] = rows[i];
    if (step == 2 && n_rows <= 2) {
        /* A shift known to the compiler, twice. */
        const vec offset17 = v_splat32((128 << 17) + (1 << 16) - 1);
        const vec offset18 = v_splat32((128 << 18) + (1 << 17) - 1);
        for (; n; n -= 8, cb += JC_BLOCK, cr += JC_BLOCK) {
            vec sum[3] = {v_splat16(0), v_splat16(0), v_splat16(0)}, p[3];
            for (int i = 0; i < n_rows; i++, at[i - 1] += 3 * 16) {
                v_load_rgb(at[i], p);
                for (int c = 0; c < 3; c++) sum[c] = v_add16(sum[c], v_sum_pairs_u8(p[c]));
            }
            if (n_rows == 1)
                chroma_8(sum, offset17, 17, cb, cr);
            else
                chroma_8(sum, offset18, 18, cb, cr);
        }
    }
    jc_rgb_to_cbcr_c(at, n_rows, step, n, cb, cr);
}

/* Constants that fit 16 bits: 1.402 = 1 + 0.402, 1.772 = 1 + 0.772, -0.71414 = 0.28586 - 1. In Q15
 * the first two round as in color.c for each of the 256 values. */
INLINE void rgb_8(vec y, vec u, vec v, vec out[3]) {
    const vec half = v_splat32(1 << 15);
    vec low = v_madd(v_ziplo16(u, v), pair(-22554, 18734));
    vec high = v_madd(v_ziphi16(u, v), pair(-22554, 18734));
    vec green = v_pack32(v_shr32(v_add32(low, half), 16), v_shr32(v_add32(high, half), 16));
    out[0] = v_add16(y, v_add16(v, v_mulround16(v, v_splat16(13173))));
    out[1] = v_add16(y, v_sub16(green, v));
    out[2] = v_add16(y, v_add16(u, v_mulround16(u, v_splat16(25297))));
}

TARGET static void ycc_to_rgb(const uint8_t *y, size_t step, const uint8_t *cb, const uint8_t *cr,
                              uint32_t n, uint8_t *rgb) {
    const vec center = v_splat16(128);
    for (; n >= 16; n -= 16, y += 2 * step, cb += 16, cr += 16, rgb += 3 * 16) {
        vec l = v_ziplo64(v_load_low(y), v_load_low(y + step)), u = v_load(cb), v = v_load(cr), low[3], high[3];
        rgb_8(v_widen_u8_low(l), v_sub16(v_widen_u8_low(u), center),
              v_sub16(v_widen_u8_low(v), center), low);
        rgb_8(v_widen_u8_high(l), v_sub16(v_widen_u8_high(u), center),
              v_sub16(v_widen_u8_high(v), center), high);
        vec out[3];
        for (int c = 0; c < 3; c++) out[c] = v_packu16(low[c], high[c]);
        v_store_rgb(rgb, out);
    }
    jc_ycc_to_rgb_c(y, step, cb, cr, n, rgb);
}

TARGET static void weigh(const uint8_t *near, const uint8_t *far, uint32_t n_tiles, int near_weight,
                         int far_weight, uint16_t *out) {
    const vec a = v_splat16((int16_t)near_weight), b = v_splat16((int16_t)far_weight);
    for (; n_tiles; n_tiles--, near += JC_BLOCK, far += JC_BLOCK, out += 8)
        v_store(out, v_add16(v_mul16(v_widen_u8_low(v_load_low(near)), a),
                             v_mul16(v_widen_u8_low(v_load_low(far)), b)));
}

INLINE vec widen_8(const uint16_t *row, int side, vec round, int shift) {
    vec here = v_load(row);
    vec sum = v_add16(v_add16(v_add16(here, here), here), v_load(row + side));
    return v_shr_logical16(v_add16(sum, round), shift);
}

TARGET static void widen(const uint16_t *row, uint32_t n, int left_bias, int right_bias, int shift,
                         uint8_t *out) {
    const vec left = v_splat16((int16_t)left_bias), right = v_splat16((int16_t)right_bias);
    for (uint32_t x = 0; x < n; x += 8)
        v_store(out + 2 * (size_t)x, v_or(widen_8(row + x, -1, left, shift),
                                          v_shl16(widen_8(row + x, 1, right, shift), 8)));
}

/* ---- Stuffing ---- */

TARGET static uint8_t *stuff(const uint8_t *source, size_t n, uint8_t *target) {
    size_t i = 0;
    while (i + 16 <= n) {
        vec bytes = v_load(source + i);
        uint32_t found = v_zero_mask8(v_not(bytes));
        v_store(target, bytes);
        uint32_t run = found ? (uint32_t)__builtin_ctz(found) + 1 : 16;
        target += run;
        i += run;
        if (found) *target++ = 0;
    }
    return jc_stuff_c(source + i, n - i, target);
}

/* ---- The list ---- */

#define SIMD128_KERNELS(level)                    \
    {                                             \
        .name = level,                            \
        .rgb_to_y = rgb_to_y,                     \
        .rgb_to_cbcr = rgb_to_cbcr,               \
        .ycc_to_rgb = ycc_to_rgb,                 \
        .weigh = weigh,                           \
        .widen = widen,                           \
        .forward_order = jc_transposed,           \
        .forward_block = forward_block,           \
        .tokenize = tokenize,                     \
        .inverse_block = inverse_block,           \
        .inverse_dct = inverse_dct,               \
        .emit = jc_emit_c,                        \
        .decode_block = jc_decode_block_c,        \
        .stuff = stuff,                           \
    }
