// The simulated runtime, loaded and called as the kernel does it, with clocks that stand still until they are
// moved.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "keelson/entry.h"
#include "kernel/plugin/local_plugin.h"
#include "tests/support/plugin_library.h"

namespace keelson::testing {

using Json = nlohmann::json;

struct SimAnswer {
    std::int32_t status = KEELSON_OK;
    Json document;
    std::vector<base::FileDescriptor> descriptors;
    [[nodiscard]] bool ok() const { return status == KEELSON_OK; }
    [[nodiscard]] std::string message() const { return document.value("message", std::string()); }
};

// One instance and its host.
class Sim {
  public:
    explicit Sim(const Json& config = Json::object(), bool real_time = false) {
        plugin::HostServices services;
        services.state_directory = "/nonexistent";
        services.log = [this](int, std::string_view line) { note(log_, line); };
        services.metric = [](int, std::string_view, double, std::string_view) {};
        services.event = [](std::string_view) {};
        services.reconcile = [this](std::string_view key) { note(reconciled_, key); };
        services.monotonic_us = [this, real_time] { return real_time ? real_us() : monotonic_us; };
        services.unix_us = [this, real_time] { return unix_us + (real_time ? real_us() : 0); };
        auto loaded =
            plugin::load_plugin(KEELSON_TEST_PLUGINS "/sim.so", "dev.keelson.sim", "0.1.0", services);
        if (!loaded) throw std::runtime_error(loaded.error().message());
        plugin_ = std::move(*loaded);
        started = invoke(plugin::kStart, config);
    }
    ~Sim() { invoke(plugin::kStop, Json::object()); }
    Sim(const Sim&) = delete;
    Sim& operator=(const Sim&) = delete;

    SimAnswer call(const std::string& method, const Json& request, const std::vector<int>& descriptors = {},
                   const std::string& capability = "keelson.runtime/0") {
        return invoke(plugin::find_method(capability, method).value(), request, descriptors);
    }
    SimAnswer images(const std::string& method, const Json& request) {
        return call(method, request, {}, "keelson.runtime.images/0");
    }
    void advance_ms(std::int64_t ms) {
        monotonic_us += ms * 1000;
        unix_us += ms * 1000;
    }

    // --- short forms ---

    SimAnswer run_sandbox(const std::string& name, const Json& annotations = Json::object(),
                          const std::string& log_directory = "") {
        Json settings = Json::object();
        for (const auto& [key, value] : annotations.items()) settings["sim.keelson.dev/" + key] = value;
        return call(
            "run_sandbox",
            {{"sandboxId", "s-" + name},
             {"pod",
              {{"name", name}, {"namespace", "default"}, {"uid", "uid-" + name}, {"annotations", settings}}},
             {"logDirectory", log_directory},
             {"cgroupParent", "pods"},
             {"namespaces", {{"network", "pod"}, {"pid", "container"}, {"ipc", "pod"}, {"user", "host"}}}});
    }
    SimAnswer create(const std::string& pod, const std::string& name = "main", int attempt = 0) {
        return call("create_container", {{"sandboxId", "s-" + pod},
                                         {"containerId", id_of(pod, name, attempt)},
                                         {"name", name},
                                         {"attempt", attempt},
                                         {"imageId", "sha256:1"},
                                         {"command", {"sleep"}},
                                         {"args", {"inf"}},
                                         {"environment", Json::array()},
                                         {"mounts", Json::array()},
                                         {"resources", Json::object()},
                                         {"security", Json::object()},
                                         {"logPath", name + "/0.log"},
                                         {"tty", false},
                                         {"stdin", false}});
    }
    SimAnswer start(const std::string& pod, const std::string& name = "main", int attempt = 0) {
        return call("start_container", {{"containerId", id_of(pod, name, attempt)}});
    }
    SimAnswer stop(const std::string& pod, int grace_seconds) {
        return call("stop_container",
                    {{"containerId", id_of(pod, "main", 0)}, {"graceSeconds", grace_seconds}});
    }
    // A pod with one container that was started.
    SimAnswer run_pod(const std::string& name, const Json& annotations = Json::object()) {
        if (SimAnswer answer = run_sandbox(name, annotations); !answer.ok()) return answer;
        if (SimAnswer answer = create(name); !answer.ok()) return answer;
        return start(name);
    }
    Json container(const std::string& pod, const std::string& name = "main", int attempt = 0) {
        const Json list = call("list_containers", {{"sandboxId", "s-" + pod}}).document["containers"];
        for (const Json& one : list)
            if (one["containerId"] == id_of(pod, name, attempt)) return one;
        return Json::object();
    }
    std::string state(const std::string& pod) { return container(pod).value("state", "absent"); }

    static std::string id_of(const std::string& pod, const std::string& name = "main", int attempt = 0) {
        return "c-" + pod + "-" + name + "-" + std::to_string(attempt);
    }

    std::vector<std::string> reconciled() { return copy(reconciled_); }
    std::vector<std::string> log() { return copy(log_); }
    // For what the plugin's own thread does. False after a generous while.
    bool wait_for_reconcile(const std::string& key) {
        std::unique_lock lock(mutex_);
        return noted_.wait_for(lock, std::chrono::seconds(30),
                               [&] { return std::ranges::find(reconciled_, key) != reconciled_.end(); });
    }

    std::int64_t monotonic_us = 3'600'000'000;
    std::int64_t unix_us = 1'767'225'600'000'000;  // 2026-01-01
    SimAnswer started;

  private:
    static std::int64_t real_us() {
        const auto now = std::chrono::steady_clock::now().time_since_epoch();
        return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
    }
    SimAnswer invoke(plugin::MethodId method, const Json& request, const std::vector<int>& descriptors = {}) {
        const std::string text = request.dump();
        plugin::Invocation invocation;
        invocation.method = method;
        invocation.request = text;
        invocation.descriptors = descriptors;
        plugin::Outcome outcome = plugin_->invoke(invocation);
        return {outcome.code, Json::parse(outcome.body), std::move(outcome.descriptors)};
    }
    void note(std::vector<std::string>& where, std::string_view what) {
        const std::lock_guard lock(mutex_);
        where.emplace_back(what);
        noted_.notify_all();
    }
    std::vector<std::string> copy(const std::vector<std::string>& from) {
        const std::lock_guard lock(mutex_);
        return from;
    }

    std::mutex mutex_;
    std::condition_variable noted_;
    std::vector<std::string> reconciled_;
    std::vector<std::string> log_;
    std::unique_ptr<plugin::LocalPlugin> plugin_;
};

}  // namespace keelson::testing
