/* The folder of a sweep: known again by what its runs are made with, by those that come later and
 * by those that are at work in it at the same time. */
#ifndef HCC_DRIVER_SWEEP_FOLDER_H
#define HCC_DRIVER_SWEEP_FOLDER_H

#include "driver/sweep/task.h"
#include "driver/used_files.h"

typedef struct {
    const char *path;
    const char *file; /* the .hc file */
    const UsedFiles *used;
    char source[20]; /* its text and that of those it uses, by their hash */
    json_t *made;    /* the options that all runs are made with */
    bool began;      /* by an earlier process */
} SweepFolder;

/* Reads sweep.json, where there is one. An earlier sweep must have been made with the same file
 * and options; threads are its own unless they are given. Says what is wrong. `threads`: of a new
 * one.
 */
ExitCode sweep_folder_open(Driver *d, SweepFolder *folder, uint32_t threads);
/* Makes the folder and writes sweep.json, when all has been checked; says which runs are no part of
 * it any more. Of several sweeps that begin it at once one does, and the others must be like it. */
ExitCode sweep_folder_write(Driver *d, SweepFolder *folder, const SweepGrid *grid);
void sweep_folder_close(SweepFolder *folder);
/* Whether the .hc file holds what it held. */
bool sweep_folder_same_source(const SweepFolder *folder);

#endif
