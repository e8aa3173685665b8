// How the C library's allocator is told what to keep; only glibc's can be.
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
