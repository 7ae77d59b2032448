/*
 * A disk with a bound. Preloaded into the server, this library counts what the files of one directory take and lets no more be
 * written than there is room for: a file may be written over, and grows only while bytes are left; what is cut off or removed is
 * free again. A write that does not fit whole writes what fits, as file systems do, and the next one fails with ENOSPC.
 *
 * FULL_DIRECTORY: the directory. FULL_LEFT: a file of 8 bytes, the bytes that are left, which the test may set at any time.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define FDS 4096

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char directory[PATH_MAX];
static volatile int64_t *left;
static char ours[FDS];

static void fail(const char *what) {
  fprintf(stderr, "full-disk: %s: %s\n", what, strerror(errno));
  _exit(99);
}

static void *next(const char *name) {
  void *f = dlsym(RTLD_NEXT, name);
  if (f == NULL) fail(name);
  return f;
}

__attribute__((constructor)) static void begin(void) {
  const char *at = getenv("FULL_DIRECTORY"), *file = getenv("FULL_LEFT");
  if (at == NULL || file == NULL) return;
  snprintf(directory, sizeof directory, "%s/", at);
  int fd = (int)syscall(SYS_openat, AT_FDCWD, file, O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0) fail(file);
  left = mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (left == MAP_FAILED) fail("the bytes left");
  syscall(SYS_close, fd);
}

static int is_in(const char *path) { return left != NULL && strncmp(path, directory, strlen(directory)) == 0; }
/* Who closes by a system call of its own is not seen: such a descriptor may be a socket by now. */
static int is_ours(int fd) {
  struct stat s;
  return left != NULL && fd >= 0 && fd < FDS && ours[fd] && fstat(fd, &s) == 0 && S_ISREG(s.st_mode);
}

static int64_t size_of(int fd) {
  struct stat s;
  return fstat(fd, &s) == 0 ? (int64_t)s.st_size : 0;
}

static int opened(int fd, const char *path) {
  if (fd >= FDS) fail("too many descriptors");
  if (fd >= 0) ours[fd] = (char)is_in(path);
  return fd;
}

#define OPEN(name)                                                 \
  int name(const char *path, int flags, ...) {                     \
    static int (*real)(const char *, int, ...);                    \
    if (real == NULL) real = next(#name);                          \
    mode_t mode = 0;                                               \
    if (flags & (O_CREAT | O_TMPFILE)) {                           \
      va_list list;                                                \
      va_start(list, flags);                                       \
      mode = va_arg(list, mode_t);                                 \
      va_end(list);                                                \
    }                                                              \
    return opened(real(path, flags, mode), path);                  \
  }
OPEN(open)
OPEN(open64)

int close(int fd) {
  static int (*real)(int);
  if (real == NULL) real = next("close");
  if (fd >= 0 && fd < FDS) ours[fd] = 0;
  return real(fd);
}

/* What of the bytes fits; the rest of the disk is taken for it. Called with the lock held. */
static size_t fitting(int fd, int64_t at, size_t length) {
  int64_t size = size_of(fd), end = at + (int64_t)length;
  if (end <= size) return length;
  int64_t grows = end - size, has = *left < 0 ? 0 : *left;
  if (grows > has) {
    int64_t fits = size + has - at;
    length = fits > 0 ? (size_t)fits : 0;
    grows = length > 0 ? has : 0;
  }
  *left -= grows;
  return length;
}

ssize_t write(int fd, const void *data, size_t length) {
  static ssize_t (*real)(int, const void *, size_t);
  if (real == NULL) real = next("write");
  if (!is_ours(fd) || length == 0) return real(fd, data, length);
  pthread_mutex_lock(&lock);
  int64_t at = fcntl(fd, F_GETFL) & O_APPEND ? size_of(fd) : (int64_t)lseek(fd, 0, SEEK_CUR);
  length = fitting(fd, at, length);
  ssize_t n = length == 0 ? -1 : real(fd, data, length);
  int error = length == 0 ? ENOSPC : errno;
  pthread_mutex_unlock(&lock);
  errno = error;
  return n;
}

#define PWRITE(name, type)                                         \
  ssize_t name(int fd, const void *data, size_t length, type at) { \
    static ssize_t (*real)(int, const void *, size_t, type);       \
    if (real == NULL) real = next(#name);                          \
    if (!is_ours(fd) || length == 0) return real(fd, data, length, at); \
    pthread_mutex_lock(&lock);                                     \
    length = fitting(fd, (int64_t)at, length);                     \
    ssize_t n = length == 0 ? -1 : real(fd, data, length, at);     \
    int error = length == 0 ? ENOSPC : errno;                      \
    pthread_mutex_unlock(&lock);                                   \
    errno = error;                                                 \
    return n;                                                      \
  }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

/* Ways to grow a file that SQLite does not take: were it to begin, the disk would have no bound. */
#define UNSEEN(result, name, parameters, arguments)                \
  result name parameters {                                         \
    static result(*real) parameters;                               \
    if (real == NULL) real = next(#name);                          \
    if (is_ours(fd)) fail(#name " of a file on the disk");         \
    return real arguments;                                         \
  }
UNSEEN(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n))
UNSEEN(ssize_t, pwritev, (int fd, const struct iovec *v, int n, off_t at), (fd, v, n, at))
UNSEEN(ssize_t, pwritev64, (int fd, const struct iovec *v, int n, off64_t at), (fd, v, n, at))
UNSEEN(int, fallocate, (int fd, int mode, off_t at, off_t n), (fd, mode, at, n))
UNSEEN(int, fallocate64, (int fd, int mode, off64_t at, off64_t n), (fd, mode, at, n))
UNSEEN(int, posix_fallocate, (int fd, off_t at, off_t n), (fd, at, n))
UNSEEN(int, posix_fallocate64, (int fd, off64_t at, off64_t n), (fd, at, n))

/* A file that is made longer so takes its bytes when they are written. */
#define TRUNCATE(name, type)                                       \
  int name(int fd, type size) {                                    \
    static int (*real)(int, type);                                 \
    if (real == NULL) real = next(#name);                          \
    if (!is_ours(fd)) return real(fd, size);                       \
    pthread_mutex_lock(&lock);                                     \
    int64_t before = size_of(fd);                                  \
    int r = real(fd, size);                                        \
    int error = errno;                                             \
    if (r == 0 && before > (int64_t)size) *left += before - (int64_t)size; \
    pthread_mutex_unlock(&lock);                                   \
    errno = error;                                                 \
    return r;                                                      \
  }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

int unlink(const char *path) {
  static int (*real)(const char *);
  if (real == NULL) real = next("unlink");
  struct stat s;
  int64_t size = is_in(path) && stat(path, &s) == 0 ? (int64_t)s.st_size : 0;
  int r = real(path);
  if (r == 0 && size > 0) {
    pthread_mutex_lock(&lock);
    *left += size;
    pthread_mutex_unlock(&lock);
  }
  return r;
}
