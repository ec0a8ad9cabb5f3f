/* The encoder: drives color, blocks and entropy coding over batches of MCUs.
 *
 * The picture is turned into planes once, because the permutation reaches all of it. Then each
 * batch is transformed, turned into tokens and (when the tables are known) into bytes while it is
 * in the first-level cache; a coefficient image is never stored. */
#include "jpegcrypt.h"
#include "huffman.h"

#include <stdlib.h>
#include <string.h>

enum {
    MAX_BLOCKS = 10,                        /* of an MCU, B.2.3 */
    MAX_TOKENS = 1 + 63 + 1,                /* of a block: DC, AC, EOB; ZRL stands for 16 zeros */
    CHUNK = 4096,                           /* tokens turned into bytes at a time */
    CHUNK_BYTES = CHUNK * 27 / 8 + 1 + 8,   /* a code has 16 bits, its additional bits 11 */
    STUFF_SLACK = 64,                       /* wide stores may reach beyond the end */
};

static const uint8_t no_record[JC_RECORD];

typedef struct {
    const jc_encoder *in;
    jc_encoded *out;
    uint8_t *plane[JC_MAX_COMPONENTS];
    int dc_prediction[JC_MAX_COMPONENTS];
    jc_emit_table emit;
    jc_bit_writer writer;
    jc_buffer tokens;   /* of the whole picture, when the tables are still to be made */
    jc_buffer restarts; /* size_t: number of tokens before each restart marker */
} state;

static jc_status write_tokens(state *s, const uint32_t *tokens, size_t n) {
    uint8_t bytes[CHUNK_BYTES];
    jc_buffer *scan = &s->out->scan;
    for (size_t chunk; n; tokens += chunk, n -= chunk) {
        chunk = n < CHUNK ? n : CHUNK;
        size_t size = (size_t)(s->in->kernels->emit(&s->writer, tokens, chunk, s->emit, bytes) - bytes);
        if (jc_reserve(scan, 2 * size + STUFF_SLACK)) return JC_NO_MEMORY;
        uint8_t *end = s->in->kernels->stuff(bytes, size, scan->data + scan->size);
        scan->size = (size_t)(end - scan->data);
    }
    return JC_OK;
}

static jc_status finish_interval(state *s) {
    uint8_t byte[1];
    jc_buffer *scan = &s->out->scan;
    size_t size = (size_t)(jc_emit_flush(&s->writer, byte) - byte);
    if (jc_reserve(scan, 2 + STUFF_SLACK)) return JC_NO_MEMORY;
    scan->size = (size_t)(s->in->kernels->stuff(byte, size, scan->data + scan->size) - scan->data);
    return JC_OK;
}

static jc_status write_restart(state *s, uint32_t index) {
    if (finish_interval(s) || jc_reserve(&s->out->scan, 2)) return JC_NO_MEMORY;
    uint8_t *out = s->out->scan.data + s->out->scan.size;
    out[0] = 0xFF;
    out[1] = (uint8_t)(0xD0 + (index & 7)); /* RST0..RST7 */
    s->out->scan.size += 2;
    return JC_OK;
}

/* Coefficients of MCUs [first, last) of a row, in coded order, and whose they are; those beyond the
 * edge are padding. */
static int transform(state *s, uint32_t row, uint32_t first, uint32_t last, int16_t (*block)[64],
                     uint64_t *nonzero, uint8_t *component, uint8_t *padding) {
    const jc_frame *frame = s->in->frame;
    int n = 0;
    for (uint32_t mcu = first; mcu < last; mcu++)
        for (int c = 0; c < frame->n_components; c++) {
            const jc_component *p = &frame->component[c];
            const jc_plan *plan = &s->in->plan[c];
            size_t blocks = (size_t)p->blocks_w * p->blocks_h;
            for (int v = 0; v < p->v; v++)
                for (int h = 0; h < p->h; h++, n++) {
                    uint32_t x = mcu * (uint32_t)p->h + (uint32_t)h;
                    uint32_t y = row * (uint32_t)p->v + (uint32_t)v;
                    component[n] = (uint8_t)c;
                    padding[n] = x >= p->blocks_w || y >= p->blocks_h;
                    if (padding[n]) continue;
                    size_t o = (size_t)y * p->blocks_w + x, source = o;
                    const uint8_t *record = no_record;
                    if (plan->records) {
                        source = plan->permutation[o];
                        record = plan->records + o * JC_RECORD;
                        size_t ahead = o + JC_PREFETCH < blocks ? o + JC_PREFETCH : o;
                        __builtin_prefetch(s->plane[c] +
                                           (size_t)plan->permutation[ahead] * JC_BLOCK);
                    }
                    nonzero[n] = s->in->kernels->forward_block(s->plane[c] + source * JC_BLOCK,
                                                               record, s->in->bank,
                                                               s->in->quantizer[c], block[n]);
                }
        }
    return n;
}

/* Blocks beyond the edge repeat the last DC value and have no AC, as libjpeg writes them; they
 * carry nothing, and a lossless rewrite by other tools makes them anew. */
static uint32_t *pad_block(uint32_t table_bits, uint32_t *tokens) {
    *tokens++ = JC_TOKEN_DC | table_bits;
    *tokens++ = table_bits;
    return tokens;
}

static jc_status encode_batch(state *s, uint32_t row, uint32_t first, uint32_t last,
                              uint32_t (*histogram)[256]) {
    enum { N = JC_BATCH * MAX_BLOCKS };
    _Alignas(64) int16_t block[N][64];
    uint64_t nonzero[N];
    uint8_t component[N], padding[N];
    uint32_t batch_tokens[N * MAX_TOKENS + JC_SLACK], *tokens = batch_tokens;
    uint8_t no_message[JC_MAX_MESSAGE];
    jc_buffer *message = &s->out->message;

    int n = transform(s, row, first, last, block, nonzero, component, padding);
    if (s->in->want_message && jc_reserve(message, (size_t)n * JC_MAX_MESSAGE)) return JC_NO_MEMORY;
    if (s->in->optimize) {
        if (jc_reserve(&s->tokens, ((size_t)n * MAX_TOKENS + JC_SLACK) * sizeof *tokens))
            return JC_NO_MEMORY;
        tokens = (uint32_t *)(void *)(s->tokens.data + s->tokens.size);
    }

    uint32_t *start = tokens;
    for (int i = 0; i < n; i++) {
        uint32_t table_bits = component[i] ? JC_TOKEN_CHROMA : 0;
        if (padding[i]) {
            tokens = pad_block(table_bits, tokens);
            continue;
        }
        uint8_t *out = s->in->want_message ? message->data + message->size : no_message;
        tokens = s->in->kernels->tokenize(block[i], nonzero[i], &s->dc_prediction[component[i]],
                                          table_bits, tokens, jc_store_le64(out, nonzero[i]));
        if (s->in->want_message)
            message->size += 8 + 2 * (size_t)__builtin_popcountll(nonzero[i]);
    }
    size_t count = (size_t)(tokens - start);
    if (!s->in->optimize) return write_tokens(s, start, count);
    for (size_t i = 0; i < count; i++) {
        uint32_t key = start[i] >> 16;
        histogram[key >> 8][key & 255]++;
    }
    s->tokens.size += count * sizeof *tokens;
    return JC_OK;
}

static jc_status restart(state *s, uint32_t index) {
    memset(s->dc_prediction, 0, sizeof s->dc_prediction);
    if (!s->in->optimize) return write_restart(s, index);
    size_t before = s->tokens.size / sizeof(uint32_t);
    if (jc_reserve(&s->restarts, sizeof before)) return JC_NO_MEMORY;
    memcpy(s->restarts.data + s->restarts.size, &before, sizeof before);
    s->restarts.size += sizeof before;
    return JC_OK;
}

static jc_status write_optimized(state *s, const uint32_t (*histogram)[256]) {
    int tables = s->in->frame->n_components == 1 ? 2 : 4;
    for (int t = 0; t < tables; t++) {
        jc_huffman_optimize(histogram[t], &s->out->tables[t]);
        jc_emit_table_init(s->emit, t, &s->out->tables[t], 0);
    }
    const uint32_t *tokens = (const uint32_t *)(void *)s->tokens.data;
    size_t done = 0, n = s->tokens.size / sizeof *tokens;
    for (size_t i = 0; i < s->restarts.size / sizeof(size_t); i++) {
        size_t before;
        memcpy(&before, s->restarts.data + i * sizeof before, sizeof before);
        if (write_tokens(s, tokens + done, before - done) || write_restart(s, (uint32_t)i))
            return JC_NO_MEMORY;
        done = before;
    }
    return write_tokens(s, tokens + done, n - done);
}

static jc_status encode(state *s, const uint8_t *image, ptrdiff_t row_stride) {
    const jc_frame *frame = s->in->frame;
    uint32_t histogram[JC_TOKEN_TABLES][256] = {{0}};
    jc_status status = jc_image_to_planes(s->in->kernels, frame, image, row_stride, s->plane);
    if (status) return status;
    if (!s->in->optimize)
        for (int t = 0; t < (frame->n_components == 1 ? 2 : 4); t++)
            if (!jc_emit_table_init(s->emit, t, &s->out->tables[t], 1)) return JC_BAD_TABLE;

    uint32_t interval = s->in->restart_interval, left = interval, restarts = 0;
    for (uint32_t row = 0; row < frame->mcus_h; row++)
        for (uint32_t first = 0, last; first < frame->mcus_w; first = last) {
            if (interval && !left) {
                if ((status = restart(s, restarts++))) return status;
                left = interval;
            }
            last = first + JC_BATCH < frame->mcus_w ? first + JC_BATCH : frame->mcus_w;
            if (interval && last - first > left) last = first + left;
            if ((status = encode_batch(s, row, first, last, histogram))) return status;
            left -= interval ? last - first : 0;
        }
    if (s->in->optimize && (status = write_optimized(s, (const uint32_t(*)[256])histogram)))
        return status;
    return finish_interval(s);
}

jc_status jc_encode(const jc_encoder *encoder, const uint8_t *image, ptrdiff_t row_stride,
                    jc_encoded *out) {
    state s = {.in = encoder, .out = out};
    size_t blocks = 0;
    for (int c = 0; c < encoder->frame->n_components; c++)
        blocks += jc_component_blocks(encoder->frame, c);
    if (blocks > SIZE_MAX / 2 / JC_BLOCK - 1) return JC_NO_MEMORY; /* on a 32-bit machine */
    uint8_t *planes = malloc(blocks * JC_BLOCK + JC_CACHE_LINE);
    if (!planes) return JC_NO_MEMORY;
    jc_use_large_pages(planes, blocks * JC_BLOCK);
    s.plane[0] = jc_align(planes);
    for (int c = 1; c < encoder->frame->n_components; c++)
        s.plane[c] = s.plane[c - 1] + jc_component_blocks(encoder->frame, c - 1) * JC_BLOCK;
    jc_status status = encode(&s, image, row_stride);
    free(planes);
    jc_free(&s.tokens);
    jc_free(&s.restarts);
    return status;
}
