/* Crashes in create. */
#include "plugin.h"

static int32_t before_create(MAYBE_UNUSED uint32_t abi, MAYBE_UNUSED const struct keelson_host* host) {
    crash();
    return KEELSON_OK;
}

const struct parts parts = {.before_create = before_create};

EXPORT_PLUGIN
