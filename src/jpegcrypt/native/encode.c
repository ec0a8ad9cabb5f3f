/* The encoder: drives color, blocks and entropy coding over batches of MCUs.
 *
 * The picture is turned into planes once, because the permutation reaches all of it. Then each
 * batch is transformed, turned into tokens and (when the tables are known) into bits while it is
 * in the first-level cache; a coefficient image is stored only for those who ask for one, and taken
 * from those who bring one. Rows of MCUs may be shared out among threads as slices, whose bits are
 * joined before the stuffing. */
#include "jpegcrypt.h"
#include "dc.h"
#include "huffman.h"
#include "trellis.h"

#include <stdlib.h>
#include <string.h>

enum {
    MAX_TOKENS = 1 + 63 + 1,  /* of a block: DC, AC, EOB; ZRL stands for 16 zeros */
    MAX_TOKEN_BYTES = 4,      /* a code has 16 bits, its additional bits 11 */
    CHUNK = 4096,             /* tokens written, or bytes joined and stuffed, at a time */
    STORE_SLACK = 64,         /* wide stores may reach beyond the end */
    SAMPLE = 32,              /* batches of which the trellis learns what codes cost */
};

static const uint8_t no_record[JC_RECORD];

/* ---- Coefficients ---- */

/* A batch of MCUs of one row, in coded order. */
typedef struct {
    _Alignas(64) int16_t block[JC_BATCH * JC_MAX_MCU][64];
    /* For the trellis only: before quantization; of DC what quantization left of it. */
    int16_t exact[JC_BATCH * JC_MAX_MCU][64];
    uint64_t nonzero[JC_BATCH * JC_MAX_MCU];
    uint8_t component[JC_BATCH * JC_MAX_MCU];
    uint8_t padding[JC_BATCH * JC_MAX_MCU]; /* beyond the edge of the component */
    uint8_t fixed[JC_BATCH * JC_MAX_MCU];   /* the next DC value is illegal, or means the opposite */
    int n;
    int unfit; /* of given coefficients: an AC value without a code (Table F.2) */
} batch;

static void set_dc(batch *b, int place, int value) {
    b->block[place][0] = (int16_t)value;
    b->nonzero[place] = (b->nonzero[place] & ~1ull) | (value != 0);
}

/* Blocks [o, o + n) of component c, h of them in each MCU, to places from `at` on. */
static void transform_row(const jc_encoder *e, int c, size_t o, uint32_t n, int at, int h, int mcu,
                          batch *out) {
    const jc_plan *plan = &e->plan[c];
    const uint8_t *plane = e->plane[c];
    size_t last = jc_component_blocks(e->frame, c) - 1;
    int step = e->quantizer[c]->natural[0], shift = jc_dc_shift(e->level[c], step), bound = jc_dc_bound(step);
    for (uint32_t i = 0, column = 0; i < n; i++, o++) {
        int place = at + (int)column;
        const uint8_t *tile = plane + o * JC_BLOCK, *record = no_record;
        if (plan->records) {
            tile = plane + (size_t)plan->permutation[o] * JC_BLOCK;
            record = plan->records + o * JC_RECORD;
            size_t ahead = o + JC_PREFETCH < last ? o + JC_PREFETCH : last;
            __builtin_prefetch(plane + (size_t)plan->permutation[ahead] * JC_BLOCK);
        }
        out->padding[place] = 0;
        out->nonzero[place] = e->kernels->forward_block(tile, record, e->bank, e->quantizer[c],
                                                        out->block[place],
                                                        e->trellis ? out->exact[place] : NULL);
        int plain = out->block[place][0], dc = plain;
        if (e->dc[c])
            dc = e->dc[c][o];
        else if (shift)
            dc = jc_dc_wrap(plain - jc_dc_sign(e->bank->forward, e->bank->mask, record) * shift, bound);
        set_dc(out, place, dc);
        if (e->trellis) {
            out->exact[place][0] -= (int16_t)(16 * step * plain);
            out->fixed[place] = abs(plain) >= bound || abs(dc) >= bound;
        }
        if (++column == (uint32_t)h) column = 0, at += mcu;
    }
}

/* The same from coefficients that are given. */
static void load_row(const jc_encoder *e, int c, size_t o, uint32_t n, int at, int h, int mcu,
                     batch *out) {
    const int16_t *natural = e->coefficients[c] + o * JC_BLOCK;
    for (uint32_t i = 0, column = 0; i < n; i++, natural += JC_BLOCK) {
        int place = at + (int)column;
        uint64_t nonzero = 0;
        for (int k = 0; k < JC_BLOCK; k++) {
            int16_t value = natural[jc_natural[k]];
            out->block[place][e->kernels->forward_order[k]] = value;
            nonzero |= (uint64_t)(value != 0) << k;
            out->unfit |= k && (value > JC_MAX_COEFFICIENT || value < -JC_MAX_COEFFICIENT);
        }
        out->nonzero[place] = nonzero;
        out->padding[place] = 0;
        if (++column == (uint32_t)h) column = 0, at += mcu;
    }
}

void jc_planes_to_coefficients(const jc_encoder *e, int c, int16_t *natural) {
    size_t n_blocks = jc_component_blocks(e->frame, c);
    batch b;
    for (size_t o = 0; o < n_blocks; o += JC_BATCH) {
        uint32_t n = n_blocks - o < JC_BATCH ? (uint32_t)(n_blocks - o) : JC_BATCH;
        transform_row(e, c, o, n, 0, 1, 1, &b);
        for (uint32_t i = 0; i < n; i++, natural += JC_BLOCK)
            for (int k = 0; k < JC_BLOCK; k++)
                natural[jc_natural[k]] = b.block[i][e->kernels->forward_order[k]];
    }
}

static void transform(const jc_encoder *e, uint32_t row, uint32_t first, uint32_t last, batch *out) {
    const jc_frame *frame = e->frame;
    int mcu = 0, at = 0; /* blocks of an MCU; of them before this row of a component */
    for (int c = 0; c < frame->n_components; c++) mcu += frame->component[c].h * frame->component[c].v;
    out->n = (int)(last - first) * mcu;
    out->unfit = 0;
    memset(out->padding, 1, sizeof out->padding);
    for (int c = 0; c < frame->n_components; c++) {
        const jc_component *p = &frame->component[c];
        uint32_t x = first * (uint32_t)p->h, end = last * (uint32_t)p->h;
        if (end > p->blocks_w) end = p->blocks_w;
        for (int v = 0; v < p->v; v++, at += p->h) {
            uint32_t y = row * (uint32_t)p->v + (uint32_t)v;
            for (int i = at; i < out->n; i += mcu)
                memset(out->component + i, c, (size_t)p->h);
            if (y < p->blocks_h && x < end)
                (e->coefficients[c] ? load_row : transform_row)(
                    e, c, (size_t)y * p->blocks_w + x, end - x, at, p->h, mcu, out);
        }
    }
}

/* The DC values that a slice which starts at `row` predicts from: of the last blocks before it. */
static void start_prediction(const jc_encoder *e, uint32_t row, int *dc_prediction) {
    batch before;
    memset(dc_prediction, 0, JC_MAX_COMPONENTS * sizeof *dc_prediction);
    if (!row) return;
    transform(e, row - 1, e->frame->mcus_w - 1, e->frame->mcus_w, &before);
    for (int i = 0; i < before.n; i++)
        if (!before.padding[i]) dc_prediction[before.component[i]] = before.block[i][0];
}

/* ---- Trellis ---- */

static void optimize(const jc_encoder *e, batch *b, const int *dc_prediction) {
    int place[JC_BATCH * JC_MAX_MCU];
    int16_t error[JC_BATCH * JC_MAX_MCU], value[JC_BATCH * JC_MAX_MCU];
    uint8_t fixed[JC_BATCH * JC_MAX_MCU];
    for (int c = 0; c < e->frame->n_components; c++) {
        const jc_component *p = &e->frame->component[c];
        const jc_rates *rates = &e->rates[c > 0];
        int full = p->h == e->frame->h_max && p->v == e->frame->v_max, n = 0;
        const int16_t *shrink = e->plan[c].records && full ? jc_shrink_ac : jc_shrink_none;
        for (int i = 0; i < b->n; i++) {
            if (b->component[i] != c || b->padding[i]) continue;
            b->nonzero[i] = jc_trellis_ac(rates, e->quantizer[c], e->kernels->forward_order, shrink,
                                          b->exact[i], b->block[i], b->nonzero[i]);
            place[n] = i;
            error[n] = b->exact[i][0];
            fixed[n] = b->fixed[i];
            value[n++] = b->block[i][0];
        }
        if (e->dc[c]) continue; /* a change would reach all blocks that are predicted from this one */
        if (n) fixed[n - 1] = 1; /* a slice predicts from it before it knows the choices here */
        jc_trellis_dc(rates, e->quantizer[c]->natural[0], dc_prediction[c], n, error, fixed, value);
        for (int i = 0; i < n; i++) set_dc(b, place[i], value[i]);
    }
}

/* ---- Tokens ---- */

/* Blocks beyond the edge repeat the last DC value and have no AC, as libjpeg writes them; they
 * carry nothing, and a lossless rewrite by other tools makes them anew. */
static uint32_t *pad_block(uint32_t table_bits, uint32_t *tokens) {
    *tokens++ = JC_TOKEN_DC | table_bits;
    *tokens++ = table_bits;
    return tokens;
}

/* `message` has room for JC_MAX_MESSAGE bytes a block, or is NULL. */
static uint32_t *tokenize(const jc_encoder *e, const batch *in, int *dc_prediction,
                          uint32_t *tokens, jc_buffer *message) {
    uint8_t no_message[JC_MAX_MESSAGE];
    for (int i = 0; i < in->n; i++) {
        uint32_t table_bits = in->component[i] ? JC_TOKEN_CHROMA : 0;
        if (in->padding[i]) {
            tokens = pad_block(table_bits, tokens);
            continue;
        }
        uint8_t *out = message ? message->data + message->size : no_message;
        uint8_t *values = jc_store_le64(out, in->nonzero[i]);
        tokens = e->kernels->tokenize(in->block[i], in->nonzero[i],
                                      &dc_prediction[in->component[i]], table_bits, tokens, &values);
        if (message) message->size += (size_t)(values - out);
    }
    return tokens;
}

/* Of given coefficients: refuses DC differences that have no code (Table F.1), and drops AC codes if
 * only those of DC values are wanted. */
static jc_status check_tokens(const jc_encoder *e, uint32_t *tokens, size_t *n) {
    size_t kept = 0;
    for (size_t i = 0; i < *n; i++) {
        int is_dc = (tokens[i] & JC_TOKEN_DC) != 0;
        if (is_dc && (tokens[i] >> 16 & 0xFF) > JC_MAX_DC_SIZE) return JC_BAD_VALUE;
        tokens[kept] = tokens[i];
        kept += is_dc || !e->dc_only;
    }
    *n = kept;
    return JC_OK;
}

/* Neighboring tokens are counted apart, so that equal ones do not wait for each other. */
static void count(const uint32_t *tokens, size_t n, uint32_t (*histogram)[JC_TOKEN_TABLES * 256]) {
    size_t i = 0;
    for (; i + 2 <= n; i += 2) {
        histogram[0][tokens[i] >> 16]++;
        histogram[1][tokens[i + 1] >> 16]++;
    }
    if (i < n) histogram[0][tokens[i] >> 16]++;
}

/* ---- Bits ---- */

static jc_status write_tokens(const jc_encoder *e, jc_slice *slice, const uint32_t *tokens, size_t n) {
    jc_buffer *bits = &slice->bits;
    for (size_t chunk; n; tokens += chunk, n -= chunk) {
        chunk = n < CHUNK ? n : CHUNK;
        if (jc_reserve(bits, chunk * MAX_TOKEN_BYTES + STORE_SLACK)) return JC_NO_MEMORY;
        uint8_t *end = e->kernels->emit(&slice->writer, tokens, chunk, e->emit, bits->data + bits->size);
        bits->size = (size_t)(end - bits->data);
    }
    return JC_OK;
}

/* Ends a piece: bits that other bits may have to precede within a byte, so padding comes later. */
static jc_status end_piece(jc_slice *slice) {
    jc_piece piece = {slice->bits.size, slice->writer.pending};
    if (jc_reserve(&slice->bits, STORE_SLACK) || jc_reserve(&slice->pieces, sizeof piece))
        return JC_NO_MEMORY;
    if (piece.tail_bits)
        slice->bits.data[slice->bits.size++] =
            (uint8_t)(slice->writer.accumulator << (8 - piece.tail_bits));
    slice->writer = (jc_bit_writer){0};
    memcpy(slice->pieces.data + slice->pieces.size, &piece, sizeof piece);
    slice->pieces.size += sizeof piece;
    return JC_OK;
}

/* ---- Rates ---- */

typedef struct {
    uint32_t histogram[2][JC_TOKEN_TABLES * 256];
    uint64_t squared_steps, values; /* of AC values that are not zero */
} statistics;

static void add_batch(const jc_encoder *e, uint32_t row, uint32_t first, uint32_t last, int rounded,
                      statistics *s) {
    batch b;
    uint32_t tokens[JC_BATCH * JC_MAX_MCU * MAX_TOKENS + JC_SLACK];
    int dc_prediction[JC_MAX_COMPONENTS] = {0};
    transform(e, row, first, last, &b);
    for (int i = b.n; i-- > 0;)
        if (!b.padding[i]) dc_prediction[b.component[i]] = b.block[i][0];
    if (!rounded) optimize(e, &b, dc_prediction);
    for (int i = 0; i < b.n; i++)
        for (uint64_t ac = b.padding[i] ? 0 : b.nonzero[i] & ~1ull; ac; ac &= ac - 1, s->values++) {
            uint32_t step = e->quantizer[b.component[i]]->natural[jc_natural[__builtin_ctzll(ac)]];
            s->squared_steps += step * step;
        }
    count(tokens, (size_t)(tokenize(e, &b, dc_prediction, tokens, NULL) - tokens), s->histogram);
}

/* Batches from all over the picture. */
static void add_sample(const jc_encoder *e, int rounded, statistics *s) {
    const jc_frame *frame = e->frame;
    uint32_t columns = (frame->mcus_w + JC_BATCH - 1) / JC_BATCH;
    uint64_t all = (uint64_t)columns * frame->mcus_h, n = all < SAMPLE ? all : SAMPLE;
    for (uint64_t i = 0; i < n; i++) {
        uint32_t row = (uint32_t)(i * all / n / columns), first = (uint32_t)(i * all / n % columns) * JC_BATCH;
        uint32_t last = first + JC_BATCH < frame->mcus_w ? first + JC_BATCH : frame->mcus_w;
        add_batch(e, row, first, last, rounded, s);
    }
}

static void set_rates(jc_encoder *e, const statistics *s, uint64_t lambda) {
    for (int t = 0; t < 2; t++) {
        jc_huffman_table table[2]; /* AC, DC */
        for (int i = 0; i < 2; i++) {
            uint32_t histogram[256];
            for (int k = 0; k < 256; k++)
                histogram[k] = s->histogram[0][(2 * t + i) * 256 + k] +
                               s->histogram[1][(2 * t + i) * 256 + k];
            jc_huffman_optimize(histogram, &table[i]);
        }
        /* An error of subsampled chroma is seen in all pixels of the sample. */
        uint64_t weighted = t ? lambda / (uint64_t)(e->frame->h_max * e->frame->v_max) : lambda;
        jc_rates_init(&e->rates[t], &table[0], &table[1],
                      (uint32_t)(weighted < JC_MAX_LAMBDA ? weighted : JC_MAX_LAMBDA));
    }
}

/* Lambda is the factor times the mean squared step of the values that rounding leaves: what a bit
 * may cost follows from what the steps let pass. Then the codes are those of what a trellis leaves. */
void jc_encode_rates(jc_encoder *e) {
    static const statistics none;
    statistics s = none;
    add_sample(e, 1, &s);
    uint64_t lambda = s.values ? e->trellis * s.squared_steps / s.values >> (16 - 2 * JC_EXACT_BITS) : 0;
    set_rates(e, &s, lambda);
    s = none;
    add_sample(e, 0, &s);
    set_rates(e, &s, lambda);
}

/* ---- Slices ---- */

/* Room for `more` bytes, and at once for what the rows so far promise of the rest of the slice: to
 * grow again may hold two copies for a moment. */
static jc_status reserve(const jc_slice *slice, uint32_t row, jc_buffer *buffer, size_t more) {
    if (buffer->capacity - buffer->size >= more) return JC_OK;
    uint32_t done = row - slice->first_row;
    size_t rest = done ? buffer->size / done * (slice->last_row - row) / 32 * 33 : 0;
    return jc_reserve(buffer, rest > more ? rest : more);
}

static jc_status encode_batch(const jc_encoder *e, jc_slice *slice, uint32_t row, uint32_t first,
                              uint32_t last, int *dc_prediction) {
    batch blocks;
    uint32_t batch_tokens[JC_BATCH * JC_MAX_MCU * MAX_TOKENS + JC_SLACK], *tokens = batch_tokens;
    jc_buffer *message = e->want_message ? &slice->message : NULL;
    transform(e, row, first, last, &blocks);
    if (blocks.unfit) return JC_BAD_VALUE; /* tokenizers rely on it */
    if (e->trellis) optimize(e, &blocks, dc_prediction);
    if (message && reserve(slice, row, message, (size_t)blocks.n * JC_MAX_MESSAGE))
        return JC_NO_MEMORY;
    if (e->optimize) {
        if (reserve(slice, row, &slice->tokens,
                    ((size_t)blocks.n * MAX_TOKENS + JC_SLACK) * sizeof *tokens))
            return JC_NO_MEMORY;
        tokens = (uint32_t *)(void *)(slice->tokens.data + slice->tokens.size);
    }
    size_t n = (size_t)(tokenize(e, &blocks, dc_prediction, tokens, message) - tokens);
    if (e->coefficients[0] && check_tokens(e, tokens, &n)) return JC_BAD_VALUE;
    if (!e->optimize) return write_tokens(e, slice, tokens, n);
    count(tokens, n, slice->histogram);
    slice->tokens.size += n * sizeof *tokens;
    return JC_OK;
}

static jc_status restart(const jc_encoder *e, jc_slice *slice, int *dc_prediction) {
    memset(dc_prediction, 0, JC_MAX_COMPONENTS * sizeof *dc_prediction);
    if (!e->optimize) return end_piece(slice);
    size_t before = slice->tokens.size / sizeof(uint32_t);
    if (jc_reserve(&slice->restarts, sizeof before)) return JC_NO_MEMORY;
    memcpy(slice->restarts.data + slice->restarts.size, &before, sizeof before);
    slice->restarts.size += sizeof before;
    return JC_OK;
}

jc_status jc_encode_blocks(const jc_encoder *e, jc_slice *slice) {
    const jc_frame *frame = e->frame;
    uint32_t interval = e->restart_interval, left = interval;
    int dc_prediction[JC_MAX_COMPONENTS];
    jc_status status;
    start_prediction(e, slice->first_row, dc_prediction);
    if (interval && slice->first_row) /* 0 where a marker comes first */
        left = (interval - (uint32_t)((uint64_t)slice->first_row * frame->mcus_w % interval)) % interval;
    for (uint32_t row = slice->first_row; row < slice->last_row; row++)
        for (uint32_t first = 0, last; first < frame->mcus_w; first = last) {
            if (interval && !left) {
                if ((status = restart(e, slice, dc_prediction))) return status;
                left = interval;
            }
            last = first + JC_BATCH < frame->mcus_w ? first + JC_BATCH : frame->mcus_w;
            if (interval && last - first > left) last = first + left;
            if ((status = encode_batch(e, slice, row, first, last, dc_prediction))) return status;
            left -= interval ? last - first : 0;
        }
    return e->optimize ? JC_OK : end_piece(slice);
}

int jc_encode_tables(jc_encoder *e, jc_slice *slices, int n_slices) {
    int n_tables = e->frame->n_components == 1 ? 2 : JC_TOKEN_TABLES;
    for (int t = 0; t < n_tables; t++) {
        uint32_t histogram[256] = {0};
        for (int s = 0; e->optimize && s < n_slices; s++)
            for (int i = 0; i < 256; i++)
                histogram[i] += slices[s].histogram[0][t * 256 + i] +
                                slices[s].histogram[1][t * 256 + i];
        if (e->optimize) jc_huffman_optimize(histogram, &e->tables[t]);
        if (!jc_emit_table_init(e->emit, t, &e->tables[t], !e->optimize)) return 0;
    }
    return 1;
}

jc_status jc_encode_bits(const jc_encoder *e, jc_slice *slice) {
    const uint32_t *tokens = (const uint32_t *)(void *)slice->tokens.data;
    size_t done = 0, n = slice->tokens.size / sizeof *tokens;
    for (size_t i = 0; i < slice->restarts.size / sizeof done; i++) {
        size_t before;
        memcpy(&before, slice->restarts.data + i * sizeof before, sizeof before);
        if (write_tokens(e, slice, tokens + done, before - done) || end_piece(slice))
            return JC_NO_MEMORY;
        done = before;
    }
    if (write_tokens(e, slice, tokens + done, n - done)) return JC_NO_MEMORY;
    return end_piece(slice);
}

/* ---- Joining ---- */

typedef struct {
    const jc_kernels *kernels;
    jc_buffer *out;
    uint32_t last; /* the last byte so far, of which `bits` bits count */
    int bits;
} joiner;

static jc_status stuff(joiner *j, const uint8_t *bytes, size_t n) {
    if (jc_reserve(j->out, 2 * n + STORE_SLACK)) return JC_NO_MEMORY;
    uint8_t *end = j->kernels->stuff(bytes, n, j->out->data + j->out->size);
    j->out->size = (size_t)(end - j->out->data);
    return JC_OK;
}

static jc_status append(joiner *j, const uint8_t *bytes, size_t n, int tail_bits) {
    uint8_t shifted[CHUNK];
    for (size_t chunk; n; bytes += chunk, n -= chunk) {
        chunk = n < CHUNK ? n : CHUNK;
        const uint8_t *whole = bytes;
        if (j->bits) {
            for (size_t i = 0; i < chunk; i++) {
                shifted[i] = (uint8_t)(j->last | (uint32_t)bytes[i] >> j->bits);
                j->last = (uint32_t)bytes[i] << (8 - j->bits) & 0xFF;
            }
            whole = shifted;
        }
        if (stuff(j, whole, chunk)) return JC_NO_MEMORY;
    }
    if (!tail_bits) return JC_OK;
    uint32_t two = j->last << 8 | (uint32_t)bytes[0] << (8 - j->bits);
    j->bits += tail_bits;
    if (j->bits >= 8) {
        uint8_t byte = (uint8_t)(two >> 8);
        if (stuff(j, &byte, 1)) return JC_NO_MEMORY;
        two <<= 8;
        j->bits -= 8;
    }
    j->last = two >> 8 & 0xFF;
    return JC_OK;
}

static jc_status pad(joiner *j) { /* with 1-bits, F.1.2.3 */
    uint8_t byte = (uint8_t)(j->last | 0xFFu >> j->bits);
    jc_status status = j->bits ? stuff(j, &byte, 1) : JC_OK;
    j->last = 0;
    j->bits = 0;
    return status;
}

jc_status jc_join_slices(const jc_encoder *e, const jc_slice *slices, int n_slices, jc_buffer *scan) {
    joiner j = {.kernels = e->kernels, .out = scan};
    uint64_t mcus = (uint64_t)slices->first_row * e->frame->mcus_w, interval = e->restart_interval;
    uint64_t markers = mcus && interval ? (mcus - 1) / interval : 0; /* before the first slice */
    for (int s = 0; s < n_slices; s++) {
        const jc_piece *piece = (const jc_piece *)(void *)slices[s].pieces.data;
        size_t n = slices[s].pieces.size / sizeof *piece, start = 0;
        for (size_t i = 0; i < n; i++, piece++) {
            if (i) { /* RST0..RST7 */
                if (pad(&j) || jc_reserve(scan, 2)) return JC_NO_MEMORY;
                scan->data[scan->size++] = 0xFF;
                scan->data[scan->size++] = (uint8_t)(0xD0 + (markers++ & 7));
            }
            if (append(&j, slices[s].bits.data + start, piece->end - start, piece->tail_bits))
                return JC_NO_MEMORY;
            start = piece->end + (piece->tail_bits > 0);
        }
    }
    return pad(&j);
}
