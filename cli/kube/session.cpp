#include "cli/kube/session.h"

#include <nlohmann/json.hpp>

namespace keelson::cli::kube {

Result<const Connection*> Session::connection() {
    if (connection_) return &*connection_;
    const auto kubeconfig = load_kubeconfig(kubeconfig_paths(globals_));
    if (!kubeconfig) return pass_on(kubeconfig);
    auto connection = connection_of(*kubeconfig, globals_);
    if (!connection) return pass_on(connection);
    connection_ = std::move(*connection);
    return &*connection_;
}

Result<Api*> Session::api() {
    if (api_) return api_.get();
    const auto connection = this->connection();
    if (!connection) return pass_on(connection);
    if (!(*connection)->is_configured)
        return fail(
            "no server is configured: there is no kubeconfig (--kubeconfig, KUBECONFIG, ~/.kube/config) and "
            "no "
            "keelsond whose data directory this user may read; name one with --data-dir, or --server");
    const auto timeout = read_duration(globals_.request_timeout, true);
    if (!timeout)
        return fail(
            "Invalid timeout value. Timeout must be a single integer in seconds, or an integer followed "
            "by a corresponding time unit (e.g. 1s | 2m | 3h)");
    api_ = std::make_unique<Api>((*connection)->server, std::chrono::milliseconds(*timeout / 1'000'000),
                                 globals_.verbosity);
    return api_.get();
}

Result<const Discovery*> Session::discovery() {
    if (discovery_) return &*discovery_;
    const auto api = this->api();
    if (!api) return pass_on(api);
    auto loaded = Discovery::load(**api);
    if (!loaded) return pass_on(loaded);
    discovery_ = std::move(*loaded);
    return &*discovery_;
}

Result<std::string> Session::namespace_name() {
    if (!globals_.namespace_name.empty()) return globals_.namespace_name;
    const auto connection = this->connection();
    if (!connection) return pass_on(connection);
    return (*connection)->namespace_name;
}

}  // namespace keelson::cli::kube
