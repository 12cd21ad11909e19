/* Which program is made of a network: all of it, as it stands, or a part of it. */
#ifndef HCC_COMPILE_EXPORT_H
#define HCC_COMPILE_EXPORT_H

#include <stdbool.h>
#include <stdint.h>

/* A part is given by the names of values, or it is what one site's connection does:
 *
 *   begin   the trunk's input -> states              (the trunk's first site)
 *   read    states -> what the branches take, and what the write needs of it besides: kept.K
 *   write   states, kept.K, y -> states              (y.K where there are several branches); the
 *           last of a trunk also gives what the end needs of it besides: kept.K
 *   turn    states, kept.K, y -> states, what the branches of the next site take, its kept.K:
 *           the write of a site and the read of the next
 *   end     states, kept.K -> what the trunk gives   (the trunk's last site)
 *
 * A state has the same name before and after. Of one that grows every entry is a value, NAME.K, and
 * those that a part leaves as they are it does not give. Parameters are called as the connection
 * calls them; of a turn, `write.` and `read.` stand before. */
typedef struct {
    const char *site;           /* its path, as trunk.3.attn, or its number in the model, from 0;
                                   NULL: the first one (for `end` the last of a trunk), or no site's
                                 */
    const char *part;           /* of the above; NULL: by names */
    const char *const *given;   /* names of values that the caller gives in the place of what the */
    uint32_t n_given;           /* text makes them of; at a site its states, y, and its lets */
    const char *const *results; /* at a site what branches take, its states as written, its lets */
    uint32_t n_results;
    bool later;  /* of the above nothing yet: compile_from_cut takes parts of the network at hand */
    bool apart;  /* a list of vectors (streams) is as many inputs or results, NAME.K */
    bool beside; /* gradients that given values get by other ways are given, too, and added: of a
                    part, those of what begin, read and end are given */
} CompileExport;

static inline bool compile_exports(const CompileExport *e) {
    return e->later || e->part || e->n_given || e->n_results || e->site || e->apart || e->beside;
}

#endif
