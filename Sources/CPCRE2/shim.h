// PCRE2 with 8-bit code units (UTF-8), as Swift sees it.
#ifndef SKEIN_CPCRE2_SHIM_H
#define SKEIN_CPCRE2_SHIM_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#endif
