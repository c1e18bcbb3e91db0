/* Speaks an ABI of the far future only. */
#include "plugin.h"

const struct parts parts = {0};

static const struct keelson_entry entry = {sizeof entry,         99,      100,
                                           "com.example.broken", "1.0.0", plugin_create};

const struct keelson_entry* keelson_plugin(void) {
    return &entry;
}
