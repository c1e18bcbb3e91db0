/* Does not take what it has given. */
#include "plugin.h"

static int32_t give(METHOD_PARAMETERS) {
    return answer(reply, KEELSON_OK, "{\"state\": {}}");
}

static int32_t adopt(METHOD_PARAMETERS) {
    return answer(reply, KEELSON_INVALID, "{\"message\": \"from another version\"}");
}

static const void* capability(MAYBE_UNUSED void* self, const char* id) {
    static const struct keelson_handover table = {sizeof table, good_method, give, adopt, good_method};
    return strcmp(id, KEELSON_HANDOVER) == 0 ? &table : plugin_capability(self, id);
}

const struct parts parts = {.capability = capability};

EXPORT_PLUGIN
