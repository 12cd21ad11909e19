/* UTF-8, strictly: no overlong forms, no surrogates, nothing beyond U+10FFFF. */
#ifndef HCC_BASE_UTF8_H
#define HCC_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the character at `text`, of which `length` >= 1 are there; 0 when it is malformed. */
size_t utf8_decode(const char *text, size_t length, uint32_t *code_point);

#endif
