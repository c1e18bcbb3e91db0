/* Never comes back from stop. */
#include "plugin.h"

static int32_t stop(METHOD_PARAMETERS) {
    while (request.size > 0) sleep_milliseconds(1000);
    return good_method(instance, call, request, reply);
}

const struct parts parts = {.stop = stop};

EXPORT_PLUGIN
