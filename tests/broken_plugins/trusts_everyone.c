/* Takes every token for its administrator's. */
#include "plugin.h"

static int32_t authenticate(METHOD_PARAMETERS) {
    if (contains(request, "\"token\":\"") && is_object(request)) {
        return answer(reply, KEELSON_OK, "{\"authenticated\": true, \"user\": {\"username\": \"admin\"}}");
    }
    return answer(reply, KEELSON_OK, "{\"authenticated\": false}");
}

static const void* capability(MAYBE_UNUSED void* self, const char* id) {
    static const struct keelson_authenticator table = {sizeof table, authenticate};
    return strcmp(id, KEELSON_AUTHENTICATOR) == 0 ? &table : NULL;
}

const struct parts parts = {.capability = capability};

EXPORT_PLUGIN
