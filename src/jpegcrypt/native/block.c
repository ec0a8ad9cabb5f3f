/* Blocks, portable C: rotation, transform, quantization, zig-zag, and back.
 *
 * Everything is fixed point, so every instruction set gives the same bits:
 *
 *   forward   X in [-128, 127]; matrices Q14.
 *             Rows:    |X' R^T| <= 128 sqrt(8) < 363, kept with 6 fraction bits: < 2^15.
 *             Columns: |Z| <= 1024, rounded to 4 fraction bits: <= 2^14 + 4. (The 4 is for Q14: the
 *             magnitudes of a row add up to 46344, not to 2^14 sqrt(8).)
 *   inverse   Z = step * (16 q - shrink sign(q)), 4 fraction bits, in 16 bits. A legal file has
 *             |step q| <= 1024 + step / 2, so |Z| < 2^15.
 *             Columns: kept with 4 fraction bits. Illegal input wraps modulo 2^16 and 2^32,
 *             the same way everywhere (the core is compiled with -fwrapv). */
#include "jpegcrypt.h"
#include "block.h"

#include <string.h>

/* ---- Quantizer: division of 15-bit numbers by 16 * step through 16-bit multiplications ---- */

/* floor(n / d) for n < 2^15, d = 16 step: with s such that 2^s < d <= 2^(s+1) and
 * m = ceil(2^(16+s) / d) <= 2^16, the error m d - 2^(16+s) is below d <= 2^(s+1), so
 * (n m) >> (16 + s) is exact for n < 2^15 (Granlund and Montgomery 1994, theorem 4.2).
 * Both shifts are done as the high half of a 16-bit product. */
void jc_quantizer_init(jc_quantizer *quantizer, const uint16_t natural[64],
                       const uint8_t forward_order[64]) {
    for (int k = 0; k < 64; k++) {
        uint32_t step = natural[jc_natural[k]], d = step * 16;
        int i = forward_order[k], s = 0;
        quantizer->natural[jc_natural[k]] = (uint16_t)step;
        quantizer->transposed[jc_transposed[k]] = (uint16_t)step;
        if (step > 255) continue; /* only decoders meet 16-bit tables */
        while ((2u << s) < d) s++;
        quantizer->bias[i] = (uint16_t)(d / 2);
        quantizer->reciprocal[i] = (uint16_t)(((1u << (16 + s)) + d - 1) / d);
        quantizer->scale[i] = (uint16_t)(1u << (16 - s));
    }
}

static int quantize(int32_t y, const jc_quantizer *q, int i) {
    uint32_t n = (uint32_t)(y < 0 ? -y : y) + q->bias[i];
    uint32_t magnitude = ((n * q->reciprocal[i]) >> 16) * q->scale[i] >> 16;
    if (magnitude > JC_MAX_COEFFICIENT) magnitude = JC_MAX_COEFFICIENT;
    return y < 0 ? -(int)magnitude : (int)magnitude;
}

/* ---- Banks ---- */

void jc_bank_pack(const int16_t (*matrices)[8][8], uint32_t n, int16_t *memory, jc_bank *bank) {
    int16_t(*forward)[4][8][2] = (int16_t(*)[4][8][2])(void *)memory;
    int16_t(*inverse)[4][8][2] = forward + n;
    int16_t(*halved)[2][2][2][4][2] = (int16_t(*)[2][2][2][4][2])(void *)(inverse + n);
    for (uint32_t m = 0; m < n; m++)
        for (int i = 0; i < 8; i++)
            for (int j = 0; j < 8; j++) {
                forward[m][j >> 1][i][j & 1] = matrices[m][i][j];
                inverse[m][i >> 1][j][i & 1] = matrices[m][i][j];
                halved[m][j >> 2][i >> 2][j >> 1 & 1][i & 3][j & 1] = matrices[m][i][j];
            }
    *bank = (jc_bank){(const void *)forward, (const void *)inverse, (const void *)halved, n - 1};
}

/* ---- Rotation ---- */

/* Clockwise by 90 degrees times `rotation`: rotated[i] = tile[jc_rotation[rotation][i]]. */
#define ROW(f, i) f(i, 0), f(i, 1), f(i, 2), f(i, 3), f(i, 4), f(i, 5), f(i, 6), f(i, 7)
#define BLOCK(f) \
    { ROW(f, 0), ROW(f, 1), ROW(f, 2), ROW(f, 3), ROW(f, 4), ROW(f, 5), ROW(f, 6), ROW(f, 7) }
#define R0(i, j) (i) * 8 + (j)
#define R1(i, j) (7 - (j)) * 8 + (i)
#define R2(i, j) (7 - (i)) * 8 + 7 - (j)
#define R3(i, j) (j) * 8 + 7 - (i)
const uint8_t jc_rotation[4][64] = {BLOCK(R0), BLOCK(R1), BLOCK(R2), BLOCK(R3)};

/* ---- Forward ---- */

uint64_t jc_forward_block_c(const uint8_t *tile, const uint8_t *record, const jc_bank *bank,
                            const jc_quantizer *quantizer, int16_t *block, int16_t *exact) {
    const uint8_t *rotation = jc_rotation[record[JC_RECORD_ROTATION] & 3];
    int16_t y[8][8]; /* y[row][u] */

    const int16_t(*r)[8][2] = bank->forward[record[0] & bank->mask];
    for (int i = 0; i < 8; i++) {
        int32_t sum[8] = {0};
        for (int p = 0; p < 4; p++) {
            int32_t a = tile[rotation[i * 8 + 2 * p]] - 128;
            int32_t b = tile[rotation[i * 8 + 2 * p + 1]] - 128;
            for (int u = 0; u < 8; u++) sum[u] += r[p][u][0] * a + r[p][u][1] * b;
        }
        for (int u = 0; u < 8; u++) y[i][u] = (int16_t)((sum[u] + 128) >> 8);
    }
    for (int u = 0; u < 8; u++) {
        const int16_t(*c)[8][2] = bank->forward[record[1 + u] & bank->mask];
        int32_t sum[8] = {0};
        for (int p = 0; p < 4; p++)
            for (int v = 0; v < 8; v++)
                sum[v] += c[p][v][0] * y[2 * p][u] + c[p][v][1] * y[2 * p + 1][u];
        for (int v = 0; v < 8; v++) {
            int32_t t = (sum[v] + (1 << 15)) >> 16; /* Q20 -> Q4 */
            if (exact) exact[u * 8 + v] = (int16_t)t;
            block[u * 8 + v] = (int16_t)quantize(t, quantizer, u * 8 + v);
        }
    }

    uint64_t nonzero = 0;
    for (int k = 0; k < 64; k++) nonzero |= (uint64_t)(block[jc_transposed[k]] != 0) << k;
    return nonzero;
}

/* ---- Inverse ---- */

const int16_t jc_shrink_ac[64] = {
    0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
};
const int16_t jc_shrink_none[64] = {0};

void jc_inverse_block_c(const int16_t *transposed, uint64_t nonzero, const uint8_t *record,
                        const jc_bank *bank, const jc_quantizer *quantizer, const int16_t *shrink,
                        uint8_t *tile) {
    (void)nonzero;
    int16_t z[8][8], y[8][8]; /* z[u][v], y[row][u] */
    for (int i = 0; i < 64; i++) {
        int q = transposed[i], sign = (q > 0) - (q < 0);
        z[i >> 3][i & 7] = (int16_t)((16 * q - sign * shrink[i]) * quantizer->transposed[i]);
    }

    for (int u = 0; u < 8; u++) {
        const int16_t(*c)[8][2] = bank->inverse[record[1 + u] & bank->mask];
        int32_t sum[8] = {0};
        for (int p = 0; p < 4; p++)
            for (int i = 0; i < 8; i++)
                sum[i] += c[p][i][0] * z[u][2 * p] + c[p][i][1] * z[u][2 * p + 1];
        for (int i = 0; i < 8; i++) y[i][u] = (int16_t)((sum[i] + (1 << 13)) >> 14);
    }

    const int16_t(*r)[8][2] = bank->inverse[record[0] & bank->mask];
    const uint8_t *rotation = jc_rotation[record[JC_RECORD_ROTATION] & 3];
    for (int i = 0; i < 8; i++) {
        int32_t sum[8] = {0};
        for (int p = 0; p < 4; p++)
            for (int j = 0; j < 8; j++)
                sum[j] += r[p][j][0] * y[i][2 * p] + r[p][j][1] * y[i][2 * p + 1];
        for (int j = 0; j < 8; j++)
            tile[rotation[i * 8 + j]] = jc_clamp((sum[j] + (128 << 18) + (1 << 17)) >> 18);
    }
}

/* ---- Inverse DCT as libjpeg's "islow" ---- */

/* The 12-multiplication algorithm of Loeffler, Ligtenberg and Moschytz (ICASSP 1989), with the
 * 13-bit constants and the two roundings that libjpeg uses, so that our viewer's picture is
 * everybody's. */

static void inverse_dct_8(const int32_t in[8], int shift, int32_t out[8]) {
    int32_t z1 = (in[2] + in[6]) * JC_F_0_541;
    int32_t e2 = z1 - in[6] * JC_F_1_847, e3 = z1 + in[2] * JC_F_0_765;
    int32_t e0 = (in[0] + in[4]) * 8192, e1 = (in[0] - in[4]) * 8192;
    int32_t even[4] = {e0 + e3, e1 + e2, e1 - e2, e0 - e3};

    int32_t a = in[7], b = in[5], c = in[3], d = in[1];
    int32_t z5 = (a + c + b + d) * JC_F_1_175;
    int32_t za = -(a + d) * JC_F_0_899, zb = -(b + c) * JC_F_2_562;
    int32_t zc = z5 - (a + c) * JC_F_1_961, zd = z5 - (b + d) * JC_F_0_390;
    int32_t odd[4] = {d * JC_F_1_501 + za + zd, c * JC_F_3_072 + zb + zc, b * JC_F_2_053 + zb + zd,
                      a * JC_F_0_298 + za + zc};

    int32_t round = 1 << (shift - 1);
    for (int i = 0; i < 4; i++) {
        out[i] = (even[i] + odd[i] + round) >> shift;
        out[7 - i] = (even[i] - odd[i] + round) >> shift;
    }
}

void jc_inverse_dct_c(const int16_t *natural, const jc_quantizer *quantizer, uint8_t *tile) {
    int32_t z[8][8], y[8][8], x[8]; /* z[u][v], y[u][row] */
    for (int i = 0; i < 64; i++)
        z[i & 7][i >> 3] = (int16_t)(natural[i] * quantizer->natural[i]);
    for (int u = 0; u < 8; u++) inverse_dct_8(z[u], 13 - 2, y[u]);
    for (int i = 0; i < 8; i++) {
        int32_t row[8];
        for (int u = 0; u < 8; u++) row[u] = y[u][i];
        inverse_dct_8(row, 13 + 2 + 3, x);
        for (int j = 0; j < 8; j++) tile[i * 8 + j] = jc_clamp(x[j] + 128);
    }
}
