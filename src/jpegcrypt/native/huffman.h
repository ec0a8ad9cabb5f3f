/* What the entropy coder and decoder share. */
#ifndef JPEGCRYPT_HUFFMAN_H
#define JPEGCRYPT_HUFFMAN_H

#include "jpegcrypt.h"

#include <string.h>

static inline uint64_t jc_big_endian_64(uint64_t value) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return __builtin_bswap64(value);
#else
    return value;
#endif
}

static inline void jc_store_be64(uint8_t *out, uint64_t value) {
    value = jc_big_endian_64(value);
    memcpy(out, &value, 8);
}

static inline uint64_t jc_load_be64(const uint8_t *in) {
    uint64_t value;
    memcpy(&value, in, 8);
    return jc_big_endian_64(value);
}

static inline uint8_t *jc_store_le16(uint8_t *out, int16_t value) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(out, &value, 2);
#else
    out[0] = (uint8_t)value;
    out[1] = (uint8_t)((uint16_t)value >> 8);
#endif
    return out + 2;
}

static inline uint8_t *jc_store_le64(uint8_t *out, uint64_t value) {
    jc_store_be64(out, __builtin_bswap64(value));
    return out + 8;
}

static inline int jc_bit_size(int value) { /* the size category of Tables F.1 and F.2 */
    uint32_t magnitude = (uint32_t)(value < 0 ? -value : value);
    return magnitude ? 32 - __builtin_clz(magnitude) : 0;
}

/* A negative value is sent as value - 1 in its low `size` bits (F.1.2.1.1). */
static inline uint32_t jc_additional_bits(int value, int size) {
    return (uint32_t)(value + (value >> 31)) & ((1u << size) - 1);
}

/* Encrypted differences may carry their sum beyond 16 bits, where decoders wrap. */
static inline uint32_t jc_dc_token(int dc, int *dc_prediction, uint32_t table_bits) {
    int difference = (int16_t)(dc - *dc_prediction), size = jc_bit_size(difference);
    *dc_prediction = dc;
    return JC_TOKEN_DC | table_bits | (uint32_t)size << 16 | jc_additional_bits(difference, size);
}

/* AC tokens and EOB of coefficients that lie in `order`. */
static inline uint32_t *jc_tokenize_ac(const int16_t *block, const uint8_t *order, uint64_t ac,
                                       uint32_t table_bits, uint32_t *tokens, uint8_t **values) {
    int last = 0;
    for (; ac; ac &= ac - 1) {
        int k = __builtin_ctzll(ac), run = k - last - 1, value = block[order[k]];
        last = k;
        *values = jc_store_le16(*values, (int16_t)value);
        for (; run > 15; run -= 16) *tokens++ = table_bits | 0xF0u << 16; /* ZRL: 16 zeros */
        int size = jc_bit_size(value);
        *tokens++ = table_bits | (uint32_t)(run << 4 | size) << 16 | jc_additional_bits(value, size);
    }
    *tokens = table_bits; /* EOB, kept unless the block is full */
    return tokens + (last != 63);
}

/* The tokenizer of kernels whose coefficients lie in `order`. */
static inline uint32_t *jc_tokenize_ordered(const int16_t *block, const uint8_t *order,
                                            uint64_t nonzero, int *dc_prediction,
                                            uint32_t table_bits, uint32_t *tokens,
                                            uint8_t **values) {
    *tokens++ = jc_dc_token(block[0], dc_prediction, table_bits);
    if (nonzero & 1) *values = jc_store_le16(*values, block[0]);
    return jc_tokenize_ac(block, order, nonzero & ~1ull, table_bits, tokens, values);
}

uint32_t *jc_tokenize_c(const int16_t *block, uint64_t nonzero, int *dc_prediction,
                        uint32_t table_bits, uint32_t *tokens, uint8_t **values);
/* Two tokens at a time: at most 7 + 2 * 27 bits are in the accumulator when it is stored. */
static inline __attribute__((always_inline)) uint8_t *jc_emit_inline(jc_bit_writer *writer,
                                                                    const uint32_t *tokens,
                                                                    size_t n,
                                                                    const jc_emit_table table,
                                                                    uint8_t *out) {
    const uint32_t *entry = table[0], *end = tokens + n;
    uint64_t accumulator = writer->accumulator;
    int pending = writer->pending;
    for (; end - tokens >= 2; tokens += 2) {
        uint32_t a = entry[tokens[0] >> 16], b = entry[tokens[1] >> 16];
        int length_a = a & 31, length_b = b & 31;
        accumulator = accumulator << (length_a + length_b) |
                      (uint64_t)(a >> 5 | (tokens[0] & 0xFFFF)) << length_b |
                      (b >> 5 | (tokens[1] & 0xFFFF));
        pending += length_a + length_b; /* at least 2, so the shift below is at most 62 */
        jc_store_be64(out, accumulator << (64 - pending));
        out += pending >> 3;
        pending &= 7;
    }
    if (tokens < end) {
        uint32_t a = entry[tokens[0] >> 16];
        int length = a & 31;
        accumulator = accumulator << length | (a >> 5 | (tokens[0] & 0xFFFF));
        pending += length;
        jc_store_be64(out, accumulator << (64 - pending));
        out += pending >> 3;
        pending &= 7;
    }
    *writer = (jc_bit_writer){accumulator, pending};
    return out;
}

uint8_t *jc_emit_c(jc_bit_writer *writer, const uint32_t *tokens, size_t n,
                   const jc_emit_table table, uint8_t *out);
uint8_t *jc_stuff_c(const uint8_t *source, size_t n, uint8_t *target);

#endif
