/*
 * How a thread treats denormal floating-point numbers: as they are, or as zeros where its processor can do that. Threading: each
 * thread has its own.
 */
#ifndef WF_ADAPTERS_DENORMALS_H
#define WF_ADAPTERS_DENORMALS_H

#include <stdint.h>

#if defined(__SSE__)
#include <xmmintrin.h>

#define WF_DENORMALS_FLUSH UINT64_C(0x8040) /* MXCSR: flush to zero, denormals are zero */

static inline uint64_t wf_float_control(void) {
    return _mm_getcsr();
}

static inline void wf_set_float_control(uint64_t control) {
    _mm_setcsr((uint32_t)control);
}

#elif defined(__aarch64__)

#define WF_DENORMALS_FLUSH UINT64_C(0x1080000) /* FPCR: FZ, FZ16 */

static inline uint64_t wf_float_control(void) {
    uint64_t control;
    __asm__ volatile("mrs %0, fpcr" : "=r"(control));
    return control;
}

static inline void wf_set_float_control(uint64_t control) {
    __asm__ volatile("msr fpcr, %0" : : "r"(control) : "memory");
}

#else

#define WF_DENORMALS_FLUSH UINT64_C(0) /* a processor without such a switch, or one that is not known here */

static inline uint64_t wf_float_control(void) {
    return 0;
}

static inline void wf_set_float_control(uint64_t control) {
    (void)control;
}

#endif
#endif
