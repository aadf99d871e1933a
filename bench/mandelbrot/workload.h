/* Rows of the Mandelbrot set: neighbours cost about the same, the middle costs most. */
#ifndef BENCH_MANDELBROT_WORKLOAD_H
#define BENCH_MANDELBROT_WORKLOAD_H

#define MANDELBROT_COLUMNS 512
#define MANDELBROT_MOST 256

/* Steps of all points of the row. */
static inline uint64_t loop_value(size_t row, long rows) {
    uint64_t sum = 0;
    double im = 2.5 * (double)row / (double)rows - 1.25;
    for (int column = 0; column < MANDELBROT_COLUMNS; column++) {
        double re = 3.0 * column / MANDELBROT_COLUMNS - 2.2, x = 0, y = 0;
        int steps = 0;
        for (; steps < MANDELBROT_MOST && x * x + y * y < 4; steps++) {
            double next = x * x - y * y + re;
            y = 2 * x * y + im;
            x = next;
        }
        sum += (uint64_t)steps;
    }
    return sum;
}

#endif
