// Kubeconfig files: which are read, how they become one, and which server and user that means.
#pragma once

#include <string>
#include <vector>

#include "cli/http.h"
#include "cli/kube/globals.h"
#include "cli/kube/object.h"
#include "cli/result.h"

namespace keelson::cli::kube {

// --kubeconfig, else the list in KUBECONFIG, else ~/.kube/config. With --data-dir, or when none of these is
// there, the admin.kubeconfig in a data directory of this machine when this user may read it.
struct KubeconfigPaths {
    std::vector<std::string> paths;
    bool must_exist = false;  // named by a flag
};
KubeconfigPaths kubeconfig_paths(const Globals& globals);

// Files that are not there are empty, unless they must exist. The first to say something wins.
Result<Object> load_kubeconfig(const KubeconfigPaths& paths);
Result<Object> read_kubeconfig_file(const std::string& path);
Object merge_kubeconfigs(const std::vector<Object>& files);
// Relative paths of certificates, keys and tokens are from the directory of their file.
void make_paths_absolute(Object& kubeconfig, const std::string& directory);

// The member called `name` of a list such as "clusters": its "cluster"; null when there is none.
const Object& named_entry(const Object& kubeconfig, const std::string& list, const std::string& name);

struct Connection {
    Server server;
    std::string namespace_name = "default";
    bool is_configured = true;  // false: nothing says which server
};
Result<Connection> connection_of(const Object& kubeconfig, const Globals& globals);

}  // namespace keelson::cli::kube
