#include "kernel/node/usage_reports.h"

#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>

#include "kernel/object/time_format.h"

namespace keelson::node {
namespace {

using Json = nlohmann::json;
using Records = std::vector<std::shared_ptr<PodRecord>>;

Json memory_json(const std::string& time, std::int64_t usage_bytes, std::int64_t working_set_bytes) {
    return {{"time", time}, {"usageBytes", usage_bytes}, {"workingSetBytes", working_set_bytes}};
}

Json cpu_json(const std::string& time, std::int64_t cpu_ns, std::optional<std::int64_t> nano_cores) {
    Json cpu = {{"time", time}, {"usageCoreNanoSeconds", cpu_ns}};
    if (nano_cores) cpu["usageNanoCores"] = *nano_cores;
    return cpu;
}

Json container_json(const ContainerRecord& container, const RatedUsage& rated, const std::string& time) {
    const Usage& usage = rated.usage;
    Json result = {{"name", container.name},
                   {"startTime", container.current->started_at},
                   {"cpu", cpu_json(time, usage.cpu_ns, rated.cpu_nano_cores)},
                   {"memory", memory_json(time, usage.memory_bytes, usage.working_set_bytes)}};
    if (usage.file_system_bytes) result["rootfs"] = {{"time", time}, {"usedBytes", *usage.file_system_bytes}};
    return result;
}

// Calls with each running container of which something is known.
void each_container(const PodRecord& record, const UsageReading& reading, auto&& visit) {
    for (const ContainerRecord& container : record.containers) {
        if (!container.is_running()) continue;
        const auto found = reading.containers.find(container.current->id);
        if (found != reading.containers.end()) visit(container, found->second);
    }
}

// Of the whole pod: its sandbox's, or the sum of its containers'.
RatedUsage pod_usage(const PodRecord& record, const UsageReading& reading) {
    const auto found = reading.sandboxes.find(record.sandbox_id);
    if (found != reading.sandboxes.end()) return found->second;
    RatedUsage sum;
    each_container(record, reading, [&](const ContainerRecord&, const RatedUsage& rated) {
        sum.usage.cpu_ns += rated.usage.cpu_ns;
        sum.usage.memory_bytes += rated.usage.memory_bytes;
        sum.usage.working_set_bytes += rated.usage.working_set_bytes;
        if (rated.cpu_nano_cores) sum.cpu_nano_cores = sum.cpu_nano_cores.value_or(0) + *rated.cpu_nano_cores;
    });
    return sum;
}

Json pod_json(const PodRecord& record, const UsageReading& reading, const std::string& time) {
    Json entry = {{"podRef",
                   {{"name", record.pod->key().name},
                    {"namespace", record.pod->key().namespace_name},
                    {"uid", record.uid}}},
                  {"startTime", std::string(record.object().status().start_time())},
                  {"containers", Json::array()}};
    each_container(record, reading, [&](const ContainerRecord& container, const RatedUsage& rated) {
        entry["containers"].push_back(container_json(container, rated, time));
    });
    const RatedUsage whole = pod_usage(record, reading);
    entry["cpu"] = cpu_json(time, whole.usage.cpu_ns, whole.cpu_nano_cores);
    entry["memory"] = memory_json(time, whole.usage.memory_bytes, whole.usage.working_set_bytes);
    if (whole.usage.processes) entry["process_stats"] = {{"process_count", *whole.usage.processes}};
    return entry;
}

struct Family {
    std::string_view name;
    std::string_view type;
    std::string_view help;
    std::string lines;
};

std::string family_text(const Family& family) {
    return fmt::format("# HELP {0} [STABLE] {1}\n# TYPE {0} {2}\n{3}", family.name, family.help, family.type,
                       family.lines);
}

double seconds_of(std::int64_t ns) {
    return static_cast<double>(ns) / 1e9;
}

std::int64_t used_memory_bytes(const UsageReading& reading) {
    return read_machine_facts().memory_bytes - reading.machine.available_memory_bytes;
}

}  // namespace

std::string summary_text(const std::string& node_name, const UsageReading& reading, const Records& records) {
    const std::string time = object::format_time(object::instant_of(reading.time));
    Json pods = Json::array();
    for (const auto& record : records)
        if (record->pod) pods.push_back(pod_json(*record, reading, time));
    const MachineState& state = reading.machine;
    const std::int64_t used = used_memory_bytes(reading);
    Json node = {{"nodeName", node_name},
                 {"cpu", cpu_json(time, state.cpu_ns, reading.machine_cpu_nano_cores)},
                 {"memory", memory_json(time, used, used)},
                 {"fs",
                  {{"time", time},
                   {"capacityBytes", state.disk_bytes},
                   {"availableBytes", state.available_disk_bytes},
                   {"usedBytes", state.disk_bytes - state.available_disk_bytes},
                   {"inodes", state.inodes},
                   {"inodesFree", state.available_inodes}}}};
    node["memory"]["availableBytes"] = state.available_memory_bytes;
    // No field of a kubelet's: over how long the rates were taken.
    node["cpuWindow"] = fmt::format("{:.3f}s", std::chrono::duration<double>(reading.window).count());
    return Json{{"node", std::move(node)}, {"pods", std::move(pods)}}.dump(1) + "\n";
}

std::string resource_metrics_text(const UsageReading& reading, const Records& records) {
    const std::int64_t time_ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(reading.time.time_since_epoch()).count();
    Family container_cpu{"container_cpu_usage_seconds_total",
                         "counter",
                         "Cumulative cpu time consumed by the container in core-seconds",
                         {}};
    Family container_memory{
        "container_memory_working_set_bytes", "gauge", "Current working set of the container in bytes", {}};
    Family pod_cpu{"pod_cpu_usage_seconds_total",
                   "counter",
                   "Cumulative cpu time consumed by the pod in core-seconds",
                   {}};
    Family pod_memory{"pod_memory_working_set_bytes", "gauge", "Current working set of the pod in bytes", {}};
    for (const auto& record : records) {
        if (!record->pod) continue;
        const std::string labels = fmt::format("namespace=\"{}\",pod=\"{}\"",
                                               record->pod->key().namespace_name, record->pod->key().name);
        each_container(*record, reading, [&](const ContainerRecord& container, const RatedUsage& rated) {
            fmt::format_to(std::back_inserter(container_cpu.lines), "{}{{container=\"{}\",{}}} {} {}\n",
                           container_cpu.name, container.name, labels, seconds_of(rated.usage.cpu_ns),
                           time_ms);
            fmt::format_to(std::back_inserter(container_memory.lines), "{}{{container=\"{}\",{}}} {} {}\n",
                           container_memory.name, container.name, labels, rated.usage.working_set_bytes,
                           time_ms);
        });
        const RatedUsage whole = pod_usage(*record, reading);
        fmt::format_to(std::back_inserter(pod_cpu.lines), "{}{{{}}} {} {}\n", pod_cpu.name, labels,
                       seconds_of(whole.usage.cpu_ns), time_ms);
        fmt::format_to(std::back_inserter(pod_memory.lines), "{}{{{}}} {} {}\n", pod_memory.name, labels,
                       whole.usage.working_set_bytes, time_ms);
    }
    const Family node_cpu{
        "node_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed by the node in core-seconds",
        fmt::format("node_cpu_usage_seconds_total {} {}\n", seconds_of(reading.machine.cpu_ns), time_ms)};
    const Family node_memory{
        "node_memory_working_set_bytes", "gauge", "Current working set of the node in bytes",
        fmt::format("node_memory_working_set_bytes {} {}\n", used_memory_bytes(reading), time_ms)};
    const Family failed{"resource_scrape_error", "gauge",
                        "1 if there was an error while getting container metrics, 0 otherwise",
                        "resource_scrape_error 0\n"};
    std::string text;
    for (const Family* family : std::initializer_list<const Family*>{
             &container_cpu, &container_memory, &node_cpu, &node_memory, &pod_cpu, &pod_memory, &failed})
        text += family_text(*family);
    return text;
}

}  // namespace keelson::node
