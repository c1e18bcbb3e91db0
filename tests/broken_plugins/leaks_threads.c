/* Starts a thread that goes on after stop. */
#include "plugin.h"

static void* run(MAYBE_UNUSED void* argument) {
    while (1) sleep_milliseconds(1000);
    return NULL;
}

static int32_t start(METHOD_PARAMETERS) {
    run_detached(run, NULL);
    return good_method(instance, call, request, reply);
}

const struct parts parts = {.start = start};

EXPORT_PLUGIN
