/* DC values under a key: wrapped into a range, relative to the level shift or to a prediction. */
#ifndef JPEGCRYPT_DC_H
#define JPEGCRYPT_DC_H

#include "block.h"

/* The DC value of samples 0..255 at their level shift of 128 is at most 1024 / step in magnitude,
 * rounded; the 4 more of block.c reach no other value, as those begin at multiples of 8. So arithmetic
 * modulo 2 bound + 1 loses nothing and stays legal. */
static inline int jc_dc_bound(int step) {
    int bound = (2048 + step) / (2 * step);
    return bound < JC_MAX_COEFFICIENT ? bound : JC_MAX_COEFFICIENT;
}

static inline int jc_dc_wrap(int value, int bound) {
    int range = 2 * bound + 1;
    if (value >= -bound && value <= bound) return value;
    value %= range; /* hostile files hold anything */
    return value > bound ? value - range : value < -bound ? value + range : value;
}

/* What a level shift of `level` instead of 128 takes from a DC value: 8 (level - 128) / step. */
static inline int jc_dc_shift(int level, int step) {
    int distance = level < 128 ? 128 - level : level - 128;
    int shift = (16 * distance + step) / (2 * step);
    return level < 128 ? -shift : shift;
}

/* Row 0 of every matrix is constant, so the matrices of a block give its DC value a sign. They are
 * bank->forward or bank->inverse, whichever is in the cache: their first entries are the same. */
static inline int jc_dc_sign(const int16_t (*matrices)[4][8][2], uint32_t mask, const uint8_t *record) {
    return (matrices[record[0] & mask][0][0][0] ^ matrices[record[1] & mask][0][0][0]) < 0 ? -1 : 1;
}

#endif
