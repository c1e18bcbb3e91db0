#include "kernel/daemon/plugin_events.h"

#include <map>

#include "kernel/base/executor_real.h"
#include "kernel/base/log.h"
#include "kernel/base/sync_wait.h"
#include "kernel/base/task.h"
#include "kernel/client/event_recorder.h"
#include "kernel/object/json.h"

namespace keelson::daemon {
namespace {

using object::Value;

constexpr std::size_t kMostSources = 256;

// The object with as much of it as an Event needs.
Value about(Value regarding, object::Arena& arena) {
    const Value result = Value::map(arena);
    result.set(arena, "apiVersion", regarding["apiVersion"]);
    result.set(arena, "kind", regarding["kind"]);
    const Value metadata = result.child_map(arena, "metadata");
    for (const std::string_view name : {"namespace", "name", "uid"})
        if (regarding.has(name)) metadata.set(arena, name, regarding[name]);
    return result;
}

bool is_event(Value event) {
    for (const std::string_view name : {"type", "reason", "message"})
        if (!event[name].is_string() || event[name].as_string().empty()) return false;
    for (const std::string_view name : {"apiVersion", "kind", "name"})
        if (!event["regarding"][name].is_string() || event["regarding"][name].as_string().empty())
            return false;
    return event["type"].as_string() == "Normal" || event["type"].as_string() == "Warning";
}

class Recorded final : public PluginEvents {
  public:
    Recorded(client::Client& client, base::RandomSource& random, std::string node_name)
        : client_(client), random_(random), node_name_(std::move(node_name)) {}
    ~Recorded() override {
        base::sync_wait(*executor_, flush());
        executor_->stop();
    }
    Recorded(const Recorded&) = delete;
    Recorded& operator=(const Recorded&) = delete;

    void take(const std::string& plugin, const std::string& event_json) override {
        executor_->post([this, plugin, event_json] { record(plugin, event_json); });
    }

  private:
    void record(const std::string& plugin, const std::string& event_json) {
        object::Document document;
        const auto event = object::parse_json(event_json, document.arena);
        if (!event || !is_event(*event)) {
            base::log_warning("a plugin sent an event that is none", {{"plugin", plugin}});
            return;
        }
        if (!sources_.contains(plugin) && sources_.size() >= kMostSources) return;
        auto& recorder = sources_[plugin];
        if (!recorder)
            recorder = client::EventRecorder::make(client_, *executor_, random_, plugin, node_name_);
        const auto type = (*event)["type"].as_string() == "Warning" ? client::EventType::warning
                                                                    : client::EventType::normal;
        recorder->record(about((*event)["regarding"], document.arena), type, (*event)["reason"].as_string(),
                         std::string((*event)["message"].as_string()));
    }

    base::Task<void> flush() {
        for (const auto& [plugin, recorder] : sources_) {
            auto flushing = recorder->flush();
            co_await flushing;
        }
    }

    client::Client& client_;
    base::RandomSource& random_;
    std::string node_name_;
    std::unique_ptr<base::ThreadExecutor> executor_ = base::make_thread_executor(1, 1);
    std::map<std::string, std::unique_ptr<client::EventRecorder>> sources_;  // by plugin
};

}  // namespace

std::unique_ptr<PluginEvents> PluginEvents::start(client::Client& client, base::RandomSource& random,
                                                  std::string node_name) {
    return std::make_unique<Recorded>(client, random, std::move(node_name));
}

}  // namespace keelson::daemon
