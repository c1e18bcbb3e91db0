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

// A call whose answer says nothing but that it is done, with the request as text or as a document. The
// capability outlives the task.
base::Task<base::Result<void>> tell_text(const Capability& capability, std::string_view method,
                                         std::string request, CallOptions options = {});
template <typename T>
base::Task<base::Result<void>> tell(const Capability& capability, std::string_view method, const T& document,
                                    CallOptions options = {}) {
    return tell_text(capability, method, to_request(document), std::move(options));
}

// A call and its answer, in the same way.
template <typename Answered>
base::Task<base::Result<Answered>> ask_text(const Capability& capability, std::string_view method,
                                            std::string request, CallOptions options = {}) {
    auto calling = capability.call(method, std::move(request), std::move(options));
    const base::Result<Reply> reply = co_await calling;
    if (!reply) co_return reply.error();
    co_return from_reply<Answered>(method, reply->body);
}
template <typename Answered, typename T>
base::Task<base::Result<Answered>> ask(const Capability& capability, std::string_view method,
                                       const T& document, CallOptions options = {}) {
    return ask_text<Answered>(capability, method, to_request(document), std::move(options));
}

}  // namespace keelson::plugin
