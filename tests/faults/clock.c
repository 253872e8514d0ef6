/* A wall clock that a test can set: preloaded, it adds an offset to what a process reads as the time of day.
 *
 * The offset, nanoseconds as a signed 64-bit number, is read from the file that FACTORY_CLOCK_FILE names, mapped once, so
 * that the test moves the clock of every process of a run at one stroke. CLOCK_MONOTONIC and CLOCK_BOOTTIME stay, as they
 * do when an administrator or NTP sets a machine's clock. Deadlines are handed to the kernel in its own time: without
 * that a wait of a second, begun an hour ahead, takes an hour. Debian's libfaketime answers every absolute sleep, Python's
 * own since 3.11, with EINVAL. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL
#define WALL 1000000000LL /* seconds: a deadline above it is of the wall clock, machines are not up for thirty years */

static const volatile int64_t *offset_cell;

__attribute__((constructor)) static void map_offset(void) {
    const char *path = getenv("FACTORY_CLOCK_FILE");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *cell = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    if (cell != MAP_FAILED) offset_cell = cell;
    close(file);
}

static int64_t offset(void) { return offset_cell ? *offset_cell : 0; }

static void *next(const char *name) { return dlsym(RTLD_NEXT, name); }

static void *next_version(const char *name, const char *version) {
    void *found = dlvsym(RTLD_NEXT, name, version);
    return found ? found : next(name);
}

static struct timespec moved(struct timespec time, int64_t by) {
    int64_t nanoseconds = time.tv_nsec + by % SECOND;
    time.tv_sec += by / SECOND + (nanoseconds >= SECOND) - (nanoseconds < 0);
    time.tv_nsec = nanoseconds + (nanoseconds < 0 ? SECOND : 0) - (nanoseconds >= SECOND ? SECOND : 0);
    return time;
}

/* A deadline as the kernel counts; of another clock than that of the wall it is left as it is. */
static const struct timespec *true_deadline(const struct timespec *deadline, struct timespec *room) {
    if (!deadline || deadline->tv_sec < WALL) return deadline;
    *room = moved(*deadline, -offset());
    if (room->tv_sec < 0) room->tv_sec = room->tv_nsec = 0;
    return room;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = next("clock_gettime");
    int result = real(clock, time);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) *time = moved(*time, offset());
    return result;
}

int timespec_get(struct timespec *time, int base) {
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, time) == 0 ? base : 0;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    (void)zone;
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
    if (time) *time = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *seconds) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return (time_t)-1;
    if (seconds) *seconds = now.tv_sec;
    return now.tv_sec;
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *wanted, struct timespec *left) {
    static int (*real)(clockid_t, int, const struct timespec *, struct timespec *);
    if (!real) real = next("clock_nanosleep");
    struct timespec room;
    if (clock == CLOCK_REALTIME && (flags & TIMER_ABSTIME)) wanted = true_deadline(wanted, &room);
    return real(clock, flags, wanted, left);
}

int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *deadline) {
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    if (!real) real = next_version("pthread_cond_timedwait", "GLIBC_2.3.2");
    struct timespec room;
    return real(condition, mutex, true_deadline(deadline, &room));
}

int pthread_cond_clockwait(pthread_cond_t *condition, pthread_mutex_t *mutex, clockid_t clock,
                           const struct timespec *deadline) {
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);
    if (!real) real = next("pthread_cond_clockwait");
    struct timespec room;
    return real(condition, mutex, clock, clock == CLOCK_REALTIME ? true_deadline(deadline, &room) : deadline);
}

int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict deadline) {
    static int (*real)(pthread_mutex_t *, const struct timespec *);
    if (!real) real = next("pthread_mutex_timedlock");
    struct timespec room;
    return real(mutex, true_deadline(deadline, &room));
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict deadline) {
    static int (*real)(sem_t *, const struct timespec *);
    if (!real) real = next("sem_timedwait");
    struct timespec room;
    return real(semaphore, true_deadline(deadline, &room));
}

int sem_clockwait(sem_t *restrict semaphore, clockid_t clock, const struct timespec *restrict deadline) {
    static int (*real)(sem_t *, clockid_t, const struct timespec *);
    if (!real) real = next("sem_clockwait");
    struct timespec room;
    return real(semaphore, clock, clock == CLOCK_REALTIME ? true_deadline(deadline, &room) : deadline);
}

/* Ray's own locks (absl) wait by a futex that they call themselves. */
long syscall(long number, ...) {
    static long (*real)(long, ...);
    if (!real) real = next("syscall");
    long given[6];
    va_list arguments;
    va_start(arguments, number);
    for (int each = 0; each < 6; each++) given[each] = va_arg(arguments, long);
    va_end(arguments);
    struct timespec room;
    if (number == SYS_futex && (given[1] & FUTEX_CLOCK_REALTIME))
        given[3] = (long)true_deadline((const struct timespec *)given[3], &room);
    return real(number, given[0], given[1], given[2], given[3], given[4], given[5]);
}
