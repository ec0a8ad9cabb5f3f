/* Rate-distortion optimized quantization: of all the values that a block could be given, those with
 * the least squared error + lambda * bits. A decoder does not notice.
 *
 * A smaller magnitude never helps within one size (Tables F.1, F.2): it takes as many bits and errs
 * more. So a coefficient has three choices: the rounded value, the largest of the next smaller size,
 * or zero. What a choice costs depends on the zeros before it, hence on the last non-zero: the
 * shortest path through those is the best block. */
#include "trellis.h"
#include "huffman.h"

#include <stdlib.h>

/* ---- Rates ---- */

enum { UNSEEN = 16 }; /* bits of a code that the table lacks: the longest */

static void code_lengths(const jc_huffman_table *table, uint8_t length[256]) {
    int k = 0;
    memset(length, UNSEEN, 256);
    for (int n = 1; n <= 16; n++)
        for (int i = 0; i < table->bits[n]; i++) length[table->values[k++]] = (uint8_t)n;
}

/* At most 3 ZRL + a code + 10 bits = 74 bits <= 2^7: 2^31 / 2^7 = JC_MAX_LAMBDA. */
void jc_rates_init(jc_rates *rates, const jc_huffman_table *ac, const jc_huffman_table *dc,
                   uint32_t lambda) {
    uint8_t length[256];
    code_lengths(ac, length);
    rates->end_of_block = (int32_t)(length[0] * lambda);
    for (int run = 0; run < 64; run++) rates->ac[0][run] = INT32_MAX; /* zeros are never coded */
    for (int size = 1; size < JC_AC_SIZES; size++) {
        uint32_t most = 0;
        for (int run = 0; run < 63; run++) {
            uint32_t bits = (uint32_t)((run >> 4) * length[0xF0] + length[(run & 15) << 4 | size] + size);
            /* A longer run is never cheaper; jc_trellis_ac relies on it. */
            if (bits > most) most = bits;
            rates->ac[size][run] = (int32_t)(most * lambda);
        }
    }
    code_lengths(dc, length);
    for (int size = 0; size < JC_DC_SIZES; size++)
        rates->dc[size] = (int32_t)((uint32_t)(length[size] + size) * lambda);
}

/* ---- AC ---- */

/* A path that ends in a non-zero; its cost is that over leaving the whole block at zero. */
typedef struct {
    int64_t cost;
    int place; /* zig-zag position, 0 before the first non-zero */
    int node;  /* of that non-zero */
} path;

/* Squared error that a value takes away: z^2 - (z - r)^2 = r (2 z - r). With |z| <= 2^14 + 4
 * (block.c) and r at most half a step more, that is below 2^30; by Parseval's theorem the sum over a
 * block is, too. */
static int32_t saved(int32_t z, int32_t value, int32_t step, int32_t shrink) {
    int32_t r = (16 * value - shrink) * step;
    return r * (2 * z - r);
}

uint64_t jc_trellis_ac(const jc_rates *rates, const jc_quantizer *quantizer, const uint8_t *order,
                       const int16_t *shrink, const int16_t *exact, int16_t *block, uint64_t nonzero) {
    struct {
        int previous;
        int16_t value;
        uint8_t place;
    } node[64];
    path open[64]; /* places and costs ascend: an earlier path that costs as much is never better */
    int n = 0, n_open = 1;
    open[0] = (path){0, 0, -1};
    for (uint64_t ac = nonzero & ~1ull; ac; ac &= ac - 1, n++) {
        int k = __builtin_ctzll(ac), at = order[k], value = block[at];
        int z = abs(exact[at]), size = jc_bit_size(value), smaller = (1 << (size - 1)) - 1;
        const int32_t *rate = rates->ac[size] + k - 1, *rate_smaller = rates->ac[size - 1] + k - 1;
        path best = {INT64_MAX, k, 0}, best_smaller = best;
        for (int i = 0; i < n_open; i++) {
            int64_t cost = open[i].cost + rate[-open[i].place];
            int64_t cost_smaller = open[i].cost + rate_smaller[-open[i].place];
            if (cost < best.cost) best.cost = cost, best.node = open[i].node;
            if (cost_smaller < best_smaller.cost)
                best_smaller.cost = cost_smaller, best_smaller.node = open[i].node;
        }
        int32_t step = quantizer->natural[jc_natural[k]], less = shrink[jc_transposed[k]];
        best.cost -= saved(z, abs(value), step, less);
        best_smaller.cost -= saved(z, smaller, step, less);
        if (best_smaller.cost < best.cost) {
            best = best_smaller;
            value = value < 0 ? -smaller : smaller;
        }
        node[n].previous = best.node;
        node[n].place = (uint8_t)k;
        node[n].value = (int16_t)value;
        block[at] = 0;
        while (n_open && open[n_open - 1].cost >= best.cost) n_open--;
        best.node = n;
        open[n_open++] = best;
    }
    /* The first path is the cheapest, but a last coefficient at 63 needs no end of block. */
    const path *last = &open[n_open - 1], *end = &open[0];
    if (last->place == 63 && last->cost < end->cost + rates->end_of_block) end = last;
    uint64_t kept = nonzero & 1;
    for (int i = end->node; i >= 0; i = node[i].previous) {
        block[order[node[i].place]] = node[i].value;
        kept |= 1ull << node[i].place;
    }
    return kept;
}

/* ---- DC ---- */

/* Each value may be one less, as it is, or one more; the difference to the one before is coded. FAR
 * keeps the path off the neighbors of a fixed value: it is more than they could save, which is at most
 * (half a step of 255 in Q4)^2 + two differences of 28 bits < 2^23 + 56 JC_MAX_LAMBDA < 2^30. */
enum { CHOICES = 3, AS_IS = 1, MAX_CHAIN = JC_BATCH * JC_MAX_MCU };
static const int64_t FAR = INT32_MAX;

void jc_trellis_dc(const jc_rates *rates, int step, int prediction, int n, const int16_t *error,
                   const uint8_t *fixed, int16_t *values) {
    int64_t cost[CHOICES] = {FAR, 0, FAR}, next[CHOICES];
    uint8_t from[MAX_CHAIN][CHOICES];
    for (int i = 0; i < n; prediction = values[i++]) {
        int32_t rate[2 * CHOICES - 1]; /* of the difference, by how much more the choices make it */
        for (int more = 0; more < 2 * CHOICES - 1; more++)
            rate[more] = rates->dc[jc_bit_size(values[i] - prediction + more - (CHOICES - 1))];
        for (int c = 0; c < CHOICES; c++) {
            int64_t distance = error[i] - (c - AS_IS) * 16 * step;
            next[c] = cost[0] + rate[c + CHOICES - 1];
            from[i][c] = 0;
            for (int p = 1; p < CHOICES; p++) {
                int64_t sum = cost[p] + rate[c - p + CHOICES - 1];
                if (sum < next[c]) next[c] = sum, from[i][c] = (uint8_t)p;
            }
            next[c] += c != AS_IS && fixed[i] ? FAR : distance * distance;
        }
        memcpy(cost, next, sizeof cost);
    }
    int c = AS_IS; /* the last one is fixed */
    for (int i = n - 1; i >= 0; i--) {
        values[i] = (int16_t)(values[i] + c - AS_IS);
        c = from[i][c];
    }
}
