/* Looks at a command that is run for it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/status.h"
#include "cli/pages_look.h"

#define STEPS 10 /* of one interval */
#define ENDED "the command ended before it could be looked at"
#define FIRST_STEP 0.005 /* seconds; each of the first ones is twice as long as the one before */

/* Never returns. What prevents it goes into `told`, which a successful exec closes. */
static void become(char **command, const sigset_t *mask, int told) {
    sigprocmask(SIG_SETMASK, mask, NULL);
    execvp(command[0], command);
    int error = errno;
    if (write(told, &error, sizeof error) != sizeof error)
        _exit(126);
    _exit(error == ENOENT ? 127 : 126);
}

/* 0 and the child, or the errno that kept it from running. */
static int start(char **command, const sigset_t *mask, pid_t *child) {
    int ends[2], error = 0;
    if (pipe2(ends, O_CLOEXEC))
        return errno;
    *child = fork();
    if (!*child)
        become(command, mask, ends[1]);
    int failed = *child < 0 ? errno : 0;
    close(ends[1]);
    ssize_t got = failed ? 0 : read(ends[0], &error, sizeof error);
    close(ends[0]);
    if (got == sizeof error) {
        waitpid(*child, NULL, 0);
        return error;
    }
    return failed;
}

/* Until it has ended, or some time is over. SIGCHLD is blocked, so it is not missed between the two. */
static bool has_ended(pid_t child, double seconds, int *code) {
    struct timespec wait = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    sigset_t ends;
    int status;
    sigemptyset(&ends);
    sigaddset(&ends, SIGCHLD);
    if (seconds > 0)
        sigtimedwait(&ends, NULL, &wait);
    if (waitpid(child, &status, seconds > 0 ? WNOHANG : 0) != child)
        return false;
    *code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return true;
}

static uint64_t bytes_of(const struct wf_process_mappings *mappings) {
    uint64_t sum = 0;
    for (size_t i = 0; i < mappings->count; i++)
        sum += mappings->list[i].bytes;
    return sum;
}

/* The mappings of now, if they hold at least as much as those before. */
static weft_status keep_most(struct wf_pages_look *look) {
    struct wf_process_mappings now;
    weft_status status = wf_process_mappings_read(&now, &look->process, look->nodes.count);
    if (status != WEFT_OK)
        return status;
    uint64_t most = bytes_of(&look->mappings);
    bool more = bytes_of(&now) >= most && now.count;
    wf_process_mappings_release(more ? &look->mappings : &now);
    if (more) {
        look->mappings = now;
        wf_process_rename(&look->process);
    }
    return WEFT_OK;
}

/* Look until it ends; *looked: when the last look at its threads was, in seconds from now. The status is that of the first failed look. */
static weft_status look_until_end(struct wf_pages_look *look, struct wf_cpu_watch *cpus, double seconds, double *looked,
                                  int *code) {
    uint64_t begin = wf_now_ns();
    double step = FIRST_STEP, next = 0;
    weft_status status = wf_cpu_watch_look(cpus, &look->process);
    while (status == WEFT_OK) {
        step = step < seconds / STEPS ? step : seconds / STEPS;
        if (has_ended(look->process.pid, step, code))
            return WEFT_OK;
        double now = (double)(wf_now_ns() - begin) / 1e9;
        status = wf_cpu_watch_look(cpus, &look->process);
        if (status == WEFT_OK && now >= next) {
            status = keep_most(look);
            next = now + (2 * now < seconds ? now : seconds);
        }
        *looked = status == WEFT_OK ? now : *looked;
        step *= 2;
    }
    struct wf_detail first;
    wf_detail_keep(&first);
    while (!has_ended(look->process.pid, 0, code))
        continue;
    wf_detail_restore(&first);
    return look->mappings.count ? WEFT_OK : status; /* it was just about to end */
}

static weft_status look_at_child(struct wf_pages_look *look, pid_t child, double seconds, int *code) {
    struct wf_cpu_watch cpus = {0};
    double looked = 0;
    bool waited = false;
    weft_status status = wf_machine_nodes_read(&look->nodes, "");
    if (status == WEFT_OK && wf_process_open(&look->process, "", child) != WEFT_OK)
        status = wf_fail(WEFT_EAGAIN, ENDED);
    if (status == WEFT_OK)
        status = wf_cpu_watch_begin(&cpus, &look->nodes);
    if (status == WEFT_OK) {
        status = look_until_end(look, &cpus, seconds, &looked, code);
        waited = true;
    }
    if (status == WEFT_OK && !look->mappings.count)
        status = wf_fail(WEFT_EAGAIN, ENDED);
    if (status == WEFT_OK)
        status = wf_cpu_watch_end(&cpus, &look->process, looked, &look->running);
    wf_cpu_watch_release(&cpus);
    while (!waited && !has_ended(child, 0, code))
        continue;
    return status;
}

weft_status wf_pages_look_at_command(struct wf_pages_look *look, char **command, double seconds, int *code) {
    sigset_t held, before;
    pid_t child = -1;
    *look = (struct wf_pages_look){.process = {.directory = -1}};
    sigemptyset(&held);
    sigaddset(&held, SIGCHLD);
    sigaddset(&held, SIGINT); /* meant for the command, whose end is then waited for */
    sigaddset(&held, SIGQUIT);
    sigprocmask(SIG_BLOCK, &held, &before);
    int error = start(command, &before, &child);
    weft_status status;
    if (error) {
        *code = error == ENOENT ? 127 : 126;
        status = wf_fail(WEFT_EINVAL, "%s: %s", command[0], strerror(error));
    } else {
        status = look_at_child(look, child, seconds, code);
    }
    while (sigtimedwait(&held, NULL, &(struct timespec){0}) > 0) /* what came meanwhile was the command's */
        continue;
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (status != WEFT_OK)
        wf_pages_look_release(look);
    return status;
}
