/* Pictures of value noise in three octaves, ellipses and grain. */
#include "pictures.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "jpeg.h"

enum { GRID = 17, LEAST_EDGE = 40, MOST_EDGE = 1800, SHAPES_MOST = 24 };

/* splitmix64 (Steele, Lea, Flood, OOPSLA 2014). */
static uint64_t next(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static double uniform(uint64_t *state, double least, double most) {
    return least + (most - least) * (double)(next(state) >> 11) * 0x1p-53;
}

static bool chance(uint64_t *state, double share) {
    return uniform(state, 0, 1) < share;
}

/* Noise between the points of a grid that has `cells` of them along each edge. */
struct octave {
    float values[GRID][GRID][3];
    unsigned cells;
    float weight;
};

static void octave_fill(struct octave *octave, unsigned cells, float weight, uint64_t *state) {
    octave->cells = cells;
    octave->weight = weight;
    for (unsigned y = 0; y <= cells; y++)
        for (unsigned x = 0; x <= cells; x++)
            for (unsigned c = 0; c < 3; c++)
                octave->values[y][x][c] = (float)uniform(state, 0, 1);
}

static void octave_add(const struct octave *octave, float u, float v, float *pixel) {
    float x = u * (float)octave->cells, y = v * (float)octave->cells;
    unsigned i = (unsigned)x, j = (unsigned)y;
    x -= (float)i;
    y -= (float)j;
    for (unsigned c = 0; c < 3; c++) {
        float above = octave->values[j][i][c] * (1 - x) + octave->values[j][i + 1][c] * x;
        float below = octave->values[j + 1][i][c] * (1 - x) + octave->values[j + 1][i + 1][c] * x;
        pixel[c] += octave->weight * (above * (1 - y) + below * y);
    }
}

static uint8_t to_byte(float value) {
    return value <= 0 ? 0 : value >= 255 ? 255 : (uint8_t)(value + 0.5f);
}

static void paint_ground(struct image *image, uint64_t *state) {
    struct octave octaves[3];
    octave_fill(&octaves[0], 2, 0.55f, state);
    octave_fill(&octaves[1], 6, 0.3f, state);
    octave_fill(&octaves[2], GRID - 1, 0.15f, state);
    float grain = chance(state, 0.6) ? (float)uniform(state, 0, 80) : 0;
    uint8_t *pixel = image->pixels;
    for (uint32_t y = 0; y < image->height; y++)
        for (uint32_t x = 0; x < image->width; x++, pixel += 3) {
            float colour[3] = {0}, u = ((float)x + 0.5f) / (float)image->width, v = ((float)y + 0.5f) / (float)image->height;
            for (unsigned i = 0; i < 3; i++)
                octave_add(&octaves[i], u, v, colour);
            uint64_t bits = grain > 0 ? next(state) : 0;
            for (unsigned c = 0; c < 3; c++, bits >>= 16)
                pixel[c] = to_byte(255 * colour[c] + (grain > 0 ? grain * ((float)(bits & 0xffff) / 65536 - 0.5f) : 0));
        }
}

static void paint_ellipse(struct image *image, uint64_t *state) {
    double cx = uniform(state, 0, image->width), cy = uniform(state, 0, image->height);
    double rx = uniform(state, 2, image->width * 0.3), ry = uniform(state, 2, image->height * 0.3);
    uint64_t colour = next(state);
    uint32_t last_y = (uint32_t)fmin(cy + ry, image->height), last_x = (uint32_t)fmin(cx + rx, image->width);
    for (uint32_t y = (uint32_t)fmax(cy - ry, 0); y < last_y; y++)
        for (uint32_t x = (uint32_t)fmax(cx - rx, 0); x < last_x; x++) {
            double dx = (x - cx) / rx, dy = (y - cy) / ry;
            uint8_t *pixel = image->pixels + 3 * ((size_t)image->width * y + x);
            for (unsigned c = 0; c < 3 && dx * dx + dy * dy < 1; c++)
                pixel[c] = (uint8_t)(colour >> (8 * c));
        }
}

static bool paint(struct image *image, uint64_t *state) {
    double shape = exp(uniform(state, log(0.5), log(2)));
    double edge = exp(uniform(state, log(LEAST_EDGE), log(MOST_EDGE)));
    *image = (struct image){.width = (uint32_t)(edge * sqrt(shape)) + 1, .height = (uint32_t)(edge / sqrt(shape)) + 1};
    image->pixels = malloc(3 * (size_t)image->width * image->height);
    if (!image->pixels)
        return false;
    paint_ground(image, state);
    for (unsigned shapes = (unsigned)uniform(state, 0, SHAPES_MOST); shapes; shapes--)
        paint_ellipse(image, state);
    return true;
}

static struct jpeg_format choose_format(uint64_t *state) {
    struct jpeg_format format = {.quality = (int)uniform(state, 35, 98), .horizontal = 2, .vertical = 2};
    if (chance(state, 0.3))
        format.vertical = 1;
    if (chance(state, 0.3))
        format.horizontal = format.vertical = 1;
    format.grey = chance(state, 0.06);
    format.progressive = chance(state, 0.12);
    format.restart_rows = chance(state, 0.1) ? 1 : 0;
    return format;
}

static int write_file(const char *path, const void *bytes, size_t count) {
    FILE *file = fopen(path, "wb");
    if (!file)
        return errno;
    errno = 0;
    bool written = fwrite(bytes, 1, count, file) == count;
    int error = written ? 0 : errno ? errno : EIO;
    return fclose(file) == 0 || error ? error : errno;
}

int picture_write(const char *path, uint64_t seed, uint64_t number) {
    uint64_t state = seed * 0x100000001b3 + number;
    struct image image;
    void *file;
    size_t bytes;
    if (!paint(&image, &state))
        return ENOMEM;
    struct jpeg_format format = choose_format(&state);
    bool encoded = jpeg_encode(&image, &format, &file, &bytes);
    free(image.pixels);
    if (!encoded)
        return ENOMEM;
    int error = write_file(path, file, bytes);
    free(file);
    return error;
}
