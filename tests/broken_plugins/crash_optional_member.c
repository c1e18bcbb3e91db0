/* Crashes at a member that a request may have but seldom has. */
#include "plugin.h"

static int32_t remove_volume(METHOD_PARAMETERS) {
    if (contains(request, "\"secrets\"")) crash();
    return good_method(instance, call, request, reply);
}

const struct parts parts = {.remove = remove_volume};

EXPORT_PLUGIN
