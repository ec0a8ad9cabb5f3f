/* The SSE4.2 kernels. */
#ifndef JPEGCRYPT_SSE4_H
#define JPEGCRYPT_SSE4_H

#include "jpegcrypt.h"

#if defined(__x86_64__)
extern const jc_kernels jc_sse4;
int jc_sse4_available(void);
void jc_sse4_init(void);
#endif

#endif
