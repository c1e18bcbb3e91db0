/* Takes a host table for longer than it says. */
#include "plugin.h"

static int32_t before_create(MAYBE_UNUSED uint32_t abi, MAYBE_UNUSED const struct keelson_host* host) {
    return *(const void* const volatile*)&host->service != NULL ? KEELSON_OK : KEELSON_UNSUPPORTED;
}

const struct parts parts = {.before_create = before_create};

EXPORT_PLUGIN
