/* The standard library's text, embedded at build time from the .hc files of this folder. */
#ifndef HCC_STD_STD_H
#define HCC_STD_STD_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *name; /* what diagnostics print: "std/connections/mhc.hc" */
    const char *text;
    size_t length;
} StdSource;

extern const StdSource std_sources[];
extern const uint32_t std_source_count;

#endif
