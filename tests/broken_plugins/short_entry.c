/* Has an entry that ends before create. */
#include "plugin.h"

const struct parts parts = {0};

static const struct keelson_entry entry = {
    offsetof(struct keelson_entry, version), 1, 1, "com.example.broken", "1.0.0", plugin_create};

const struct keelson_entry* keelson_plugin(void) {
    return &entry;
}
