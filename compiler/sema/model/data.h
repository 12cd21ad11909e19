/* The data of a train block: what data.c (the block and its settings) and data_binding.c share. */
#ifndef HCC_SEMA_DATA_H
#define HCC_SEMA_DATA_H

#include "sema/network.h"
#include "sema/scope.h"

typedef struct {
    const char *name;
    const char *streams; /* separated by spaces; NULL: as the files are called */
    const char *example; /* what may follow an input's name */
    bool in_windows;     /* one sequence, of which windows are read */
} DataSource;

/* Where names in the train block are looked up. */
Scope *train_scope(Sema *s);
/* `x[k] = standardise(columns[k]);`: what fills the binding's input is added to the network's data.
 * Of sources that have samples, and of those read in windows. */
void data_bind_sample(Sema *s, const DataSource *source, const Binding *b, DataBinding binding);
void data_bind_window(Sema *s, const DataSource *source, const Binding *b, DataBinding binding);

#endif
