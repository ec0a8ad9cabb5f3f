/* Entropy coding: coefficients to tokens, tokens to bits, bits to bytes; optimal tables. */
#include "jpegcrypt.h"
#include "huffman.h"

#include <string.h>

/* ---- Tokens (F.1.2) ---- */

uint32_t *jc_tokenize_c(const int16_t *block, uint64_t nonzero, int *dc_prediction,
                        uint32_t table_bits, uint32_t *tokens, uint8_t **values) {
    return jc_tokenize_ordered(block, jc_transposed, nonzero, dc_prediction, table_bits, tokens,
                               values);
}

/* ---- Tables ---- */

static int needed(int symbol, int is_dc) { /* Tables F.1 and F.2, ZRL and EOB */
    int size = symbol & 15;
    if (is_dc) return symbol <= 11;
    return symbol == 0 || symbol == 0xF0 || (size >= 1 && size <= 10);
}

int jc_emit_table_init(jc_emit_table table, int which, const jc_huffman_table *huffman,
                       int complete) { /* Annex C */
    uint32_t code = 0;
    int k = 0, is_dc = which & 1;
    memset(table[which], 0, sizeof table[which]);
    for (int length = 1; length <= 16; length++, code <<= 1)
        for (int i = 0; i < huffman->bits[length]; i++, code++, k++) {
            if (k >= huffman->n_values || code >> length) return 0;
            int symbol = huffman->values[k], extra = is_dc ? symbol : symbol & 15;
            if (extra > 11) return 0;
            table[which][symbol] = (code << extra) << 5 | (uint32_t)(length + extra);
        }
    for (int symbol = 0; complete && symbol < 256; symbol++)
        if (needed(symbol, is_dc) && !table[which][symbol]) return 0;
    return 1;
}

/* Code lengths after Huffman for the symbols that occur plus one that takes the all-ones code
 * (K.2), limited to 16 bits by Figure K.3. Two queues replace the search for the two smallest:
 * merged weights are made in ascending order. */
void jc_huffman_optimize(const uint32_t histogram[256], jc_huffman_table *huffman) {
    enum { RESERVED = 256, MAX = 257 };
    int symbol[MAX], n = 0;
    uint64_t weight[2 * MAX];
    for (int s = 0; s < 256; s++)
        if (histogram[s]) symbol[n++] = s;
    /* The reserved symbol weighs less than any other, so it gets the longest code. */
    symbol[n++] = RESERVED;
#define WEIGHT(s) ((s) == RESERVED ? 0 : histogram[s])
    for (int i = 1; i < n; i++) { /* insertion sort by (weight, descending symbol): at most 257 */
        int s = symbol[i], j = i;
        for (; j > 0 && (WEIGHT(symbol[j - 1]) > WEIGHT(s) ||
                         (WEIGHT(symbol[j - 1]) == WEIGHT(s) && symbol[j - 1] < s)); j--)
            symbol[j] = symbol[j - 1];
        symbol[j] = s;
    }
    for (int i = 0; i < n; i++) weight[i] = WEIGHT(symbol[i]);
#undef WEIGHT

    int parent[2 * MAX], leaf = 0, merged = n, end = n;
    while (end < 2 * n - 1) {
        weight[end] = 0;
        for (int i = 0; i < 2; i++) {
            int smaller = leaf < n && (merged >= end || weight[leaf] <= weight[merged]) ? leaf++
                                                                                        : merged++;
            weight[end] += weight[smaller];
            parent[smaller] = end;
        }
        end++;
    }
    int depth[2 * MAX], count[MAX + 1] = {0};
    depth[end - 1] = 0;
    for (int i = end - 2; i >= 0; i--) depth[i] = depth[parent[i]] + 1;
    for (int i = 0; i < n; i++) count[depth[i]]++;

    for (int i = MAX; i > 16; i--)
        while (count[i] > 0) { /* Figure K.3: take a pair off, split a shorter code */
            int j = i - 2;
            while (!count[j]) j--;
            count[i] -= 2;
            count[i - 1]++;
            count[j + 1] += 2;
            count[j]--;
        }
    int longest = 16;
    while (!count[longest]) longest--;
    if (longest) count[longest]--; /* the reserved code */

    memset(huffman, 0, sizeof *huffman);
    for (int length = 1; length <= 16; length++) huffman->bits[length] = (uint8_t)count[length];
    for (int i = n - 1; i >= 0; i--)
        if (symbol[i] != RESERVED) huffman->values[huffman->n_values++] = (uint8_t)symbol[i];
}

/* ---- Bits ---- */

uint8_t *jc_emit_c(jc_bit_writer *writer, const uint32_t *tokens, size_t n,
                   const jc_emit_table table, uint8_t *out) {
    return jc_emit_inline(writer, tokens, n, table, out);
}

/* ---- Bytes ---- */

uint8_t *jc_stuff_c(const uint8_t *source, size_t n, uint8_t *target) {
    const uint8_t *end = source + n;
    while (source < end) {
        const uint8_t *ff = memchr(source, 0xFF, (size_t)(end - source));
        size_t run = (size_t)((ff ? ff + 1 : end) - source);
        memcpy(target, source, run);
        target += run;
        source += run;
        if (ff) *target++ = 0;
    }
    return target;
}
