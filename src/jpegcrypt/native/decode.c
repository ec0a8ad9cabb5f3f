/* The decoder: entropy-coded data or coefficient arrays to tile planes and to the message that
 * the tag authenticates.
 *
 * As in the encoder, a batch of MCUs goes through both stages while it is in the first-level cache.
 * Two threads may share the work, one a stage, with rows of MCUs between them. */
#include "jpegcrypt.h"
#include "dc.h"
#include "huffman.h"
#include "huffman_decode.h"

#include <string.h>

/* The order that the inverse kernel of this decoder reads. */
static const uint8_t *block_order(const jc_decoder *d) {
    return d->bank ? jc_transposed : jc_natural;
}

/* ---- Blocks to tiles ---- */

/* A block without AC values is one sample throughout: row 0 of every matrix is constant. The roundings
 * are those of jc_inverse_block_c and, without a bank, of jc_inverse_dct_c. */
static uint8_t flat_sample(const jc_bank *bank, const uint8_t *record, int16_t dc, int step) {
    if (!bank) return jc_clamp((((int16_t)(dc * step) + 4) >> 3) + 128);
    int column = bank->inverse[record[1] & bank->mask][0][0][0];
    int row = bank->inverse[record[0] & bank->mask][0][0][0];
    int32_t y = (int16_t)((column * (int16_t)(16 * dc * step) + (1 << 13)) >> 14);
    return jc_clamp((row * y + (128 << 18) + (1 << 17)) >> 18);
}

/* Blocks [o, o + n) of component c, h of them in each MCU, from places from `at` on. */
static void put_row(const jc_decoder *d, int c, size_t o, uint32_t n, size_t at, size_t h, size_t mcu,
                    int16_t (*block)[64], const uint64_t *nonzero) {
    const jc_component *p = &d->frame->component[c];
    const jc_plan *plan = &d->plan[c];
    const jc_quantizer *quantizer = d->quantizer[c];
    uint8_t *plane = d->planes[c];
    size_t last = jc_component_blocks(d->frame, c) - 1, column = 0;
    int step = quantizer->natural[0], shift = jc_dc_shift(d->level[c], step), bound = jc_dc_bound(step);
    int full = p->h == d->frame->h_max && p->v == d->frame->v_max;
    const int16_t *shrink = full ? jc_shrink_ac : jc_shrink_none;
    for (size_t end = o + n; o < end; o++) {
        size_t place = at + column;
        const uint8_t *record = NULL;
        uint8_t *tile = plane + o * JC_BLOCK;
        int16_t *dc = &block[place][0];
        if (d->bank) {
            record = plan->records + o * JC_RECORD;
            if (d->dc[c])
                *dc = d->dc[c][o];
            else if (shift)
                *dc = (int16_t)jc_dc_wrap(*dc + jc_dc_sign(d->bank, record) * shift, bound);
            size_t ahead = o + JC_PREFETCH < last ? o + JC_PREFETCH : last;
            __builtin_prefetch(plane + (size_t)plan->permutation[ahead] * JC_BLOCK, 1);
            tile = plane + (size_t)plan->permutation[o] * JC_BLOCK;
        }
        if (!(nonzero[place] & ~1ull))
            memset(tile, flat_sample(d->bank, record, *dc, step), JC_BLOCK);
        else if (d->bank)
            d->kernels->inverse_block(block[place], nonzero[place], record, d->bank, quantizer, shrink,
                                      tile);
        else
            d->kernels->inverse_dct(block[place], quantizer, tile);
        if (++column == h) column = 0, at += mcu;
    }
}

static size_t mcu_blocks(const jc_frame *frame) {
    size_t n = 0;
    for (int c = 0; c < frame->n_components; c++)
        n += (size_t)(frame->component[c].h * frame->component[c].v);
    return n;
}

static void put_mcus(const jc_decoder *d, uint32_t row, uint32_t first, uint32_t last,
                 int16_t (*block)[64], const uint64_t *nonzero) {
    size_t mcu = mcu_blocks(d->frame), at = 0;
    for (int c = 0; c < d->frame->n_components; c++) {
        const jc_component *p = &d->frame->component[c];
        uint32_t x = first * (uint32_t)p->h, end = last * (uint32_t)p->h;
        if (end > p->blocks_w) end = p->blocks_w;
        for (int v = 0; v < p->v; v++, at += (size_t)p->h) {
            uint32_t y = row * (uint32_t)p->v + (uint32_t)v;
            if (y < p->blocks_h && x < end)
                put_row(d, c, (size_t)y * p->blocks_w + x, end - x, at, (size_t)p->h, mcu, block,
                        nonzero);
        }
    }
}

/* ---- Entropy-coded data to blocks ---- */

/* Where the message of the next block goes: behind the others, or to `unused` if nobody wants it. */
static uint8_t *message_end(const jc_decoder *d, uint8_t *unused) {
    return d->message ? d->message->data + d->message->size : unused;
}

static void append_message(const jc_decoder *d, uint8_t *start, uint64_t nonzero, const uint8_t *end) {
    if (!d->message) return;
    jc_store_le64(start, nonzero);
    d->message->size += (size_t)(end - start);
}

static jc_status decode_mcus(const jc_decoder *d, jc_walk *walk, uint32_t row, uint32_t first,
                             uint32_t last, int16_t (*block)[64], uint64_t *nonzero) {
    const jc_frame *frame = d->frame;
    const uint8_t *order = block_order(d);
    size_t mcu = mcu_blocks(frame), n = 0;
    uint8_t unused[JC_MAX_MESSAGE];
    if (d->message && jc_reserve(d->message, (last - first) * mcu * JC_MAX_MESSAGE))
        return JC_NO_MEMORY;
    memset(block, 0, (last - first) * mcu * sizeof *block);
    for (uint32_t x = first; x < last; x++) {
        jc_status status = jc_walk_mcu(walk);
        if (status) return status;
        for (int c = 0; c < frame->n_components; c++) {
            const jc_component *p = &frame->component[c];
            for (int v = 0; v < p->v; v++)
                for (int h = 0; h < p->h; h++, n++) {
                    uint8_t *message = message_end(d, unused), *values = message + 8;
                    status = d->kernels->decode_block(&walk->reader, walk->scan, c, order, block[n],
                                                      &values, &nonzero[n]);
                    if (status) return status;
                    if (jc_overrun(&walk->reader)) return JC_TRUNCATED;
                    if (x * (uint32_t)p->h + (uint32_t)h < p->blocks_w &&
                        row * (uint32_t)p->v + (uint32_t)v < p->blocks_h)
                        append_message(d, message, nonzero[n], values);
                }
        }
    }
    return JC_OK;
}

typedef struct {
    _Alignas(64) int16_t block[JC_BATCH * JC_MAX_MCU][64];
    uint64_t nonzero[JC_BATCH * JC_MAX_MCU];
} batch;

static uint32_t batch_end(const jc_frame *frame, uint32_t first) {
    return frame->mcus_w - first > JC_BATCH ? first + JC_BATCH : frame->mcus_w;
}

jc_status jc_decode_to_planes(const jc_decoder *d, jc_walk *walk) {
    batch blocks;
    for (uint32_t row = 0; row < d->frame->mcus_h; row++)
        for (uint32_t first = 0, last; first < d->frame->mcus_w; first = last) {
            last = batch_end(d->frame, first);
            jc_status status = decode_mcus(d, walk, row, first, last, blocks.block, blocks.nonzero);
            if (status) return status;
            put_mcus(d, row, first, last, blocks.block, blocks.nonzero);
        }
    return jc_walk_end(walk);
}

/* ---- The two stages apart ---- */

/* Of a row of MCUs: coefficients, then masks. */
typedef struct {
    int16_t (*block)[64];
    uint64_t *nonzero;
} row_blocks;

static size_t row_size(const jc_frame *frame) { return mcu_blocks(frame) * frame->mcus_w; }

static row_blocks row_at(const jc_frame *frame, uint8_t *memory, uint32_t i) {
    size_t n = row_size(frame);
    uint8_t *start = memory + i * n * (sizeof(int16_t[64]) + sizeof(uint64_t));
    return (row_blocks){(int16_t(*)[64])(void *)start,
                        (uint64_t *)(void *)(start + n * sizeof(int16_t[64]))};
}

size_t jc_row_bytes(const jc_frame *frame) {
    return row_size(frame) * (sizeof(int16_t[64]) + sizeof(uint64_t));
}

jc_status jc_decode_rows(const jc_decoder *d, jc_walk *walk, uint32_t first, uint32_t last,
                         uint8_t *memory) {
    for (uint32_t row = first; row < last; row++) {
        row_blocks out = row_at(d->frame, memory, row - first);
        jc_status status =
            decode_mcus(d, walk, row, 0, d->frame->mcus_w, out.block, out.nonzero);
        if (status) return status;
    }
    return JC_OK;
}

void jc_put_rows(const jc_decoder *d, uint32_t first, uint32_t last, uint8_t *memory) {
    for (uint32_t row = first; row < last; row++) {
        row_blocks in = row_at(d->frame, memory, row - first);
        put_mcus(d, row, 0, d->frame->mcus_w, in.block, in.nonzero);
    }
}

/* ---- Coefficient arrays to blocks ---- */

static uint64_t reorder(const jc_decoder *d, const int16_t *natural, int16_t *block) {
    uint8_t unused[JC_MAX_MESSAGE], *message = message_end(d, unused), *values = message + 8;
    const uint8_t *order = block_order(d);
    uint64_t nonzero = 0;
    for (int k = 0; k < 64; k++) {
        int16_t value = natural[jc_natural[k]];
        block[order[k]] = value;
        if (!value) continue;
        nonzero |= 1ull << k;
        values = jc_store_le16(values, value);
    }
    append_message(d, message, nonzero, values);
    return nonzero;
}

/* In the order of an interleaved scan, so that the message does not depend on the file's scans. */
jc_status jc_coefficients_to_planes(const jc_decoder *d, const int16_t *const *coefficients) {
    const jc_frame *frame = d->frame;
    _Alignas(64) int16_t block[JC_MAX_SAMPLING][64];
    uint64_t nonzero[JC_MAX_SAMPLING];
    for (uint32_t row = 0; row < frame->mcus_h; row++)
        for (uint32_t x = 0; x < frame->mcus_w; x++) {
            int n = 0;
            if (d->message && jc_reserve(d->message, JC_MAX_SAMPLING * JC_MAX_MESSAGE))
                return JC_NO_MEMORY;
            for (int c = 0; c < frame->n_components; c++) {
                const jc_component *p = &frame->component[c];
                for (int i = 0; i < p->h * p->v; i++, n++) {
                    uint32_t block_x = x * (uint32_t)p->h + (uint32_t)(i % p->h);
                    uint32_t block_y = row * (uint32_t)p->v + (uint32_t)(i / p->h);
                    if (block_x >= p->blocks_w || block_y >= p->blocks_h) continue;
                    size_t o = (size_t)block_y * p->blocks_w + block_x;
                    nonzero[n] = reorder(d, coefficients[c] + o * JC_BLOCK, block[n]);
                }
            }
            put_mcus(d, row, x, x + 1, block, nonzero);
        }
    return JC_OK;
}
