/* What a run came to, for people, on standard output. */
#ifndef PREPROCESS_SUMMARY_H
#define PREPROCESS_SUMMARY_H

#include "compare.h"
#include "report.h"

/** Print it. comparison: NULL if none was made. */
void summary_print(const struct run *run, const struct layout *layout, const struct totals *totals,
                   const struct comparison *comparison);

#endif
