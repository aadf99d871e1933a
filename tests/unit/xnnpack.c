/*
 * Debian's XNNPACK on weft, unchanged: a convolution and a fully connected layer give the same bits on pools of weft as on one thread.
 * Linked as any such program; LD_LIBRARY_PATH gives it weft's libpthreadpool.so.0. The argument is the folder that it must come from.
 */
#include <dlfcn.h>
#include <pthreadpool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xnnpack.h>

#define CHECK(condition)                                                                                                         \
    do {                                                                                                                         \
        if (!(condition)) {                                                                                                      \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);                                              \
            exit(1);                                                                                                             \
        }                                                                                                                        \
    } while (0)

#define EDGE 37
#define IN 24
#define OUT 40
#define PIXELS ((size_t)EDGE * EDGE)

static float input[PIXELS * IN + XNN_EXTRA_BYTES], kernel[OUT * 9 * IN], bias[OUT];

static void fill(float *values, size_t count) {
    static uint32_t random = 1;
    for (size_t i = 0; i < count; i++) {
        random = random * 1664525 + 1013904223;
        values[i] = (float)(random >> 8) / (float)(1 << 24) - 0.5f;
    }
}

static xnn_operator_t convolution(float *output, pthreadpool_t pool) {
    xnn_operator_t made = NULL;
    CHECK(!xnn_create_convolution2d_nhwc_f32(1, 1, 1, 1, 3, 3, 1, 1, 1, 1, 1, IN, OUT, IN, OUT, kernel, bias, -1e9f, 1e9f, 0,
                                             &made));
    CHECK(!xnn_setup_convolution2d_nhwc_f32(made, 1, EDGE, EDGE, input, output, pool));
    return made;
}

static xnn_operator_t fully_connected(float *output, pthreadpool_t pool) {
    xnn_operator_t made = NULL;
    CHECK(!xnn_create_fully_connected_nc_f32(IN, OUT, IN, OUT, kernel, bias, -1e9f, 1e9f, 0, &made));
    CHECK(!xnn_setup_fully_connected_nc_f32(made, PIXELS, input, output, pool));
    return made;
}

typedef xnn_operator_t (*layer_fn)(float *output, pthreadpool_t pool);

static float *run(layer_fn layer, pthreadpool_t pool) {
    float *output = calloc(PIXELS * OUT, sizeof *output);
    xnn_operator_t made = layer(output, pool);
    CHECK(!xnn_run_operator(made, pool));
    CHECK(!xnn_delete_operator(made));
    return output;
}

static void compare(layer_fn layer, size_t threads) {
    pthreadpool_t pool = pthreadpool_create(threads);
    CHECK(pool && pthreadpool_get_threads_count(pool) == threads);
    float *serial = run(layer, NULL);
    CHECK(serial[0] != 0 && serial[PIXELS * OUT - 1] != 0);
    for (int round = 0; round < 20; round++) {
        float *parallel = run(layer, pool);
        CHECK(!memcmp(serial, parallel, PIXELS * OUT * sizeof *serial));
        free(parallel);
    }
    free(serial);
    pthreadpool_destroy(pool);
}

int main(int argc, char **argv) {
    Dl_info from;
    CHECK(argc == 2 && dladdr(dlsym(RTLD_DEFAULT, "pthreadpool_create"), &from));
    CHECK(!strncmp(from.dli_fname, argv[1], strlen(argv[1])));
    if (xnn_initialize(NULL)) {
        puts("XNNPACK does not know this processor");
        return 77;
    }
    fill(input, PIXELS * IN);
    fill(kernel, OUT * 9 * IN);
    fill(bias, OUT);
    for (size_t threads = 1; threads <= 4; threads++) {
        compare(convolution, threads);
        compare(fully_connected, threads);
    }
    CHECK(!xnn_deinitialize());
    return 0;
}
