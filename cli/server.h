// Finding the server: by its data directory on this machine, or by a URL.
#pragma once

#include <string>

#include "cli/http.h"

namespace keelson::cli {

struct ServerOptions {
    std::string admin_url;   // empty: what the data directory has
    std::string token_file;  // empty: admin.token in the data directory
    std::string ca_file;     // empty: pki/ca.crt in the data directory
    std::string data_directory = "/var/lib/keelson";
};

// The Unix socket of the data directory when this user may open it, else the port with a token.
Result<Server> find_server(const ServerOptions& options);

}  // namespace keelson::cli
