/*
 * Versions of something read while it is replaced (array/versions.h): a reader sees one whole version, newer ones later, and none that
 * was given back. Content is plain memory that is freed with its version, so that who reads too late or too early is found.
 */
#include "array/versions.h"

#include "explorer.h"

#define STRIPES 2u

struct content {
    unsigned left, right; /* the same number */
};

static struct wf_version_readers readers[STRIPES];
static struct wf_versions versions;
static struct content *contents[WF_VERSIONS]; /* plain: its slot's holder writes it */
static wf_atomic_u32 next;

static struct content *make_content(void) {
    struct content *content = explore_calloc(1, sizeof *content);
    content->left = content->right = wf_fetch_add(&next, 1, WF_RELAXED);
    return content;
}

static void set_up(void) {
    next = 0;
    for (unsigned stripe = 0; stripe < STRIPES; stripe++)
        readers[stripe] = (struct wf_version_readers){0};
    wf_versions_init(&versions, readers, STRIPES);
    contents[0] = make_content();
}

static unsigned read_once(unsigned stripe) {
    unsigned slot = wf_version_enter(&versions, stripe);
    unsigned left = contents[slot]->left, right = contents[slot]->right;
    EXPLORE_CHECK(left == right);
    wf_version_leave(&versions, stripe, slot);
    return left;
}

/* Two sections, one writer: the second is not older than the first. */
static void read_twice(void) {
    unsigned first = read_once(0);
    EXPLORE_CHECK(read_once(0) >= first);
}

static void read_any_twice(void) {
    read_once(0);
    read_once(0);
}

static void read_once_only(void) {
    read_once(0);
}

static void read_other_line(void) {
    read_once(1);
}

static void reclaim(void) {
    for (unsigned slot = 0; slot < WF_VERSIONS; slot++)
        if (wf_version_reclaim(&versions, slot)) {
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
    reclaim();
    unsigned live = 0;
    for (unsigned slot = 0; slot < WF_VERSIONS; slot++)
        live += wf_load(&versions.state[slot], WF_RELAXED) != WF_VERSION_FREE;
    EXPLORE_CHECK(live == 1 && wf_load(&versions.state[versions.current], WF_RELAXED) == WF_VERSION_LIVE);
}

static const struct explore_case cases[] = {
    {.name = "versions/read", .set_up = set_up, .threads = {swap_and_reclaim, read_twice}, .check = check},
    {.name = "versions/lines", .set_up = set_up, .threads = {swap_and_reclaim, read_twice, read_other_line}, .check = check},
    {.name = "versions/writers", .set_up = set_up, .threads = {swap_twice, swap_twice, read_any_twice}, .check = check},
    {.name = "versions/reclaim", .set_up = set_up, .threads = {swap_only, reclaim, reclaim, read_once_only}, .check = check},
};

int main(int argc, char **argv) {
    return explore_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
