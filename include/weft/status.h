/*
 * Statuses, and the detail text that explains the last failure of the calling thread.
 */
#ifndef WEFT_STATUS_H
#define WEFT_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/** Marks the symbols that the shared library exports. */
#define WEFT_API __attribute__((visibility("default")))

/** What a call came to. Zero is success; every other value comes with a text, see weft_error_detail(). */
typedef enum weft_status {
    WEFT_OK = 0,
    WEFT_EINVAL = 1,     /**< an argument, an option or an environment variable is not usable */
    WEFT_ENOMEM = 2,     /**< memory or address space is exhausted */
    WEFT_EAGAIN = 3,     /**< a bounded resource is full for the moment; the same call may work later */
    WEFT_ECLOSED = 4,    /**< the pool is being destroyed and takes no more work */
    WEFT_EPERM = 5,      /**< the system refused (seccomp, container, limit) */
    WEFT_ENOTSUP = 6,    /**< this machine, kernel or build cannot do it */
    WEFT_EIO = 7,        /**< a file could not be read or written */
    WEFT_ETOPOLOGY = 8,  /**< the topology could not be loaded or holds no processing unit this process may use */
    WEFT_EDEADLK = 9,    /**< the call would wait for itself */
    WEFT_ESTRICT = 10,   /**< strict mode was asked for, and the machine granted less than was asked */
    WEFT_EFORK = 11,     /**< the pool belongs to the process this one was forked from: its workers do not exist here */
    WEFT_ECANCELED = 12, /**< the caller's own callback said to stop, or something was cancelled */
    WEFT_ETIMEDOUT = 13  /**< a deadline has passed */
} weft_status;

/**
 * Name of a status ("WEFT_EINVAL"), "WEFT_E?" for a value that is none.
 *
 * Threads: any. Blocks: no. The string is static.
 */
WEFT_API const char *weft_status_name(weft_status status);

/**
 * What was wrong in the calling thread's last failed call, and what would be right. Empty before the first failure;
 * a success leaves it as it was.
 *
 * Threads: any; each has its own text. The pointer stays valid for the thread's life, its content until the thread's
 * next failed call.
 */
WEFT_API const char *weft_error_detail(void);

#ifdef __cplusplus
}
#endif
#endif
