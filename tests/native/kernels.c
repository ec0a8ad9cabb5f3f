/* Compares the kernels of one instruction set with the portable reference, on random input.
 *
 *   cc -std=c11 -O2 -fwrapv -Isrc/jpegcrypt/native tests/native/kernels.c \
 *      src/jpegcrypt/native/[a-z]*.c -lm -o kernels && ./kernels avx2 [rounds]
 *
 * It needs no Python, so it also runs under an emulator: see `make neon` and `make avx512`. */
#include "jpegcrypt.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MATRICES = 128, WIDTH = 200 };

static uint64_t state = 88172645463325252ull;

static uint32_t draw(void) { /* xorshift64 */
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 16);
}

static void fill(uint8_t *out, size_t n) {
    int kind = draw() % 4; /* noise, saturated noise, black, smooth */
    uint8_t start = (uint8_t)draw();
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(kind == 0   ? draw()
                           : kind == 1 ? (draw() & 1) * 255
                           : kind == 2 ? 0
                                       : start + i % 8);
}

static jc_bank bank;

static void make_bank(void) { /* the DCT with random signs of its rows */
    static int16_t matrices[MATRICES][8][8];
    static _Alignas(JC_CACHE_LINE) int16_t memory[MATRICES * JC_BANK_SIZE];
    for (int m = 0; m < MATRICES; m++)
        for (int k = 0; k < 8; k++) {
            int sign = draw() & 1 ? -1 : 1;
            for (int n = 0; n < 8; n++) {
                double c = (k ? 0.5 : sqrt(0.125)) * cos(3.14159265358979323846 * (2 * n + 1) * k / 16);
                matrices[m][k][n] = (int16_t)(sign * lrint(c * 16384));
            }
        }
    jc_bank_pack((const int16_t(*)[8][8])matrices, MATRICES, memory, &bank);
}

static int failures;

static void expect(int equal, const char *what) {
    if (!equal && ++failures < 10) fprintf(stderr, "%s differs from portable\n", what);
}

static void compare_blocks(const jc_kernels *a, const jc_kernels *b) {
    _Alignas(64) uint8_t tile[64], tile_a[64], tile_b[64], record[JC_RECORD];
    _Alignas(64) int16_t block_a[64], block_b[64], transposed[64], natural[64];
    int16_t exact_a[64], exact_b[64];
    uint32_t tokens_a[65 + JC_SLACK], tokens_b[65 + JC_SLACK];
    uint8_t values_a[JC_MAX_MESSAGE], values_b[JC_MAX_MESSAGE];
    uint16_t steps[64];
    jc_quantizer qa, qb;

    fill(tile, 64);
    for (int i = 0; i < JC_RECORD; i++) record[i] = (uint8_t)draw();
    int top = 1 << draw() % 9;
    for (int i = 0; i < 64; i++) steps[i] = (uint16_t)(1 + draw() % (top < 255 ? top : 255));
    jc_quantizer_init(&qa, steps, a->forward_order);
    jc_quantizer_init(&qb, steps, b->forward_order);

    uint64_t mask_a = a->forward_block(tile, record, &bank, &qa, block_a, exact_a);
    uint64_t mask_b = b->forward_block(tile, record, &bank, &qb, block_b, exact_b);
    expect(mask_a == mask_b, "the mask of forward_block");
    for (int k = 0; k < 64; k++) {
        int16_t value = block_a[a->forward_order[k]];
        expect(value == block_b[b->forward_order[k]], "forward_block");
        expect(exact_a[a->forward_order[k]] == exact_b[b->forward_order[k]], "forward_block, exact");
        transposed[jc_transposed[k]] = natural[jc_natural[k]] = value;
    }
    if (draw() % 8 == 0) { /* what only coefficients that are given hold: DC of any value */
        block_a[0] = block_b[0] = (int16_t)draw();
        mask_a = mask_b = (mask_a & ~1ull) | (block_a[0] != 0);
    }
    int dc_a = 7, dc_b = 7;
    uint8_t *last_a = values_a, *last_b = values_b;
    uint32_t *end_a = a->tokenize(block_a, mask_a, &dc_a, JC_TOKEN_CHROMA, tokens_a, &last_a);
    uint32_t *end_b = b->tokenize(block_b, mask_b, &dc_b, JC_TOKEN_CHROMA, tokens_b, &last_b);
    size_t n = (size_t)(end_a - tokens_a);
    expect(end_b - tokens_b == (ptrdiff_t)n && !memcmp(tokens_a, tokens_b, n * 4), "tokenize");
    n = 2 * (size_t)__builtin_popcountll(mask_a);
    expect(!memcmp(values_a, values_b, n) && dc_a == dc_b, "the values of tokenize");
    expect(last_a == values_a + n && last_b == values_b + n, "the end of the values of tokenize");

    if (draw() % 8 == 0) { /* what only a hostile file holds: wraps, the same everywhere */
        for (int i = 0; i < 64; i++) transposed[i] = (int16_t)draw();
        mask_a = ~0ull;
    }
    const int16_t *shrink = draw() & 1 ? jc_shrink_ac : jc_shrink_none;
    a->inverse_block(transposed, mask_a, record, &bank, &qa, shrink, tile_a);
    b->inverse_block(transposed, mask_a, record, &bank, &qb, shrink, tile_b);
    expect(!memcmp(tile_a, tile_b, 64), "inverse_block");
    a->inverse_dct(natural, &qa, tile_a);
    b->inverse_dct(natural, &qb, tile_b);
    expect(!memcmp(tile_a, tile_b, 64), "inverse_dct");
}

static void compare_rows(const jc_kernels *a, const jc_kernels *b) {
    enum { SAMPLES = WIDTH / 8 * JC_BLOCK };
    static uint8_t rgb[4][3 * 4 * WIDTH], out_a[2][3 * WIDTH + SAMPLES], out_b[2][3 * WIDTH + SAMPLES];
    static uint16_t row[WIDTH + 2 * JC_SLACK];
    const uint8_t *rows[4] = {rgb[0], rgb[1], rgb[2], rgb[3]};
    uint32_t n = 8 * (1 + draw() % (WIDTH / 8));
    for (int i = 0; i < 4; i++) fill(rgb[i], sizeof rgb[i]);
    memset(out_a, 0, sizeof out_a);
    memset(out_b, 0, sizeof out_b);

    a->rgb_to_y(rgb[0], n, out_a[0]);
    b->rgb_to_y(rgb[0], n, out_b[0]);
    expect(!memcmp(out_a, out_b, sizeof out_a), "rgb_to_y");
    static const int groups[5][2] = {{1, 1}, {1, 2}, {2, 1}, {2, 2}, {1, 4}};
    const int *group = groups[draw() % 5];
    a->rgb_to_cbcr(rows, group[0], group[1], n, out_a[0], out_a[1]);
    b->rgb_to_cbcr(rows, group[0], group[1], n, out_b[0], out_b[1]);
    expect(!memcmp(out_a, out_b, sizeof out_a), "rgb_to_cbcr");

    uint32_t mcus = draw() % (WIDTH / 16 + 1);
    if (a->rgb_to_ycc_2x2) { /* the same as the two of the reference */
        static uint8_t y_a[2][SAMPLES], y_b[2][SAMPLES];
        memset(y_a, 0, sizeof y_a);
        memset(y_b, 0, sizeof y_b);
        a->rgb_to_ycc_2x2(rgb[0], rgb[1], mcus, y_a[0], y_a[1], out_a[0], out_a[1]);
        for (int i = 0; i < 2; i++) b->rgb_to_y(rgb[i], 16 * mcus, y_b[i]);
        b->rgb_to_cbcr(rows, 2, 2, 8 * mcus, out_b[0], out_b[1]);
        expect(!memcmp(y_a, y_b, sizeof y_a) && !memcmp(out_a, out_b, sizeof out_a), "rgb_to_ycc_2x2");
    }

    n = 1 + draw() % WIDTH; /* of a picture, any width */
    static uint8_t tiles[2][SAMPLES];
    size_t step = draw() & 1 ? JC_BLOCK : 8;
    for (int i = 0; i < 2; i++) fill(tiles[i], SAMPLES);
    a->ycc_to_rgb(tiles[0], step, rgb[1], rgb[2], n, out_a[0]);
    b->ycc_to_rgb(tiles[0], step, rgb[1], rgb[2], n, out_b[0]);
    expect(!memcmp(out_a[0], out_b[0], 3 * n), "ycc_to_rgb");
    uint16_t sums_a[WIDTH + JC_SLACK], sums_b[WIDTH + JC_SLACK];
    int weight = draw() & 1 ? 3 : 1;
    a->weigh(tiles[0], tiles[1], n / 8, weight, weight / 3, sums_a);
    b->weigh(tiles[0], tiles[1], n / 8, weight, weight / 3, sums_b);
    expect(!memcmp(sums_a, sums_b, n / 8 * 8 * sizeof *sums_a), "weigh");
    for (size_t i = 0; i < sizeof row / 2; i++) row[i] = (uint16_t)(draw() % (4 * 255 + 1));
    uint8_t wide_a[2 * WIDTH + 2 * JC_SLACK], wide_b[2 * WIDTH + 2 * JC_SLACK];
    a->widen(row + JC_SLACK, n, 8, 7, 4, wide_a);
    b->widen(row + JC_SLACK, n, 8, 7, 4, wide_b);
    expect(!memcmp(wide_a, wide_b, 2 * n), "widen");

    uint8_t stuffed_a[2 * WIDTH + 64], stuffed_b[2 * WIDTH + 64];
    size_t size_a = (size_t)(a->stuff(rgb[0], n, stuffed_a) - stuffed_a);
    size_t size_b = (size_t)(b->stuff(rgb[0], n, stuffed_b) - stuffed_b);
    expect(size_a == size_b && !memcmp(stuffed_a, stuffed_b, size_a), "stuff");
}

int main(int argc, char **argv) {
    const jc_kernels *tested = jc_dispatch(argc > 1 ? argv[1] : NULL);
    if (!tested) {
        printf("%s: not on this processor\n", argv[1]);
        return 77; /* skipped, as the autotools say it */
    }
    int rounds = argc > 2 ? atoi(argv[2]) : 20000;
    if (rounds < 1) {
        fprintf(stderr, "%s rounds: a number from 1 on is expected\n", argv[2]);
        return 2;
    }
    make_bank();
    for (int i = 0; i < rounds; i++) {
        compare_blocks(tested, &jc_portable);
        if (i % 8 == 0) compare_rows(tested, &jc_portable);
    }
    printf("%s: %d rounds, %d differences\n", tested->name, rounds, failures);
    return failures != 0;
}
