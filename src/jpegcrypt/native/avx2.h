/* The AVX2 kernels. */
#ifndef JPEGCRYPT_AVX2_H
#define JPEGCRYPT_AVX2_H

#include "jpegcrypt.h"

#if defined(__x86_64__)
extern const jc_kernels jc_avx2;
int jc_avx2_available(void);
void jc_avx2_init(void);
#endif

#endif
