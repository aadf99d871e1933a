#include "harness/loops/loop.h"

#define COLUMNS 512
#define MOST_STEPS 256

uint64_t loop_value(size_t row, long rows) {
    uint64_t sum = 0;
    double im = 1.3 * (double)row / (double)rows;
    for (int column = 0; column < COLUMNS; column++) {
        double re = 3.0 * column / COLUMNS - 2.2, x = 0, y = 0;
        int steps = 0;
        for (; steps < MOST_STEPS && x * x + y * y < 4; steps++) {
            double next = x * x - y * y + re;
            y = 2 * x * y + im;
            x = next;
        }
        sum += (uint64_t)steps;
    }
    return sum;
}

const struct loop_case loop_cases[] = {{"512 rows", 512, 512, 0, 1e6}, {0}};
