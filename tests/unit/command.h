/* Runs the weft command, whose path is WEFT_TEST_COMMAND. */
#ifndef WEFT_TESTS_UNIT_COMMAND_H
#define WEFT_TESTS_UNIT_COMMAND_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/wait.h>

/* What the last one printed. */
static char output[1 << 16];

/* Run `weft ARGUMENTS` with stderr merged into stdout; returns the exit code. */
static int weft(const char *arguments) {
    char command[2048];
    snprintf(command, sizeof command, "%s %s 2>&1", WEFT_TEST_COMMAND, arguments);
    FILE *pipe = popen(command, "r");
    cr_assert(pipe);
    output[fread(output, 1, sizeof output - 1, pipe)] = 0;
    int status = pclose(pipe);
    cr_assert(WIFEXITED(status), "killed: %s", output);
    return WEXITSTATUS(status);
}

#endif
