// A service proxy plugin in the node of a ProxyWorld, loaded and called as the kernel does it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "keelson/entry.h"
#include "kernel/plugin/local_plugin.h"
#include "tests/plugins/network/proxy_world.h"

namespace keelson::testing {

using Json = nlohmann::json;

struct ProxyAnswer {
    std::int32_t status = KEELSON_OK;
    Json document;
    [[nodiscard]] bool ok() const { return status == KEELSON_OK; }
    [[nodiscard]] std::string message() const { return document.value("message", std::string()); }
};

// Which plugin it is.
struct ProxyKind {
    std::string library;  // "iptables.so"
    std::string id;
    Json config = Json::object();
};

class ProxyPlugin {
  public:
    ProxyPlugin(const NetworkNamespace& node, const ProxyKind& kind, const std::string& state_directory);
    ~ProxyPlugin();
    ProxyPlugin(const ProxyPlugin&) = delete;
    ProxyPlugin& operator=(const ProxyPlugin&) = delete;

    ProxyAnswer call(const std::string& method, const Json& request);
    ProxyAnswer configure(const Json& changes = Json::object());
    // The table is exactly these, or these are set and those removed.
    ProxyAnswer apply_full(const std::vector<Json>& services);
    ProxyAnswer apply(const std::vector<Json>& set, const std::vector<std::string>& removed = {});
    ProxyAnswer health();
    bool is_intact() { return call("state", Json::object()).document.at("intact"); }
    [[nodiscard]] std::int64_t generation() const { return generation_; }
    std::string log();
    // What calls are given from now on; none: as long as they take.
    std::chrono::milliseconds patience{0};

  private:
    ProxyAnswer invoke(plugin::MethodId method, const Json& request);

    const NetworkNamespace& node_;
    std::mutex mutex_;
    std::vector<std::string> log_;
    std::int64_t generation_ = 0;
    std::unique_ptr<plugin::LocalPlugin> plugin_;
};

// --- documents ---

Json backend_document(const std::string& address, int port = ProxyWorld::port, bool is_local = false);
Json backend_document(const Pod& pod, int port = ProxyWorld::port);
Json backend6_document(const Pod& pod, int port = ProxyWorld::port);
// A ClusterIP over TCP at port 80.
Json service_document(const std::string& id, const std::string& address, const std::vector<Json>& backends);
Json with(Json document, const Json& changes);

}  // namespace keelson::testing
