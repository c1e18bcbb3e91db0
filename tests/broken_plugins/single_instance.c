/* Can be there once only. */
#include "plugin.h"

static int count;

static int32_t before_create(MAYBE_UNUSED uint32_t abi, MAYBE_UNUSED const struct keelson_host* host) {
    return count++ == 0 ? KEELSON_OK : KEELSON_UNAVAILABLE;
}

static void destroy(MAYBE_UNUSED void* self) {
    --count;
}

const struct parts parts = {.before_create = before_create, .destroy = destroy};

EXPORT_PLUGIN
