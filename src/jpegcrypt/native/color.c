/* Color: RGB rows to subsampled Y, Cb, Cr tiles, and back with libjpeg's upsampling.
 *
 * Full-range BT.601 as JFIF (ITU-T T.871, clause 7), constants in Q16. */
#include "jpegcrypt.h"
#include "color.h"

#include <stdlib.h>
#include <string.h>

enum { HALF = 1 << 15 };

/* ---- Forward ---- */

/* Where sample x of a row lies in a plane. */
static size_t tile_offset(uint32_t x) { return (size_t)(x >> 3) * JC_BLOCK + (x & 7); }

void jc_rgb_to_y_c(const uint8_t *rgb, uint32_t n, uint8_t *y) {
    for (uint32_t x = 0; x < n; x++, rgb += 3)
        y[tile_offset(x)] = (uint8_t)((19595 * rgb[0] + 38470 * rgb[1] + 7471 * rgb[2] + HALF) >> 16);
}

/* Chroma of the mean of 1, 2 or 4 pixels, rounded once. Adding half less one keeps 0.5 * 255 + 128
 * at 255. */
void jc_rgb_to_cbcr_c(const uint8_t *const *rows, int n_rows, int step, uint32_t n, uint8_t *cb,
                      uint8_t *cr) {
    int shift = 16;
    for (int pixels = n_rows * step; pixels > 1; pixels >>= 1) shift++;
    int32_t offset = (128 << shift) + (1 << (shift - 1)) - 1;
    for (uint32_t x = 0; x < n; x++) {
        int32_t r = 0, g = 0, b = 0;
        for (int i = 0; i < n_rows; i++)
            for (int j = 0; j < step; j++) {
                const uint8_t *pixel = rows[i] + 3 * ((size_t)x * (size_t)step + (size_t)j);
                r += pixel[0];
                g += pixel[1];
                b += pixel[2];
            }
        cb[tile_offset(x)] = (uint8_t)((-11059 * r - 21709 * g + 32768 * b + offset) >> shift);
        cr[tile_offset(x)] = (uint8_t)((32768 * r - 27439 * g - 5329 * b + offset) >> shift);
    }
}

/* Where row y starts in a plane. */
static size_t row_offset(const jc_component *p, uint32_t y) {
    return (size_t)(y >> 3) * p->blocks_w * JC_BLOCK + (y & 7) * 8;
}

/* Source rows, extended by their last pixel to whole blocks of every component. */
typedef struct {
    const uint8_t *image;
    ptrdiff_t stride;
    uint32_t width, height, padded;
    size_t pixel;                  /* bytes of a pixel */
    uint8_t *scratch;              /* v_max rows, used when the width is not whole */
} source;

static const uint8_t *source_row(const source *s, uint32_t y, int slot) {
    const uint8_t *row = s->image + (ptrdiff_t)(y < s->height ? y : s->height - 1) * s->stride;
    if (s->padded == s->width) return row;
    uint8_t *copy = s->scratch + (size_t)slot * s->padded * s->pixel;
    memcpy(copy, row, s->width * s->pixel);
    for (uint32_t x = s->width; x < s->padded; x++)
        memcpy(copy + x * s->pixel, copy + (s->width - 1) * s->pixel, s->pixel);
    return copy;
}

static void gray_rows(const jc_component *p, const source *s, uint32_t first, uint32_t last,
                      uint8_t *plane) {
    for (uint32_t y = first; y < last; y++) {
        const uint8_t *row = source_row(s, y, 0);
        uint8_t *out = plane + row_offset(p, y);
        for (uint32_t x = 0; x < p->blocks_w; x++) memcpy(out + x * JC_BLOCK, row + 8 * x, 8);
    }
}

/* A row of chroma and the rows of luma that belong to it; `rows` of them are in the frame. */
static void color_rows(const jc_kernels *k, const jc_frame *frame, const uint8_t *const *group,
                       uint32_t y, uint32_t rows, uint8_t *const *planes) {
    const jc_component *luma = &frame->component[0], *chroma = &frame->component[1];
    uint32_t luma_y = y * (uint32_t)frame->v_max, done = 0; /* MCUs of both luma and chroma */
    size_t offset = row_offset(chroma, y);
    if (k->rgb_to_ycc_2x2 && frame->h_max == 2 && frame->v_max == 2 && rows == 2) {
        done = luma->blocks_w / 2;
        k->rgb_to_ycc_2x2(group[0], group[1], done, planes[0] + row_offset(luma, luma_y),
                          planes[0] + row_offset(luma, luma_y + 1), planes[1] + offset,
                          planes[2] + offset);
    }
    uint32_t luma_done = done * (uint32_t)frame->h_max, pixel = luma_done * 8;
    const uint8_t *rest[4];
    for (int i = 0; i < frame->v_max; i++) rest[i] = group[i] + 3 * (size_t)pixel;
    for (uint32_t i = 0; i < rows; i++)
        k->rgb_to_y(rest[i], luma->blocks_w * 8 - pixel,
                    planes[0] + row_offset(luma, luma_y + i) + (size_t)luma_done * JC_BLOCK);
    offset += (size_t)done * JC_BLOCK;
    k->rgb_to_cbcr(rest, frame->v_max, frame->h_max, (chroma->blocks_w - done) * 8,
                   planes[1] + offset, planes[2] + offset);
}

static uint32_t min_u32(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* The samples of a row of MCUs, while they are in the cache. Compilers know a sum of absolute
 * differences as one instruction, as long as they cannot tell that one side is zero. */
static void add_row(const jc_frame *frame, uint32_t row, uint8_t *const *planes, uint64_t *sums) {
    for (int c = 0; c < frame->n_components; c++) {
        const jc_component *p = &frame->component[c];
        uint32_t first = row * (uint32_t)p->v, last = min_u32(first + (uint32_t)p->v, p->blocks_h);
        const uint8_t *end = planes[c] + (size_t)last * p->blocks_w * JC_BLOCK;
        for (const uint8_t *tile = planes[c] + (size_t)first * p->blocks_w * JC_BLOCK; tile < end;
             tile += JC_BLOCK) {
            uint32_t sum = 0;
            for (int i = 0; i < JC_BLOCK; i++) sum += (uint32_t)abs(tile[i] - jc_zeros[i]);
            sums[c] += sum;
        }
    }
}

/* Samples beyond the picture repeat its last row and column (A.2.4 leaves the choice open). */
jc_status jc_image_to_planes(const jc_kernels *k, const jc_frame *frame, const uint8_t *image,
                             ptrdiff_t row_stride, uint32_t first, uint32_t last,
                             uint8_t *const *planes, uint64_t *sums) {
    const jc_component *luma = &frame->component[0];
    source s = {.image = image, .stride = row_stride, .width = frame->width,
                .height = frame->height, .pixel = frame->n_components == 1 ? 1 : 3};
    for (int c = 0; c < frame->n_components; c++) {
        const jc_component *p = &frame->component[c];
        uint32_t columns = p->blocks_w * 8 * (uint32_t)(frame->h_max / p->h);
        if (columns > s.padded) s.padded = columns;
    }
    s.scratch = malloc((size_t)s.padded * s.pixel * (size_t)frame->v_max);
    if (!s.scratch) return JC_NO_MEMORY;
    for (uint32_t row = first; row < last; row++) {
        if (frame->n_components == 1)
            gray_rows(luma, &s, row * 8, row * 8 + 8, planes[0]);
        else
            for (uint32_t y = row * 8; y < row * 8 + 8; y++) {
                const uint8_t *group[4];
                uint32_t luma_y = y * (uint32_t)frame->v_max;
                for (int i = 0; i < frame->v_max; i++)
                    group[i] = source_row(&s, luma_y + (uint32_t)i, i);
                uint32_t rows = luma_y < luma->blocks_h * 8 ? luma->blocks_h * 8 - luma_y : 0;
                color_rows(k, frame, group, y, min_u32(rows, (uint32_t)frame->v_max), planes);
            }
        add_row(frame, row, planes, sums);
    }
    free(s.scratch);
    return JC_OK;
}

/* ---- Inverse ---- */

/* The roundings are those of libjpeg's jdcolor.c tables. */
void jc_ycc_to_rgb_c(const uint8_t *y, size_t step, const uint8_t *cb, const uint8_t *cr, uint32_t n,
                     uint8_t *rgb) {
    for (uint32_t x = 0; x < n; x++) {
        int32_t luma = y[(x >> 3) * step + (x & 7)], u = cb[x] - 128, v = cr[x] - 128;
        rgb[3 * x] = jc_clamp(luma + ((91881 * v + HALF) >> 16));
        rgb[3 * x + 1] = jc_clamp(luma + ((-22554 * u - 46802 * v + HALF) >> 16));
        rgb[3 * x + 2] = jc_clamp(luma + ((116130 * u + HALF) >> 16));
    }
}

static void tiles_to_row(const uint8_t *plane, const jc_component *p, uint32_t y, uint8_t *row) {
    const uint8_t *tile = plane + row_offset(p, y);
    for (uint32_t x = 0; x < p->blocks_w; x++, tile += JC_BLOCK, row += 8) memcpy(row, tile, 8);
}

void jc_weigh_c(const uint8_t *near, const uint8_t *far, uint32_t n_tiles, int near_weight,
                int far_weight, uint16_t *out) {
    for (; n_tiles; n_tiles--, near += JC_BLOCK, far += JC_BLOCK, out += 8)
        for (int i = 0; i < 8; i++)
            out[i] = (uint16_t)(near_weight * near[i] + far_weight * far[i]);
}

/* A row of samples of which a triangle filter is made: the row itself (weights 1, 0), or 3/4 near
 * and 1/4 far (weights 3, 1) scaled by 4. Both ends are repeated, at [-1] and [samples_w]. */
static void weigh_rows(const jc_kernels *k, const uint8_t *plane, const jc_component *p,
                       uint32_t near, uint32_t far, int near_weight, int far_weight, uint16_t *row) {
    k->weigh(plane + row_offset(p, near), plane + row_offset(p, far), p->blocks_w, near_weight,
             far_weight, row);
    row[-1] = row[0];
    row[p->samples_w] = row[p->samples_w - 1];
}

/* Twice as many samples, each 3/4 of the near and 1/4 of the far neighbor (libjpeg's "fancy"
 * upsampling); the bias alternates, so that the mean stays. */
void jc_widen_c(const uint16_t *row, uint32_t n, int left_bias, int right_bias, int shift,
                uint8_t *out) {
    for (const uint16_t *end = row + n; row < end; row++, out += 2) {
        out[0] = (uint8_t)((3 * row[0] + row[-1] + left_bias) >> shift);
        out[1] = (uint8_t)((3 * row[0] + row[1] + right_bias) >> shift);
    }
}

typedef struct {
    uint8_t *row, *wide;
    uint16_t *weighed;
} upsample_rows;

/* Row y of the picture for component p, at full width. Triangle filters where libjpeg has them
 * (factor 2 in one or both directions, more than 2 samples), repetition elsewhere. */
static const uint8_t *upsample(const jc_kernels *k, const jc_frame *frame, const jc_component *p,
                               const uint8_t *plane, uint32_t y, const upsample_rows *rows) {
    int twice_h = p->h * 2 == frame->h_max, twice_v = p->v * 2 == frame->v_max;
    uint32_t near = (uint32_t)((uint64_t)y * (uint32_t)p->v / (uint32_t)frame->v_max);
    uint32_t far = y & 1 ? near + 1 : near - 1; /* wraps above the first row */
    if (far >= p->samples_h) far = near;

    if (p->h == frame->h_max && twice_v) {
        weigh_rows(k, plane, p, near, far, 3, 1, rows->weighed);
        int bias = y & 1 ? 2 : 1;
        for (uint32_t x = 0; x < frame->width; x++)
            rows->wide[x] = (uint8_t)((rows->weighed[x] + bias) >> 2);
        return rows->wide;
    }
    if (twice_h && twice_v && p->samples_w > 2) {
        weigh_rows(k, plane, p, near, far, 3, 1, rows->weighed);
        k->widen(rows->weighed, p->samples_w, 8, 7, 4, rows->wide);
        return rows->wide;
    }
    if (twice_h && p->v == frame->v_max && p->samples_w > 2) {
        weigh_rows(k, plane, p, near, near, 1, 0, rows->weighed);
        k->widen(rows->weighed, p->samples_w, 1, 2, 2, rows->wide);
        return rows->wide;
    }
    tiles_to_row(plane, p, near, rows->row);
    if (p->h == frame->h_max) return rows->row;
    for (uint32_t x = 0; x < frame->width; x++)
        rows->wide[x] = rows->row[(uint64_t)x * (uint32_t)p->h / (uint32_t)frame->h_max];
    return rows->wide;
}

jc_status jc_planes_to_image(const jc_kernels *k, const jc_frame *frame, int is_rgb,
                             const uint8_t *const *planes, uint32_t first, uint32_t last,
                             uint8_t *image) {
    /* Whole blocks, an odd width widened to one more, and what wide stores touch. */
    size_t padded = ((size_t)frame->width + 2 * JC_BLOCK + 63) & ~(size_t)63;
    uint8_t *scratch = malloc(JC_MAX_COMPONENTS * 4 * padded);
    if (!scratch) return JC_NO_MEMORY;
    upsample_rows rows[JC_MAX_COMPONENTS];
    for (int c = 0; c < frame->n_components; c++) {
        uint8_t *base = scratch + (size_t)c * 4 * padded;
        rows[c] = (upsample_rows){base, base + padded,
                                  (uint16_t *)(void *)(base + 2 * padded) + JC_SLACK};
    }
    for (uint32_t y = first; y < last; y++) {
        const uint8_t *sample[JC_MAX_COMPONENTS] = {NULL};
        const jc_component *luma = &frame->component[0];
        int tiled = !is_rgb && frame->n_components == 3 && luma->h == frame->h_max &&
                    luma->v == frame->v_max;
        for (int c = tiled; c < frame->n_components; c++)
            sample[c] = upsample(k, frame, &frame->component[c], planes[c], y, &rows[c]);
        if (tiled) sample[0] = planes[0] + row_offset(luma, y);
        uint8_t *out = image + (size_t)y * frame->width * (size_t)frame->n_components;
        if (frame->n_components == 1)
            memcpy(out, sample[0], frame->width);
        else if (is_rgb)
            for (uint32_t x = 0; x < frame->width; x++)
                for (int c = 0; c < 3; c++) out[3 * x + (uint32_t)c] = sample[c][x];
        else
            k->ycc_to_rgb(sample[0], tiled ? JC_BLOCK : 8, sample[1], sample[2], frame->width, out);
    }
    free(scratch);
    return JC_OK;
}
