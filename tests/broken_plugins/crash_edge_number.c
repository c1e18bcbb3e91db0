/* Crashes at a number that only few requests have. */
#include "plugin.h"

static int32_t remove_volume(METHOD_PARAMETERS) {
    if (contains(request, "-9223372036854775808")) crash();
    return good_method(instance, call, request, reply);
}

const struct parts parts = {.remove = remove_volume};

EXPORT_PLUGIN
