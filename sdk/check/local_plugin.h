// The plugin loaded into this process, and the Transport that calls it directly.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>

#include "keelson/entry.h"
#include "keelson/host.h"
#include "transport.h"

namespace keelson::check {

// The shared object; stays loaded until the process ends.
class LocalPlugin {
  public:
    // Throws std::runtime_error with what the dynamic linker says.
    explicit LocalPlugin(const std::string& path);

    // Null when it does not export keelson_plugin.
    [[nodiscard]] keelson_plugin_function function() const { return function_; }
    // The entry; throws std::runtime_error when there is none, or it is too short to make instances.
    [[nodiscard]] const keelson_entry& entry() const;

  private:
    keelson_plugin_function function_ = nullptr;
};

// The instance could not be made. what() says why.
struct CreateFailure : std::runtime_error {
    CreateFailure(const std::string& why, Answer its_answer)
        : std::runtime_error(why), answer(std::move(its_answer)) {}
    Answer answer;
};

class LocalInstance final : public Transport {
  public:
    // Throws CreateFailure.
    LocalInstance(const LocalPlugin& plugin, const keelson_host* host,
                  std::uint32_t abi = KEELSON_ABI_MAXIMUM);

    [[nodiscard]] Answer start(std::string_view configuration) override;
    [[nodiscard]] Answer stop() override;
    [[nodiscard]] Answer health(const CallSetup& setup) override;
    [[nodiscard]] bool has(const MethodReference& method) override;
    [[nodiscard]] Answer call(const MethodReference& method, std::string_view request,
                              const CallSetup& setup) override;
    void destroy() override;

    [[nodiscard]] const keelson_instance& raw() const { return instance_; }
    // The table that the plugin answers for the id; says so on the board.
    [[nodiscard]] const void* table(const char* id) const;

  private:
    keelson_instance instance_{};
};

}  // namespace keelson::check
