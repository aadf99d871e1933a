/* A program outside the tree, as C and as C++: makes a pool, says how large it is, and runs a typed task on it. */
#include <stdio.h>
#include <weft.h>

WEFT_TASK(long, fib, (int, n)) {
    if (n < 2)
        return n;
    WEFT_SPAWN(fib, n - 1);
    long right = WEFT_CALL(fib, n - 2);
    return WEFT_SYNC(fib) + right;
}

int main(void) {
    weft_pool *pool = NULL;
    long result = 0;
    if (weft_pool_create(&pool, NULL) || WEFT_RUN(pool, &result, fib, 20)) {
        printf("%s\n", weft_error_detail());
        return 1;
    }
    printf("%u workers\n", weft_pool_workers(pool));
    return result != 6765 || weft_pool_workers(pool) == 0 || weft_pool_destroy(pool) != WEFT_OK;
}
