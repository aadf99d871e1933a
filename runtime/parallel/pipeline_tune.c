/* The search for the number of tokens, see the header. */
#include "parallel/pipeline_tune.h"

#define WAITS_SHARE 0.02 /* below, the source has tokens enough */
#define PAYS 1.03        /* more tokens have to win that much, */
#define COSTS 0.985      /* and fewer may lose that */
#define PATIENCE_MOST 64u

/* True: the try was in vain. */
static bool judge(struct wf_tune *tune, double rate) {
    bool fewer = tune->now < tune->before, good = rate >= tune->rate * (fewer ? COSTS : PAYS);
    if (!good) {
        tune->now = tune->before;
        tune->fewer = !fewer;
        tune->hold = tune->patience;
        tune->patience = tune->patience < PATIENCE_MOST ? 2 * tune->patience : PATIENCE_MOST;
    } else {
        tune->patience = 1;
    }
    tune->before = 0;
    return !good;
}

void wf_tune_step(struct wf_tune *tune, double rate, double waits) {
    if (tune->before && judge(tune, rate))
        return;
    if (tune->hold) {
        tune->hold--;
        return;
    }
    unsigned now = tune->now, up = now / 2 ? now / 2 : 1, down = now / 4 ? now / 4 : 1;
    bool more = waits >= WAITS_SHARE && now < tune->most && (!tune->fewer || now == tune->least);
    if (!more && now == tune->least)
        return;
    tune->before = now;
    tune->rate = rate;
    if (more)
        tune->now = up < tune->most - now ? now + up : tune->most;
    else
        tune->now = down < now - tune->least ? now - down : tune->least;
}
