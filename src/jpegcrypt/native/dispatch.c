/* The kernels of each instruction set, and the choice among them. */
#include "jpegcrypt.h"
#include "avx2.h"
#include "avx512.h"
#include "block.h"
#include "color.h"
#include "huffman.h"
#include "huffman_decode.h"
#include "neon.h"
#include "sse4.h"

const jc_kernels jc_portable = {
    .name = "portable",
    .rgb_to_y = jc_rgb_to_y_c,
    .rgb_to_cbcr = jc_rgb_to_cbcr_c,
    .ycc_to_rgb = jc_ycc_to_rgb_c,
    .weigh = jc_weigh_c,
    .forward_order = jc_transposed,
    .forward_block = jc_forward_block_c,
    .tokenize = jc_tokenize_c,
    .inverse_block = jc_inverse_block_c,
    .inverse_dct = jc_inverse_dct_c,
    .widen = jc_widen_c,
    .emit = jc_emit_c,
    .decode_block = jc_decode_block_c,
    .stuff = jc_stuff_c,
};

static int wanted(const char *forced, const char *name) {
    return !forced || !strcmp(forced, name);
}

/* Best first. */
const jc_kernels *jc_dispatch(const char *forced) {
#if defined(__x86_64__)
    if (wanted(forced, "avx512") && jc_avx512_available()) {
        jc_avx512_init();
        return &jc_avx512;
    }
    if (wanted(forced, "avx2") && jc_avx2_available()) {
        jc_avx2_init();
        return &jc_avx2;
    }
    if (wanted(forced, "sse4") && jc_sse4_available()) {
        jc_sse4_init();
        return &jc_sse4;
    }
#elif defined(__aarch64__)
    if (wanted(forced, "neon")) {
        jc_neon_init();
        return &jc_neon;
    }
#endif
    return wanted(forced, "portable") ? &jc_portable : NULL;
}
