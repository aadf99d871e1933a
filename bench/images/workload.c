/*
 * The rows. Files are made once, in the folder of the build, or are those of BENCH_IMAGES. What a peer puts into its batches is compared with a
 * serial run, before a time is printed: every 61st value of every batch, and which file each row is.
 */
#include "images/workload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../examples/images/pictures.h"
#include "../../examples/images/resample.h"
#include "harness/bench.h"
#include "harness/peers/peer.h"

enum { IMAGES = 240, IMAGES_TINY = 20, STEP = 61, PATH_BYTES = 4096 };

struct row {
    struct images_run run;
    struct shards shards;
    uint64_t expected;
};

static uint64_t digest; /* of the running pass; batches come one after the other */

static const struct options loaded = {
    .shape = {.size = 224, .resize = 256, .mean = {0.485f, 0.456f, 0.406f}, .deviation = {0.229f, 0.224f, 0.225f}},
    .batch = 32,
    .pixels = 100000000,
    .bytes = 64 << 20,
    .readers = 2,

    .node = -1};

static uint64_t mix(uint64_t sum, uint64_t value) {
    return (sum ^ value) * 0x9e3779b97f4a7c15;
}

bool images_batch(const struct images_run *run, const float *rows, size_t count, const size_t *numbers) {
    size_t each = shape_floats(&run->options->shape);
    for (size_t i = 0; i < count; i++)
        digest = mix(digest, numbers[i]);
    for (size_t i = 0; i < count * each; i += STEP) {
        uint32_t bits;
        memcpy(&bits, &rows[i], sizeof bits);
        digest = mix(digest, bits);
    }
    return !run->shards || shards_write(run->shards, rows, count, run->options->shape.size, run->files, numbers);
}

static void *allocate(void *arg, size_t bytes) {
    (void)arg;
    return malloc(bytes);
}

static bool load_one(const struct images_run *run, struct jpeg_decoder *decoder, size_t number, float *out) {
    char text[JPEG_TEXT_BYTES];
    struct image image;
    FILE *file = fopen(run->files->paths[number], "rb");
    void *bytes = malloc(run->options->bytes);
    size_t count = file && bytes ? fread(bytes, 1, run->options->bytes, file) : 0;
    bool good = count && jpeg_decode(decoder, bytes, count, run->options->shape.resize, run->options->pixels, allocate, NULL,
                                     &image, text);
    if (good) {
        void *work = malloc(resample_work_bytes(&run->options->shape, &image));
        resample(&run->options->shape, &image, out, work);
        free(work);
        free(image.pixels);
    }
    if (file)
        fclose(file);
    free(bytes);
    return good;
}

/* What every peer must come to. 0: failed. */
static uint64_t load_serially(const struct images_run *run) {
    size_t each = shape_floats(&run->options->shape), batch = run->options->batch;
    float *rows = malloc(batch * each * sizeof *rows);
    size_t *numbers = malloc(batch * sizeof *numbers);
    struct jpeg_decoder *decoder = jpeg_decoder_create();
    bool good = rows && numbers && decoder;
    digest = 0;
    for (size_t i = 0; good && i < run->files->count; i++) {
        numbers[i % batch] = i;
        good = load_one(run, decoder, i, rows + i % batch * each);
        if (good && (i % batch == batch - 1 || i == run->files->count - 1))
            good = images_batch(run, rows, i % batch + 1, numbers);
    }
    jpeg_decoder_destroy(decoder);
    free(numbers);
    free(rows);
    return good ? digest : 0;
}

static bool make_pictures(const char *folder, unsigned count) {
    char path[PATH_BYTES];
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return false;
    for (unsigned i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%06u.jpg", folder, i);
        if (access(path, R_OK) != 0) {
            char temporary[PATH_BYTES + 8];
            snprintf(temporary, sizeof temporary, "%s.%d", path, (int)getpid());
            if (picture_write(temporary, 1, i) || rename(temporary, path) != 0)
                return false;
        }
    }
    return true;
}

static bool run_row(void *what) {
    struct row *row = what;
    digest = 0;
    return images_load(&row->run);
}

static bool check_row(void *what) {
    return digest == ((struct row *)what)->expected;
}

static void begin_shards(void *what) {
    struct row *row = what;
    char folder[PATH_BYTES];
    shards_close(&row->shards);
    snprintf(folder, sizeof folder, "/dev/shm/weft-bench-images-%d", (int)getpid());
    shards_open(&row->shards, folder);
}

static void end_shards(struct row *row) {
    char folder[PATH_BYTES], command[PATH_BYTES + 32];
    shards_close(&row->shards);
    snprintf(folder, sizeof folder, "/dev/shm/weft-bench-images-%d", (int)getpid());
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0)
        fprintf(stderr, "cannot remove %s\n", folder);
}

static void measure(struct files *files) {
    struct row batches = {.run = {&loaded, files, NULL}},
               shards = {.run = {&loaded, files, &shards.shards}, .shards = {.directory = -1}};
    batches.expected = shards.expected = load_serially(&batches.run);
    if (!batches.expected) {
        bench_fail("batches", "", "an image cannot be loaded");
        return;
    }
    bench_measure(&(struct bench_row){
        .row = "batches", .way = "", .units = (double)files->count, .run = run_row, .check = check_row, .what = &batches});
    bench_measure(&(struct bench_row){.row = "shards",
                                      .way = "",
                                      .units = (double)files->count,
                                      .prepare = begin_shards,
                                      .run = run_row,
                                      .check = check_row,
                                      .what = &shards});
    end_shards(&shards);
}

int main(int argc, char **argv) {
    if (!bench_begin(argc, argv, peer_version()))
        return 2;
    const char *folder = getenv("BENCH_IMAGES");
    const char *made = bench_milliseconds > 0 ? BENCH_IMAGES_FOLDER : BENCH_IMAGES_FOLDER "-tiny";
    struct files files;
    if (!folder && !make_pictures(made, bench_milliseconds > 0 ? IMAGES : IMAGES_TINY)) {
        fprintf(stderr, "cannot make images in %s: %s\n", made, strerror(errno));
        return 1;
    }
    folder = folder ? folder : made;
    if (files_find(&files, &folder, 1) || !files.count) {
        fprintf(stderr, "no images in %s\n", folder);
        return 1;
    }
    if (images_begin())
        measure(&files);
    else
        bench_fail("images", "", "cannot begin");
    bool ended = images_end();
    files_release(&files);
    return bench_end() || !ended;
}
