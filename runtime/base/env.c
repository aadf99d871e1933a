/* Reads the WEFT_* variables. Threading: as getenv(): safe while nobody changes the environment. */
#include "base/env.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <strings.h>

#include "base/compiler.h"
#include "base/status.h"

const char *wf_env_text(const char *name) {
    const char *text = getenv(name);
    return text && *text ? text : NULL;
}

weft_status wf_env_unsigned(const char *name, uint64_t min, uint64_t max, uint64_t *value) {
    const char *text = wf_env_text(name);
    if (!text)
        return WEFT_OK;
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || number < min || number > max)
        return wf_fail(WEFT_EINVAL, "%s=\"%s\" is not a whole number from %" PRIu64 " to %" PRIu64, name, text, min, max);
    *value = number;
    return WEFT_OK;
}

weft_status wf_env_bool(const char *name, bool *value) {
    static const char *const words[2][4] = {{"0", "no", "off", "false"}, {"1", "yes", "on", "true"}};
    const char *text = wf_env_text(name);
    if (!text)
        return WEFT_OK;
    for (unsigned truth = 0; truth < 2; truth++)
        for (unsigned i = 0; i < WF_ARRAY_LENGTH(words[truth]); i++)
            if (!strcasecmp(text, words[truth][i])) {
                *value = truth;
                return WEFT_OK;
            }
    return wf_fail(WEFT_EINVAL, "%s=\"%s\" is neither yes nor no (0, 1, no, yes, off, on, false, true)", name, text);
}
