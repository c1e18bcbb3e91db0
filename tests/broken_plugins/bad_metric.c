/* Tells the host of a metric with a name that cannot be one. */
#include "plugin.h"

static int32_t start(METHOD_PARAMETERS) {
    const struct keelson_host* host = ((struct state*)instance)->host;
    const struct keelson_bytes none = {NULL, 0};
    if (KEELSON_HAS_FIELD(host, struct keelson_host, metric)) {
        host->metric(host->context, KEELSON_COUNTER, "No such Name", 1, none);
    }
    return good_method(instance, call, request, reply);
}

const struct parts parts = {.start = start};

EXPORT_PLUGIN
