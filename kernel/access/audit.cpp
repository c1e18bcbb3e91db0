#include "kernel/access/audit.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <mutex>
#include <nlohmann/json.hpp>

#include "kernel/base/files.h"
#include "kernel/base/log.h"

namespace keelson::access {
namespace {

using Json = nlohmann::ordered_json;

bool listed(const std::vector<std::string>& list, std::string_view value) {
    return list.empty() ||
           std::ranges::any_of(list, [value](const auto& item) { return item == value || item == "*"; });
}

bool resource_matches(const AuditPolicy::Resources& entry, const Attributes& attributes) {
    if (entry.group != attributes.group) return false;
    if (!entry.resource_names.empty() &&
        std::ranges::find(entry.resource_names, attributes.name) == entry.resource_names.end())
        return false;
    if (entry.resources.empty()) return true;
    const std::string combined = attributes.subresource.empty()
                                     ? attributes.resource
                                     : attributes.resource + "/" + attributes.subresource;
    return std::ranges::any_of(entry.resources, [&](const std::string& item) {
        if (item == "*" || item == combined) return true;
        if (attributes.subresource.empty()) return false;
        return item == "*/" + attributes.subresource || item == attributes.resource + "/*";
    });
}

bool url_matches(const std::vector<std::string>& patterns, std::string_view path) {
    return std::ranges::any_of(patterns, [path](std::string_view pattern) {
        return pattern == "*" || pattern == path ||
               (pattern.ends_with('*') && path.starts_with(pattern.substr(0, pattern.size() - 1)));
    });
}

bool rule_matches(const AuditPolicy::Rule& rule, const Attributes& attributes) {
    if (!listed(rule.users, attributes.user.user) || !listed(rule.verbs, attributes.verb)) return false;
    if (!rule.user_groups.empty() && std::ranges::none_of(rule.user_groups, [&](const auto& group) {
            return attributes.user.in_group(group);
        }))
        return false;
    if (rule.resources.empty() && rule.non_resource_urls.empty() && rule.namespaces.empty()) return true;
    if (!attributes.is_resource_request) return url_matches(rule.non_resource_urls, attributes.path);
    if (rule.resources.empty() && rule.namespaces.empty()) return false;
    if (!listed(rule.namespaces, attributes.namespace_name)) return false;
    return rule.resources.empty() || std::ranges::any_of(rule.resources, [&](const auto& entry) {
               return resource_matches(entry, attributes);
           });
}

std::string micro_time(base::WallTime time) {
    const auto micros =
        std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
    const std::time_t seconds = static_cast<std::time_t>(micros / 1'000'000);
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[48];
    const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    std::snprintf(text + length, sizeof text - length, ".%06dZ", static_cast<int>(micros % 1'000'000));
    return text;
}

std::string_view level_text(AuditLevel level) {
    switch (level) {
        case AuditLevel::none:
            return "None";
        case AuditLevel::metadata:
            return "Metadata";
        case AuditLevel::request:
            return "Request";
        case AuditLevel::request_response:
            return "RequestResponse";
    }
    return "None";
}

std::string_view stage_text(AuditStage stage) {
    switch (stage) {
        case AuditStage::request_received:
            return "RequestReceived";
        case AuditStage::response_started:
            return "ResponseStarted";
        case AuditStage::response_complete:
            return "ResponseComplete";
        case AuditStage::panic:
            return "Panic";
    }
    return "Panic";
}

Json user_json(const Identity& identity) {
    Json user = {{"username", identity.user}};
    if (!identity.uid.empty()) user["uid"] = identity.uid;
    if (!identity.groups.empty()) user["groups"] = identity.groups;
    for (const auto& [key, values] : identity.extra) user["extra"][key] = values;
    return user;
}

Json object_reference(const Attributes& attributes) {
    Json reference = Json::object();
    const auto put = [&](const char* name, const std::string& value) {
        if (!value.empty()) reference[name] = value;
    };
    put("resource", attributes.resource);
    put("namespace", attributes.namespace_name);
    put("name", attributes.name);
    put("apiGroup", attributes.group);
    put("apiVersion", attributes.version);
    put("subresource", attributes.subresource);
    return reference;
}

void put_document(Json& event, const char* name, const std::string& text) {
    if (text.empty()) return;
    Json document = Json::parse(text, nullptr, false);
    if (!document.is_discarded()) event[name] = std::move(document);
}

std::string event_line(AuditStage stage, AuditLevel level, const AuditRecord& record, base::WallTime now) {
    Json event = {{"kind", "Event"},
                  {"apiVersion", "audit.k8s.io/v1"},
                  {"level", level_text(level)},
                  {"auditID", record.audit_id},
                  {"stage", stage_text(stage)},
                  {"requestURI", record.request_uri},
                  {"verb", record.attributes.verb},
                  {"user", user_json(record.attributes.user)}};
    if (record.impersonated) event["impersonatedUser"] = user_json(*record.impersonated);
    if (!record.source_address.empty()) event["sourceIPs"] = Json::array({record.source_address});
    if (!record.user_agent.empty()) event["userAgent"] = record.user_agent;
    if (record.attributes.is_resource_request) event["objectRef"] = object_reference(record.attributes);
    if (record.response_code != 0) {
        Json status = {{"metadata", Json::object()}, {"code", record.response_code}};
        const Json sent = Json::parse(record.response_status, nullptr, false);
        if (sent.is_object()) {
            for (const char* name : {"status", "message", "reason", "details"}) {
                if (sent.contains(name)) status[name] = sent[name];
            }
        }
        event["responseStatus"] = std::move(status);
    }
    if (level >= AuditLevel::request) put_document(event, "requestObject", record.request_object);
    if (level >= AuditLevel::request_response) put_document(event, "responseObject", record.response_object);
    event["requestReceivedTimestamp"] = micro_time(record.received);
    event["stageTimestamp"] = micro_time(now);
    for (const auto& [key, value] : record.annotations) event["annotations"][key] = value;
    if (!record.trace_parent.empty()) event["annotations"]["keelson.dev/traceparent"] = record.trace_parent;
    return event.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace

struct AuditLog::State {
    State(std::string file_path, AuditPolicy audit_policy, base::Executor& background, std::size_t limit)
        : path(std::move(file_path)),
          policy(std::move(audit_policy)),
          executor(background),
          queue_limit(limit) {}

    const AuditPolicy::Rule* rule_for(const Attributes& attributes) const {
        const auto found = std::ranges::find_if(
            policy.rules, [&](const auto& rule) { return rule_matches(rule, attributes); });
        return found == policy.rules.end() ? nullptr : &*found;
    }
    // Writes everything that waits; runs on the pool for blocking calls, once at a time.
    void drain() {
        for (;;) {
            std::string batch;
            std::size_t lines = 0;
            int descriptor = -1;
            {
                const std::lock_guard lock(mutex);
                if (waiting.empty()) {
                    draining = false;
                    return;
                }
                batch.swap(waiting);
                lines = std::exchange(waiting_lines, 0);
                descriptor = file.get();
            }
            const bool good =
                ::write(descriptor, batch.data(), batch.size()) == static_cast<ssize_t>(batch.size());
            const std::lock_guard lock(mutex);
            (good ? written : dropped) += lines;
            if (!good && !std::exchange(failure_logged, true))
                base::log_error("cannot write the audit log", {{"path", path}});
        }
    }

    const std::string path;
    const AuditPolicy policy;
    base::Executor& executor;
    const std::size_t queue_limit;
    std::mutex mutex;
    base::FileDescriptor file;
    std::string waiting;
    std::size_t waiting_lines = 0;
    std::uint64_t written = 0;
    std::uint64_t dropped = 0;
    bool draining = false;
    bool failure_logged = false;
};

AuditLog::AuditLog(std::shared_ptr<State> state) : state_(std::move(state)) {}

AuditLog::~AuditLog() {
    state_->drain();
}

base::Result<std::shared_ptr<AuditLog>> AuditLog::open(const std::string& path, AuditPolicy policy,
                                                       base::Executor& executor, std::size_t queue_limit) {
    auto state = std::make_shared<State>(path, std::move(policy), executor, queue_limit);
    std::shared_ptr<AuditLog> log(new AuditLog(std::move(state)));
    KEELSON_TRY_VOID(log->reopen());
    return log;
}

base::Result<void> AuditLog::reopen() {
    KEELSON_TRY(base::FileDescriptor file,
                base::open_file(state_->path, O_WRONLY | O_APPEND | O_CREAT, 0600));
    const std::lock_guard lock(state_->mutex);
    state_->file = std::move(file);
    return base::ok();
}

AuditLevel AuditLog::level(const Attributes& attributes) const {
    const AuditPolicy::Rule* rule = state_->rule_for(attributes);
    return rule == nullptr ? AuditLevel::none : rule->level;
}

void AuditLog::log(AuditStage stage, const AuditRecord& record) {
    const AuditPolicy::Rule* rule = state_->rule_for(record.attributes);
    if (rule == nullptr || rule->level == AuditLevel::none) return;
    const auto omitted = [stage](const std::vector<AuditStage>& stages) {
        return std::ranges::find(stages, stage) != stages.end();
    };
    if (omitted(rule->omit_stages) || omitted(state_->policy.omit_stages)) return;
    const std::string line = event_line(stage, rule->level, record, state_->executor.clock().wall_now());
    bool start = false;
    {
        const std::lock_guard lock(state_->mutex);
        if (state_->waiting_lines >= state_->queue_limit) {
            ++state_->dropped;
            return;
        }
        state_->waiting += line;
        ++state_->waiting_lines;
        start = !std::exchange(state_->draining, true);
    }
    if (start) state_->executor.run_blocking([state = state_] { state->drain(); });
}

AuditStatistics AuditLog::statistics() const {
    const std::lock_guard lock(state_->mutex);
    return {.written = state_->written, .dropped = state_->dropped};
}

}  // namespace keelson::access
