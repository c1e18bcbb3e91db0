#include "kernel/node/node_reports.h"

#include <nlohmann/json.hpp>

#include "kernel/node/container_life.h"
#include "kernel/node/machine.h"
#include "kernel/node/pod_plan.h"
#include "kernel/object/json.h"
#include "kernel/object/time_format.h"

namespace keelson::node {
namespace {

namespace core_v1 = api_types::core_v1;
using base::Reason;
using base::Result;
using base::Status;
using base::Task;
using Json = nlohmann::json;

Json memory_json(const std::string& time, std::int64_t usage_bytes, std::int64_t working_set_bytes) {
    return {{"time", time}, {"usageBytes", usage_bytes}, {"workingSetBytes", working_set_bytes}};
}

Json container_json(const ContainerRecord& container, const Usage& usage, const std::string& time) {
    Json result = {{"name", container.name},
                   {"startTime", container.current->started_at},
                   {"cpu", {{"time", time}, {"usageCoreNanoSeconds", usage.cpu_ns}}},
                   {"memory", memory_json(time, usage.memory_bytes, usage.working_set_bytes)}};
    if (usage.file_system_bytes) result["rootfs"] = {{"time", time}, {"usedBytes", *usage.file_system_bytes}};
    return result;
}

std::string waiting_text(const PodRecord& record, const ContainerRecord& container) {
    std::string reason = container.waiting_reason;
    if (reason.empty())
        reason = container.role == ContainerRole::main && !is_initialized(record) ? "PodInitializing"
                                                                                  : "ContainerCreating";
    return "container \"" + container.name + "\" in pod \"" + record.pod->key().name +
           "\" is waiting to start: " + reason;
}

// The name that was meant: the given one, the annotated one, or the only one.
Result<std::string> meant_container(const PodRecord& record, const ContainerQuery& query) {
    const std::string& pod = record.pod->key().name;
    if (!query.container.empty()) {
        if (container_of(record.object(), query.container).is_set()) return query.container;
        return Status(Reason::bad_request, "container " + query.container + " is not valid for pod " + pod);
    }
    const auto containers = record.object().spec().containers();
    const std::string_view wanted =
        record.object().metadata().annotations()["kubectl.kubernetes.io/default-container"];
    if (!wanted.empty() && container_of(record.object(), wanted).is_set()) return std::string(wanted);
    if (containers.size() == 1) return std::string(containers[0].name());
    std::string names;
    for (const core_v1::Container container : containers)
        names += (names.empty() ? "" : " ") + std::string(container.name());
    return Status(Reason::bad_request,
                  "a container name must be specified for pod " + pod + ", choose one of: [" + names + "]");
}

}  // namespace

std::string list_pods(const Records& records) {
    std::string text = R"({"kind":"PodList","apiVersion":"v1","metadata":{},"items":[)";
    bool is_first = true;
    for (const auto& record : records) {
        if (!record->pod) continue;
        if (!is_first) text += ",";
        text += object::to_json(record->pod->root());
        is_first = false;
    }
    return text + "]}\n";
}

Task<std::string> make_summary(std::string node_name, std::string root_directory, const NodeParts& parts,
                               Records records) {
    auto asking = parts.runtime.usage({});
    const Result<UsageList> usage = co_await asking;
    std::map<std::string, const Usage*> containers;
    std::map<std::string, const Usage*> sandboxes;
    if (usage) {
        for (const Usage& one : usage->containers) containers.emplace(one.id, &one);
        for (const Usage& one : usage->sandboxes) sandboxes.emplace(one.id, &one);
    }
    const std::string time = object::format_time(object::instant_of(parts.executor.clock().wall_now()));
    const MachineFacts facts = read_machine_facts();
    const MachineState state = read_machine_state(root_directory);
    Json pods = Json::array();
    for (const auto& record : records) {
        if (!record->pod) continue;
        Json entry = {{"podRef",
                       {{"name", record->pod->key().name},
                        {"namespace", record->pod->key().namespace_name},
                        {"uid", record->uid}}},
                      {"startTime", std::string(record->object().status().start_time())},
                      {"containers", Json::array()}};
        std::int64_t cpu_ns = 0;
        std::int64_t memory_bytes = 0;
        for (const ContainerRecord& container : record->containers) {
            if (!container.is_running()) continue;
            const auto found = containers.find(container.current->id);
            if (found == containers.end()) continue;
            entry["containers"].push_back(container_json(container, *found->second, time));
            cpu_ns += found->second->cpu_ns;
            memory_bytes += found->second->working_set_bytes;
        }
        if (const auto found = sandboxes.find(record->sandbox_id); found != sandboxes.end()) {
            cpu_ns = found->second->cpu_ns;
            memory_bytes = found->second->working_set_bytes;
            if (found->second->processes)
                entry["process_stats"] = {{"process_count", *found->second->processes}};
        }
        entry["cpu"] = {{"time", time}, {"usageCoreNanoSeconds", cpu_ns}};
        entry["memory"] = memory_json(time, memory_bytes, memory_bytes);
        pods.push_back(std::move(entry));
    }
    const std::int64_t used = facts.memory_bytes - state.available_memory_bytes;
    Json node = {{"nodeName", node_name},
                 {"cpu", {{"time", time}, {"usageCoreNanoSeconds", state.cpu_ns}}},
                 {"memory", memory_json(time, used, used)},
                 {"fs",
                  {{"time", time},
                   {"capacityBytes", state.disk_bytes},
                   {"availableBytes", state.available_disk_bytes},
                   {"usedBytes", state.disk_bytes - state.available_disk_bytes},
                   {"inodes", state.inodes},
                   {"inodesFree", state.available_inodes}}}};
    node["memory"]["availableBytes"] = state.available_memory_bytes;
    co_return Json{{"node", std::move(node)}, {"pods", std::move(pods)}}.dump(1) + "\n";
}

Result<ContainerView> container_view(const PodRecord& record, const ContainerQuery& query,
                                     const NodeSettings& settings) {
    KEELSON_TRY(const std::string name, meant_container(record, query));
    const std::string directory = ContainerLife::log_directory(settings, record);
    ContainerView view;
    view.sandbox_id = record.sandbox_id;
    for (const ContainerRecord& container : record.containers) {
        if (container.name != name) continue;
        if (!container.current) return Status(Reason::bad_request, waiting_text(record, container));
        view.id = container.current->id;
        view.is_running = container.is_running();
        view.log_path = directory + "/" + ContainerLife::log_path(name, container.current->attempt);
        if (container.previous)
            view.previous_log_path =
                directory + "/" + ContainerLife::log_path(name, container.previous->attempt);
    }
    if (view.id.empty())
        return Status(Reason::bad_request, "container \"" + name + "\" in pod \"" + record.pod->key().name +
                                               "\" is waiting to start: ContainerCreating");
    const core_v1::Container definition = container_of(record.object(), name);
    view.has_terminal = definition.tty();
    view.has_standard_input = definition.stdin();
    return view;
}

}  // namespace keelson::node
