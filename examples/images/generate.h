/* A directory full of pictures. */
#ifndef IMAGES_GENERATE_H
#define IMAGES_GENERATE_H

#include <weft.h>

#include "../common/progress.h"

/**
 * Make `count` files below the directory, in folders of 1000, in parallel. Which files they are depends on the seed only, and what
 * exists under their names is replaced.
 *
 * @return 0; else errno. `failed`: 256 bytes, what could not be written.
 */
int generate(weft_pool *pool, const char *directory, uint64_t count, uint64_t seed, struct progress *progress, char *failed);

#endif
