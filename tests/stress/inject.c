/* The functions that fail, and the finding of who called. All state is in atomics: any thread may make the call that fails. */
#include "inject.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define DEPTH 16
#define OWN_FRAMES 3 /* find_caller(), fails(), and the function that stands in front */

static _Atomic(long) until_failure; /* counts down; the call that takes it from 1 to 0 fails; 0: none */
static _Atomic(bool) only_own;
static const char *_Atomic failed_call;
static _Atomic(uintptr_t) failed_at; /* address in this program */

static uintptr_t program_first, program_last, c_library_first, c_library_last;
static const char *image; /* this program's file, mapped */
static const ElfW(Sym) * symbols;
static size_t symbol_count;
static const char *names;
static uintptr_t program_base;

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);
void *__libc_memalign(size_t align, size_t bytes);

static bool between(uintptr_t at, uintptr_t first, uintptr_t last) {
    return at >= first && at < last;
}

/* The innermost frame in this program outside of this file; *direct: only the C library is between it and here. */
static __attribute__((noinline)) uintptr_t find_caller(bool *direct) {
    void *frames[DEPTH];
    int count = backtrace(frames, DEPTH);
    *direct = true;
    for (int i = OWN_FRAMES; i < count; i++) {
        uintptr_t at = (uintptr_t)frames[i];
        if (between(at, program_first, program_last))
            return at;
        *direct = *direct && between(at, c_library_first, c_library_last);
    }
    *direct = false;
    return 0;
}

static _Thread_local bool looking; /* backtrace() may call what stands here */

static __attribute__((noinline)) bool fails(const char *call) {
    bool direct;
    if (!atomic_load(&until_failure) || looking)
        return false;
    looking = true;
    uintptr_t caller = find_caller(&direct);
    looking = false;
    if (!caller || (atomic_load(&only_own) && !direct))
        return false;
    long left = atomic_load(&until_failure);
    while (left > 0 && !atomic_compare_exchange_weak(&until_failure, &left, left - 1))
        ;
    if (left != 1)
        return false;
    atomic_store(&failed_at, caller);
    atomic_store(&failed_call, call);
    return true;
}

/* The system's function of that name. */
static void *next_of(const char *name) {
    void *function = dlsym(RTLD_NEXT, name);
    if (!function)
        abort();
    return function;
}

/* `real` is set to the system's function of the same name and type as `name`. */
#define NEXT(name)                                                                                                               \
    static __typeof__(name) *real;                                                                                               \
    if (!real)                                                                                                                   \
    *(void **)(void *)&real = next_of(#name)

static void *no_memory(void) {
    errno = ENOMEM;
    return NULL;
}

static int error(int number) {
    errno = number;
    return -1;
}

#pragma GCC visibility push(default) /* in front of the system's for the libraries too */

void *malloc(size_t bytes) {
    return fails("malloc") ? no_memory() : __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes) {
    return fails("calloc") ? no_memory() : __libc_calloc(count, bytes);
}

void *realloc(void *old, size_t bytes) {
    return fails("realloc") ? no_memory() : __libc_realloc(old, bytes);
}

void *aligned_alloc(size_t align, size_t bytes) {
    return fails("aligned_alloc") ? no_memory() : __libc_memalign(align, bytes);
}

int posix_memalign(void **out, size_t align, size_t bytes) {
    void *made = fails("posix_memalign") ? NULL : __libc_memalign(align, bytes);
    if (made)
        *out = made;
    return made ? 0 : ENOMEM;
}

char *strdup(const char *text) {
    size_t bytes = strlen(text) + 1;
    char *copy = fails("strdup") ? no_memory() : __libc_malloc(bytes);
    return copy ? memcpy(copy, text, bytes) : NULL;
}

void *mmap(void *start, size_t bytes, int protection, int flags, int fd, off_t offset) {
    if (fails("mmap")) {
        no_memory();
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, start, bytes, protection, flags, fd, offset);
}

int mprotect(void *start, size_t bytes, int protection) {
    return fails("mprotect") ? error(ENOMEM) : (int)syscall(SYS_mprotect, start, bytes, protection);
}

int mlock2(const void *start, size_t bytes, unsigned flags) {
    return fails("mlock2") ? error(ENOMEM) : (int)syscall(SYS_mlock2, start, bytes, flags);
}

int madvise(void *start, size_t bytes, int advice) {
    return fails("madvise") ? error(ENOMEM) : (int)syscall(SYS_madvise, start, bytes, advice);
}

int mincore(void *start, size_t bytes, unsigned char *resident) {
    return fails("mincore") ? error(EAGAIN) : (int)syscall(SYS_mincore, start, bytes, resident);
}

int open(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    unsigned mode = flags & O_CREAT ? va_arg(more, unsigned) : 0;
    va_end(more);
    return fails("open") ? error(EMFILE) : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

ssize_t read(int file, void *to, size_t bytes) {
    return fails("read") ? error(EIO) : syscall(SYS_read, file, to, bytes);
}

FILE *fopen(const char *path, const char *mode) {
    NEXT(fopen);
    if (!fails("fopen"))
        return real(path, mode);
    errno = EMFILE;
    return NULL;
}

int setenv(const char *name, const char *value, int replace) {
    NEXT(setenv);
    return fails("setenv") ? error(ENOMEM) : real(name, value, replace);
}

int stat(const char *restrict path, struct stat *restrict info) {
    NEXT(stat);
    return fails("stat") ? error(ENOMEM) : real(path, info);
}

int sysinfo(struct sysinfo *info) {
    return fails("sysinfo") ? error(EPERM) : (int)syscall(SYS_sysinfo, info);
}

int sched_getaffinity(pid_t process, size_t bytes, cpu_set_t *mask) {
    NEXT(sched_getaffinity);
    return fails("sched_getaffinity") ? error(EPERM) : real(process, bytes, mask);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *arg) {
    NEXT(pthread_create);
    return fails("pthread_create") ? EAGAIN : real(thread, attributes, run, arg);
}

int pthread_attr_init(pthread_attr_t *attributes) {
    NEXT(pthread_attr_init);
    return fails("pthread_attr_init") ? ENOMEM : real(attributes);
}

int pthread_attr_setsigmask_np(pthread_attr_t *attributes, const sigset_t *mask) {
    NEXT(pthread_attr_setsigmask_np);
    return fails("pthread_attr_setsigmask_np") ? ENOMEM : real(attributes, mask);
}

int pthread_attr_setaffinity_np(pthread_attr_t *attributes, size_t bytes, const cpu_set_t *mask) {
    NEXT(pthread_attr_setaffinity_np);
    return fails("pthread_attr_setaffinity_np") ? ENOMEM : real(attributes, bytes, mask);
}

int pthread_attr_setstacksize(pthread_attr_t *attributes, size_t bytes) {
    NEXT(pthread_attr_setstacksize);
    return fails("pthread_attr_setstacksize") ? EINVAL : real(attributes, bytes);
}

/* Memory policies and questions are refused, sleepers wake for no reason; what else there is does not fail. */
long syscall(long number, ...) {
    typedef long (*syscall_fn)(long, long, long, long, long, long, long);
    static syscall_fn real;
    if (!real)
        *(void **)(void *)&real = next_of("syscall");
    va_list more;
    long a[6];
    va_start(more, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(more, long);
    va_end(more);
    if (number == SYS_mbind && fails("mbind"))
        return error(EPERM);
    if (number == SYS_get_mempolicy && fails("get_mempolicy"))
        return error(EPERM);
    if (number == SYS_set_mempolicy && fails("set_mempolicy"))
        return error(ENOMEM);
    if (number == SYS_move_pages && fails("move_pages"))
        return error(EPERM);
    if (number == SYS_futex && (a[1] & FUTEX_CMD_MASK) == FUTEX_WAIT && fails("futex (wakes early)"))
        return error(EINTR);
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

#pragma GCC visibility pop

/* The name of the function at an address of this program, from its symbol table; static ones have names there too. */
static const char *name_of(uintptr_t at) {
    for (size_t i = 0; i < symbol_count; i++) {
        uintptr_t first = program_base + symbols[i].st_value;
        if ((symbols[i].st_info & 15) == STT_FUNC && between(at, first, first + symbols[i].st_size))
            return names + symbols[i].st_name;
    }
    return "?";
}

static void read_symbols(void) {
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct stat info;
    if (file < 0 || fstat(file, &info))
        return;
    void *mapped = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    close(file);
    if (mapped == MAP_FAILED)
        return;
    image = mapped;
    const ElfW(Ehdr) *header = mapped;
    const ElfW(Shdr) *sections = (const void *)(image + header->e_shoff);
    for (unsigned i = 0; i < header->e_shnum; i++)
        if (sections[i].sh_type == SHT_SYMTAB) {
            symbols = (const void *)(image + sections[i].sh_offset);
            symbol_count = sections[i].sh_size / sizeof *symbols;
            names = image + sections[sections[i].sh_link].sh_offset;
        }
}

/* The first object is this program; the C library is known by its name. */
static int note_object(struct dl_phdr_info *info, size_t size, void *arg) {
    (void)size;
    uintptr_t first = UINTPTR_MAX, last = 0;
    for (unsigned i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD) {
            uintptr_t begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr, end = begin + info->dlpi_phdr[i].p_memsz;
            first = begin < first ? begin : first;
            last = end > last ? end : last;
        }
    if (!(*(int *)arg)++) {
        program_base = info->dlpi_addr;
        program_first = first;
        program_last = last;
    } else if (strstr(info->dlpi_name, "/libc.so")) {
        c_library_first = first;
        c_library_last = last;
    }
    return 0;
}

void inject_prepare(void) {
    int objects = 0;
    void *frames[2];
    backtrace(frames, 2); /* loads what it needs */
    dl_iterate_phdr(note_object, &objects);
    read_symbols();
}

void inject_arm(long n, bool own) {
    atomic_store(&failed_call, NULL);
    atomic_store(&only_own, own);
    atomic_store(&until_failure, n);
}

struct injected inject_disarm(void) {
    atomic_store(&until_failure, 0);
    const char *call = atomic_load(&failed_call);
    return (struct injected){call, call ? name_of(atomic_load(&failed_at)) : ""};
}
