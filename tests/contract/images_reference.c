/*
 * What examples/images wrote, against an independent path: stb_image decodes (its own decoder, not libjpeg's), and the resampling is
 * written down once more from its definition, in double, pixel by pixel. Reads index.tsv and the shards by their own headers.
 *
 *     images_reference OUTPUT SIZE RESIZE MEAN MOST
 *
 * MEAN and MOST bound, per image, the mean and the largest difference, in 255ths of full intensity. Prints the worst of both.
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stb/stb_image.h>

static const double mean[3] = {0.485, 0.456, 0.406}, deviation[3] = {0.229, 0.224, 0.225};

struct shard {
    unsigned long number, rows;
    float *values;
};

static void give_up(const char *what, const char *name) {
    fprintf(stderr, "images_reference: %s: %s\n", name, what);
    exit(1);
}

/* Weight of source pixel `at` for output pixel `out`; not yet divided by the sum. */
static double weight(double out, double at, double begin, double scale) {
    double centre = begin + (out + 0.5) * scale, support = scale > 1 ? scale : 1;
    double distance = fabs(at + 0.5 - centre) / support;
    return distance < 1 ? 1 - distance : 0;
}

/* All output pixels of one axis: weights[out * edge + at], each row summing to 1. */
static double *weights_of(unsigned size, int edge, double begin, double scale) {
    double *weights = calloc((size_t)size * (size_t)edge, sizeof *weights);
    if (!weights)
        give_up("out of memory", "weights");
    for (unsigned out = 0; out < size; out++) {
        double sum = 0;
        for (int at = 0; at < edge; at++)
            sum += weights[out * (size_t)edge + (size_t)at] = weight(out, at, begin, scale);
        for (int at = 0; at < edge; at++)
            weights[out * (size_t)edge + (size_t)at] /= sum;
    }
    return weights;
}

/* Intensities 0 to 255 of one colour, size x size. */
static void resample(const unsigned char *pixels, int width, int height, unsigned colour, unsigned size, unsigned resize,
                     double *out) {
    double shorter = width < height ? width : height, scale = shorter / resize;
    double *across = weights_of(size, width, (width - scale * size) / 2, scale);
    double *down = weights_of(size, height, (height - scale * size) / 2, scale);
    double *middle = calloc((size_t)height * size, sizeof *middle);
    if (!middle)
        give_up("out of memory", "rows");
    for (int y = 0; y < height; y++)
        for (unsigned x = 0; x < size; x++)
            for (int at = 0; at < width; at++)
                middle[(size_t)y * size + x] +=
                    across[x * (size_t)width + (size_t)at] * pixels[3 * ((size_t)y * (size_t)width + (size_t)at) + colour];
    memset(out, 0, (size_t)size * size * sizeof *out);
    for (unsigned y = 0; y < size; y++)
        for (int at = 0; at < height; at++)
            for (unsigned x = 0; x < size && down[y * (size_t)height + (size_t)at] > 0; x++)
                out[(size_t)y * size + x] += down[y * (size_t)height + (size_t)at] * middle[(size_t)at * size + x];
    free(across);
    free(down);
    free(middle);
}

/* Reads a shard unless it is the one that is there. */
static void load(struct shard *shard, const char *directory, unsigned long number, unsigned size) {
    char name[4096], header[129] = "";
    unsigned long edges[3];
    if (shard->values && shard->number == number)
        return;
    snprintf(name, sizeof name, "%s/shard-%05lu.npy", directory, number);
    FILE *file = fopen(name, "rb");
    if (!file || fread(header, 1, 128, file) != 128)
        give_up("cannot be read", name);
    const char *shape = strstr(header + 10, "'shape': (");
    if (memcmp(header, "\x93NUMPY\x01\x00\x76\x00", 10) != 0 || !strstr(header + 10, "'descr': '<f4', 'fortran_order': False") ||
        !shape || sscanf(shape, "'shape': (%lu, %lu, %lu, %lu)", &shard->rows, &edges[0], &edges[1], &edges[2]) != 4 ||
        edges[0] != 3 || edges[1] != size || edges[2] != size)
        give_up("has another header than asked", name);
    size_t count = shard->rows * 3 * size * size;
    free(shard->values);
    shard->values = malloc(count * sizeof *shard->values);
    if (!shard->values || fread(shard->values, sizeof *shard->values, count, file) != count || fgetc(file) != EOF)
        give_up("is shorter or longer than its header says", name);
    shard->number = number;
    fclose(file);
}

/* The largest difference of an image, in 255ths; adds to *sum. */
static double compare(const double *expected, const float *values, unsigned colour, size_t count, double *sum) {
    double most = 0;
    for (size_t i = 0; i < count; i++) {
        double difference = fabs((values[i] * deviation[colour] + mean[colour]) * 255 - expected[i]);
        *sum += difference;
        most = difference > most || isnan(difference) ? difference : most;
    }
    return most;
}

int main(int argc, char **argv) {
    char line[8192], name[4096];
    if (argc != 6)
        return fprintf(stderr, "usage: images_reference OUTPUT SIZE RESIZE MEAN MOST\n"), 2;
    unsigned size = (unsigned)atoi(argv[2]), resize = (unsigned)atoi(argv[3]), images = 0;
    double mean_limit = atof(argv[4]), most_limit = atof(argv[5]), worst_mean = 0, worst_most = 0;
    size_t plane = (size_t)size * size;
    struct shard shard = {0};
    double *expected = malloc(plane * sizeof *expected);
    snprintf(name, sizeof name, "%s/index.tsv", argv[1]);
    FILE *index = fopen(name, "r");
    if (!expected || !index || !fgets(line, sizeof line, index) || strcmp(line, "shard\trow\twidth\theight\tfile\n") != 0)
        give_up("is no index", name);
    bool good = true;
    for (; fgets(line, sizeof line, index); images++) {
        unsigned long number, row;
        int width, height, used, file_width, file_height, components;
        if (sscanf(line, "%lu\t%lu\t%d\t%d\t%n", &number, &row, &file_width, &file_height, &used) != 4)
            give_up("has a broken line", name);
        char *path = line + used;
        path[strcspn(path, "\n")] = '\0';
        unsigned char *pixels = stbi_load(path, &width, &height, &components, 3);
        if (!pixels || width != file_width || height != file_height)
            give_up(pixels ? "has another size than the index says" : "stb_image cannot decode it", path);
        load(&shard, argv[1], number, size);
        if (row >= shard.rows)
            give_up("names a row that is not there", name);
        double sum = 0, most = 0;
        for (unsigned colour = 0; colour < 3; colour++) {
            resample(pixels, width, height, colour, size, resize, expected);
            double here = compare(expected, shard.values + (row * 3 + colour) * plane, colour, plane, &sum);
            most = here > most ? here : most;
        }
        sum /= (double)(3 * plane);
        if (!(sum <= mean_limit && most <= most_limit)) {
            printf("%s: mean difference %.3f, largest %.3f\n", path, sum, most);
            good = false;
        }
        worst_mean = sum > worst_mean ? sum : worst_mean;
        worst_most = most > worst_most ? most : worst_most;
        free(pixels);
    }
    fclose(index);
    free(expected);
    free(shard.values);
    printf("%u images; worst: mean difference %.3f, largest %.3f, of 255\n", images, worst_mean, worst_most);
    return good && images > 0 ? 0 : 1;
}
