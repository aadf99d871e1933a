/* A program outside the tree, as C and as C++: makes a pool and says how large it is. */
#include <stdio.h>
#include <weft.h>

int main(void) {
    weft_pool *pool = NULL;
    if (weft_pool_create(&pool, NULL)) {
        printf("%s\n", weft_error_detail());
        return 1;
    }
    printf("%u workers\n", weft_pool_workers(pool));
    return weft_pool_workers(pool) == 0 || weft_pool_destroy(pool) != WEFT_OK;
}
