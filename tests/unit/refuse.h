/*
 * System calls that the kernel refuses, as a container's seccomp filter has it: a BPF program made here, no library. A filter
 * stays for the life of the process and is inherited, so callers install it in a child.
 */
#ifndef WEFT_TESTS_REFUSE_H
#define WEFT_TESTS_REFUSE_H

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REFUSE_MOST 16

#if defined(__x86_64__)
#define REFUSE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define REFUSE_ARCH AUDIT_ARCH_AARCH64
#else
#define REFUSE_ARCH 0 /* the filter would have to know the machine's numbers */
#endif

/*
 * From now on each of these calls (at most REFUSE_MOST) fails with `error`, in all threads of the process. false: this kernel
 * or container installs no filters.
 */
static inline bool refuse_calls(const int *numbers, unsigned count, int error) {
    struct sock_filter program[3 + REFUSE_MOST + 2];
    unsigned short length = 0;
    if (!REFUSE_ARCH || count > REFUSE_MOST)
        return false;
    program[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    program[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, REFUSE_ARCH, 0, (unsigned char)(count + 1));
    program[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (unsigned i = 0; i < count; i++)
        program[length++] =
            (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)numbers[i], (unsigned char)(count - i), 0);
    program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ((unsigned)error & SECCOMP_RET_DATA));
    struct sock_fprog filter = {.len = length, .filter = program};
    return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
           !syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);
}

#endif
