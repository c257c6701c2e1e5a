// Shifts the wall clock of the processes that preload this, and leaves their timers and monotonic clocks alone: a library
// that shifts those, too, stops PostgreSQL's `lock_timeout`.
//
//   cc -shared -fPIC -O2 -o shift.so shift.c
//   LD_PRELOAD=$PWD/shift.so CLOCK_OFFSET=-86400 postgres ...
//
// CLOCK_OFFSET is in seconds. CLOCK_OFFSET_FILE names a file of eight bytes in its place, a number of nanoseconds in the
// machine's byte order: a write to it steps the clock of every process that has mapped it, while they run.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL

static int64_t by_environment;
static const volatile int64_t *offset = &by_environment;

__attribute__((constructor)) static void set_up(void) {
    const char *seconds = getenv("CLOCK_OFFSET"), *path = getenv("CLOCK_OFFSET_FILE");
    if (seconds) by_environment = atoll(seconds) * SECOND;
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *shared = mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, file, 0);
    if (shared != MAP_FAILED) offset = shared;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (failed || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)) return failed;
    int64_t nanoseconds = now->tv_sec * SECOND + now->tv_nsec + *offset;
    now->tv_sec = nanoseconds / SECOND;
    now->tv_nsec = nanoseconds % SECOND;
    return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    struct timespec exact;
    int failed = clock_gettime(CLOCK_REALTIME, &exact);
    if (failed) return failed;
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *result) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (result) *result = exact.tv_sec;
    return exact.tv_sec;
}
