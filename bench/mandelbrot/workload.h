/* Rows of the Mandelbrot set, from the real axis upwards: neighbours cost about the same, the first cost most. */
#ifndef BENCH_MANDELBROT_WORKLOAD_H
#define BENCH_MANDELBROT_WORKLOAD_H

/* Steps of all points of the row. In a file of its own, so that all programs of a build run the same code. */
uint64_t loop_value(size_t row, long rows);

#endif
