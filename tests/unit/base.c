/* base/: options structs of other sizes, environment settings, statuses. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "base/status.h"

struct options {
    size_t size;
    int first, second;
};

struct newer_options {
    struct options known;
    int third;
};

Test(status, every_status_has_a_name_and_others_do_not) {
    cr_assert_str_eq(weft_status_name(WEFT_OK), "WEFT_OK");
    cr_assert_str_eq(weft_status_name(WEFT_ESTRICT), "WEFT_ESTRICT");
    cr_assert_str_eq(weft_status_name(WEFT_ETIMEDOUT), "WEFT_ETIMEDOUT");
    cr_assert_str_eq(weft_status_name((weft_status)999), "WEFT_E?");
}

Test(status, a_failure_leaves_its_text) {
    cr_assert_eq(wf_fail(WEFT_EAGAIN, "queue of %d is full", 7), WEFT_EAGAIN);
    cr_assert_str_eq(weft_error_detail(), "queue of 7 is full");
}

Test(status, a_failure_may_quote_the_one_below_it) {
    wf_fail(WEFT_EPERM, "operation not permitted");
    wf_fail(WEFT_ESTRICT, "node %d: %s", 3, weft_error_detail());
    cr_assert_str_eq(weft_error_detail(), "node 3: operation not permitted");
}

Test(options, an_older_struct_keeps_the_defaults_of_the_tail) {
    struct options known = {sizeof known, 1, 2};
    struct options older = {offsetof(struct options, second), 5, 99};
    cr_assert_eq(wf_options_copy(&known, sizeof known, &older, "options"), WEFT_OK);
    cr_assert_eq(known.first, 5);
    cr_assert_eq(known.second, 2);
    cr_assert_eq(known.size, sizeof known);
}

Test(options, a_newer_struct_is_taken_when_its_tail_is_zero_and_refused_otherwise) {
    struct options known = {sizeof known, 0, 0};
    struct newer_options newer;
    memset(&newer, 0, sizeof newer);
    newer.known.size = sizeof newer;
    newer.known.first = 3;
    cr_assert_eq(wf_options_copy(&known, sizeof known, &newer, "options"), WEFT_OK);
    cr_assert_eq(known.first, 3);
    newer.third = 1;
    cr_assert_eq(wf_options_copy(&known, sizeof known, &newer, "options"), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "newer"));
}

Test(options, a_struct_without_its_size_is_refused) {
    struct options known = {sizeof known, 0, 0}, given = {0, 1, 1};
    cr_assert_eq(wf_options_copy(&known, sizeof known, &given, "options"), WEFT_EINVAL);
    cr_assert_eq(known.first, 0);
}

Test(env, numbers_are_taken_whole_or_refused_by_name) {
    uint64_t value = 17;
    unsetenv("WEFT_TEST_NUMBER");
    cr_assert_eq(wf_env_unsigned("WEFT_TEST_NUMBER", 0, 100, &value), WEFT_OK);
    cr_assert_eq(value, 17);
    setenv("WEFT_TEST_NUMBER", "42", 1);
    cr_assert_eq(wf_env_unsigned("WEFT_TEST_NUMBER", 0, 100, &value), WEFT_OK);
    cr_assert_eq(value, 42);
    static const char *const nonsense[] = {"-1", "+4", " 4", "4x", "four", "101", "99999999999999999999999"};
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        setenv("WEFT_TEST_NUMBER", nonsense[i], 1);
        cr_assert_eq(wf_env_unsigned("WEFT_TEST_NUMBER", 0, 100, &value), WEFT_EINVAL, "%s", nonsense[i]);
        cr_assert(strstr(weft_error_detail(), "WEFT_TEST_NUMBER"));
    }
    cr_assert_eq(value, 42);
}

Test(env, truth_has_four_words_each_way) {
    bool value = false;
    setenv("WEFT_TEST_BOOL", "Yes", 1);
    cr_assert_eq(wf_env_bool("WEFT_TEST_BOOL", &value), WEFT_OK);
    cr_assert(value);
    setenv("WEFT_TEST_BOOL", "off", 1);
    cr_assert_eq(wf_env_bool("WEFT_TEST_BOOL", &value), WEFT_OK);
    cr_assert_not(value);
    setenv("WEFT_TEST_BOOL", "perhaps", 1);
    cr_assert_eq(wf_env_bool("WEFT_TEST_BOOL", &value), WEFT_EINVAL);
}
