/* Leaves a process behind. */
#include <spawn.h>
#include <unistd.h>

#include "plugin.h"

static int32_t start(METHOD_PARAMETERS) {
    char* const arguments[] = {(char*)"sleep", (char*)"30", NULL};
    pid_t process;
    if (posix_spawn(&process, "/bin/sleep", NULL, NULL, arguments, environ) != 0) abort();
    return good_method(instance, call, request, reply);
}

const struct parts parts = {.start = start};

EXPORT_PLUGIN
