/* First pass: load every document, and note its hash, length and signature. One document is one iteration. */
#ifndef PREPROCESS_ANALYSE_H
#define PREPROCESS_ANALYSE_H

#include "run.h"

/** Fill the findings and signatures of all documents. */
weft_status analyse(struct run *run);

#endif
