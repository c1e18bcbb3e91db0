/* Ends the process in a method. */
#include "plugin.h"

static int32_t remove_volume(METHOD_PARAMETERS) {
    if (request.size > 0) exit(3);
    return good_method(instance, call, request, reply);
}

const struct parts parts = {.remove = remove_volume};

EXPORT_PLUGIN
