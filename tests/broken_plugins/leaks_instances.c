/* Leaves a descriptor open for every instance. */
#include <fcntl.h>

#include "plugin.h"

static int32_t stop(METHOD_PARAMETERS) {
    if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0) abort();
    return good_method(instance, call, request, reply);
}

const struct parts parts = {.stop = stop};

EXPORT_PLUGIN
