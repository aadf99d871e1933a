/* What the compiler calls, with -fsanitize=thread, for plain accesses of the code under test. */
#include "internal.h"

#define ACCESS(bytes)                                                                                                            \
    void __tsan_read##bytes(void *address);                                                                                      \
    void __tsan_write##bytes(void *address);                                                                                     \
    void __tsan_unaligned_read##bytes(void *address);                                                                            \
    void __tsan_unaligned_write##bytes(void *address);                                                                           \
    void __tsan_volatile_read##bytes(void *address);                                                                             \
    void __tsan_volatile_write##bytes(void *address);                                                                            \
    void __tsan_read##bytes(void *address) {                                                                                     \
        explore_plain(address, bytes, false);                                                                                    \
    }                                                                                                                            \
    void __tsan_write##bytes(void *address) {                                                                                    \
        explore_plain(address, bytes, true);                                                                                     \
    }                                                                                                                            \
    void __tsan_unaligned_read##bytes(void *address) {                                                                           \
        explore_plain(address, bytes, false);                                                                                    \
    }                                                                                                                            \
    void __tsan_unaligned_write##bytes(void *address) {                                                                          \
        explore_plain(address, bytes, true);                                                                                     \
    }                                                                                                                            \
    void __tsan_volatile_read##bytes(void *address) {                                                                            \
        explore_plain(address, bytes, false);                                                                                    \
    }                                                                                                                            \
    void __tsan_volatile_write##bytes(void *address) {                                                                           \
        explore_plain(address, bytes, true);                                                                                     \
    }
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)

void __tsan_read_range(void *address, size_t bytes);
void __tsan_write_range(void *address, size_t bytes);
void __tsan_init(void);
void __tsan_func_entry(void *caller);
void __tsan_func_exit(void);

void __tsan_read_range(void *address, size_t bytes) {
    explore_plain(address, bytes, false);
}

void __tsan_write_range(void *address, size_t bytes) {
    explore_plain(address, bytes, true);
}

void __tsan_init(void) {}

void __tsan_func_entry(void *caller) {
    (void)caller;
}

void __tsan_func_exit(void) {}
