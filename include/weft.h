/*
 * weft: a NUMA-aware work-stealing thread-pool runtime for Linux. This header includes every public one.
 */
#ifndef WEFT_H
#define WEFT_H

#define WEFT_VERSION_MAJOR 0
#define WEFT_VERSION_MINOR 1
#define WEFT_VERSION_PATCH 0

#include "weft/algorithm.h"
#include "weft/alloc.h"
#include "weft/array.h"
#include "weft/copy.h"
#include "weft/files.h"
#include "weft/fork.h"
#include "weft/future.h"
#include "weft/graph.h"
#include "weft/loop.h"
#include "weft/memory.h"
#include "weft/pipeline.h"
#include "weft/plan.h"
#include "weft/pool.h"
#include "weft/scratch.h"
#include "weft/sequence.h"
#include "weft/sort.h"
#include "weft/status.h"
#include "weft/task.h"

#endif
