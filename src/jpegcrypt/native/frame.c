/* Frame geometry, buffers, and the zig-zag sequence. */
#if defined(__linux__)
#define _DEFAULT_SOURCE /* madvise */
#include <sys/mman.h>
#endif

#include "jpegcrypt.h"

#include <stdlib.h>

const uint8_t jc_natural[64] = {
    0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48,
    41, 34, 27, 20, 13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23,
    30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
};

const uint8_t jc_transposed[64] = {
    0,  8,  1,  2,  9,  16, 24, 17, 10, 3,  4,  11, 18, 25, 32, 40, 33, 26, 19, 12, 5,  6,
    13, 20, 27, 34, 41, 48, 56, 49, 42, 35, 28, 21, 14, 7,  15, 22, 29, 36, 43, 50, 57, 58,
    51, 44, 37, 30, 23, 31, 38, 45, 52, 59, 60, 53, 46, 39, 47, 54, 61, 62, 55, 63,
};

const uint8_t jc_identity[64] = {
    0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
    22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
    44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63,
};

const uint8_t jc_zeros[JC_BLOCK] = {0};

static uint32_t ceil_div(uint32_t a, uint32_t b) { return (a + b - 1) / b; }

void jc_frame_geometry(jc_frame *frame) {
    frame->h_max = frame->v_max = 1;
    if (frame->n_components == 1) /* A.2.2: a scan of one component has one block per MCU */
        frame->component[0].h = frame->component[0].v = 1;
    for (int c = 0; c < frame->n_components; c++) {
        if (frame->component[c].h > frame->h_max) frame->h_max = frame->component[c].h;
        if (frame->component[c].v > frame->v_max) frame->v_max = frame->component[c].v;
    }
    frame->mcus_w = ceil_div(frame->width, 8u * (uint32_t)frame->h_max);
    frame->mcus_h = ceil_div(frame->height, 8u * (uint32_t)frame->v_max);
    for (int c = 0; c < frame->n_components; c++) {
        jc_component *p = &frame->component[c];
        p->samples_w = ceil_div(frame->width * (uint32_t)p->h, (uint32_t)frame->h_max);
        p->samples_h = ceil_div(frame->height * (uint32_t)p->v, (uint32_t)frame->v_max);
        p->blocks_w = ceil_div(p->samples_w, 8);
        p->blocks_h = ceil_div(p->samples_h, 8);
    }
}

size_t jc_component_blocks(const jc_frame *frame, int c) {
    return (size_t)frame->component[c].blocks_w * frame->component[c].blocks_h;
}

/* A 12-megapixel picture needs some 60 MB in all: 15,000 page faults, or 30. */
void jc_use_large_pages(void *p, size_t size) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    enum { LARGE = 4 << 20, PAGE = 4096 };
    if (size < LARGE) return;
    uintptr_t start = ((uintptr_t)p + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
    madvise((void *)start, (uintptr_t)p + size - start, MADV_HUGEPAGE);
#else
    (void)p, (void)size;
#endif
}

jc_status jc_reserve(jc_buffer *buffer, size_t more) {
    if (buffer->capacity - buffer->size >= more) return JC_OK;
    if (more > SIZE_MAX / 2 - buffer->size) return JC_NO_MEMORY;
    size_t capacity = buffer->capacity + buffer->capacity / 2;
    if (capacity < buffer->size + more) capacity = buffer->size + more;
    uint8_t *data = realloc(buffer->data, capacity);
    if (!data) return JC_NO_MEMORY;
    buffer->data = data;
    buffer->capacity = capacity;
    jc_use_large_pages(data, capacity);
    return JC_OK;
}

void jc_free(jc_buffer *buffer) {
    free(buffer->data);
    *buffer = (jc_buffer){0};
}
