/* Text for SVG and HTML: whatever a name or a file holds, it stays text. */
#ifndef HCC_DRIVER_XML_H
#define HCC_DRIVER_XML_H

#include <stddef.h>
#include <stdio.h>

/* Escaped for elements and for attributes in double quotes. What is no UTF-8 and what no XML may
 * hold becomes U+FFFD. */
void xml_text(FILE *to, const char *text);
void xml_bytes(FILE *to, const char *text, size_t length);

#endif
