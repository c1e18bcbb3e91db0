// A plugin host over directories of its own, and the probe in them.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>

#include "kernel/base/executor_real.h"
#include "kernel/base/log.h"
#include "kernel/base/metrics.h"
#include "kernel/base/sync_wait.h"
#include "kernel/plugin/plugin_host.h"

namespace keelson::plugin {

using nlohmann::json;

class HostTest : public ::testing::Test {
  protected:
    HostTest() {
        base::set_log_level(base::LogLevel::off);
        std::string text = std::string(PROBE_DIRECTORY) + "/run-XXXXXX";
        root_ = ::mkdtemp(text.data());
        for (const char* name : {"/plugins", "/more", "/state"}) {
            std::filesystem::create_directory(root_ + name);
            ::chmod((root_ + name).c_str(), 0755);
        }
        settings_.directory = root_ + "/plugins";
        settings_.allowed_directories = {root_ + "/more"};
        settings_.state_directory = root_ + "/state";
        settings_.node_name = "node-1";
        settings_.host_program = HOST_PROGRAM;
        settings_.trusted_user = ::getuid();
        settings_.health_interval = std::chrono::milliseconds(100);
        settings_.watch_directory = false;
        settings_.check_documents = false;  // the probe does not keep to any contract
    }
    ~HostTest() override {
        stop(true);
        std::filesystem::remove_all(root_);
    }

    // The probe's files in a directory, as they would be dropped there. `more` is added to the manifest.
    static void place(const std::string& directory, const std::string& variant = "one",
                      const std::string& more = "", const std::string& name = "probe") {
        const std::string library = directory + "/" + name + ".so";
        // As an installation does: a new file, not new bytes in the old one.
        std::filesystem::copy_file(std::string(PROBE_DIRECTORY) + "/" + variant + "/probe.so",
                                   library + ".new");
        ::chmod((library + ".new").c_str(), 0755);
        std::filesystem::rename(library + ".new", library);
        const std::string version = variant.ends_with("two") ? "2.0.0" : "1.0.0";
        write(directory + "/" + name + ".yaml",
              "id: com.example.probe\nname: " + name + "\nkind: volume\nversion: " + version +
                  "\ncapabilities: [keelson.volume/0, keelson.auth.authenticator/0]\n"
                  "configSchema: {type: object, properties: {refuseStart: {type: string}, sick: {type: "
                  "string}, "
                  "refuseAdopt: {type: string}, size: {type: integer}}, additionalProperties: false}\n" +
                  more);
    }
    static void write(const std::string& path, const std::string& text) {
        std::ofstream(path) << text;
        ::chmod(path.c_str(), 0644);
    }

    void start() {
        Listener listener;
        listener.event = [this](const std::string&, const std::string& event) { note("event " + event); };
        listener.reconcile = [this](const std::string&, const std::string& key) { note("reconcile " + key); };
        listener.changed = [this](const std::string&) { note("changed"); };
        host_ = make_plugin_host(settings_, *executor_, metrics_, listener);
        base::sync_wait(*executor_, host_->start());
    }
    void stop(bool everything) {
        if (host_) base::sync_wait(*executor_, host_->stop(everything));
        host_.reset();
        executor_ = base::make_thread_executor(2, 8);
    }

    template <typename T>
    T run(base::Task<T> task) {
        return base::sync_wait(*executor_, std::move(task));
    }
    base::Result<Reply> call(const json& request, CallOptions options = {}) {
        auto probe = host_->find("probe");
        if (!probe) return base::Status(base::Reason::not_found, "no probe");
        return run(probe->call("keelson.volume/0", "stats", request.dump(), std::move(options)));
    }
    json describe() {
        auto reply = call({{"do", "describe"}});
        EXPECT_TRUE(reply) << reply.error().message();
        return reply ? json::parse(reply->body) : json();
    }
    Info info() { return host_->list().at(0); }

    void note(const std::string& what) {
        const std::lock_guard lock(mutex_);
        notes_.push_back(what);
    }
    bool was_noted(const std::string& what) {
        const std::lock_guard lock(mutex_);
        return std::ranges::find(notes_, what) != notes_.end();
    }
    // For what another process or thread does in its own time. False after a generous while.
    static bool eventually(const std::function<bool()>& holds) {
        for (int i = 0; i < 3000; ++i) {
            if (holds()) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        return false;
    }

    std::string root_;
    HostSettings settings_;
    base::Metrics metrics_;
    std::unique_ptr<base::ThreadExecutor> executor_ = base::make_thread_executor(2, 8);
    std::shared_ptr<PluginHost> host_;
    std::mutex mutex_;
    std::vector<std::string> notes_;
};

}  // namespace keelson::plugin
