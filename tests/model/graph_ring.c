/* The ring of a graph's runner with four entries, nearly at the end of its tag: an owner that adds and takes, two thieves. */
#include "parallel/graph_ring.h"

#include "explorer.h"

#define NODES 7u

static struct wf_graph_ring ring;
static unsigned cells[NODES]; /* plain: written before a node is added, read by who has it */
static unsigned taken[NODES]; /* plain: each has one taker */

static void set_up(void) {
    for (unsigned i = 0; i < WF_GRAPH_RING; i++)
        ring.entries[i] = 0;
    ring.word = (uint64_t)(UINT32_MAX - 1) << 32 | (uint64_t)0xfffe << 16;
    for (unsigned i = 0; i < NODES; i++)
        cells[i] = taken[i] = 0;
}

static void have(uint32_t node) {
    EXPLORE_CHECK(node < NODES && cells[node] == node + 1);
    EXPLORE_CHECK(!taken[node]++);
}

/* In ones and twos; what does not fit is kept for later. */
static void owner(void) {
    for (uint32_t i = 0, node; i < NODES;) {
        uint32_t some[2] = {i, i + 1}, count = i + 1 < NODES ? 2 : 1;
        for (uint32_t k = 0; k < count; k++)
            cells[i + k] = i + k + 1;
        i += wf_graph_ring_add(&ring, some, count);
        if (i == 4 && (node = wf_graph_ring_newest(&ring)) != WF_GRAPH_NONE)
            have(node);
        if (wf_graph_ring_count(wf_load(&ring.word, WF_RELAXED)) == WF_GRAPH_RING &&
            (node = wf_graph_ring_newest(&ring)) != WF_GRAPH_NONE)
            have(node);
    }
    for (uint32_t node; (node = wf_graph_ring_newest(&ring)) != WF_GRAPH_NONE;)
        have(node);
}

static void thief(void) {
    for (unsigned i = 0; i < 3; i++) {
        uint32_t nodes[WF_GRAPH_STEAL], count = wf_graph_ring_has_any(&ring) ? wf_graph_ring_steal(&ring, nodes) : 0;
        for (uint32_t k = 0; k < count; k++) {
            EXPLORE_CHECK(!k || nodes[k] > nodes[k - 1]); /* oldest first */
            have(nodes[k]);
        }
    }
}

static void check(void) {
    for (unsigned i = 0; i < NODES; i++)
        EXPLORE_CHECK(taken[i] == 1);
    EXPLORE_CHECK(!wf_graph_ring_count(ring.word));
}

static const struct explore_case cases[] = {
    {.name = "graph_ring", .set_up = set_up, .threads = {owner, thief, thief}, .check = check, .schedules = 50},
};

int main(int argc, char **argv) {
    return explore_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
