// The plugin's configuration; oci.yaml describes it.
#ifndef KEELSON_OCI_SETTINGS_H
#define KEELSON_OCI_SETTINGS_H

#include <cstdint>
#include <string>

#include "keelson/document.hpp"

namespace keelson::oci {

struct Settings {
    std::string state_directory;  // records, sockets; empty: the host's
    std::string root_directory;   // what containers write; empty: below the state directory
    std::string program = "crun";
    std::int64_t log_bytes = std::int64_t(100) << 20;
    Json images = Json::object();
    KEELSON_FIELDS(field.optional("stateDirectory", self.state_directory)
                       .optional("rootDirectory", self.root_directory)
                       .optional("program", self.program)
                       .optional("logBytes", self.log_bytes)
                       .optional("images", self.images))
};

}  // namespace keelson::oci

#endif
