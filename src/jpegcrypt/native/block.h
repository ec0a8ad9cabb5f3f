/* What the block kernels of all instruction sets share. */
#ifndef JPEGCRYPT_BLOCK_H
#define JPEGCRYPT_BLOCK_H

#include "jpegcrypt.h"

enum {
    JC_RECORD_ROTATION = 9,
    JC_MAX_COEFFICIENT = 1023, /* F.1.2.2: AC sizes end at 10 bits; DC differences stay in 11 */
};

enum { /* round(2^13 x), see jc_inverse_dct_c */
    JC_F_0_298 = 2446,
    JC_F_0_390 = 3196,
    JC_F_0_541 = 4433,
    JC_F_0_765 = 6270,
    JC_F_0_899 = 7373,
    JC_F_1_175 = 9633,
    JC_F_1_501 = 12299,
    JC_F_1_847 = 15137,
    JC_F_1_961 = 16069,
    JC_F_2_053 = 16819,
    JC_F_2_562 = 20995,
    JC_F_3_072 = 25172,
};

/* Zig-zag positions of the columns u >= 4, of which most blocks have none. What is left out for
 * them is exactly zero: (0 + round) >> shift = 0. */
#define JC_HIGH_COLUMNS 0xFFFC7F80FE01C000ull

extern const uint8_t jc_rotation[4][64];

uint64_t jc_forward_block_c(const uint8_t *tile, const uint8_t *record, const jc_bank *bank,
                            const jc_quantizer *quantizer, int16_t *block, int16_t *exact);
void jc_inverse_block_c(const int16_t *transposed, uint64_t nonzero, const uint8_t *record,
                        const jc_bank *bank, const jc_quantizer *quantizer, const int16_t *shrink,
                        uint8_t *tile);
void jc_inverse_dct_c(const int16_t *natural, const jc_quantizer *quantizer, uint8_t *tile);

#endif
