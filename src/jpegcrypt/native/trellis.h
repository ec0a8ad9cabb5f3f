/* Rate-distortion optimized quantization: what it is given, and its two searches. */
#ifndef JPEGCRYPT_TRELLIS_H
#define JPEGCRYPT_TRELLIS_H

#include "jpegcrypt.h"

/* `lambda` per bit is at most JC_MAX_LAMBDA. */
#define JC_MAX_LAMBDA (1 << 24)
void jc_rates_init(jc_rates *rates, const jc_huffman_table *ac, const jc_huffman_table *dc,
                   uint32_t lambda);

/* Changes the AC values of a block to those of least cost; returns the new mask of non-zeros.
 * `block`, `exact` and `nonzero` are as forward_block leaves them, `order` is its order. */
uint64_t jc_trellis_ac(const jc_rates *rates, const jc_quantizer *quantizer, const uint8_t *order,
                       const int16_t *shrink, const int16_t *exact, int16_t *block, uint64_t nonzero);

/* The same for the DC values of blocks that follow each other: up to one more or less, but for those
 * that are `fixed`, as the last one must be. `error` is what rounding left, exact - 16 * step * value. */
void jc_trellis_dc(const jc_rates *rates, int step, int prediction, int n, const int16_t *error,
                   const uint8_t *fixed, int16_t *values);

#endif
