/* Has a variable of which a process has one, however many versions of the plugin it loads. */
#include "plugin.h"

inline KEELSON_EXPORT int& shared_count() {
    static int count = 0;
    return count;
}

static int32_t start(METHOD_PARAMETERS) {
    ++shared_count();
    return good_method(instance, call, request, reply);
}

const struct parts parts = {.start = start};

EXPORT_PLUGIN
