#include "kernel/plugin/capability.h"

namespace keelson::plugin {

std::shared_ptr<Plugin> Capability::find() const {
    if (!plugin_.empty()) {
        auto named = plugins_.find(plugin_);
        return named && named->has(id_) ? named : nullptr;
    }
    auto all = plugins_.with_capability(id_);
    return all.empty() ? nullptr : all.front();
}

bool Capability::has(std::string_view method) const {
    const auto plugin = find();
    return plugin && plugin->has(id_, method);
}

base::Task<base::Result<Reply>> Capability::call(std::string_view method, std::string request,
                                                 CallOptions options) const {
    const auto plugin = find();
    if (!plugin) {
        co_return base::Status(
            base::Reason::service_unavailable,
            (plugin_.empty() ? "no plugin" : "the plugin " + plugin_ + " is not ready: none") + " offers " +
                id_ + ": see `keelctl plugin list`");
    }
    auto calling = plugin->call(id_, method, std::move(request), std::move(options));
    co_return co_await calling;
}

base::Status bad_reply(std::string_view method, std::string_view why) {
    return {base::Reason::internal_error, "the plugin's answer to " + std::string(method) +
                                              " is not what the contract says: " + std::string(why)};
}

base::Task<base::Result<void>> tell_text(const Capability& capability, std::string_view method,
                                         std::string request, CallOptions options) {
    auto calling = capability.call(method, std::move(request), std::move(options));
    const base::Result<Reply> reply = co_await calling;
    if (!reply) co_return reply.error();
    co_return base::ok();
}

}  // namespace keelson::plugin
