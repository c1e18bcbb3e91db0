// Data of config maps and secrets from literals, files, directories and env files.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cli/kube/flags.h"
#include "cli/result.h"

namespace keelson::cli::kube {

struct DataSources {
    std::vector<std::string> files;     // FILE, KEY=FILE or DIRECTORY
    std::vector<std::string> literals;  // KEY=VALUE
    std::vector<std::string> env_files;
};
void add_data_flags(Flags& flags, DataSources& sources);

// Keys and bytes. A key that comes twice is a failure that names the object, `what`: "ConfigMap \"a\"".
Result<std::map<std::string, std::string>> read_data(const DataSources& sources, const std::string& what);

Result<std::string> read_whole_file(const std::string& path);
bool is_utf8(std::string_view text);

}  // namespace keelson::cli::kube
