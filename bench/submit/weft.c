#include "harness/peers/weft.h"
#include "submit/submit.h"

static weft_group *group;

static bool submit(void (*fn)(void *arg), void *arg) {
    return peer_ok(weft_submit(peer_pool, fn, arg, NULL));
}

static bool submit_to_group(void (*fn)(void *arg), void *arg) {
    return peer_ok(weft_group_spawn(group, fn, arg));
}

static bool wait_for_group(void) {
    return peer_ok(weft_group_wait(group));
}

bool submit_begin(void) {
    return peer_ok(weft_group_create(&group, peer_pool));
}

bool submit_end(void) {
    return wait_for_group() && peer_ok(weft_group_destroy(group));
}

const struct submit_way submit_ways[] = {{"submit", submit, NULL, false}, {"group", submit_to_group, wait_for_group, false}, {0}};
