/* Preloaded into a process that `collect` runs in: counts the system calls that change a disk
   (those that make, write, flush, rename or remove files) and, once armed, kills the process with
   SIGKILL in place of the n-th. Writes to pipes and terminals do not count. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static long fatal = 0, counted = 0;

void step_killer_arm(long n) { fatal = n; counted = 0; }
long step_killer_count(void) { return counted; }

static void step(void) {
    counted++;
    if (fatal && counted == fatal) kill(getpid(), SIGKILL);
}

static void step_if_file(int fd) {
    struct stat st;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) step();
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define WRAP_OPEN(name)                                                   \
    int name(const char *path, int flags, ...) {                          \
        va_list rest; va_start(rest, flags);                              \
        mode_t mode = va_arg(rest, int); va_end(rest);                    \
        if (flags & (O_CREAT | O_TRUNC)) step();                          \
        return REAL(name)(path, flags, mode);                             \
    }
WRAP_OPEN(open)
WRAP_OPEN(open64)

#define WRAP_OPENAT(name)                                                 \
    int name(int at, const char *path, int flags, ...) {                  \
        va_list rest; va_start(rest, flags);                              \
        mode_t mode = va_arg(rest, int); va_end(rest);                    \
        if (flags & (O_CREAT | O_TRUNC)) step();                          \
        return REAL(name)(at, path, flags, mode);                         \
    }
WRAP_OPENAT(openat)
WRAP_OPENAT(openat64)

ssize_t write(int fd, const void *data, size_t n) { step_if_file(fd); return REAL(write)(fd, data, n); }
ssize_t pwrite(int fd, const void *data, size_t n, off_t at) { step_if_file(fd); return REAL(pwrite)(fd, data, n, at); }
ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at) { step_if_file(fd); return REAL(pwrite64)(fd, data, n, at); }
int fsync(int fd) { step(); return REAL(fsync)(fd); }
int fdatasync(int fd) { step(); return REAL(fdatasync)(fd); }
int ftruncate(int fd, off_t n) { step(); return REAL(ftruncate)(fd, n); }
int ftruncate64(int fd, off64_t n) { step(); return REAL(ftruncate64)(fd, n); }
int rename(const char *a, const char *b) { step(); return REAL(rename)(a, b); }
int renameat(int x, const char *a, int y, const char *b) { step(); return REAL(renameat)(x, a, y, b); }
int unlink(const char *a) { step(); return REAL(unlink)(a); }
int unlinkat(int x, const char *a, int f) { step(); return REAL(unlinkat)(x, a, f); }
int mkdir(const char *a, mode_t m) { step(); return REAL(mkdir)(a, m); }
int mkdirat(int x, const char *a, mode_t m) { step(); return REAL(mkdirat)(x, a, m); }
int chmod(const char *a, mode_t m) { step(); return REAL(chmod)(a, m); }
int fchmod(int fd, mode_t m) { step(); return REAL(fchmod)(fd, m); }
