/*
 * Source rows are taken one after the other: a row is resampled to `size` columns once, and added to the output rows that it counts
 * for, which are two when the image becomes smaller. So the work lies in the caches, and the inner loops run over columns.
 */
#include "resample.h"

#include <math.h>
#include <string.h>

/* Weights of one axis: output i is the sum of weights[i * most + k] * source[first[i] + k], k < count[i]. */
struct axis {
    uint32_t *first, *count;
    float *weights;
    uint32_t most; /* of count */
};

/* The stretch of the source that the output covers, in source pixels, and how many of them one output pixel is. */
static void find_stretch(const struct shape *shape, const struct image *image, uint32_t edge, double *begin, double *scale) {
    double shorter = image->width < image->height ? image->width : image->height;
    *scale = shorter / shape->resize;
    *begin = (edge - *scale * shape->size) / 2;
}

static uint32_t most_taps(double scale) {
    return (uint32_t)ceil(2 * fmax(scale, 1)) + 2;
}

static size_t axis_bytes(uint32_t size, uint32_t most) {
    return size * (2 * sizeof(uint32_t) + most * sizeof(float));
}

static char *axis_place(struct axis *axis, uint32_t size, uint32_t most, char *memory) {
    axis->most = most;
    axis->first = (uint32_t *)(void *)memory;
    axis->count = axis->first + size;
    axis->weights = (float *)(void *)(axis->count + size);
    return memory + axis_bytes(size, most);
}

/* The triangle around the centre of each output pixel, cut at the image's edges and divided by its sum. */
static void axis_fill(struct axis *axis, uint32_t size, uint32_t edge, double begin, double scale) {
    double support = fmax(scale, 1);
    for (uint32_t i = 0; i < size; i++) {
        double centre = begin + (i + 0.5) * scale, sum = 0;
        double first = fmax(floor(centre - support), 0), last = fmin(ceil(centre + support), edge);
        float *weights = axis->weights + (size_t)i * axis->most;
        uint32_t count = 0;
        axis->first[i] = (uint32_t)first;
        for (double at = first; at < last && count < axis->most; at++) {
            double weight = fmax(1 - fabs(at + 0.5 - centre) / support, 0);
            weights[count++] = (float)weight;
            sum += weight;
        }
        for (uint32_t k = 0; k < count; k++)
            weights[k] = (float)(weights[k] / sum);
        axis->count[i] = count;
    }
}

size_t resample_work_bytes(const struct shape *shape, const struct image *image) {
    double begin, scale;
    find_stretch(shape, image, image->width, &begin, &scale);
    return 2 * axis_bytes(shape->size, most_taps(scale)) + 3 * (size_t)shape->size * sizeof(float);
}

/* One source row, `size` columns of each colour. */
static void resample_row(const struct axis *axis, uint32_t size, const uint8_t *row, float *out) {
    for (uint32_t x = 0; x < size; x++) {
        const uint8_t *pixel = row + 3 * (size_t)axis->first[x];
        const float *weights = axis->weights + (size_t)x * axis->most;
        float red = 0, green = 0, blue = 0;
        for (uint32_t k = 0; k < axis->count[x]; k++, pixel += 3) {
            red += weights[k] * pixel[0];
            green += weights[k] * pixel[1];
            blue += weights[k] * pixel[2];
        }
        out[x] = red;
        out[size + x] = green;
        out[2 * size + x] = blue;
    }
}

static void add_row(const float *restrict row, float weight, float *restrict out, uint32_t size, size_t plane) {
    for (unsigned colour = 0; colour < 3; colour++)
        for (uint32_t x = 0; x < size; x++)
            out[colour * plane + x] += weight * row[colour * size + x];
}

static void normalise(const struct shape *shape, float *out) {
    size_t plane = (size_t)shape->size * shape->size;
    for (unsigned colour = 0; colour < 3; colour++) {
        float factor = 1 / (255 * shape->deviation[colour]), offset = -shape->mean[colour] / shape->deviation[colour];
        for (size_t i = 0; i < plane; i++)
            out[colour * plane + i] = out[colour * plane + i] * factor + offset;
    }
}

void resample(const struct shape *shape, const struct image *image, float *out, void *work) {
    struct axis across, down;
    uint32_t size = shape->size;
    double begin, scale;
    find_stretch(shape, image, image->width, &begin, &scale);
    char *memory = axis_place(&across, size, most_taps(scale), work);
    axis_fill(&across, size, image->width, begin, scale);
    find_stretch(shape, image, image->height, &begin, &scale);
    float *row = (float *)(void *)axis_place(&down, size, most_taps(scale), memory);
    axis_fill(&down, size, image->height, begin, scale);
    memset(out, 0, shape_floats(shape) * sizeof *out);
    uint32_t last = down.first[size - 1] + down.count[size - 1];
    for (uint32_t y = down.first[0], from = 0; y < last; y++) {
        resample_row(&across, size, image->pixels + 3 * (size_t)image->width * y, row);
        while (from < size && down.first[from] + down.count[from] <= y)
            from++; /* outputs that are done: their last rows never go backwards */
        for (uint32_t i = from; i < size && down.first[i] <= y; i++)
            if (y < down.first[i] + down.count[i])
                add_row(row, down.weights[(size_t)i * down.most + (y - down.first[i])], out + (size_t)i * size, size,
                        (size_t)size * size);
    }
    normalise(shape, out);
}
