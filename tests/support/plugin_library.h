// A plugin's shared object, loaded here and called through its C ABI, with a host around it that a test
// controls.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "keelson/entry.h"
#include "keelson/host.h"

namespace keelson::testing {

struct PluginReply {
    std::int32_t status = KEELSON_OK;
    nlohmann::json document;
    [[nodiscard]] bool ok() const { return status == KEELSON_OK; }
    [[nodiscard]] std::string message() const { return document.value("message", std::string()); }
};

class PluginLibrary {
  public:
    // state_directory must exist. The clocks stand still until they are moved.
    PluginLibrary(const std::string& path, std::string state_directory);
    ~PluginLibrary();
    PluginLibrary(const PluginLibrary&) = delete;
    PluginLibrary& operator=(const PluginLibrary&) = delete;

    PluginReply start(const nlohmann::json& configuration);
    PluginReply health();
    PluginReply call(const std::string& capability, std::string_view method, const nlohmann::json& request);
    // Moves both clocks.
    void advance(std::int64_t seconds);
    [[nodiscard]] std::int64_t unix_seconds() const { return unix_us_ / 1'000'000; }
    [[nodiscard]] const keelson_entry& entry() const { return *entry_; }
    [[nodiscard]] std::vector<std::string> log() const;

  private:
    static PluginReply perform(keelson_method method, void* self, const std::string& request);

    std::string state_directory_;
    std::int64_t unix_us_ = 1'767'225'600'000'000;  // 2026-01-01
    std::int64_t monotonic_us_ = 3'600'000'000;
    mutable std::mutex mutex_;
    std::vector<std::string> log_;
    keelson_host host_{};
    const keelson_entry* entry_ = nullptr;
    keelson_instance instance_{};
};

// A new directory for one test, removed with everything in it at its end.
class TemporaryDirectory {
  public:
    TemporaryDirectory();
    ~TemporaryDirectory();
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    std::string path_;
};

}  // namespace keelson::testing
