/* Which files are read, and for which part. */
#ifndef HC_PART_FILES_H
#define HC_PART_FILES_H

#include "runtime/data/request.h"
#include "runtime/run/plan.h"

/* One file to read, or of text a folder; the path is owned. */
typedef struct {
    HcPart part;
    bool given;         /* by the command line */
    const char *stream; /* NULL: all streams of the source */
    char *path;
    const char *expected; /* its hash when the run read it; NULL: unknown, or another file */
    int64_t first, count; /* samples or tokens it gave, once read */
    uint64_t hash;
} HcPartFile;

typedef struct {
    HcPartFile *at;
    uint32_t count;
} HcPartFiles;

/* The plan's files, or those of the run, with what the command line says instead: a folder for all
 * of the plan's (of text it is one of the data), a file for the training part (when evaluating, for
 * the held-out part if that has files of its own), or NAME=PATH where NAME is `train`, `held_out`,
 * a stream, or both as in `held_out.labels`. Several for one part are all of its files, in this
 * order. The training files come first. */
HcStatus hc_part_files(const HcPlan *plan, const HcDataRequest *request, HcPartFiles *files,
                       HcError *error);
void hc_part_files_free(HcPartFiles *files);
/* Whether what is held out has files of its own. */
bool hc_part_files_separate(const HcPartFiles *files);
/* Forgets those of the training part. */
void hc_part_files_keep_held_out(HcPartFiles *files);
/* Whether `path` is one of them, by whatever name, or lies below one. */
bool hc_part_files_hold(const HcPartFiles *files, const char *path);
/* Once its hash is known: a file that the run names must be what it was then. */
HcStatus hc_part_file_check(const HcPartFile *file, const HcDataRequest *request, HcError *error);
/* Sets `files` and `files_xxh3`, from which a run's files are found again. */
void hc_part_files_set_json(const HcPartFiles *files, json_t **to);

#endif
