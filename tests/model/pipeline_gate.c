/*
 * The gates of pipelines: tokens that come from several threads pass one at a time, by index or as they come. What the stage behind a
 * gate writes is plain, so a token that enters too early is a race, and one that is forgotten is missing in the end.
 */
#include "parallel/pipeline_gate.h"

#include "explorer.h"

#define TOKENS 4u

static struct token {
    struct wf_gated gated;
    uint64_t index;
    unsigned brought; /* plain: written by who brings it, read by who runs it */
} tokens[TOKENS];

static wf_atomic_ptr cells[2];
static struct wf_order order;
static struct wf_turns turns;
static uint64_t passed; /* plain, behind the gate */

static void reset(void) {
    order = (struct wf_order){cells, WF_ARRAY_LENGTH(cells) - 1};
    wf_order_reset(&order);
    turns = (struct wf_turns){0};
    passed = 0;
    for (unsigned i = 0; i < TOKENS; i++)
        tokens[i] = (struct token){.index = i};
}

static void run_ordered(struct token *token) {
    while (token) {
        EXPLORE_CHECK(token->brought == 1);
        EXPLORE_CHECK(passed == token->index);
        passed++;
        token = (struct token *)wf_order_leave(&order, token->index);
    }
}

static void bring_ordered(unsigned i) {
    struct token *token = &tokens[i];
    token->brought = 1;
    if (wf_order_arrive(&order, i) || wf_order_wait(&order, i, &token->gated))
        run_ordered(token);
}

static void first(void) {
    bring_ordered(0);
}

static void second(void) {
    bring_ordered(1);
}

/* Its own first token has passed when it brings the next, which has the same cell: two exist at a time. */
static void first_and_third(void) {
    bring_ordered(0);
    bring_ordered(2);
}

static void check_two(void) {
    EXPLORE_CHECK(passed == 2);
}

static void check_three(void) {
    EXPLORE_CHECK(passed == 3);
}

static void run_serial(struct token *token) {
    while (token) {
        EXPLORE_CHECK(token->brought == 1);
        passed++;
        token = (struct token *)wf_turns_leave(&turns);
    }
}

static void bring_serial(unsigned i) {
    struct token *token = &tokens[i];
    token->brought = 1;
    if (wf_turns_enter(&turns) || wf_turns_wait(&turns, &token->gated))
        run_serial(token);
}

static void one(void) {
    bring_serial(explore_self());
}

static void two(void) {
    bring_serial(explore_self());
    bring_serial(3);
}

static const struct explore_case cases[] = {
    {.name = "pipeline_gate/order", .set_up = reset, .threads = {first, second}, .check = check_two},
    {.name = "pipeline_gate/order_again", .set_up = reset, .threads = {first_and_third, second}, .check = check_three},
    {.name = "pipeline_gate/turns", .set_up = reset, .threads = {one, one}, .check = check_two},
    {.name = "pipeline_gate/turns_of_three", .set_up = reset, .threads = {one, one, one}, .check = check_three},
    {.name = "pipeline_gate/turns_again", .set_up = reset, .threads = {two, one}, .check = check_three},
};

int main(int argc, char **argv) {
    return explore_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
