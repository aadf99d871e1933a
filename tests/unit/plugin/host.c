/*
 * host PLUGIN: loads and unloads a plugin that uses weft, many times. After each unloading nothing of it is left: no thread, and
 * no handler that a later fork() would call into unmapped memory. Exit 0 or 1.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int mapped(const char *path) {
    char line[1024];
    FILE *file = fopen("/proc/self/maps", "r");
    int found = 0;
    while (file && fgets(line, sizeof line, file))
        found |= strstr(line, path) != NULL;
    if (file)
        fclose(file);
    return found;
}

int main(int argc, char **argv) {
    if (argc != 2)
        return 1;
    alarm(60);
    for (int round = 0; round < 50; round++) {
        void *plugin = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
        if (!plugin) {
            fprintf(stderr, "%s\n", dlerror());
            return 1;
        }
        int (*run)(void);
        *(void **)(void *)&run = dlsym(plugin, "plugin_run");
        if (!run || run() || dlclose(plugin)) {
            fprintf(stderr, "round %d: the plugin failed\n", round);
            return 1;
        }
        if (mapped(argv[1])) {
            fprintf(stderr, "round %d: the plugin is still mapped\n", round);
            return 1;
        }
        int status;
        pid_t pid = fork();
        if (!pid)
            _exit(0);
        if (waitpid(pid, &status, 0) != pid || status) {
            fprintf(stderr, "round %d: fork() after unloading failed\n", round);
            return 1;
        }
    }
    puts("50 rounds of dlopen, use, dlclose, fork");
    return 0;
}
