/* Entropy decoding: bytes to bits, bits to coefficients; sequential and progressive scans.
 *
 * Hostile input is bounded three ways: reads stay inside the data and its zero padding (the
 * position is looked at after each block), spectral positions are checked before each store,
 * and the number of blocks comes from a frame whose size was checked. */
#include "jpegcrypt.h"
#include "huffman.h"
#include "huffman_decode.h"

#include <stdlib.h>

/* ---- Bytes ---- */

/* The end of the entropy-coded data: the first 0xFF that is followed by neither 0, nor RSTn, nor
 * another 0xFF (a fill byte, B.1.1.2). */
static size_t find_end(const uint8_t *file, size_t size, size_t start, size_t *restarts) {
    size_t i = start;
    *restarts = 0;
    while (i < size) {
        const uint8_t *ff = memchr(file + i, 0xFF, size - i);
        if (!ff) return size;
        i = (size_t)(ff - file) + 1;
        if (i == size) return size;
        if (file[i] == 0xFF) continue;
        if (file[i] >= 0xD0 && file[i] <= 0xD7)
            ++*restarts;
        else if (file[i])
            return i - 1;
        i++;
    }
    return size;
}

jc_status jc_unstuff(const uint8_t *file, size_t size, size_t start, jc_entropy *out) {
    size_t restarts;
    *out = (jc_entropy){.memory = out->memory, .source_start = start, .restarts_in_order = 1};
    out->source_end = find_end(file, size, start, &restarts);
    out->ends = malloc((restarts + 1) * sizeof *out->ends);
    if (!out->ends || jc_reserve(&out->memory, out->source_end - start + JC_READ_AHEAD)) {
        jc_entropy_free(out);
        return JC_NO_MEMORY;
    }
    out->data = out->memory.data;
    uint8_t *target = out->data;
    for (size_t i = start; i < out->source_end;) {
        const uint8_t *ff = memchr(file + i, 0xFF, out->source_end - i);
        size_t run = (ff ? (size_t)(ff - file) : out->source_end) - i;
        memcpy(target, file + i, run);
        target += run;
        i += run + 1;
        if (!ff || i >= out->source_end || file[i] == 0xFF) continue;
        if (file[i] == 0) {
            *target++ = 0xFF;
        } else if (out->n_intervals < restarts) { /* as counted: the source may be changing */
            out->restarts_in_order &= (size_t)(file[i] - 0xD0) == (out->n_intervals & 7);
            out->ends[out->n_intervals++] = (size_t)(target - out->data);
        }
        i++;
    }
    out->size = (size_t)(target - out->data);
    out->ends[out->n_intervals++] = out->size;
    memset(target, 0, JC_READ_AHEAD);
    return JC_OK;
}

void jc_entropy_free(jc_entropy *entropy) {
    jc_free(&entropy->memory);
    free(entropy->ends);
    entropy->data = NULL;
    entropy->ends = NULL;
}

size_t jc_source_offset(const jc_entropy *entropy, const uint8_t *file, size_t position) {
    size_t i = entropy->source_start;
    for (; i < entropy->source_end && position; i++) {
        if (file[i] != 0xFF)
            position--;
        else if (i + 1 < entropy->source_end && file[i + 1] != 0xFF)
            position -= file[++i] == 0;
    }
    return i;
}

/* ---- Tables ---- */

static void fill(uint32_t *entries, uint32_t n, uint32_t entry) {
    for (uint32_t i = 0; i < n; i++) entries[i] = entry;
}

/* The entries of a code: what follows it in the 10 bits decides the value, if it is there whole. */
static void fill_lookup(uint32_t *entries, int length, int symbol, int is_dc) {
    int size = symbol & 15, run = symbol >> 4, rest = JC_LOOKUP_BITS - length;
    if (!size && run != 15) {
        fill(entries, 1u << rest, (is_dc ? 0 : JC_END_OF_BLOCK << 8) | (uint32_t)length);
    } else if (!size || size > rest) {
        fill(entries, 1u << rest,
             (uint32_t)(size << 24 | length << 16 | run << 8) | JC_LOOKUP_PARTIAL);
    } else {
        uint32_t same = 1u << (rest - size), used = (uint32_t)(run << 8 | (length + size));
        for (uint32_t bits = 0; bits < 1u << size; bits++, entries += same)
            fill(entries, same, (uint32_t)(uint16_t)jc_extend(bits, size) << 16 | used);
    }
}

int jc_huffman_decoder_init(jc_huffman_decoder *decoder, const jc_huffman_table *huffman,
                            int is_dc) {
    uint32_t code = 0, filled = 0;
    int k = 0;
    memcpy(decoder->values, huffman->values, sizeof decoder->values);
    for (int length = 1; length <= 16; length++, code <<= 1) {
        decoder->offset[length] = k - (int)code;
        for (int i = 0; i < huffman->bits[length]; i++, code++, k++) {
            if (k >= huffman->n_values || code >> length) return 0;
            int symbol = huffman->values[k];
            if (is_dc && symbol > 15) return 0;
            if (length > JC_LOOKUP_BITS) continue;
            uint32_t span = 1u << (JC_LOOKUP_BITS - length);
            for (uint32_t j = 0; j < span; j++)
                decoder->symbol[filled + j] = (uint16_t)(length << 8 | symbol);
            fill_lookup(decoder->lookup + filled, length, symbol, is_dc);
            filled += span; /* codes ascend */
        }
        decoder->code_end[length] = code << (16 - length);
    }
    memset(decoder->symbol + filled, 0, sizeof decoder->symbol - filled * sizeof *decoder->symbol);
    fill(decoder->lookup + filled, (1u << JC_LOOKUP_BITS) - filled, JC_LOOKUP_PARTIAL);
    return k == huffman->n_values;
}

/* ---- Sequential blocks ---- */

jc_status jc_decode_block_c(jc_reader *r, const jc_scan *scan, int i, const uint8_t *order,
                            int16_t *block, uint8_t **values, uint64_t *nonzero) {
    return jc_decode_block_inline(r, scan, i, order, block, values, nonzero);
}

/* ---- The walk over the MCUs of a scan ---- */

static jc_status start_interval(jc_walk *w, size_t interval) {
    const jc_entropy *e = w->scan->entropy;
    const uint8_t *end = e->data + e->size;
    w->reader = (jc_reader){.next = end, .end = end}; /* what is wrong is found there */
    if (interval >= e->n_intervals) return JC_BAD_RESTART;
    w->interval = interval;
    w->left = w->scan->restart_interval;
    w->reader.next = e->data + (interval ? e->ends[interval - 1] : 0);
    w->reader.end = e->data + e->ends[interval];
    return JC_OK;
}

/* Bits taken beyond the end show only here: blocks are checked no closer than 8 bytes. */
static jc_status finish_interval(const jc_reader *r) {
    return r->next - r->count / 8 > r->end ? JC_TRUNCATED : JC_OK;
}

jc_status jc_walk_start(jc_walk *w, const jc_scan *scan, size_t interval) {
    w->scan = scan;
    return start_interval(w, interval);
}

jc_status jc_walk_mcu(jc_walk *w) {
    if (!w->scan->restart_interval || w->left--) return JC_OK;
    jc_status status = finish_interval(&w->reader);
    if (!status) status = start_interval(w, w->interval + 1);
    w->left--;
    return status;
}

jc_status jc_walk_end(const jc_walk *w, int is_last) {
    const jc_entropy *e = w->scan->entropy;
    if (finish_interval(&w->reader)) return JC_TRUNCATED;
    if (!is_last) return JC_OK;
    return w->interval + 1 != e->n_intervals || !e->restarts_in_order ? JC_BAD_RESTART : JC_OK;
}

size_t jc_walk_position(const jc_walk *w) {
    const uint8_t *at = w->reader.next - w->reader.count / 8;
    return (size_t)((at < w->reader.end ? at : w->reader.end) - w->scan->entropy->data);
}

static jc_status visit_mcu(jc_walk *w, uint32_t mcu_x, uint32_t mcu_y, jc_visit visit,
                           void *context) {
    const jc_scan *scan = w->scan;
    for (int i = 0; i < scan->n_components; i++) {
        const jc_component *p = &scan->frame->component[scan->component[i]];
        int single = scan->n_components == 1; /* A.2.2 */
        for (int v = 0; v < (single ? 1 : p->v); v++)
            for (int h = 0; h < (single ? 1 : p->h); h++) {
                uint32_t x = single ? mcu_x : mcu_x * (uint32_t)p->h + (uint32_t)h;
                uint32_t y = single ? mcu_y : mcu_y * (uint32_t)p->v + (uint32_t)v;
                size_t block = x < p->blocks_w && y < p->blocks_h
                                   ? (size_t)y * p->blocks_w + x
                                   : JC_PADDING_BLOCK;
                jc_status status = visit(&w->reader, scan, i, block, context);
                if (status) return status;
                if (jc_overrun(&w->reader)) return JC_TRUNCATED;
            }
    }
    return JC_OK;
}

jc_status jc_walk_scan(const jc_scan *scan, jc_visit visit, void *context, size_t *position) {
    const jc_frame *frame = scan->frame;
    const jc_component *first = &frame->component[scan->component[0]];
    uint32_t mcus_w = scan->n_components == 1 ? first->blocks_w : frame->mcus_w;
    uint32_t mcus_h = scan->n_components == 1 ? first->blocks_h : frame->mcus_h;
    jc_walk walk;
    jc_status status = jc_walk_start(&walk, scan, 0);
    for (uint32_t y = 0; y < mcus_h && !status; y++)
        for (uint32_t x = 0; x < mcus_w && !status; x++) {
            status = jc_walk_mcu(&walk);
            if (!status) status = visit_mcu(&walk, x, y, visit, context);
        }
    if (!status) status = jc_walk_end(&walk, 1);
    if (status) *position = jc_walk_position(&walk);
    return status;
}

/* ---- Scans into coefficient arrays ---- */

typedef struct {
    const jc_kernels *kernels;
    int16_t *const *coefficients;
} array_context;

static int16_t *target(const jc_scan *scan, int i, size_t block, void *context, int16_t *padding) {
    const array_context *arrays = context;
    return block == JC_PADDING_BLOCK
               ? padding
               : arrays->coefficients[scan->component[i]] + block * JC_BLOCK;
}

static jc_status visit_sequential(jc_reader *r, const jc_scan *scan, int i, size_t block,
                                  void *context) {
    int16_t padding[64];
    uint8_t unused[JC_MAX_MESSAGE], *values = unused;
    uint64_t nonzero;
    const array_context *arrays = context;
    return arrays->kernels->decode_block(r, scan, i, jc_natural,
                                         target(scan, i, block, context, padding), &values,
                                         &nonzero);
}

jc_status jc_decode_sequential(const jc_kernels *k, const jc_scan *scan,
                               int16_t *const *coefficients, size_t *position) {
    array_context arrays = {k, coefficients};
    return jc_walk_scan(scan, visit_sequential, &arrays, position);
}

/* ---- Progressive scans (G.1.2, G.2) ---- */

static jc_status visit_dc_first(jc_reader *r, const jc_scan *scan, int i, size_t block,
                                void *context) {
    int16_t padding[64];
    jc_status status = jc_take_dc(r, scan->dc[i], i);
    if (status) return status;
    target(scan, i, block, context, padding)[0] = (int16_t)(r->dc_prediction[i] << scan->low);
    return JC_OK;
}

static jc_status visit_dc_refine(jc_reader *r, const jc_scan *scan, int i, size_t block,
                                 void *context) {
    int16_t padding[64] = {0};
    jc_refill(r);
    if (jc_take(r, 1)) target(scan, i, block, context, padding)[0] |= (int16_t)(1 << scan->low);
    return JC_OK;
}

static uint32_t take_eob_run(jc_reader *r, int run) { /* EOBn of Table G.1, this block counted */
    return (1u << run) + jc_take(r, run);
}

static jc_status visit_ac_first(jc_reader *r, const jc_scan *scan, int i, size_t block,
                                void *context) {
    int16_t *out = target(scan, i, block, context, NULL);
    if (r->eob_run) {
        r->eob_run--;
        return JC_OK;
    }
    for (int k = scan->spectral_start; k <= scan->spectral_end; k++) {
        jc_refill(r);
        int symbol = jc_take_symbol(r, scan->ac[i]);
        if (symbol < 0) return JC_BAD_CODE;
        int run = symbol >> 4, size = symbol & 15;
        if (!size && run < 15) {
            r->eob_run = take_eob_run(r, run) - 1;
            return JC_OK;
        }
        k += run;
        if (k > scan->spectral_end) return JC_BAD_RUN;
        if (size)
            out[jc_natural[k]] = (int16_t)((uint32_t)jc_extend(jc_take(r, size), size) << scan->low);
    }
    return JC_OK;
}

/* One more bit for a coefficient that is not zero yet known to be so (G.1.2.3). */
static void correct(jc_reader *r, int16_t *coefficient, int bit) {
    jc_refill(r);
    if (jc_take(r, 1) && !(*coefficient & bit))
        *coefficient = (int16_t)(*coefficient + (*coefficient > 0 ? bit : -bit));
}

static jc_status visit_ac_refine(jc_reader *r, const jc_scan *scan, int i, size_t block,
                                 void *context) {
    int16_t *out = target(scan, i, block, context, NULL);
    int bit = 1 << scan->low, k = scan->spectral_start;
    while (!r->eob_run && k <= scan->spectral_end) {
        jc_refill(r);
        int symbol = jc_take_symbol(r, scan->ac[i]);
        if (symbol < 0) return JC_BAD_CODE;
        int run = symbol >> 4, size = symbol & 15, value = 0;
        if (size > 1) return JC_BAD_REFINEMENT;
        if (size) {
            value = jc_take(r, 1) ? bit : -bit;
        } else if (run < 15) {
            r->eob_run = take_eob_run(r, run);
            break;
        }
        for (; k <= scan->spectral_end; k++) {
            int16_t *coefficient = &out[jc_natural[k]];
            if (*coefficient)
                correct(r, coefficient, bit);
            else if (!run--)
                break;
        }
        if (k > scan->spectral_end && value) return JC_BAD_RUN;
        if (value) out[jc_natural[k]] = (int16_t)value;
        k++;
    }
    if (r->eob_run) {
        for (; k <= scan->spectral_end; k++)
            if (out[jc_natural[k]]) correct(r, &out[jc_natural[k]], bit);
        r->eob_run--;
    }
    return JC_OK;
}

jc_status jc_decode_progressive(const jc_scan *scan, int16_t *const *coefficients,
                                size_t *position) {
    jc_visit visit = scan->spectral_start == 0 ? scan->high ? visit_dc_refine : visit_dc_first
                     : scan->high              ? visit_ac_refine
                                               : visit_ac_first;
    array_context arrays = {NULL, coefficients};
    return jc_walk_scan(scan, visit, &arrays, position);
}
