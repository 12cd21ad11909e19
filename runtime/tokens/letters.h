/* The letters of byte-level vocabularies. Their files hold text, so each byte is written as one
 * character that can be seen: those that can be are themselves, the others are U+0100 and on, in
 * order. */
#ifndef HC_LETTERS_H
#define HC_LETTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of a letter in UTF-8, at most. */
enum { HC_LETTER = 2 };

/* What letters in UTF-8 stand for, into `bytes`, of which there are no more; false: some character
 * is no letter. */
bool hc_letters_read(const char *text, size_t length, uint8_t *bytes, size_t *count);
/* The letter of a byte; how many bytes it has. */
size_t hc_letter(uint8_t byte, char text[HC_LETTER]);

#endif
