// Calls of plugins' methods with the structs of the SDK. For .cpp files only: it brings the JSON library.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "keelson/document.hpp"
#include "kernel/plugin/plugin_host.h"

namespace keelson::plugin {

// The plugins that have one capability.
class Capability {
  public:
    // `plugin` empty: the first that has the capability.
    Capability(PluginHost& plugins, std::string plugin, std::string id)
        : plugins_(plugins), plugin_(std::move(plugin)), id_(std::move(id)) {}

    [[nodiscard]] std::shared_ptr<Plugin> find() const;
    [[nodiscard]] bool has(std::string_view method) const;
    // service_unavailable when no plugin has the capability.
    base::Task<base::Result<Reply>> call(std::string_view method, std::string request,
                                         CallOptions options = {}) const;

  private:
    PluginHost& plugins_;
    std::string plugin_;
    std::string id_;
};

template <typename T>
std::string to_request(const T& document) {
    return keelson::detail::write(document).dump(-1, ' ', false, keelson::Json::error_handler_t::replace);
}

[[nodiscard]] base::Status bad_reply(std::string_view method, std::string_view why);

// What a reply says; internal_error when it is not what the contract asks for.
template <typename T>
base::Result<T> from_reply(std::string_view method, const std::string& body) {
    try {
        return keelson::read_as<T>(keelson::parse({body.data(), body.size()}));
    } catch (const std::exception& problem) {
        return bad_reply(method, problem.what());
    }
}

}  // namespace keelson::plugin
