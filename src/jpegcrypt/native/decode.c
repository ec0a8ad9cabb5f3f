/* The decoder: entropy-coded data or coefficient arrays to tile planes and to the message that
 * the tag authenticates.
 *
 * The blocks of an MCU are taken from the bits while those of the one before become tiles, all in the
 * first-level cache. Threads may share the work: each takes restart intervals of its own; without
 * restart markers there may be two, one a stage, with rows of MCUs between them. */
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

/* What is the same for all blocks of a component. */
typedef struct {
    size_t last; /* block */
    int step, dc_shift, dc_bound;
    const int16_t *shrink;
} block_kind;

/* The blocks of an MCU; coefficient arrays may have more of them than a scan that interleaves. */
typedef struct {
    int n;
    struct {
        uint8_t c, h, v;
    } at[JC_MAX_SAMPLING];
    block_kind of[JC_MAX_COMPONENTS];
} mcu_layout;

static mcu_layout layout_of(const jc_decoder *d) {
    mcu_layout layout = {0};
    for (int c = 0; c < d->frame->n_components; c++) {
        const jc_component *p = &d->frame->component[c];
        int step = d->quantizer[c]->natural[0];
        int full = p->h == d->frame->h_max && p->v == d->frame->v_max;
        layout.of[c] = (block_kind){.last = jc_component_blocks(d->frame, c) - 1,
                                    .step = step,
                                    .dc_shift = jc_dc_shift(d->level[c], step),
                                    .dc_bound = jc_dc_bound(step),
                                    .shrink = full ? jc_shrink_ac : jc_shrink_none};
        for (int v = 0; v < p->v; v++)
            for (int h = 0; h < p->h; h++, layout.n++) {
                layout.at[layout.n].c = (uint8_t)c;
                layout.at[layout.n].h = (uint8_t)h;
                layout.at[layout.n].v = (uint8_t)v;
            }
    }
    return layout;
}

/* Raster position of block i of an MCU in its component, or JC_PADDING_BLOCK. */
static size_t raster_position(const jc_decoder *d, const mcu_layout *layout, uint32_t row,
                              uint32_t mcu, int i) {
    const jc_component *p = &d->frame->component[layout->at[i].c];
    uint32_t x = mcu * (uint32_t)p->h + layout->at[i].h, y = row * (uint32_t)p->v + layout->at[i].v;
    return x < p->blocks_w && y < p->blocks_h ? (size_t)y * p->blocks_w + x : JC_PADDING_BLOCK;
}

static void put_block(const jc_decoder *d, const mcu_layout *layout, uint32_t row, uint32_t mcu, int i,
                      int16_t *block, uint64_t nonzero) {
    size_t o = raster_position(d, layout, row, mcu, i);
    if (o == JC_PADDING_BLOCK) return;
    int c = layout->at[i].c;
    const block_kind *kind = &layout->of[c];
    const uint8_t *record = NULL;
    uint8_t *tile = d->planes[c] + o * JC_BLOCK;
    if (d->bank) {
        const jc_plan *plan = &d->plan[c];
        record = plan->records + o * JC_RECORD;
        int sign = jc_dc_sign(d->bank->inverse, d->bank->mask, record);
        if (d->dc[c])
            block[0] = d->dc[c][o];
        else if (kind->dc_shift)
            block[0] = (int16_t)jc_dc_wrap(block[0] + sign * kind->dc_shift, kind->dc_bound);
        size_t ahead = o + JC_PREFETCH < kind->last ? o + JC_PREFETCH : kind->last;
        __builtin_prefetch(plan->records + ahead * JC_RECORD);
        __builtin_prefetch(d->planes[c] + (size_t)plan->permutation[ahead] * JC_BLOCK, 1);
        tile = d->planes[c] + (size_t)plan->permutation[o] * JC_BLOCK;
    }
    if (!(nonzero & ~1ull))
        memset(tile, flat_sample(d->bank, record, block[0], kind->step), JC_BLOCK);
    else if (d->bank)
        d->kernels->inverse_block(block, nonzero, record, d->bank, d->quantizer[c], kind->shrink, tile);
    else
        d->kernels->inverse_dct(block, d->quantizer[c], tile);
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

/* Before the blocks of an MCU. */
static jc_status start_mcu(const jc_decoder *d, const mcu_layout *layout, jc_walk *walk,
                           int16_t (*block)[64]) {
    size_t n = (size_t)layout->n;
    if (d->message && jc_reserve(d->message, n * JC_MAX_MESSAGE)) return JC_NO_MEMORY;
    memset(block, 0, n * sizeof *block);
    return jc_walk_mcu(walk);
}

static jc_status take_block(const jc_decoder *d, const mcu_layout *layout, jc_walk *walk, uint32_t row,
                            uint32_t mcu, int i, int16_t *block, uint64_t *nonzero) {
    uint8_t unused[JC_MAX_MESSAGE], *message = message_end(d, unused), *values = message + 8;
    jc_status status = d->kernels->decode_block(&walk->reader, walk->scan, layout->at[i].c,
                                                block_order(d), block, &values, nonzero);
    if (status) return status;
    if (jc_overrun(&walk->reader)) return JC_TRUNCATED;
    if (raster_position(d, layout, row, mcu, i) != JC_PADDING_BLOCK)
        append_message(d, message, *nonzero, values);
    return JC_OK;
}

typedef struct {
    _Alignas(64) int16_t block[JC_MAX_MCU][64];
    uint64_t nonzero[JC_MAX_MCU];
} mcu_blocks;

/* Entropy decoding waits for itself and the inverse transform for its registers, so the processor does
 * both at once if they take turns: each block is put when the same one of the next MCU is taken, by when
 * its values have left the store buffer. */
jc_status jc_decode_to_planes(const jc_decoder *d, jc_walk *walk, uint32_t first, uint32_t last) {
    const mcu_layout layout = layout_of(d);
    mcu_blocks two[2], *end = &two[(d->frame->mcus_w - 1) & 1];
    for (uint32_t row = first; row < last; row++) {
        for (uint32_t mcu = 0; mcu < d->frame->mcus_w; mcu++) {
            mcu_blocks *this = &two[mcu & 1], *before = &two[~mcu & 1];
            jc_status status = start_mcu(d, &layout, walk, this->block);
            if (status) return status;
            for (int i = 0; i < layout.n; i++) {
                status = take_block(d, &layout, walk, row, mcu, i, this->block[i], &this->nonzero[i]);
                if (status) return status;
                if (mcu) put_block(d, &layout, row, mcu - 1, i, before->block[i], before->nonzero[i]);
            }
        }
        for (int i = 0; i < layout.n; i++)
            put_block(d, &layout, row, d->frame->mcus_w - 1, i, end->block[i], end->nonzero[i]);
    }
    return jc_walk_end(walk, last == d->frame->mcus_h);
}

/* ---- The two stages apart ---- */

/* Of a row of MCUs: coefficients, then masks. */
typedef struct {
    int16_t (*block)[64];
    uint64_t *nonzero;
} row_blocks;

static size_t row_size(const jc_frame *frame) {
    size_t n = 0;
    for (int c = 0; c < frame->n_components; c++)
        n += (size_t)(frame->component[c].h * frame->component[c].v);
    return n * frame->mcus_w;
}

size_t jc_row_bytes(const jc_frame *frame) {
    size_t bytes = row_size(frame) * (sizeof(int16_t[64]) + sizeof(uint64_t));
    return (bytes + JC_CACHE_LINE - 1) / JC_CACHE_LINE * JC_CACHE_LINE;
}

static row_blocks row_at(const jc_frame *frame, uint8_t *memory, uint32_t i) {
    int16_t(*block)[64] = (int16_t(*)[64])(void *)(memory + i * jc_row_bytes(frame));
    return (row_blocks){block, (uint64_t *)(void *)(block + row_size(frame))};
}

jc_status jc_decode_rows(const jc_decoder *d, jc_walk *walk, uint32_t first, uint32_t last,
                         uint8_t *memory) {
    const mcu_layout layout = layout_of(d);
    for (uint32_t row = first; row < last; row++) {
        row_blocks out = row_at(d->frame, memory, row - first);
        for (uint32_t mcu = 0; mcu < d->frame->mcus_w; mcu++) {
            jc_status status = start_mcu(d, &layout, walk, out.block);
            for (int i = 0; i < layout.n && !status; i++)
                status = take_block(d, &layout, walk, row, mcu, i, *out.block++, out.nonzero++);
            if (status) return status;
        }
    }
    return JC_OK;
}

void jc_put_rows(const jc_decoder *d, uint32_t first, uint32_t last, uint8_t *memory) {
    const mcu_layout layout = layout_of(d);
    for (uint32_t row = first; row < last; row++) {
        row_blocks in = row_at(d->frame, memory, row - first);
        for (uint32_t mcu = 0; mcu < d->frame->mcus_w; mcu++)
            for (int i = 0; i < layout.n; i++)
                put_block(d, &layout, row, mcu, i, *in.block++, *in.nonzero++);
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
    const mcu_layout layout = layout_of(d);
    _Alignas(64) int16_t block[64];
    for (uint32_t row = 0; row < d->frame->mcus_h; row++)
        for (uint32_t mcu = 0; mcu < d->frame->mcus_w; mcu++) {
            if (d->message && jc_reserve(d->message, (size_t)layout.n * JC_MAX_MESSAGE))
                return JC_NO_MEMORY;
            for (int i = 0; i < layout.n; i++) {
                size_t o = raster_position(d, &layout, row, mcu, i);
                if (o == JC_PADDING_BLOCK) continue;
                uint64_t nonzero = reorder(d, coefficients[layout.at[i].c] + o * JC_BLOCK, block);
                put_block(d, &layout, row, mcu, i, block, nonzero);
            }
        }
    return JC_OK;
}
