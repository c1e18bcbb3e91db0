/* Lets every request wait. */
#include "plugin.h"

static int32_t authenticate(METHOD_PARAMETERS) {
    sleep_milliseconds(60);
    return answer(reply, KEELSON_OK, "{\"authenticated\": false}");
}

static const void* capability(MAYBE_UNUSED void* self, const char* id) {
    static const struct keelson_authenticator table = {sizeof table, authenticate};
    return strcmp(id, KEELSON_AUTHENTICATOR) == 0 ? &table : NULL;
}

const struct parts parts = {.capability = capability};

EXPORT_PLUGIN
