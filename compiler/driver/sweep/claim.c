#include "driver/sweep/claim.h"
#include "runtime/files/json.h"
#include "runtime/files/json_read.h"
#include "runtime/files/replace.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CLAIM_NAME "claim-"
enum { PATH_ROOM = 4096, TEXT_ROOM = 1024, BOOT_ROOM = 64, MOST_VALUES = 16 };

static double claim_seconds(struct timespec t) {
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double claim_clock(clockid_t which) {
    struct timespec t;
    clock_gettime(which, &t);
    return claim_seconds(t);
}

static const char *claim_path(const char *folder, uint32_t number, char path[PATH_ROOM]) {
    snprintf(path, PATH_ROOM, "%s/" CLAIM_NAME "%" PRIu32, folder, number);
    return path;
}

static int claim_is_one(const char *name) {
    return strncmp(name, CLAIM_NAME, strlen(CLAIM_NAME)) == 0;
}

/* --- whose it is -------------------------------------------------------------------------------*/

/* The machine since it was started; empty where that is not known. Its name could be another's. */
static void claim_boot(char boot[BOOT_ROOM]) {
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    boot[0] = '\0';
    if (file && !fgets(boot, BOOT_ROOM, file))
        boot[0] = '\0';
    if (file)
        fclose(file);
    boot[strcspn(boot, "\n")] = '\0';
}

static char *claim_text(void) {
    char host[256] = "", boot[BOOT_ROOM];
    gethostname(host, sizeof host - 1);
    claim_boot(boot);
    json_t *record = json_object();
    hc_json_set(&record, "host", hc_json_text(host));
    hc_json_set(&record, "boot", json_string(boot));
    hc_json_set(&record, "pid", json_integer(getpid()));
    hc_json_set(&record, "since", json_integer((json_int_t)time(NULL)));
    char *text = hc_json_dump(record, JSON_INDENT(1));
    json_decref(record);
    return text;
}

static bool claim_is_of_this_machine(const char *text, size_t length) {
    char boot[BOOT_ROOM];
    HcJsonRead read;
    claim_boot(boot);
    json_t *record = hc_json_read(text, length, MOST_VALUES, &read);
    const char *of = json_string_value(json_object_get(record, "boot"));
    const bool same = of && boot[0] && strcmp(of, boot) == 0;
    json_decref(record);
    return same;
}

/* Opened anew, as that is when NFS asks the server what it holds by now. */
static bool claim_is_over(int file, const ClaimClock *clock) {
    char text[TEXT_ROOM];
    struct stat info;
    const ssize_t length = pread(file, text, sizeof text, 0);
    if (length == 0)
        return true;
    if (length > 0 && claim_is_of_this_machine(text, (size_t)length)) {
        if (flock(file, LOCK_SH | LOCK_NB) == 0)
            return true;
        if (errno == EWOULDBLOCK)
            return false;
    }
    if (!clock->known || fstat(file, &info) != 0)
        return false;
    const double now = claim_clock(CLOCK_REALTIME) + clock->ahead;
    return now - claim_seconds(info.st_mtim) > CLAIM_STALE;
}

typedef enum { SLOT_EMPTY, SLOT_OVER, SLOT_HELD } Slot;

static Slot claim_slot(const char *path, const ClaimClock *clock) {
    const int file = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0)
        return errno == ENOENT ? SLOT_EMPTY : SLOT_HELD;
    const bool over = claim_is_over(file, clock);
    close(file);
    return over ? SLOT_OVER : SLOT_HELD;
}

/* --- taking it ---------------------------------------------------------------------------------*/

int claim_publish(const char *temporary, const char *path) {
    struct stat info;
    int result = link(temporary, path), why = errno;
    if (result != 0 && stat(temporary, &info) == 0 && info.st_nlink == 2)
        result = 0; /* it was done, and only the answer got lost */
    if (result != 0 && (why == EPERM || why == EOPNOTSUPP || why == ENOSYS)) {
        result = renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE);
        why = errno;
    }
    unlink(temporary);
    errno = why;
    return result;
}

/* The file system's clock is that of what has just been written. */
static void claim_set_clock(int file, ClaimClock *clock) {
    struct stat info;
    if (fstat(file, &info) == 0)
        *clock = (ClaimClock){true, claim_seconds(info.st_mtim) - claim_clock(CLOCK_REALTIME)};
}

/* A file with this process's record, locked. */
static int claim_write(HcWriter *writer, const char *path) {
    char *text = claim_text();
    if (!text) {
        errno = ENOMEM;
        return -1;
    }
    int result = -1;
    if (hc_writer_open(writer, path, NULL) == HC_OK) {
        result = hc_writer_put(writer, text, strlen(text)) == HC_OK ? fsync(writer->file) : -1;
        if (result != 0) {
            const int why = errno;
            hc_writer_close(writer, HC_ERROR_IO);
            errno = why;
        }
    }
    free(text);
    return result;
}

/* The first number that is nobody's; 0: somebody is at work. */
static uint32_t claim_next(const char *folder, uint32_t from, const ClaimClock *clock) {
    char path[PATH_ROOM];
    for (;; from++) {
        const Slot slot = claim_slot(claim_path(folder, from, path), clock);
        if (slot != SLOT_OVER)
            return slot == SLOT_EMPTY ? from : 0;
    }
}

ClaimResult claim_take(Claim *claim, const char *folder, ClaimClock *clock) {
    char path[PATH_ROOM];
    HcWriter writer;
    *claim = (Claim){0};
    if (clock->known && claim_next(folder, 1, clock) == 0)
        return CLAIM_OF_OTHERS;
    if (claim_write(&writer, claim_path(folder, 1, path)) != 0)
        return CLAIM_IMPOSSIBLE;
    claim_set_clock(writer.file, clock);
    uint32_t number = claim_next(folder, 1, clock);
    const bool free_one = number != 0;
    if (!free_one)
        unlink(writer.temporary);
    const int failed =
        free_one ? claim_publish(writer.temporary, claim_path(folder, number, path)) : 0;
    const int why = errno;
    free(writer.temporary);
    if (free_one && failed == 0) {
        *claim = (Claim){number, writer.file, claim_clock(CLOCK_BOOTTIME)};
        return CLAIM_MINE;
    }
    close(writer.file);
    errno = why;
    /* somebody was faster, or has ended the run and taken all claims away */
    return !free_one || why == EEXIST || why == ENOENT ? CLAIM_OF_OTHERS : CLAIM_IMPOSSIBLE;
}

/* --- holding it --------------------------------------------------------------------------------*/

bool claim_beat(Claim *claim, const char *folder) {
    char path[PATH_ROOM];
    const double now = claim_clock(CLOCK_BOOTTIME);
    if (now - claim->beaten > CLAIM_STALE ||
        access(claim_path(folder, claim->number + 1, path), F_OK) == 0)
        return false;
    if (now - claim->beaten > CLAIM_BEAT && futimens(claim->file, NULL) == 0)
        claim->beaten = now;
    return true;
}

void claim_give_up(Claim *claim, const char *folder, bool for_good) {
    char path[PATH_ROOM];
    if (claim->number == 0)
        return;
    const int emptied = ftruncate(claim->file, 0);
    (void)emptied; /* where that fails it is over all the same, a little later */
    close(claim->file);
    for (uint32_t k = claim->number; for_good && k > 0; k--)
        unlink(claim_path(folder, k, path));
    if (for_good)
        hc_remove_temporaries(folder, claim_is_one);
    *claim = (Claim){0};
}
