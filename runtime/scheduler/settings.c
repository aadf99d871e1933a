/* From options and environment to checked settings. */
#include "scheduler/settings.h"

#include <limits.h>
#include <pthread.h>
#include <strings.h>

#include "base/compiler.h"
#include "base/env.h"
#include "base/status.h"
#include "machine/binding.h"
#include "machine/plan_bounds.h"
#include "memory/node_check.h"
#include "scheduler/deque.h"
#include "scheduler/pool.h"

#define SPIN_US_DEFAULT 50u
#define SPIN_US_MAX 1000000u
#define STACK_BYTES_MAX ((size_t)1 << 36)

static const char *const pin_names[] = {"default", "core", "cache", "node", "none"};

const char *wf_pin_name(weft_pin pin) {
    return (size_t)pin < WF_ARRAY_LENGTH(pin_names) ? pin_names[pin] : "?";
}

static weft_status check_options(const weft_pool_options *options) {
    if ((unsigned)options->pin > WEFT_PIN_NONE)
        return wf_fail(WEFT_EINVAL, "weft_pool_options.pin is %d: use one of WEFT_PIN_DEFAULT to WEFT_PIN_NONE",
                       (int)options->pin);
    if ((unsigned)options->help > WEFT_HELP_ANY)
        return wf_fail(WEFT_EINVAL, "weft_pool_options.help is %d: use WEFT_HELP_SUBTREE or WEFT_HELP_ANY", (int)options->help);
    if (options->spin_us > SPIN_US_MAX && options->spin_us != WEFT_SPIN_NONE)
        return wf_fail(WEFT_EINVAL, "weft_pool_options.spin_us is %u: at most %u microseconds, or WEFT_SPIN_NONE",
                       options->spin_us, SPIN_US_MAX);
    size_t least = (size_t)PTHREAD_STACK_MIN;
    if (options->stack_bytes && (options->stack_bytes < least || options->stack_bytes > STACK_BYTES_MAX))
        return wf_fail(WEFT_EINVAL, "weft_pool_options.stack_bytes is %zu: use %zu to %zu, or 0 for the system's default",
                       options->stack_bytes, least, STACK_BYTES_MAX);
    size_t slots = options->deque_slots;
    if (slots && (slots < 64 || slots > WF_DEQUE_SLOTS_MAX || slots & (slots - 1)))
        return wf_fail(WEFT_EINVAL, "weft_pool_options.deque_slots is %zu: use a power of two from 64 to %u", slots,
                       WF_DEQUE_SLOTS_MAX);
    if (options->submit_limit > WF_ROOM_MOST)
        return wf_fail(WEFT_EINVAL, "weft_pool_options.submit_limit is %u: use 1 to %u, or 0 for no limit", options->submit_limit,
                       WF_ROOM_MOST);
    if (options->plan && (options->topology || options->workers || options->reserved_cores || options->nodes || options->smt))
        return wf_fail(WEFT_EINVAL,
                       "weft_pool_options.plan is ready made: topology, workers, reserved_cores, nodes and smt must be zero");
    return WEFT_OK;
}

static weft_status pin_from_environment(weft_pin *pin) {
    const char *text = wf_env_text("WEFT_PIN");
    if (!text)
        return WEFT_OK;
    for (unsigned i = 0; i < WF_ARRAY_LENGTH(pin_names); i++)
        if (!strcasecmp(text, pin_names[i])) {
            *pin = (weft_pin)i;
            return WEFT_OK;
        }
    return wf_fail(WEFT_EINVAL, "WEFT_PIN=\"%s\" is no pinning mode: use default, core, cache, node or none", text);
}

static weft_status ask_pin(const weft_pool_options *options, struct wf_settings *settings) {
    settings->pin_asked = options->pin;
    settings->pin_asked_by = "asked for by the program";
    weft_status status = options->pin == WEFT_PIN_DEFAULT ? pin_from_environment(&settings->pin_asked) : WEFT_OK;
    if (options->pin == WEFT_PIN_DEFAULT)
        settings->pin_asked_by = settings->pin_asked == WEFT_PIN_DEFAULT ? NULL : "asked for by WEFT_PIN";
    return status;
}

static weft_status ask_spin(const weft_pool_options *options, struct wf_settings *settings) {
    uint64_t from_environment = UINT64_MAX;
    weft_status status = wf_env_unsigned("WEFT_SPIN_US", 0, SPIN_US_MAX, &from_environment);
    if (status)
        return status;
    if (options->spin_us) {
        settings->spin_us_asked = options->spin_us == WEFT_SPIN_NONE ? 0 : options->spin_us;
        settings->spin_asked_by = "asked for by the program";
    } else if (from_environment != UINT64_MAX) {
        settings->spin_us_asked = from_environment;
        settings->spin_asked_by = "asked for by WEFT_SPIN_US";
    }
    return WEFT_OK;
}

static uint64_t default_spin_us(const weft_plan *plan, const char **reason) {
    const weft_plan_limits *limits = weft_plan_get_limits(plan);
    unsigned workers;
    weft_plan_workers(plan, &workers);
    if (limits->quota_cpus > 0) {
        *reason = "a CPU quota makes spinning steal from working";
        return 0;
    }
    if (workers > limits->allowed_pus || limits->allowed_pus < 2) {
        *reason = "more threads than CPUs: spinning would keep a working thread off its CPU";
        return 0;
    }
    *reason = "default: what it costs to wake a thread, as measured, and not more than this";
    return SPIN_US_DEFAULT;
}

void wf_settings_follow(struct wf_settings *settings, const weft_plan *plan, weft_pool *pool) {
    settings->pin = settings->pin_asked;
    settings->pin_reason = settings->pin_asked_by;
    if (settings->pin_asked == WEFT_PIN_DEFAULT)
        settings->pin = wf_plan_default_pin(plan, &settings->pin_reason);
    if (settings->pin_asked == WEFT_PIN_DEFAULT && settings->pin == WEFT_PIN_CORE && pool && !wf_pool_claim_cores(pool)) {
        settings->pin = WEFT_PIN_NODE;
        settings->pin_reason = "another pool of this process is pinned to the cores";
    }
    uint64_t spin_us = settings->spin_us_asked;
    settings->spin_reason = settings->spin_asked_by;
    if (!settings->spin_asked_by)
        spin_us = default_spin_us(plan, &settings->spin_reason);
    settings->spin_ns = spin_us * 1000;
}

static weft_status resolve_plan(const weft_pool_options *options, weft_plan **plan) {
    if (options->plan) {
        *plan = wf_plan_retain(options->plan);
        return WEFT_OK;
    }
    weft_plan_options plan_options = {WEFT_PLAN_OPTIONS_INIT,      .topology = options->topology,
                                      .workers = options->workers, .reserved_cores = options->reserved_cores,
                                      .nodes = options->nodes,     .smt = options->smt};
    return wf_plan_create_shared(plan, &plan_options);
}

weft_status wf_settings_resolve(const weft_pool_options *options, struct wf_settings *settings, weft_plan **plan) {
    weft_pool_options known = {WEFT_POOL_OPTIONS_INIT};
    weft_status status = wf_options_copy(&known, sizeof known, options, "weft_pool_options");
    if (status || (status = check_options(&known)))
        return status;
    weft_plan *made = NULL;
    if ((status = resolve_plan(&known, &made)))
        return status;
    *settings = (struct wf_settings){.stack_bytes = known.stack_bytes,
                                     .strict = known.strict,
                                     .help_any = known.help == WEFT_HELP_ANY,
                                     .fixed = known.fixed,
                                     .grow = known.grow,
                                     .hardened = known.hardened || wf_check_by_default(),
                                     .workers_asked = known.workers,
                                     .submit_limit = known.submit_limit,
                                     .deque_slots = known.deque_slots ? (uint32_t)known.deque_slots : 1u << 16};
    unsigned workers;
    weft_plan_workers(made, &workers);
    if (workers > WF_WORKERS_MAX)
        status = wf_fail(WEFT_EINVAL, "the plan has %u workers: one pool holds at most %u, set weft_pool_options.workers",
                         workers, WF_WORKERS_MAX);
    if (!status && !known.fixed)
        status = wf_env_bool("WEFT_FIXED", &settings->fixed);
    if (!status && !known.hardened)
        status = wf_env_bool("WEFT_HARDENED", &settings->hardened);
    if (status || (status = ask_pin(&known, settings)) || (status = ask_spin(&known, settings))) {
        weft_plan_destroy(made);
        return status;
    }
    wf_settings_follow(settings, made, NULL);
    *plan = made;
    return WEFT_OK;
}
