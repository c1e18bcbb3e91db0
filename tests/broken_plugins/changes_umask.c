/* Changes the file mode creation mask. */
#include <sys/stat.h>

#include "plugin.h"

static int32_t start(METHOD_PARAMETERS) {
    umask(0);
    return good_method(instance, call, request, reply);
}

const struct parts parts = {.start = start};

EXPORT_PLUGIN
