/* Stands between the daemon and its files, by LD_PRELOAD.
 *
 * DURABLE names a directory that holds of veille.db and its log what a power cut would leave: their state at their last
 * sync. While a file `read-only` is in it, what is written to them fails, as on a file system that was remounted. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

/* The name of the file, when it is one of the database's. */
static const char *ours(int fd, char *path, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    if (length <= 0) return NULL;
    path[length] = 0;
    const char *name = strrchr(path, '/');
    name = name ? name + 1 : path;
    return strncmp(name, "veille.db", 9) == 0 && !strstr(name, "-shm") ? name : NULL;
}

static void keep(int fd, const char *name) {
    static __thread char buffer[65536];
    char part[4096], whole[4096];
    const char *directory = getenv("DURABLE");
    if (!directory) return;
    snprintf(part, sizeof part, "%s/%s.part", directory, name);
    snprintf(whole, sizeof whole, "%s/%s", directory, name);
    int copy = open(part, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (copy < 0) abort();
    off_t at = 0;
    for (ssize_t got; (got = pread(fd, buffer, sizeof buffer, at)) > 0; at += got)
        if (write(copy, buffer, got) != got) abort();
    close(copy);
    if (rename(part, whole)) abort();
}

#define SYNC(call)                                                        \
    int call(int fd) {                                                    \
        static int (*real)(int);                                          \
        if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, #call);          \
        char path[4096];                                                  \
        int done = real(fd);                                              \
        const char *name = done == 0 ? ours(fd, path, sizeof path) : NULL; \
        if (name) keep(fd, name);                                         \
        return done;                                                      \
    }
SYNC(fsync)
SYNC(fdatasync)

static int is_refused(int fd) {
    char path[4096], flag[4096];
    const char *directory = getenv("DURABLE");
    if (!directory || !ours(fd, path, sizeof path)) return 0;
    snprintf(flag, sizeof flag, "%s/read-only", directory);
    return access(flag, F_OK) == 0;
}

#define WRITE(call)                                                                                   \
    ssize_t call(int fd, const void *bytes, size_t count, off_t at) {                                 \
        static ssize_t (*real)(int, const void *, size_t, off_t);                                     \
        if (!real) real = (ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, #call);      \
        if (!is_refused(fd)) return real(fd, bytes, count, at);                                       \
        errno = EROFS;                                                                                \
        return -1;                                                                                    \
    }
WRITE(pwrite)
WRITE(pwrite64)
