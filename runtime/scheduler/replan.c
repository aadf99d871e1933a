/* Roles are dealt out, then masks, memory and rest follow; then the effective state tells. */
#include "scheduler/replan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "machine/binding.h"
#include "machine/plan_bounds.h"

/* A change, prepared before anything is touched: it may fail for lack of memory, what follows may not. */
struct change {
    weft_plan *plan;
    const weft_plan_worker *workers;
    const weft_plan_node *nodes;
    unsigned worker_count;
    struct wf_place *places; /* of the new plan */
    bool moved;              /* any of them differs from what was */
};

/* Whether a worker of the layout fits a role: first by CPU, then by node, then any. */
static bool fits(const struct wf_place *place, const struct change *change, unsigned role, unsigned round) {
    const weft_plan_worker *worker = &change->workers[role];
    return round == 0 ? worker->pu == place->pu : round == 1 ? change->nodes[worker->node].os_index == place->os_node : true;
}

static weft_status deal_roles(struct change *change, unsigned count) {
    bool *dealt = calloc(change->worker_count, sizeof *dealt);
    if (!dealt)
        return wf_fail(WEFT_ENOMEM, "no memory to deal %u workers out", count);
    for (unsigned i = 0; i < count; i++)
        change->places[i].role = -1;
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < count; i++)
            for (unsigned role = 0; role < change->worker_count && change->places[i].role < 0; role++)
                if (!dealt[role] && fits(&change->places[i], change, role, round)) {
                    change->places[i].role = (int)role;
                    dealt[role] = true;
                }
    free(dealt);
    return WEFT_OK;
}

/* What the role brings with it. Who rests may be anywhere inside the plan. */
static weft_status furnish(struct change *change, struct wf_place *place, weft_pin pin) {
    unsigned role = place->role < 0 ? 0 : (unsigned)place->role;
    place->mask.set = NULL;
    if (place->role >= 0) {
        const weft_plan_node *node = &change->nodes[change->workers[role].node];
        place->pu = change->workers[role].pu;
        place->os_node = node->os_index;
        place->memory_node = node->memory_node;
    }
    if (!weft_plan_get_limits(change->plan)->this_system)
        return WEFT_OK;
    return wf_plan_cpu_mask(change->plan, role, place->role < 0 ? WEFT_PIN_NONE : pin, &place->mask);
}

static void release_places(struct wf_place *places, unsigned count) {
    for (unsigned i = 0; places && i < count; i++)
        wf_cpu_mask_release(&places[i].mask);
    free(places);
}

static weft_status prepare(const weft_pool *pool, struct change *change, const struct wf_place *before, weft_pin pin) {
    unsigned count = pool->worker_count;
    change->workers = weft_plan_workers(change->plan, &change->worker_count);
    change->nodes = weft_plan_nodes(change->plan, NULL);
    change->places = calloc(count, sizeof *change->places);
    if (!change->places)
        return wf_fail(WEFT_ENOMEM, "no memory for the places of %u workers", count);
    for (unsigned i = 0; i < count; i++) {
        change->places[i] = before[i];
        change->places[i].mask.set = NULL;
    }
    weft_status status = deal_roles(change, count);
    for (unsigned i = 0; !status && i < count; i++) {
        const struct wf_place *old = &before[i];
        struct wf_place *place = &change->places[i];
        status = furnish(change, place, pin);
        bool same = old->mask.set && place->mask.set && wf_cpu_mask_equal(&old->mask, &place->mask);
        change->moved = change->moved || !same || place->memory_node != old->memory_node || (place->role < 0) != (old->role < 0);
    }
    if (status)
        release_places(change->places, count);
    return status;
}

static void bind_worker(weft_pool *pool, unsigned id) {
    struct wf_place *place = &pool->replan->places[id];
    if (place->mask.set)
        place->refusal = wf_cpu_mask_apply(wf_worker_tid(pool->workers[id]), &place->mask);
}

/* Which worker a caller from outside becomes, see seat.h. */
static void note_cpu(weft_pool *pool, unsigned id) {
    bool here = weft_plan_get_limits(pool->plan)->this_system;
    wf_store(&pool->cpus[id], here ? pool->replan->places[id].pu : UINT32_MAX, WF_RELAXED);
}

/* Pages follow their worker. A refusal costs speed only, and the effective state tells. */
static void move(weft_pool *pool, const struct wf_area *area, int memory_node) {
    if (!area->start)
        return; /* a stack of the C library */
    weft_status status = wf_move_memory(pool->replan->current, area->start, area->bytes, memory_node);
    if (status)
        wf_store(&pool->memory_status, (uint32_t)status, WF_RELAXED);
}

static void move_worker(weft_pool *pool, unsigned id) {
    const struct wf_place *place = &pool->replan->places[id];
    struct wf_worker *worker = pool->workers[id];
    if (place->role < 0)
        return;
    move(pool, &worker->area, place->memory_node);
    move(pool, &worker->slots, place->memory_node);
    move(pool, &worker->records.area, place->memory_node);
    move(pool, &pool->stacks[id].area, place->memory_node);
}

/* A node of the layout is where the first of its workers with a role is. */
static void move_node(weft_pool *pool, unsigned index) {
    const weft_plan_node *planned = &weft_plan_nodes(pool->plan, NULL)[index];
    struct wf_node *node = pool->nodes[index];
    for (unsigned id = planned->first_worker; id < planned->first_worker + planned->worker_count; id++) {
        const struct wf_place *place = &pool->replan->places[id];
        if (place->role < 0)
            continue;
        wf_store(&node->memory_node, (uint32_t)place->memory_node, WF_RELAXED);
        move(pool, &node->area, place->memory_node);
        move(pool, &node->inbox.chunks.area, place->memory_node);
        return;
    }
}

/* Where it makes a difference, also where no role has changed: the kernel itself moves pages when a cpuset loses their node. What lies right stays. */
static void move_all(weft_pool *pool) {
    wf_store(&pool->memory_status, WEFT_OK, WF_RELAXED); /* all of it is bound anew */
    for (unsigned id = 0; id < pool->worker_count; id++)
        move_worker(pool, id);
    for (unsigned index = 0; index < pool->node_count; index++)
        move_node(pool, index);
}

/* First who works, then who rests: at no time does nobody take work. */
static void follow(weft_pool *pool, const struct wf_place *before) {
    unsigned active = 0;
    for (unsigned id = 0; id < pool->worker_count; id++) {
        const struct wf_place *place = &pool->replan->places[id];
        active += place->role >= 0;
        bind_worker(pool, id);
        note_cpu(pool, id);
        if (place->os_node != before[id].os_node)
            wf_worker_name(pool->workers[id], place->os_node, pool->threads[id]);
        if (place->role >= 0 && before[id].role < 0)
            wf_pool_rouse(pool, id);
    }
    for (unsigned id = 0; id < pool->worker_count; id++)
        if (pool->replan->places[id].role < 0 && before[id].role >= 0)
            wf_pool_retire(pool, id);
    wf_store(&pool->active, active, WF_RELAXED);
}

/* Two plans that have the same workers may still have them for other reasons. */
static bool same_terms(const weft_plan *a, const weft_plan *b) {
    const weft_plan_limits *before = weft_plan_get_limits(a), *now = weft_plan_get_limits(b);
    bool same_quota = before->quota_cpus <= now->quota_cpus && before->quota_cpus >= now->quota_cpus;
    return same_quota && !strcmp(before->reason, now->reason);
}

static weft_status plan_again(const weft_pool *pool, const struct wf_cpu_mask *within, weft_plan **plan) {
    const weft_plan *current = pool->replan->current;
    const struct wf_plan_bounds bounds = {.within = within, .again = current, .most = pool->worker_count};
    return wf_plan_create_bounded(plan, wf_plan_options(current), &bounds);
}

static void exchange(weft_pool *pool, const struct change *change, const struct wf_settings *settings, const char *why) {
    struct wf_replan *replan = pool->replan;
    struct wf_place *before = replan->places;
    unsigned active = wf_load(&pool->active, WF_RELAXED);
    weft_plan_destroy(replan->current);
    replan->current = change->plan;
    replan->places = change->places;
    pool->settings = *settings;
    wf_store(&pool->spin_ns, settings->spin_ns, WF_RELAXED);
    follow(pool, before);
    release_places(before, pool->worker_count);
    replan->count++;
    snprintf(replan->last, sizeof replan->last, "%s: %u workers took work before, %u now", why, active,
             wf_load(&pool->active, WF_RELAXED));
}

static weft_status fail(weft_pool *pool, weft_status status, const char *why) {
    pool->replan->failed = true;
    snprintf(pool->replan->last, sizeof pool->replan->last, "%s, and could not be followed: %s", why, weft_error_detail());
    return status;
}

weft_status wf_replan(weft_pool *pool, const struct wf_cpu_mask *within, const char *why) {
    struct wf_replan *replan = pool->replan;
    struct change change = {0};
    struct wf_settings settings = pool->settings;
    replan->fresh = false;
    weft_status status = plan_again(pool, within, &change.plan);
    if (status)
        return fail(pool, status, why);
    wf_settings_follow(&settings, change.plan, pool);
    if ((status = prepare(pool, &change, replan->places, settings.pin))) {
        weft_plan_destroy(change.plan);
        return fail(pool, status, why);
    }
    bool quiet = !change.moved && !replan->failed && settings.pin == pool->settings.pin &&
                 settings.spin_ns == pool->settings.spin_ns && same_terms(replan->current, change.plan);
    replan->failed = false;
    if (quiet) {
        release_places(change.places, pool->worker_count);
        weft_plan_destroy(change.plan);
    } else {
        exchange(pool, &change, &settings, why);
    }
    if (pool->placed)
        move_all(pool);
    wf_replan_restore(pool, pool->worker_count);
    return WEFT_OK;
}

bool wf_replan_is_current(const weft_pool *pool, const struct wf_cpu_mask *within, double quota_cpus) {
    const weft_plan *current = pool->replan->current;
    double planned = weft_plan_get_limits(current)->quota_cpus;
    struct wf_cpu_mask mask;
    if (planned < quota_cpus || planned > quota_cpus)
        return false;
    if (wf_plan_cpu_mask(current, 0, WEFT_PIN_NONE, &mask))
        return true;
    bool equal = wf_plan_options(current)->ignore_affinity || wf_cpu_mask_equal(&mask, within);
    wf_cpu_mask_release(&mask);
    return equal;
}

bool wf_replan_any_bound_to(const weft_pool *pool, const struct wf_cpu_mask *cpus, unsigned most) {
    bool found = false;
    for (unsigned i = 0; !found && i < most && i < pool->worker_count; i++) {
        struct wf_cpu_mask now;
        unsigned id = (pool->replan->restored + i) % pool->worker_count;
        if (wf_cpu_mask_of(wf_worker_tid(pool->workers[id]), &now))
            continue;
        found = wf_cpu_mask_equal(&now, cpus);
        wf_cpu_mask_release(&now);
    }
    return found;
}

void wf_replan_restore(weft_pool *pool, unsigned most) {
    for (unsigned i = 0; i < most && i < pool->worker_count; i++) {
        struct wf_cpu_mask now;
        unsigned id = pool->replan->restored++ % pool->worker_count;
        const struct wf_place *place = &pool->replan->places[id];
        if (!place->mask.set || wf_cpu_mask_of(wf_worker_tid(pool->workers[id]), &now))
            continue;
        if (!wf_cpu_mask_equal(&now, &place->mask))
            bind_worker(pool, id);
        wf_cpu_mask_release(&now);
    }
}

weft_status wf_replan_begin(weft_pool *pool, weft_plan *current) {
    struct wf_replan *replan = calloc(1, sizeof *replan);
    struct wf_place *layout = calloc(pool->worker_count, sizeof *layout);
    pool->replan = replan;
    if (!replan || !layout) {
        free(layout);
        weft_plan_destroy(current);
        return wf_fail(WEFT_ENOMEM, "no memory for the places of %u workers", pool->worker_count);
    }
    replan->current = current;
    replan->fresh = true;
    const weft_plan_worker *workers = weft_plan_workers(pool->plan, NULL);
    for (unsigned id = 0; id < pool->worker_count; id++) {
        const weft_plan_node *node = &weft_plan_nodes(pool->plan, NULL)[workers[id].node];
        layout[id] = (struct wf_place){.pu = workers[id].pu, .os_node = node->os_index, .memory_node = node->memory_node};
    }
    struct change change = {.plan = current};
    weft_status status = prepare(pool, &change, layout, pool->settings.pin);
    free(layout);
    if (status)
        return status;
    replan->places = change.places;
    for (unsigned id = 0; id < pool->worker_count; id++)
        note_cpu(pool, id);
    for (unsigned id = 0; id < pool->worker_count; id++)
        if (replan->places[id].role < 0)
            wf_fetch_or(&pool->resting[id / 64], UINT64_C(1) << id % 64, WF_RELAXED);
    wf_store(&pool->active, change.worker_count, WF_RELAXED);
    if (!weft_plan_get_limits(current)->this_system)
        return WEFT_OK;
    status = wf_cpu_mask_of_process(&replan->process);
    if (!status && weft_plan_get_limits(current)->affinity_restricted && !wf_plan_options(current)->ignore_affinity)
        status = wf_plan_cpu_mask(current, 0, WEFT_PIN_NONE, &replan->within); /* the main thread may be bound elsewhere by now */
    return status;
}

void wf_replan_release(weft_pool *pool) {
    struct wf_replan *replan = pool->replan;
    if (!replan)
        return;
    release_places(replan->places, pool->worker_count);
    wf_cpu_mask_release(&replan->process);
    wf_cpu_mask_release(&replan->within);
    weft_plan_destroy(replan->current);
    free(replan);
}
