#include "kernel/node/evictor.h"

#include <algorithm>

#include "kernel/base/log.h"
#include "kernel/node/container_life.h"
#include "kernel/node/directory_size.h"

namespace keelson::node {
namespace {

namespace core_v1 = api_types::core_v1;
using base::Result;
using base::Task;

constexpr base::Duration kInterval = std::chrono::seconds(10);

// What is to be counted of one pod.
struct Places {
    std::string uid;
    std::map<std::string, std::string> volumes;  // paths by name
    std::string log_directory;
};

Places places_of(const PodRecord& record, const NodeSettings& settings) {
    Places places;
    places.uid = record.uid;
    places.log_directory = ContainerLife::log_directory(settings, record);
    for (const core_v1::Volume volume : record.object().spec().volumes()) {
        if (!volume.has_empty_dir() || volume.empty_dir().medium() == "Memory" || !record.volumes) continue;
        const auto mounted = record.volumes->find(std::string(volume.name()));
        if (mounted != record.volumes->end()) places.volumes.emplace(volume.name(), mounted->second.path);
    }
    return places;
}

DiskUsages count(const std::vector<Places>& all) {
    DiskUsages result;
    for (const Places& places : all) {
        PodDiskUsage& usage = result[places.uid];
        for (const auto& [name, path] : places.volumes) usage.volumes[name] = directory_bytes(path);
        usage.log_bytes = directory_bytes(places.log_directory);
    }
    return result;
}

}  // namespace

Evictor::Evictor(Parts parts)
    : parts_(std::move(parts)),
      process_limit_(read_machine_facts().process_limit),
      images_(parts_.settings, parts_.node) {}

Task<void> Evictor::run() {
    while (true) {
        auto waiting = pause_.sleep(kInterval);
        const bool goes_on = co_await waiting;
        if (!goes_on) co_return;
        auto looking = look();
        co_await looking;
    }
}

Task<void> Evictor::look() {
    auto asking = parts_.sampler.read();
    const UsageReading reading = co_await asking;
    parts_.pressure.look(reading.machine, process_limit_, parts_.node.executor.clock().now());
    auto tidying = images_.look(reading.machine, parts_.records());
    co_await tidying;
    const std::vector<Shortage> shortages = parts_.pressure.shortages();
    const bool is_short_of_disk = std::ranges::any_of(
        shortages, [](const Shortage& shortage) { return shortage.pressure == Pressure::disk; });
    auto counting = count_disks(is_short_of_disk);
    const DiskUsages disk = co_await counting;
    for (const auto& record : parts_.records()) {
        const auto own = disk.find(record->uid);
        if (own == disk.end() || record->stage != PodStage::living || !record->pod) continue;
        if (auto failure = over_its_disk(*record, reading, own->second)) end(record, std::move(*failure));
    }
    if (shortages.empty() || is_waiting()) co_return;
    for (const Shortage& shortage : shortages)
        if (auto eviction = choose_eviction(shortage, parts_.records(), reading, disk)) {
            end(eviction->record, std::move(eviction->failure));
            co_return;
        }
}

Task<DiskUsages> Evictor::count_disks(bool all) {
    std::vector<Places> places;
    for (const auto& record : parts_.records())
        if (record->stage == PodStage::living && record->pod && (all || has_disk_limit(record->object())))
            places.push_back(places_of(*record, parts_.settings));
    if (places.empty()) co_return DiskUsages();
    auto work = [places = std::move(places)]() -> Result<DiskUsages> { return count(places); };
    auto counting = base::blocking(std::move(work));
    Result<DiskUsages> counted = co_await counting;
    co_return counted ? std::move(*counted) : DiskUsages();
}

void Evictor::end(const std::shared_ptr<PodRecord>& record, PodFailure failure) {
    base::log_warning("a pod is evicted", {{"pod", record->pod->key().text()}, {"reason", failure.message}});
    parts_.recorder.record(record->pod->root(), client::EventType::warning, failure.reason, failure.message);
    record->failure = std::move(failure);
    parts_.wake(record->uid);
}

bool Evictor::is_waiting() const {
    return std::ranges::any_of(parts_.records(), [](const auto& record) {
        return record->failure && record->failure->is_eviction && record->has_running();
    });
}

}  // namespace keelson::node
