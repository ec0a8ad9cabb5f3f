/* What the color kernels of all instruction sets share. */
#ifndef JPEGCRYPT_COLOR_H
#define JPEGCRYPT_COLOR_H

#include "jpegcrypt.h"

void jc_rgb_to_y_c(const uint8_t *rgb, uint32_t n, uint8_t *y);
void jc_rgb_to_cbcr_c(const uint8_t *const *rows, int n_rows, int step, uint32_t n, uint8_t *cb,
                      uint8_t *cr);
void jc_ycc_to_rgb_c(const uint8_t *y, const uint8_t *cb, const uint8_t *cr, uint32_t n,
                     uint8_t *rgb);
void jc_widen_c(const uint16_t *row, uint32_t n, int left_bias, int right_bias, int shift,
                uint8_t *out);

#endif
