// The flags that every command about Kubernetes objects has.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/kube/flags.h"

namespace keelson::cli::kube {

struct Globals {
    std::string kubeconfig;
    std::string context, cluster, user;
    std::string server, token, username, password;
    std::string certificate_authority, client_certificate, client_key, tls_server_name;
    bool is_insecure = false;
    std::string as, as_uid;
    std::vector<std::string> as_groups;
    std::string namespace_name;
    std::string request_timeout = "0";
    std::int64_t verbosity = 0;
    bool warnings_as_errors = false;
    std::string data_directory;  // of a keelsond on this machine, when one was named
    bool wants_help = false;
    std::string ignored;  // taken for the sake of scripts
};

void add_global_flags(Flags& flags, Globals& globals);

}  // namespace keelson::cli::kube
