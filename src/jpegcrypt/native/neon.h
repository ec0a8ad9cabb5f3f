/* The NEON kernels. */
#ifndef JPEGCRYPT_NEON_H
#define JPEGCRYPT_NEON_H

#include "jpegcrypt.h"

#if defined(__aarch64__)
extern const jc_kernels jc_neon;
void jc_neon_init(void);
#endif

#endif
