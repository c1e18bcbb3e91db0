#include "tests/plugins/network/proxy_fixture.h"

#include <chrono>
#include <stdexcept>

#include "tests/support/plugin_library.h"

namespace keelson::testing {
namespace {

std::int64_t now_us() {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

}  // namespace

ProxyPlugin::ProxyPlugin(const NetworkNamespace& node, const ProxyKind& kind,
                         const std::string& state_directory)
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
    services.monotonic_us = now_us;
    services.unix_us = [] { return std::int64_t(1'767'225'600'000'000); };
    auto loaded =
        plugin::load_plugin(std::string(KEELSON_TEST_PLUGINS "/") + kind.library, kind.id, "0.1.0", services);
    if (!loaded) throw std::runtime_error(loaded.error().message());
    plugin_ = std::move(*loaded);
    const ProxyAnswer started = invoke(plugin::kStart, kind.config);
    if (!started.ok()) throw std::runtime_error(started.message());
}

ProxyPlugin::~ProxyPlugin() {
    invoke(plugin::kStop, Json::object());
}

ProxyAnswer ProxyPlugin::invoke(plugin::MethodId method, const Json& request) {
    const std::string text = request.dump();
    plugin::Invocation invocation;
    invocation.method = method;
    invocation.request = text;
    if (patience.count() != 0) invocation.deadline_us = now_us() + patience.count() * 1000;
    ProxyAnswer answer;
    node_.run([&] {
        plugin::Outcome outcome = plugin_->invoke(invocation);
        answer = {outcome.code, Json::parse(outcome.body)};
        EXPECT_TRUE(node_.is_here()) << "the plugin has moved the calling thread";
    });
    return answer;
}

ProxyAnswer ProxyPlugin::call(const std::string& method, const Json& request) {
    return invoke(plugin::find_method("keelson.network.proxy/0", method).value(), request);
}

ProxyAnswer ProxyPlugin::health() {
    return invoke(plugin::kHealth, Json::object());
}

ProxyAnswer ProxyPlugin::configure(const Json& changes) {
    return call("configure",
                with({{"node",
                       {{"name", "node"},
                        {"addresses", {"192.0.2.1", "2001:db8::1"}},
                        {"podCidrs", {"10.244.1.0/24", "10.245.0.0/16", "fd00:1::/64"}}}},
                      {"clusterCidrs", {"10.244.0.0/16", "10.245.0.0/16", "fd00:1::/64", "fd00:2::/64"}}},
                     changes));
}

ProxyAnswer ProxyPlugin::apply_full(const std::vector<Json>& services) {
    return call(
        "apply",
        {{"generation", ++generation_}, {"full", true}, {"set", services}, {"removed", Json::array()}});
}

ProxyAnswer ProxyPlugin::apply(const std::vector<Json>& set, const std::vector<std::string>& removed) {
    return call("apply",
                {{"generation", ++generation_}, {"full", false}, {"set", set}, {"removed", removed}});
}

std::string ProxyPlugin::log() {
    const std::lock_guard lock(mutex_);
    std::string text;
    for (const std::string& line : log_) text += line + "\n";
    return text;
}

Json backend_document(const std::string& address, int port, bool is_local) {
    return {{"address", address}, {"port", port}, {"local", is_local}};
}

Json backend_document(const Pod& pod, int port) {
    return backend_document(pod.address, port, pod.is_local);
}

Json backend6_document(const Pod& pod, int port) {
    return backend_document(pod.address6, port, pod.is_local);
}

Json service_document(const std::string& id, const std::string& address, const std::vector<Json>& backends) {
    return {{"id", id},
            {"name", "default/" + id + ":main"},
            {"address", address},
            {"port", 80},
            {"protocol", "TCP"},
            {"kind", "ClusterIP"},
            {"affinitySeconds", 0},
            {"local", false},
            {"backends", backends},
            {"none", "reject"}};
}

Json with(Json document, const Json& changes) {
    document.update(changes);
    return document;
}

}  // namespace keelson::testing
