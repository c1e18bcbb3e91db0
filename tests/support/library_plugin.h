// A shared object, called in this process without a plugin host around it, as the kernel sees plugins.
#pragma once

#include <mutex>
#include <string>

#include "kernel/plugin/plugin.h"
#include "tests/support/plugin_library.h"

namespace keelson::testing {

class LibraryPlugin final : public plugin::Plugin {
  public:
    LibraryPlugin(std::string name, const std::string& path, std::string state_directory,
                  const nlohmann::json& configuration)
        : name_(std::move(name)), library_(path, std::move(state_directory)) {
        const PluginReply started = library_.start(configuration);
        if (!started.ok()) throw std::runtime_error(started.message());
    }

    [[nodiscard]] const std::string& name() const override { return name_; }
    [[nodiscard]] plugin::Info info() const override { return {}; }
    [[nodiscard]] bool has(std::string_view, std::string_view) const override { return true; }
    base::Task<base::Result<plugin::Reply>> call(std::string_view capability, std::string_view method,
                                                 std::string request, plugin::CallOptions) override {
        const nlohmann::json document = nlohmann::json::parse(request);
        const PluginReply answer = library_.call(std::string(capability), method, document);
        if (!answer.ok()) co_return base::Status(base::Reason::internal_error, answer.message());
        plugin::Reply reply;
        reply.body = answer.document.dump();
        co_return reply;
    }
    [[nodiscard]] PluginLibrary& library() { return library_; }

  private:
    std::string name_;
    PluginLibrary library_;
};

}  // namespace keelson::testing
