/*
 * From decoded pixels to what a network takes: the middle square of the image, resampled to `size` x `size`, normalised, one plane per
 * colour. Bilinear with antialiasing, as torchvision's Resize(resize, antialias) and CenterCrop(size) in one step: the weights of
 * output pixel x are a triangle around its centre, as wide as `scale` source pixels to each side, at least one.
 */
#ifndef IMAGES_RESAMPLE_H
#define IMAGES_RESAMPLE_H

#include <stddef.h>

#include "jpeg.h"

struct shape {
    unsigned size;   /* edge of the output, pixels */
    unsigned resize; /* the shorter edge of the image is resized to this before the middle is cut out; at least size */
    float mean[3], deviation[3]; /* of red, green, blue in [0, 1]: output is (value - mean) / deviation */
};

/** Floats of one output. */
static inline size_t shape_floats(const struct shape *shape) {
    return 3 * (size_t)shape->size * shape->size;
}

/** Bytes of memory that resample() needs for an image, at any alignment of 4. */
size_t resample_work_bytes(const struct shape *shape, const struct image *image);

/**
 * Resample. The result depends on nothing but the arguments.
 *
 * @param out   shape_floats(): plane, row, column.
 * @param work  resample_work_bytes().
 */
void resample(const struct shape *shape, const struct image *image, float *out, void *work);

#endif
