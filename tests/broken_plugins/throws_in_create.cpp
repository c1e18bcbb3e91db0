/* Lets an exception out of create. */
#include <stdexcept>

#include "plugin.h"

static int32_t before_create(MAYBE_UNUSED uint32_t abi, MAYBE_UNUSED const struct keelson_host* host) {
    throw std::runtime_error("out of cheese");
}

const struct parts parts = {.before_create = before_create};

EXPORT_PLUGIN
