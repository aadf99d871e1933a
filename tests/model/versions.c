/*
 * Versions of something read while it is replaced (array/versions.h): a reader sees one whole version, newer ones later, and none that
 * was given back. Content is plain memory that is freed with its version, so that who reads too late or too early is found.
 */
#include "array/versions.h"

#include "explorer.h"

#define STRIPES 3u /* one that threads share, and two of workers */

struct content {
    unsigned left, right; /* the same number */
};

static struct wf_version_readers readers[STRIPES];
static struct wf_versions versions;
static struct content *contents[WF_VERSIONS]; /* plain: its slot's holder writes it */
static wf_atomic_u32 next, handed;            /* stamps; 1 + slot of a section that goes to another thread */

static struct content *make_content(void) {
    struct content *content = explore_calloc(1, sizeof *content);
    content->left = content->right = wf_fetch_add(&next, 1, WF_RELAXED);
    return content;
}

static void set_up_with(bool fenced) {
    next = 0;
    for (unsigned stripe = 0; stripe < STRIPES; stripe++)
        readers[stripe] = (struct wf_version_readers){0};
    wf_versions_init(&versions, readers, 1, STRIPES, fenced);
    contents[0] = make_content();
    handed = 0;
}

static void set_up(void) {
    set_up_with(false);
}

static void set_up_fenced(void) {
    set_up_with(true);
}

static unsigned look(unsigned slot) {
    unsigned left = contents[slot]->left, right = contents[slot]->right;
    EXPLORE_CHECK(left == right);
    return left;
}

static unsigned read_once(unsigned stripe) {
    unsigned slot = wf_version_enter(&versions, stripe, stripe > 0);
    unsigned stamp = look(slot);
    wf_version_leave(&versions, stripe, slot, stripe > 0);
    return stamp;
}

/* Two sections, one writer: the second is not older than the first. */
static void read_twice(unsigned stripe) {
    unsigned first = read_once(stripe);
    EXPLORE_CHECK(read_once(stripe) >= first);
}

static void read_outside(void) {
    read_twice(0);
}

static void read_worker(void) {
    read_twice(1);
}

static void read_other(void) {
    read_once(2);
}

static void read_worker_any(void) {
    read_once(1);
    read_once(1);
}

static void read_outside_any(void) {
    read_once(0);
    read_once(0);
}

/* A section that another thread ends, between two of the worker's own. */
static void read_and_hand_over(void) {
    read_once(1);
    unsigned slot = wf_version_enter(&versions, 1, true);
    look(slot);
    wf_store(&handed, slot + 1, WF_RELEASE);
    read_once(1);
}

static void end_handed(void) {
    uint32_t slot = wf_load(&handed, WF_ACQUIRE);
    if (!slot)
        return;
    look(slot - 1);
    wf_version_leave(&versions, 1, slot - 1, false);
}

static void reclaim(void) {
    uint32_t unread = wf_version_reclaim(&versions);
    for (unsigned slot = 0; slot < WF_VERSIONS; slot++)
        if (unread >> slot & 1) {
            explore_free(contents[slot]);
            wf_version_free(&versions, slot);
        }
}

static void swap_once(void) {
    unsigned slot = wf_version_claim(&versions);
    if (slot == WF_VERSIONS)
        return;
    contents[slot] = make_content();
    wf_version_publish(&versions, slot);
}

/* Once more than there are slots: they are used again. */
static void swap_and_reclaim(void) {
    for (unsigned i = 0; i < WF_VERSIONS; i++) {
        swap_once();
        reclaim();
    }
}

static void swap_twice(void) {
    swap_once();
    reclaim();
    swap_once();
}

static void swap_only(void) {
    swap_once();
    swap_once();
}

static void check(void) {
    if (handed && wf_version_is_read(&versions, handed - 1)) { /* nobody has ended it, or it was ended */
        uint32_t count = wf_load(&readers[1].count[handed - 1], WF_RELAXED);
        EXPLORE_CHECK(count == 1);
        wf_version_leave(&versions, 1, handed - 1, false);
    }
    versions.fenced = true; /* all threads have ended */
    reclaim();
    unsigned live = 0;
    for (unsigned slot = 0; slot < WF_VERSIONS; slot++)
        live += wf_load(&versions.state[slot], WF_RELAXED) != WF_VERSION_FREE;
    EXPLORE_CHECK(live == 1 && wf_load(&versions.state[versions.current], WF_RELAXED) == WF_VERSION_LIVE);
}

static const struct explore_case cases[] = {
    {.name = "versions/worker", .set_up = set_up, .threads = {swap_and_reclaim, read_worker}, .check = check},
    {.name = "versions/outside", .set_up = set_up_fenced, .threads = {swap_and_reclaim, read_outside}, .check = check},
    {.name = "versions/fenced", .set_up = set_up_fenced, .threads = {swap_and_reclaim, read_worker}, .check = check},
    {.name = "versions/lines", .set_up = set_up, .threads = {swap_and_reclaim, read_worker, read_other}, .check = check},
    {.name = "versions/strays", .set_up = set_up, .threads = {swap_and_reclaim, read_and_hand_over, end_handed}, .check = check},
    {.name = "versions/writers", .set_up = set_up, .threads = {swap_twice, swap_twice, read_worker_any}, .check = check},
    {.name = "versions/writers_fenced",
     .set_up = set_up_fenced,
     .threads = {swap_twice, swap_twice, read_outside_any},
     .check = check},
    {.name = "versions/reclaim",
     .set_up = set_up_fenced,
     .threads = {swap_only, reclaim, reclaim, read_outside_any},
     .check = check},
};

int main(int argc, char **argv) {
    return explore_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
