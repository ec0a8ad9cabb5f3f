/* The decoder: entropy-coded data or coefficient arrays to tile planes and to the message that
 * the tag authenticates. */
#include "jpegcrypt.h"
#include "huffman.h"
#include "huffman_decode.h"

#include <string.h>

/* The order that the inverse kernel of this decoder reads. */
static const uint8_t *block_order(const jc_decoder *d) {
    return d->bank ? jc_transposed : jc_natural;
}

static void put_block(const jc_decoder *d, int c, size_t block, const int16_t *coefficients) {
    const jc_plan *plan = &d->plan[c];
    if (!d->bank) {
        d->kernels->inverse_dct(coefficients, d->quantizer[c], d->planes[c] + block * JC_BLOCK);
        return;
    }
    const jc_component *p = &d->frame->component[c];
    int full = p->h == d->frame->h_max && p->v == d->frame->v_max;
    size_t ahead = block + JC_PREFETCH < d->blocks[c] ? block + JC_PREFETCH : block;
    __builtin_prefetch(d->planes[c] + (size_t)plan->permutation[ahead] * JC_BLOCK, 1);
    d->kernels->inverse_block(coefficients, plan->records + block * JC_RECORD, d->bank,
                              d->quantizer[c], full ? jc_shrink_ac : jc_shrink_none,
                              d->planes[c] + (size_t)plan->permutation[block] * JC_BLOCK);
}

/* Room for the message of a block: in the buffer, or in `unused` if nobody wants it. */
static uint8_t *message_start(const jc_decoder *d, uint8_t *unused) {
    if (!d->message) return unused;
    if (jc_reserve(d->message, JC_MAX_MESSAGE)) return NULL;
    return d->message->data + d->message->size;
}

static void message_end(const jc_decoder *d, uint8_t *start, uint64_t nonzero, const uint8_t *end) {
    if (!d->message) return;
    jc_store_le64(start, nonzero);
    d->message->size += (size_t)(end - start);
}

static jc_status visit(jc_reader *r, const jc_scan *scan, int i, size_t block, void *context) {
    const jc_decoder *d = context;
    _Alignas(64) int16_t coefficients[64] = {0};
    uint8_t unused[JC_MAX_MESSAGE], *message = message_start(d, unused);
    uint64_t nonzero;
    if (!message) return JC_NO_MEMORY;
    uint8_t *values = message + 8;
    jc_status status =
        d->kernels->decode_block(r, scan, i, block_order(d), coefficients, &values, &nonzero);
    if (status || block == JC_PADDING_BLOCK) return status;
    message_end(d, message, nonzero, values);
    put_block(d, scan->component[i], block, coefficients);
    return JC_OK;
}

jc_status jc_decode_to_planes(const jc_decoder *decoder, const jc_scan *scan, size_t *position) {
    return jc_walk_scan(scan, visit, (void *)(uintptr_t)decoder, position);
}

static jc_status convert_block(const jc_decoder *d, int c, size_t block, const int16_t *natural) {
    _Alignas(64) int16_t coefficients[64];
    uint8_t unused[JC_MAX_MESSAGE], *message = message_start(d, unused);
    if (!message) return JC_NO_MEMORY;
    const uint8_t *order = block_order(d);
    uint8_t *values = message + 8;
    uint64_t nonzero = 0;
    for (int k = 0; k < 64; k++) {
        int16_t value = natural[jc_natural[k]];
        coefficients[order[k]] = value;
        if (!value) continue;
        nonzero |= 1ull << k;
        values = jc_store_le16(values, value);
    }
    message_end(d, message, nonzero, values);
    put_block(d, c, block, coefficients);
    return JC_OK;
}

/* In the order of an interleaved scan, so that the message does not depend on the file's scans. */
jc_status jc_coefficients_to_planes(const jc_decoder *decoder, const int16_t *const *coefficients) {
    const jc_frame *frame = decoder->frame;
    for (uint32_t mcu_y = 0; mcu_y < frame->mcus_h; mcu_y++)
        for (uint32_t mcu_x = 0; mcu_x < frame->mcus_w; mcu_x++)
            for (int c = 0; c < frame->n_components; c++) {
                const jc_component *p = &frame->component[c];
                for (int i = 0; i < p->h * p->v; i++) {
                    uint32_t x = mcu_x * (uint32_t)p->h + (uint32_t)(i % p->h);
                    uint32_t y = mcu_y * (uint32_t)p->v + (uint32_t)(i / p->h);
                    if (x >= p->blocks_w || y >= p->blocks_h) continue;
                    size_t block = (size_t)y * p->blocks_w + x;
                    jc_status status =
                        convert_block(decoder, c, block, coefficients[c] + block * JC_BLOCK);
                    if (status) return status;
                }
            }
    return JC_OK;
}
