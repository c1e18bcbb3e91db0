// Files of variables that containers write for later ones (fileKeyRef): lines NAME='value', the value in
// single quotes and as it stands, also over several lines; empty lines and lines from # on say nothing
// (https://kubernetes.io/docs/tasks/inject-data-application/define-environment-variable-via-file/).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "kernel/base/result.h"

namespace keelson::node {

// None when there is no such variable.
[[nodiscard]] base::Result<std::optional<std::string>> find_in_environment_file(std::string_view text,
                                                                                std::string_view name);

// The variable in a file beneath the directory of a volume, whose content is not trusted; at most 64 KiB are
// read. None only when it is optional. Blocks.
[[nodiscard]] base::Result<std::optional<std::string>> variable_in_file(const std::string& directory,
                                                                        const std::string& path,
                                                                        const std::string& name,
                                                                        bool is_optional);

}  // namespace keelson::node
