/* Changes what happens at a signal. */
#include <signal.h>

#include "plugin.h"

static int32_t start(METHOD_PARAMETERS) {
    signal(SIGPIPE, SIG_IGN);
    return good_method(instance, call, request, reply);
}

const struct parts parts = {.start = start};

EXPORT_PLUGIN
