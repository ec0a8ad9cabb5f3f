/* Compares both searches of the trellis with every other choice there is, on random input.
 *
 *   cc -std=c11 -O2 -fwrapv -Isrc/jpegcrypt/native tests/native/trellis.c \
 *      src/jpegcrypt/native/[a-z]*.c -lm -o trellis && ./trellis */
#include "trellis.h"
#include "huffman.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 3000, VALUES = 6, BLOCKS = 7 };

static uint64_t state = 88172645463325252ull;

static uint32_t draw(void) { /* xorshift64 */
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 16);
}

static int failures;

static void expect(int right, const char *what) {
    if (!right && ++failures < 10) fprintf(stderr, "%s\n", what);
}

/* Tables that lack some codes, as those of a small sample do. */
static void draw_rates(jc_rates *rates, uint32_t lambda) {
    uint32_t histogram[2][256] = {{0}};
    jc_huffman_table table[2];
    for (int i = 0; i < 2; i++) {
        for (int symbol = 0; symbol < 256; symbol++)
            if (draw() % 4) histogram[i][symbol] = draw() % (1 + 10000u / (1u + (uint32_t)symbol));
        jc_huffman_optimize(histogram[i], &table[i]);
    }
    jc_rates_init(rates, &table[0], &table[1], lambda);
}

/* ---- AC ---- */

static int64_t block_cost(const jc_rates *rates, const jc_quantizer *q, const int16_t *shrink,
                          const int16_t *exact, const int16_t *block) {
    int64_t cost = 0;
    int last = 0;
    for (int k = 1; k < 64; k++) { /* zig-zag positions */
        int value = block[k], sign = (value > 0) - (value < 0);
        int step = q->natural[jc_natural[k]];
        int64_t error = exact[k] - (16 * value - sign * shrink[jc_transposed[k]]) * step;
        cost += error * error;
        if (!value) continue;
        cost += rates->ac[jc_bit_size(value)][k - last - 1];
        last = k;
    }
    return cost + (last < 63 ? rates->end_of_block : 0);
}

/* The least cost when the values from `places[i]` on may shrink to anything down to zero. */
static int64_t least_cost(const jc_rates *rates, const jc_quantizer *q, const int16_t *shrink,
                          const int16_t *exact, int16_t *block, const int *places, int n) {
    if (!n) return block_cost(rates, q, shrink, exact, block);
    int16_t rounded = block[places[0]];
    int64_t least = INT64_MAX;
    for (int magnitude = abs(rounded); magnitude >= 0; magnitude--) {
        block[places[0]] = (int16_t)(rounded < 0 ? -magnitude : magnitude);
        int64_t cost = least_cost(rates, q, shrink, exact, block, places + 1, n - 1);
        if (cost < least) least = cost;
    }
    block[places[0]] = rounded;
    return least;
}

static void compare_ac(void) {
    jc_rates rates;
    jc_quantizer q;
    uint16_t steps[64];
    int16_t exact[64], block[64] = {0};
    int places[VALUES], n = 0;
    uint64_t nonzero = draw() & 1, all = 0;
    int coarsest = 1 + (int)(draw() % 64);
    const int16_t *shrink = draw() & 1 ? jc_shrink_ac : jc_shrink_none;
    for (int i = 0; i < 64; i++) steps[i] = (uint16_t)(1 + draw() % (uint32_t)coarsest);
    jc_quantizer_init(&q, steps, jc_identity);
    draw_rates(&rates, draw() % (uint32_t)(32 * coarsest * coarsest));
    while (__builtin_popcountll(all) < VALUES) all |= 1ull << (1 + draw() % 63);
    if (draw() % 4 == 0) all = (all & (all - 1)) | 1ull << 63;
    for (int k = 1; k < 64; k++) {
        int step = q.natural[jc_natural[k]];
        exact[k] = (int16_t)((int)(draw() % (uint32_t)(16 * step)) - 8 * step);
        if (all >> k & 1 && n < VALUES) {
            int largest = draw() & 1 ? 1 : 3; /* small ones are the hard ones */
            int value = 1 + (int)(draw() % (uint32_t)largest);
            block[k] = (int16_t)(draw() & 1 ? -value : value);
            exact[k] = (int16_t)(exact[k] + 16 * step * block[k]);
            nonzero |= 1ull << k;
            places[n++] = k;
        }
    }
    int64_t least = least_cost(&rates, &q, shrink, exact, block, places, n);
    uint64_t kept = jc_trellis_ac(&rates, &q, jc_identity, shrink, exact, block, nonzero);
    expect(block_cost(&rates, &q, shrink, exact, block) == least, "AC values that cost too much");
    expect((kept & 1) == (nonzero & 1), "the mask of DC");
    for (int k = 1; k < 64; k++) expect((kept >> k & 1) == (block[k] != 0), "the mask of AC");
}

/* ---- DC ---- */

static int64_t chain_cost(const jc_rates *rates, int step, int prediction, int n,
                          const int16_t *error, const int16_t *rounded, const int16_t *values) {
    int64_t cost = 0;
    for (int i = 0; i < n; prediction = values[i++]) {
        int64_t distance = error[i] - (values[i] - rounded[i]) * 16 * step;
        cost += distance * distance + rates->dc[jc_bit_size(values[i] - prediction)];
    }
    return cost;
}

static void compare_dc(void) {
    jc_rates rates;
    int step = 1 + (int)(draw() % 255), n = 1 + (int)(draw() % BLOCKS), combinations = 1;
    int prediction = (int)(draw() % 2047) - 1023, spread = 1 << draw() % 11;
    int16_t error[BLOCKS], rounded[BLOCKS], values[BLOCKS], best[BLOCKS];
    uint8_t fixed[BLOCKS];
    draw_rates(&rates, draw() % (uint32_t)(256 * step * step));
    for (int i = 0; i < n; i++, combinations *= 3) {
        int value = (int)(draw() % (2u * (uint32_t)spread)) - spread;
        best[i] = rounded[i] = (int16_t)(abs(value) > 1023 ? 1023 : value);
        error[i] = (int16_t)((int)(draw() % (uint32_t)(16 * step)) - 8 * step);
        fixed[i] = i == n - 1 || abs(rounded[i]) == 1023 || draw() % 5 == 0;
    }
    int64_t least = INT64_MAX;
    for (int combination = 0; combination < combinations; combination++) {
        int legal = 1;
        for (int i = 0, rest = combination; i < n; i++, rest /= 3) {
            values[i] = (int16_t)(rounded[i] + rest % 3 - 1);
            legal &= rest % 3 == 1 || !fixed[i];
        }
        if (!legal) continue;
        int64_t cost = chain_cost(&rates, step, prediction, n, error, rounded, values);
        if (cost < least) least = cost;
    }
    jc_trellis_dc(&rates, step, prediction, n, error, fixed, best);
    expect(chain_cost(&rates, step, prediction, n, error, rounded, best) == least,
           "DC values that cost too much");
    for (int i = 0; i < n; i++)
        expect(abs(best[i] - rounded[i]) <= !fixed[i], "a DC value that had to stay");
}

int main(void) {
    for (int i = 0; i < ROUNDS; i++) {
        compare_ac();
        compare_dc();
    }
    printf("%d rounds, %d differences\n", ROUNDS, failures);
    return failures != 0;
}
