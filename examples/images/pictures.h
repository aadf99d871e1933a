/* Pictures to try things on: sizes from thumbnail to screen, smooth and noisy, and all that encoders do differently. */
#ifndef IMAGES_PICTURES_H
#define IMAGES_PICTURES_H

#include <stdint.h>

/** Write picture `number` of a seed as a JPEG file; it depends on nothing else. 0; else errno. */
int picture_write(const char *path, uint64_t seed, uint64_t number);

#endif
