/* Crashes when a request is not an object. */
#include "plugin.h"

static int32_t remove_volume(METHOD_PARAMETERS) {
    if (!is_object(request)) crash();
    return good_method(instance, call, request, reply);
}

const struct parts parts = {.remove = remove_volume};

EXPORT_PLUGIN
