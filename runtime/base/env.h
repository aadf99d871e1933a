/* Settings from the environment: absent is a default, nonsense is an error that names the variable. */
#ifndef WF_BASE_ENV_H
#define WF_BASE_ENV_H

#include <stdbool.h>
#include <stdint.h>

#include "weft/status.h"

/* The variable's text, or NULL if it is unset or empty. */
const char *wf_env_text(const char *name);

/* *value is left alone when the variable is unset; WEFT_EINVAL when it is no decimal number in [min, max]. */
weft_status wf_env_unsigned(const char *name, uint64_t min, uint64_t max, uint64_t *value);

/* 0/1, no/yes, off/on, false/true; *value is left alone when unset. */
weft_status wf_env_bool(const char *name, bool *value);

#endif
