/* Never comes back from a method. */
#include "plugin.h"

static int32_t remove_volume(METHOD_PARAMETERS) {
    while (request.size > 0) sleep_milliseconds(1000);
    return good_method(instance, call, request, reply);
}

const struct parts parts = {.remove = remove_volume};

EXPORT_PLUGIN
