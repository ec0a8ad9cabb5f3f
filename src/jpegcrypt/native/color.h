/* What the color kernels of all instruction sets share. */
#ifndef JPEGCRYPT_COLOR_H
#define JPEGCRYPT_COLOR_H

#include "jpegcrypt.h"

void jc_rgb_to_y_c(const uint8_t *rgb, uint32_t n, uint8_t *y);
void jc_rgb_to_cbcr_c(const uint8_t *const *rows, int n_rows, int step, uint32_t n, uint8_t *cb,
                      uint8_t *cr);
void jc_ycc_to_rgb_c(const uint8_t *y, size_t step, const uint8_t *cb, const uint8_t *cr, uint32_t n,
                     uint8_t *rgb);
void jc_weigh_c(const uint8_t *near, const uint8_t *far, uint32_t n_tiles, int near_weight,
                int far_weight, uint16_t *out);
void jc_widen_c(const uint16_t *row, uint32_t n, int left_bias, int right_bias, int shift,
                uint8_t *out);

#endif
