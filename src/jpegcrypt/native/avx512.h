/* The AVX-512 kernels. */
#ifndef JPEGCRYPT_AVX512_H
#define JPEGCRYPT_AVX512_H

#include "jpegcrypt.h"

#if defined(__x86_64__)
extern jc_kernels jc_avx512; /* filled by jc_avx512_init */
int jc_avx512_available(void);
void jc_avx512_init(void);
#endif

#endif
