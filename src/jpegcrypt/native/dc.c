/* DC residuals instead of DC values: each is predicted from its neighbors in the plain picture, what
 * is left travels with its block, and the file's DC differences are these residuals again.
 *
 * The predictor is that of LOCO-I (Weinberger, Seroussi, Sapiro 2000), the median of left, above and
 * left + above - corner. All arithmetic is modulo 2 bound + 1, see dc.h. */
#include "jpegcrypt.h"
#include "dc.h"

#include <stdlib.h>

/* ---- Prediction on the plain grid ---- */

static int median_prediction(const int16_t *dc, uint32_t x, uint32_t y, size_t columns, int start) {
    if (!y) return x ? dc[-1] : start;
    int above = dc[-(ptrdiff_t)columns];
    if (!x) return above;
    int left = dc[-1], corner = dc[-1 - (ptrdiff_t)columns];
    int low = left < above ? left : above, high = left < above ? above : left;
    return corner >= high ? low : corner <= low ? high : left + above - corner;
}

/* ---- Coded order: that of an interleaved scan (A.2.3), real blocks only ---- */

typedef struct {
    const jc_component *p;
    uint32_t mcu_x, mcu_y, x, y;
} coded_order;

static size_t next_block(coded_order *at) {
    const jc_component *p = at->p;
    for (;;) {
        uint32_t x = at->mcu_x * (uint32_t)p->h + at->x, y = at->mcu_y * (uint32_t)p->v + at->y;
        if (++at->x == (uint32_t)p->h) {
            at->x = 0;
            if (++at->y == (uint32_t)p->v) {
                at->y = 0;
                if (++at->mcu_x * (uint32_t)p->h >= p->blocks_w) at->mcu_x = 0, at->mcu_y++;
            }
        }
        if (x < p->blocks_w && y < p->blocks_h) return (size_t)y * p->blocks_w + x;
    }
}

/* ---- Forward ---- */

/* The DC coefficient of the DCT is an eighth of the sum; here with 4 fraction bits. */
static int quantized_dc(const uint8_t *tile, int step) {
    int sum = 0;
    for (int i = 0; i < JC_BLOCK; i++) sum += tile[i];
    int t = 2 * (sum - 128 * JC_BLOCK), magnitude = ((t < 0 ? -t : t) + 8 * step) / (16 * step);
    if (magnitude > JC_MAX_COEFFICIENT) magnitude = JC_MAX_COEFFICIENT;
    return t < 0 ? -magnitude : magnitude;
}

jc_status jc_dc_to_residuals(const jc_frame *frame, int c, const uint8_t *plane,
                             const jc_quantizer *quantizer, int level, const jc_bank *bank,
                             const jc_plan *plan, int16_t *coded) {
    const jc_component *p = &frame->component[c];
    size_t n = jc_component_blocks(frame, c), i = 0;
    int step = quantizer->natural[0], bound = jc_dc_bound(step), sum = 0;
    int16_t *plain = malloc(2 * n * sizeof *plain);
    if (!plain) return JC_NO_MEMORY;
    int16_t *residual = plain + n;
    for (uint32_t y = 0; y < p->blocks_h; y++)
        for (uint32_t x = 0; x < p->blocks_w; x++, i++) {
            plain[i] = (int16_t)quantized_dc(plane + i * JC_BLOCK, step);
            residual[i] = (int16_t)(plain[i] - median_prediction(plain + i, x, y, p->blocks_w,
                                                                 jc_dc_shift(level, step)));
        }
    coded_order order = {.p = p};
    for (size_t k = 0; k < n; k++) {
        size_t o = next_block(&order);
        int sign = jc_dc_sign(bank->forward, bank->mask, plan->records + o * JC_RECORD);
        sum = jc_dc_wrap(sum + sign * residual[plan->permutation[o]], bound);
        coded[o] = (int16_t)sum;
    }
    free(plain);
    return JC_OK;
}

/* ---- Inverse ---- */

jc_status jc_dc_from_residuals(const jc_frame *frame, int c, const int16_t *coefficients,
                               const jc_quantizer *quantizer, int level, const jc_bank *bank,
                               const jc_plan *plan, int16_t *dc) {
    const jc_component *p = &frame->component[c];
    size_t n = jc_component_blocks(frame, c), i = 0;
    int step = quantizer->natural[0], bound = jc_dc_bound(step), before = 0;
    int16_t *plain = malloc(n * sizeof *plain);
    if (!plain) return JC_NO_MEMORY;
    coded_order order = {.p = p};
    for (size_t k = 0; k < n; k++) {
        size_t o = next_block(&order);
        int sign = jc_dc_sign(bank->forward, bank->mask, plan->records + o * JC_RECORD);
        int coded = coefficients[o * JC_BLOCK];
        plain[plan->permutation[o]] = (int16_t)(sign * jc_dc_wrap(coded - before, bound));
        before = coded;
    }
    for (uint32_t y = 0; y < p->blocks_h; y++)
        for (uint32_t x = 0; x < p->blocks_w; x++, i++)
            plain[i] = (int16_t)jc_dc_wrap(
                plain[i] + median_prediction(plain + i, x, y, p->blocks_w, jc_dc_shift(level, step)),
                bound);
    for (size_t o = 0; o < n; o++) {
        int sign = jc_dc_sign(bank->forward, bank->mask, plan->records + o * JC_RECORD);
        dc[o] = (int16_t)(sign * plain[plan->permutation[o]]);
    }
    free(plain);
    return JC_OK;
}
