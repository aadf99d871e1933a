/*
 * The command line of `weft plan`. Input: a line per argument. Runs in an empty directory in memory with a topology file in it;
 * arguments cannot leave it, because slashes become commas. What the command prints is parsed where it said JSON or SVG.
 */
#include <argp.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "fuzz.h"

#define ARGUMENTS_MOST 12
#define TOPOLOGY_FILE "t"

static const char topology[] =
    "<topology version=\"2.0\"><object type=\"Machine\" cpuset=\"0x3\" complete_cpuset=\"0x3\" nodeset=\"0x3\" "
    "complete_nodeset=\"0x3\"><object type=\"NUMANode\" os_index=\"0\" cpuset=\"0x3\" complete_cpuset=\"0x3\" nodeset=\"0x1\" "
    "complete_nodeset=\"0x1\" local_memory=\"4096\"/><object type=\"NUMANode\" os_index=\"1\" "
    "subtype=\"&lt;&amp;&quot;\xc3\xa9&#9;\" "
    "cpuset=\"0x0\" complete_cpuset=\"0x0\" nodeset=\"0x2\" complete_nodeset=\"0x2\" local_memory=\"8192\"/>"
    "<object type=\"PU\" os_index=\"0\" cpuset=\"0x1\" complete_cpuset=\"0x1\" nodeset=\"0x1\" complete_nodeset=\"0x1\"/>"
    "<object type=\"PU\" os_index=\"1\" cpuset=\"0x2\" complete_cpuset=\"0x2\" nodeset=\"0x1\" complete_nodeset=\"0x1\"/>"
    "</object></topology>";

static char directory[64];
static int home = -1, inside = -1; /* where the process began, and the directory that it made */

/* Only ever in the directory that was made, whatever the current one is. */
static void clean(void) {
    int copy = inside < 0 ? -1 : openat(inside, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = copy < 0 ? NULL : fdopendir(copy);
    if (!list)
        return;
    for (struct dirent *entry; (entry = readdir(list));)
        if (strcmp(entry->d_name, TOPOLOGY_FILE))
            unlinkat(inside, entry->d_name, 0);
    closedir(list);
}

static void leave(void) {
    clean();
    unlinkat(inside, TOPOLOGY_FILE, 0);
    rmdir(directory);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    static const char *const variables[] = {"WEFT_WORKERS", "WEFT_SMT", "WEFT_TOPOLOGY", "WEFT_DISTANCES"};
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        unsetenv(variables[i]);
    return 0;
}

/* Once inputs are read: libFuzzer's own paths are relative to where it began. */
static void make_directory(void) {
    snprintf(directory, sizeof directory, "%s/weft-fuzz-XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    home = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (home < 0 || !mkdtemp(directory) || (inside = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        abort();
    atexit(leave);
    int file = openat(inside, TOPOLOGY_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file < 0 || write(file, topology, sizeof topology - 1) != sizeof topology - 1)
        abort();
    close(file);
}

static void enter(void) {
    if (inside < 0)
        make_directory();
    if (fchdir(inside))
        abort();
}

/* Run with stdout and stderr in memory; whether anything was printed on the latter. */
static int run(int argc, char **argv, char **out, size_t *length, bool *complained) {
    char *errors = NULL;
    size_t error_length = 0;
    FILE *kept[2] = {stdout, stderr};
    stdout = open_memstream(out, length);
    stderr = open_memstream(&errors, &error_length);
    int code = wf_plan_command(argc, argv, ARGP_NO_EXIT | ARGP_NO_HELP);
    fclose(stdout);
    fclose(stderr);
    stdout = kept[0];
    stderr = kept[1];
    *complained = error_length > 0;
    free(errors);
    return code;
}

/* The command shows the machine, which is small, or a small description. */
static bool is_modest(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        const char *text = argv[i][0] == '-' ? strpbrk(argv[i], "=t") : argv[i] - 1;
        if (text && !fuzz_is_small_description(text + 1, 64) && access(text + 1, F_OK))
            return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = {data, size};
    static char name[] = "weft plan";
    char *argv[ARGUMENTS_MOST + 2] = {name}, *owned[ARGUMENTS_MOST], *out = NULL;
    int argc = 1, lines = 0;
    while (input.size && lines < ARGUMENTS_MOST) {
        char *text = argv[argc++] = owned[lines++] = fuzz_line(&input);
        for (char *at = text; (at = strchr(at, '/'));)
            *at = ',';
    }
    enter();
    if (is_modest(argc, argv)) {
        size_t length = 0;
        bool complained;
        int code = run(argc, argv, &out, &length, &complained);
        FUZZ_CHECK(code == 0 || code == 1 || code == 64, "exit code %d", code);
        FUZZ_CHECK(complained == (code != 0), "exit code %d, and %s on standard error", code, complained ? "words" : "no words");
        size_t start = length ? strspn(out, " \n") : 0;
        if (code == 0 && length && out[start] == '{')
            fuzz_check_json(out, length, NULL);
        else if (code == 0 && length && out[start] == '<' && !strstr(out, "</svg>\n{"))
            fuzz_check_svg(out, length, NULL);
        free(out);
    }
    clean();
    if (fchdir(home))
        abort();
    for (int i = 0; i < lines; i++)
        free(owned[i]);
    return 0;
}
