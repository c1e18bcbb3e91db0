/* Answers a new entry every time. */
#include "plugin.h"

const struct parts parts = {0};

const struct keelson_entry* keelson_plugin(void) {
    struct keelson_entry* entry = (struct keelson_entry*)calloc(1, sizeof *entry);
    entry->struct_size = sizeof *entry;
    entry->abi_minimum = entry->abi_maximum = 1;
    entry->id = "com.example.broken";
    entry->version = "1.0.0";
    entry->create = plugin_create;
    return entry;
}
