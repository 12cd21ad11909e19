/* Files and folders that are whole or not there: written under a temporary name beside the final
 * one, synced, then renamed. What a killed process left of that is `NAME.tmp-XXXXXXXX`; it is
 * locked while its writer lives, so that others know it from what may be removed. */
#ifndef HC_REPLACE_H
#define HC_REPLACE_H

#include "runtime/files/error.h"

typedef struct {
    const char *path; /* the caller's, until it is closed */
    char *temporary;
    int file;
    HcError *error;
} HcWriter;

/* After a failure there is nothing to close. */
HcStatus hc_writer_open(HcWriter *writer, const char *path, HcError *error);
HcStatus hc_writer_put(HcWriter *writer, const void *bytes, size_t count);
/* In place of bytes that were put there. */
HcStatus hc_writer_put_at(HcWriter *writer, size_t at, const void *bytes, size_t count);
/* Keeps the file when `status` is HC_OK, else leaves nothing; returns the first failure. */
HcStatus hc_writer_close(HcWriter *writer, HcStatus status);
/* All three in one. */
HcStatus hc_file_replace(const char *path, const void *bytes, size_t count, HcError *error);

/* A folder of files: the caller puts them into `temporary`, each with a writer. At `path` there is
 * at any moment the folder that was or the new one, whole; where the file system cannot exchange
 * two folders in one step, the one that was may for a moment be at hc_folder_before(path). What is
 * already at `path` must be a folder of such files, or empty. */
typedef struct {
    char *path, *temporary;
    int folder;
    HcError *error;
} HcFolder;

HcStatus hc_folder_begin(HcFolder *folder, const char *path, HcError *error);
HcStatus hc_folder_finish(HcFolder *folder, HcStatus status);
char *hc_folder_before(const char *path); /* the caller frees it; NULL: out of memory */
/* A folder of files written like that, and what stands in for it; nothing there is fine. */
HcStatus hc_folder_remove(const char *path, HcError *error);

/* Removes what killed writers left in a folder, for those files and folders in it whose names
 * `ours` accepts (NULL: all); never what a living process writes. */
void hc_remove_temporaries(const char *folder, int (*ours)(const char *name));

#endif
