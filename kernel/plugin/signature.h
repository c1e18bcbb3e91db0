// Whether a vendor whose key the operator trusts has signed a plugin.
//
// <library>.sig beside the library is a signature over what `sha256sum <name>.yaml <name>.so` prints there:
// both files at once, so that neither can be exchanged alone.
#pragma once

#include <string>

#include "kernel/base/result.h"
#include "kernel/plugin/plugin_host.h"

namespace keelson::plugin {

struct SignedFiles {
    std::string id;  // of the plugin
    std::string manifest_path;
    std::string manifest_sha256;
    std::string library_path;
    std::string library_sha256;  // of the copy that is going to run
};

// Blocks. Fine when no trusted key is about this plugin, or when it came with the program. Else a signature
// by one of the keys that are must be there; a failure (forbidden) says what is wrong and names the files.
[[nodiscard]] base::Result<void> check_signature(const HostSettings& settings, const SignedFiles& files);

}  // namespace keelson::plugin
