/* Refuses what a later version of a request has. */
#include "plugin.h"

static int32_t remove_volume(METHOD_PARAMETERS) {
    if (contains(request, "Later")) {
        return answer(reply, KEELSON_INVALID, "{\"message\": \"unknown member\"}");
    }
    return good_method(instance, call, request, reply);
}

const struct parts parts = {.remove = remove_volume};

EXPORT_PLUGIN
