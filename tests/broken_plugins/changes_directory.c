/* Changes the working directory. */
#include <unistd.h>

#include "plugin.h"

static int32_t start(METHOD_PARAMETERS) {
    if (chdir("/") != 0) abort();
    return good_method(instance, call, request, reply);
}

const struct parts parts = {.start = start};

EXPORT_PLUGIN
