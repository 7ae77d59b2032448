/*
 * A disk that remembers what a power cut would leave. Preloaded into the server, this library writes down every change of the
 * database files (bytes written, sizes cut, names made and removed) and every sync of them, in the order in which they happened.
 * frozen-disk.ts makes of that the files as they stood on disk at any sync: what was written before a completed sync of the same
 * file, and nothing else unless it is told to tear.
 *
 * FREEZE_FILE: the database; its -wal and -journal count too, -shm does not (SQLite makes it anew). FREEZE_LOG: where the records
 * go. FREEZE_COUNTER: 8 bytes that count completed syncs, for whoever wants to know the moment. FREEZE_DELAY_US: what a sync
 * takes longer, as on a slow disk. FREEZE_DIE: the process is killed within a write that ends a transaction, the first after so
 * many pages: its bytes are in the file and in no record.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define FDS 4096

struct record {
  char op;
  char pad[3];
  uint32_t id;
  uint64_t at;
  uint32_t length;
  uint32_t counter;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char database[PATH_MAX], directory[PATH_MAX];
static int log_fd = -1;
static volatile uint64_t *counter;
static long delay_us;
/* Pages to write until the process may die; 0: it does not. */
static long pages_left;
/* Id of the open file behind each descriptor, given anew by every open; 0 is none of ours. */
static uint32_t ids[FDS];
/* What it was opened on: the event loop closes by a system call that is not seen here, and the number comes again for something else. */
static ino_t inodes[FDS];
static uint32_t next_id;
static uint64_t next_sync;

static void fail(const char *what) {
  fprintf(stderr, "freeze: %s: %s\n", what, strerror(errno));
  _exit(99);
}

static void put(const void *data, size_t length) {
  const char *p = data;
  while (length > 0) {
    long n = syscall(SYS_write, log_fd, p, length);
    if (n < 0) {
      if (errno == EINTR) continue;
      fail("log");
    }
    p += n;
    length -= (size_t)n;
  }
}

static void note(char op, uint32_t id, uint64_t at, const void *data, size_t length, uint32_t count) {
  struct record r;
  memset(&r, 0, sizeof r);
  r.op = op;
  r.id = id;
  r.at = at;
  r.length = (uint32_t)length;
  r.counter = count;
  put(&r, sizeof r);
  if (length > 0) put(data, length);
}

static void *next(const char *name) {
  void *f = dlsym(RTLD_NEXT, name);
  if (f == NULL) fail(name);
  return f;
}

__attribute__((constructor)) static void begin(void) {
  const char *file = getenv("FREEZE_FILE"), *log = getenv("FREEZE_LOG"), *count = getenv("FREEZE_COUNTER");
  if (file == NULL || log == NULL || count == NULL) return;
  snprintf(database, sizeof database, "%s", file);
  snprintf(directory, sizeof directory, "%s", file);
  char *slash = strrchr(directory, '/');
  if (slash != NULL) *slash = 0;
  delay_us = getenv("FREEZE_DELAY_US") == NULL ? 0 : atol(getenv("FREEZE_DELAY_US"));
  pages_left = getenv("FREEZE_DIE") == NULL ? 0 : atol(getenv("FREEZE_DIE"));
  int fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) fail(log);
  log_fd = fcntl(fd, F_DUPFD_CLOEXEC, 900);
  if (log_fd < 0) fail("log descriptor");
  syscall(SYS_close, fd);
  fd = (int)syscall(SYS_openat, AT_FDCWD, count, O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0) fail(count);
  counter = mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (counter == MAP_FAILED) fail("counter");
  syscall(SYS_close, fd);
}

static int is_database(const char *path) {
  size_t n = strlen(database);
  if (strncmp(path, database, n) != 0) return 0;
  return path[n] == 0 || strcmp(path + n, "-wal") == 0 || strcmp(path + n, "-journal") == 0;
}

static uint32_t id_of(int fd) {
  struct stat s;
  if (log_fd < 0 || fd < 0 || fd >= FDS || ids[fd] == 0) return 0;
  return fstat(fd, &s) == 0 && s.st_ino == inodes[fd] ? ids[fd] : 0;
}

/* Called with the lock held, so that nothing comes between the change and its record. */
static void opened(int fd, const char *path, int flags) {
  if (fd < 0 || fd >= FDS) {
    if (fd >= FDS) fail("too many descriptors");
    return;
  }
  ids[fd] = 0;
  int is_directory = strcmp(path, directory) == 0;
  /* Whoever only reads changes nothing. */
  int is_writer = (flags & O_ACCMODE) != O_RDONLY;
  if (!is_directory && !(is_writer && is_database(path))) return;
  struct stat s;
  if (fstat(fd, &s) != 0) fail("fstat");
  inodes[fd] = s.st_ino;
  ids[fd] = ++next_id;
  note(is_directory ? 'D' : 'O', ids[fd], (flags & O_TRUNC) != 0, path, strlen(path), (uint32_t)getpid());
}

static int open_any(int (*real)(const char *, int, ...), const char *path, int flags, mode_t mode) {
  if (log_fd < 0) return real(path, flags, mode);
  pthread_mutex_lock(&lock);
  int fd = real(path, flags, mode);
  int error = errno;
  opened(fd, path, flags);
  pthread_mutex_unlock(&lock);
  errno = error;
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
    return open_any(real, path, flags, mode);                      \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                               \
  int name(int at, const char *path, int flags, ...) {             \
    static int (*real)(int, const char *, int, ...);               \
    if (real == NULL) real = next(#name);                          \
    mode_t mode = 0;                                               \
    if (flags & (O_CREAT | O_TMPFILE)) {                           \
      va_list list;                                                \
      va_start(list, flags);                                       \
      mode = va_arg(list, mode_t);                                 \
      va_end(list);                                                \
    }                                                              \
    if (log_fd < 0) return real(at, path, flags, mode);            \
    pthread_mutex_lock(&lock);                                     \
    int fd = real(at, path, flags, mode);                          \
    int error = errno;                                             \
    opened(fd, path, flags);                                       \
    pthread_mutex_unlock(&lock);                                   \
    errno = error;                                                 \
    return fd;                                                     \
  }
OPENAT(openat)
OPENAT(openat64)

int close(int fd) {
  static int (*real)(int);
  if (real == NULL) real = next("close");
  if (id_of(fd) != 0) {
    pthread_mutex_lock(&lock);
    ids[fd] = 0;
    pthread_mutex_unlock(&lock);
  }
  return real(fd);
}

ssize_t write(int fd, const void *data, size_t length) {
  static ssize_t (*real)(int, const void *, size_t);
  if (real == NULL) real = next("write");
  uint32_t id = id_of(fd);
  if (id == 0) return real(fd, data, length);
  pthread_mutex_lock(&lock);
  off_t at = lseek(fd, 0, SEEK_CUR);
  ssize_t n = real(fd, data, length);
  int error = errno;
  if (n > 0) note('W', id, (uint64_t)at, data, (size_t)n, 0);
  pthread_mutex_unlock(&lock);
  errno = error;
  return n;
}

/* SQLite's log: each page comes after a header of 24 bytes, whose second word is not zero when the page ends a transaction. */
static void die_if_due(const void *data, size_t length) {
  static int is_last;
  if (length == 24) is_last = *((const uint32_t *)data + 1) != 0;
  if (length <= 32 || pages_left == 0) return;
  if (pages_left > 1) {
    pages_left--;
    return;
  }
  if (!is_last) return;
  kill(getpid(), SIGKILL);
  pause();
}

#define PWRITE(name, type)                                         \
  ssize_t name(int fd, const void *data, size_t length, type at) { \
    static ssize_t (*real)(int, const void *, size_t, type);       \
    if (real == NULL) real = next(#name);                          \
    uint32_t id = id_of(fd);                                       \
    if (id == 0) return real(fd, data, length, at);                \
    pthread_mutex_lock(&lock);                                     \
    ssize_t n = real(fd, data, length, at);                        \
    int error = errno;                                             \
    die_if_due(data, length);                                      \
    if (n > 0) note('W', id, (uint64_t)at, data, (size_t)n, 0);    \
    pthread_mutex_unlock(&lock);                                   \
    errno = error;                                                 \
    return n;                                                      \
  }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

/* Ways to change a file that SQLite does not take: were it to begin, the images would lack something. */
#define UNSEEN(result, name, parameters, arguments)                \
  result name parameters {                                         \
    static result(*real) parameters;                               \
    if (real == NULL) real = next(#name);                          \
    if (id_of(fd) != 0) fail(#name " of a database file");         \
    return real arguments;                                         \
  }
UNSEEN(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n))
UNSEEN(ssize_t, pwritev, (int fd, const struct iovec *v, int n, off_t at), (fd, v, n, at))
UNSEEN(ssize_t, pwritev64, (int fd, const struct iovec *v, int n, off64_t at), (fd, v, n, at))
UNSEEN(int, fallocate, (int fd, int mode, off_t at, off_t n), (fd, mode, at, n))
UNSEEN(int, fallocate64, (int fd, int mode, off64_t at, off64_t n), (fd, mode, at, n))
UNSEEN(int, posix_fallocate, (int fd, off_t at, off_t n), (fd, at, n))
UNSEEN(int, posix_fallocate64, (int fd, off64_t at, off64_t n), (fd, at, n))

#define TRUNCATE(name, type)                                       \
  int name(int fd, type size) {                                    \
    static int (*real)(int, type);                                 \
    if (real == NULL) real = next(#name);                          \
    uint32_t id = id_of(fd);                                       \
    if (id == 0) return real(fd, size);                            \
    pthread_mutex_lock(&lock);                                     \
    int r = real(fd, size);                                        \
    int error = errno;                                             \
    if (r == 0) note('T', id, (uint64_t)size, NULL, 0, 0);         \
    pthread_mutex_unlock(&lock);                                   \
    errno = error;                                                 \
    return r;                                                      \
  }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

static int sync_any(int (*real)(int), int fd) {
  uint32_t id = id_of(fd);
  if (id == 0) return real(fd);
  pthread_mutex_lock(&lock);
  uint64_t sync = ++next_sync;
  note('B', id, sync, NULL, 0, 0);
  pthread_mutex_unlock(&lock);
  if (delay_us > 0) {
    struct timespec t = {delay_us / 1000000, (delay_us % 1000000) * 1000};
    nanosleep(&t, NULL);
  }
  int r = real(fd);
  int error = errno;
  if (r == 0) {
    pthread_mutex_lock(&lock);
    note('S', id, sync, NULL, 0, (uint32_t)(*counter + 1));
    *counter = *counter + 1;
    pthread_mutex_unlock(&lock);
  }
  errno = error;
  return r;
}

int fsync(int fd) {
  static int (*real)(int);
  if (real == NULL) real = next("fsync");
  return sync_any(real, fd);
}

int fdatasync(int fd) {
  static int (*real)(int);
  if (real == NULL) real = next("fdatasync");
  return sync_any(real, fd);
}

int unlink(const char *path) {
  static int (*real)(const char *);
  if (real == NULL) real = next("unlink");
  if (log_fd < 0 || !is_database(path)) return real(path);
  pthread_mutex_lock(&lock);
  int r = real(path);
  int error = errno;
  if (r == 0) note('U', 0, 0, path, strlen(path), 0);
  pthread_mutex_unlock(&lock);
  errno = error;
  return r;
}

int rename(const char *from, const char *to) {
  static int (*real)(const char *, const char *);
  if (real == NULL) real = next("rename");
  if (log_fd < 0 || (!is_database(from) && !is_database(to))) return real(from, to);
  pthread_mutex_lock(&lock);
  int r = real(from, to);
  int error = errno;
  if (r == 0) {
    char both[2 * PATH_MAX];
    int n = snprintf(both, sizeof both, "%s\n%s", from, to);
    note('R', 0, 0, both, (size_t)n, 0);
  }
  pthread_mutex_unlock(&lock);
  errno = error;
  return r;
}

static void *map_any(void *(*real)(void *, size_t, int, int, int, off64_t), void *p, size_t n, int protection, int flags, int fd, off64_t at) {
  if ((flags & MAP_TYPE) == MAP_SHARED && (protection & PROT_WRITE) && id_of(fd) != 0) fail("a database file mapped for writing");
  return real(p, n, protection, flags, fd, at);
}

void *mmap64(void *p, size_t n, int protection, int flags, int fd, off64_t at) {
  static void *(*real)(void *, size_t, int, int, int, off64_t);
  if (real == NULL) real = next("mmap64");
  return map_any(real, p, n, protection, flags, fd, at);
}
