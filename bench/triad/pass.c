#include "triad/triad.h"

void triad_pass(const struct triad *triad, size_t first, size_t last) {
    double *restrict a = triad->a;
    const double *restrict b = triad->b, *restrict c = triad->c;
    double s = triad->s;
    for (size_t i = first; i < last; i++)
        a[i] = b[i] + s * c[i];
}
