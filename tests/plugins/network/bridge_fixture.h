// Nodes with the bridge plugin, each in a network namespace of its own; the machine's is never touched.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "keelson/entry.h"
#include "kernel/plugin/local_plugin.h"
#include "tests/plugins/network/namespaces.h"
#include "tests/support/plugin_library.h"

namespace keelson::testing {

using Json = nlohmann::json;

struct BridgeAnswer {
    std::int32_t status = KEELSON_OK;
    Json document;
    [[nodiscard]] bool ok() const { return status == KEELSON_OK; }
    [[nodiscard]] std::string message() const { return document.value("message", std::string()); }
    // Of an attachment, without its length.
    [[nodiscard]] std::string address(std::size_t index = 0) const {
        const std::string text = document.at("addresses").at(index);
        return text.substr(0, text.find('/'));
    }
};

inline Json node_document(const std::string& name, const std::vector<std::string>& addresses,
                          const std::vector<std::string>& pod_cidrs) {
    return {{"name", name}, {"addresses", addresses}, {"podCidrs", pod_cidrs}};
}

// One running instance of the plugin in the namespace of a node.
class BridgePlugin {
  public:
    BridgePlugin(const NetworkNamespace& node, const std::string& state_directory,
                 const Json& config = Json::object())
        : node_(node) {
        plugin::HostServices services;
        services.state_directory = state_directory;
        services.log = [this](int, std::string_view line) {
            const std::lock_guard lock(mutex_);
            log_.emplace_back(line);
        };
        services.metric = [](int, std::string_view, double, std::string_view) {};
        services.event = [](std::string_view) {};
        services.reconcile = [](std::string_view) {};
        services.monotonic_us = [] {
            return std::chrono::duration_cast<std::chrono::microseconds>(
                       std::chrono::steady_clock::now().time_since_epoch())
                .count();
        };
        services.unix_us = [] { return std::int64_t(1'767'225'600'000'000); };
        auto loaded =
            plugin::load_plugin(KEELSON_TEST_PLUGINS "/bridge.so", "dev.keelson.bridge", "0.1.0", services);
        if (!loaded) throw std::runtime_error(loaded.error().message());
        plugin_ = std::move(*loaded);
        const BridgeAnswer started = invoke(plugin::kStart, config);
        if (!started.ok()) throw std::runtime_error(started.message());
    }
    ~BridgePlugin() { invoke(plugin::kStop, Json::object()); }
    BridgePlugin(const BridgePlugin&) = delete;
    BridgePlugin& operator=(const BridgePlugin&) = delete;

    BridgeAnswer call(const std::string& method, const Json& request,
                      const std::vector<int>& descriptors = {}) {
        return invoke(plugin::find_method("keelson.network.pod/0", method).value(), request, descriptors);
    }
    BridgeAnswer configure(const Json& node, const std::vector<Json>& peers = {},
                           const std::vector<std::string>& cluster_cidrs = {}) {
        return call("configure", {{"node", node}, {"peers", peers}, {"clusterCidrs", cluster_cidrs}});
    }
    BridgeAnswer attach(const std::string& sandbox, const NetworkNamespace& space,
                        const std::vector<Json>& host_ports = {}, const Json& bandwidth = Json()) {
        Json request = {{"sandboxId", sandbox},
                        {"pod", {{"name", sandbox}, {"namespace", "default"}, {"uid", "uid-" + sandbox}}},
                        {"hostPorts", host_ports}};
        if (!bandwidth.is_null()) request["bandwidth"] = bandwidth;
        return call("attach", request, {space.descriptor()});
    }
    BridgeAnswer detach(const std::string& sandbox) { return call("detach", {{"sandboxId", sandbox}}); }
    // Ids and addresses.
    Json list() {
        Json result = Json::object();
        const BridgeAnswer listed = call("list", Json::object());
        for (const Json& sandbox : listed.document.at("sandboxes"))
            result[sandbox.at("sandboxId").get<std::string>()] = sandbox.at("addresses");
        return result;
    }
    std::string log() {
        const std::lock_guard lock(mutex_);
        std::string text;
        for (const std::string& line : log_) text += line + "\n";
        return text;
    }

  private:
    BridgeAnswer invoke(plugin::MethodId method, const Json& request,
                        const std::vector<int>& descriptors = {}) {
        const std::string text = request.dump();
        plugin::Invocation invocation;
        invocation.method = method;
        invocation.request = text;
        invocation.descriptors = descriptors;
        BridgeAnswer answer;
        node_.run([&] {
            plugin::Outcome outcome = plugin_->invoke(invocation);
            answer = {outcome.code, Json::parse(outcome.body)};
            EXPECT_TRUE(node_.is_here()) << "the plugin has moved the calling thread";
        });
        return answer;
    }

    const NetworkNamespace& node_;
    std::mutex mutex_;
    std::vector<std::string> log_;
    std::unique_ptr<plugin::LocalPlugin> plugin_;
};

class BridgeTest : public ::testing::Test {
  protected:
    void SetUp() override {
        static const std::string reason = why_no_namespaces();
        if (!reason.empty()) GTEST_SKIP() << reason;
    }

    static Json host_port(int host, int container, const std::string& protocol = "TCP",
                          const std::string& address = "") {
        Json port = {{"protocol", protocol}, {"hostPort", host}, {"containerPort", container}};
        if (!address.empty()) port["hostIP"] = address;
        return port;
    }
    // All that the plugin makes in a node's namespace; with counters and link numbers taken out.
    static std::string state_of(const NetworkNamespace& node) {
        return node.output(
            "ip -o link | sed 's/^[0-9]*: //; s/ *link-netnsid.*//; s/@[^:]*//; s/<[^>]*>//; s/state "
            "[A-Z]*//';"
            "ip -4 route | sed 's/ linkdown//' | sort; iptables-legacy-save | grep -v '^[#:]';"
            "ip6tables-legacy-save | grep -v '^[#:]'; true");
    }
};

}  // namespace keelson::testing
