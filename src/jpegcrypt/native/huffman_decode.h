/* Reading bits and blocks, and the walk over a scan's blocks, shared by the decoders into arrays
 * and into planes and by the instruction sets. */
#ifndef JPEGCRYPT_HUFFMAN_DECODE_H
#define JPEGCRYPT_HUFFMAN_DECODE_H

#include <assert.h>

#include "jpegcrypt.h"
#include "huffman.h"

/* An entry of jc_huffman_decoder.lookup for the next 10 bits:
 *   value << 16 | run << 8 | bits used, if the code and its additional bits fit; the run of an end
 *   of block is JC_END_OF_BLOCK, that of a DC difference is 0;
 *   size << 24 | length << 16 | run << 8 | JC_LOOKUP_PARTIAL, if only the code fits, and for ZRL;
 *   JC_LOOKUP_PARTIAL, if the code is longer. */
enum { JC_LOOKUP_PARTIAL = 0x80, JC_LOOKUP_USED = 63, JC_END_OF_BLOCK = 64 };

/* ---- Bits ---- */

/* At least 56 bits follow; the bits below `count` may already be the true next ones. */
static inline void jc_refill(jc_reader *r) {
    r->bits |= jc_load_be64(r->next) >> r->count;
    r->next += (63 - r->count) >> 3;
    r->count |= 56;
}

static inline void jc_skip(jc_reader *r, int n) {
    assert(n <= r->count);
    r->bits <<= n;
    r->count -= n;
}

static inline uint32_t jc_take(jc_reader *r, int n) { /* n <= 16 bits */
    uint32_t value = (uint32_t)(r->bits >> 1 >> (63 - n));
    jc_skip(r, n);
    return value;
}

static inline int jc_extend(uint32_t bits, int size) { /* F.2.2.1 */
    return size && bits < 1u << (size - 1) ? (int)bits - (1 << size) + 1 : (int)bits;
}

static inline int jc_long_symbol(jc_reader *r, const jc_huffman_decoder *decoder) { /* Figure F.16 */
    uint32_t next = (uint32_t)(r->bits >> 48);
    int length = JC_LOOKUP_BITS + 1;
    while (length <= 16 && next >= decoder->code_end[length]) length++;
    if (length > 16) return -1;
    jc_skip(r, length);
    return decoder->values[(decoder->offset[length] + (int)(next >> (16 - length))) & 255];
}

static inline int jc_take_symbol(jc_reader *r, const jc_huffman_decoder *decoder) {
    uint32_t entry = decoder->symbol[r->bits >> (64 - JC_LOOKUP_BITS)];
    if (!entry) return jc_long_symbol(r, decoder);
    jc_skip(r, (int)(entry >> 8));
    return (int)(entry & 255);
}

/* ---- Sequential blocks (F.2.2) ---- */

static inline jc_status jc_take_dc(jc_reader *r, const jc_huffman_decoder *dc, int i) {
    jc_refill(r);
    int size = jc_take_symbol(r, dc);
    if (size < 0) return JC_BAD_CODE;
    r->dc_prediction[i] += (uint32_t)jc_extend(jc_take(r, size), size);
    return JC_OK;
}

/* The run and value of a code that jc_huffman_decoder.lookup does not hold whole. */
static inline jc_status jc_take_partial(jc_reader *r, const jc_huffman_decoder *decoder, int is_dc,
                                        uint32_t entry, int *run, int *value) {
    jc_refill(r);
    int length = entry >> 16 & 0xFF, size = (int)(entry >> 24);
    *run = entry >> 8 & 0xFF;
    if (length) {
        jc_skip(r, length);
    } else {
        int symbol = jc_long_symbol(r, decoder);
        if (symbol < 0) return JC_BAD_CODE;
        size = symbol & 15;
        *run = size || symbol == 0xF0 || is_dc ? symbol >> 4 : JC_END_OF_BLOCK;
    }
    *value = jc_extend(jc_take(r, size), size);
    return JC_OK;
}

static inline __attribute__((always_inline)) jc_status jc_decode_block_inline(
    jc_reader *reader, const jc_scan *scan, int i, const uint8_t *order, int16_t *block,
    uint8_t **values_end, uint64_t *nonzero) {
    const jc_huffman_decoder *dc = scan->dc[i], *ac = scan->ac[i];
    jc_reader r = {.bits = reader->bits, .count = reader->count, .next = reader->next}; /* registers */
    uint8_t *values = *values_end;
    uint64_t mask = 0;
    jc_status status = JC_OK;
    int run, value;

    jc_refill(&r);
    uint32_t entry = dc->lookup[r.bits >> (64 - JC_LOOKUP_BITS)];
    if (entry & JC_LOOKUP_PARTIAL) {
        if ((status = jc_take_partial(&r, dc, 1, entry, &run, &value))) goto end;
    } else {
        jc_skip(&r, (int)(entry & JC_LOOKUP_USED));
        value = (int16_t)(entry >> 16);
    }
    block[0] = (int16_t)(reader->dc_prediction[i] += (uint32_t)value);
    mask = block[0] != 0;
    jc_store_le16(values, block[0]);
    values += 2 * mask;
    for (int k = 1; k < 64;) {
        jc_refill(&r); /* 56 bits: enough for four short codes, and a long one refills twice */
#pragma GCC unroll 4
        for (int code = 0; code < 4 && k < 64; code++, k++) {
            entry = ac->lookup[r.bits >> (64 - JC_LOOKUP_BITS)];
            run = entry >> 8 & 0xFF;
            value = (int16_t)(entry >> 16);
            if (__builtin_expect(entry & JC_LOOKUP_PARTIAL, 0)) {
                if ((status = jc_take_partial(&r, ac, 0, entry, &run, &value))) goto end;
                jc_refill(&r); /* it took up to 16 + 15 bits of 56: too little for three codes */
                if (run == 15 && !value) { /* ZRL */
                    k += run;
                    continue;
                }
            } else {
                jc_skip(&r, (int)(entry & JC_LOOKUP_USED));
            }
            k += run;
            if (k > 63) {
                if (run != JC_END_OF_BLOCK) status = JC_BAD_RUN;
                goto end;
            }
            block[order[k]] = (int16_t)value;
            jc_store_le16(values, (int16_t)value);
            values += 2;
            mask |= 1ull << k;
        }
    }
end:
    reader->bits = r.bits;
    reader->count = r.count;
    reader->next = r.next;
    *values_end = values;
    *nonzero = mask;
    return status;
}

jc_status jc_decode_block_c(jc_reader *r, const jc_scan *scan, int i, const uint8_t *order,
                            int16_t *block, uint8_t **values_end, uint64_t *nonzero);

/* ---- The walk over the MCUs of a scan ---- */

/* After each block: whether more was taken than the data and the zeros behind it can give. */
static inline int jc_overrun(const jc_reader *r) { return r->next > r->end + 8; }

#define JC_PADDING_BLOCK ((size_t)-1) /* beyond the edge of the component: read and dropped */

/* Decodes one block of component i of the scan, at raster position `block` of its component. */
typedef jc_status (*jc_visit)(jc_reader *reader, const jc_scan *scan, int i, size_t block,
                              void *context);

jc_status jc_walk_scan(const jc_scan *scan, jc_visit visit, void *context, size_t *position);

#endif
