/* Has another id than its manifest (com.example.broken). */
#include "plugin.h"

const struct parts parts = {0};

static const struct keelson_entry entry = {sizeof entry, 1, 1, "com.example.other", "1.0.0", plugin_create};

const struct keelson_entry* keelson_plugin(void) {
    return &entry;
}
