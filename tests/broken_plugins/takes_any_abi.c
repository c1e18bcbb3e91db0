/* Takes any ABI for its own. */
#include "plugin.h"

const struct parts parts = {.takes_any_abi = 1};

EXPORT_PLUGIN
