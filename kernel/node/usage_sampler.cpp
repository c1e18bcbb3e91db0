#include "kernel/node/usage_sampler.h"

#include <algorithm>

namespace keelson::node {
namespace {

using base::Result;
using base::Task;

constexpr base::Duration kInterval = std::chrono::seconds(10);
constexpr base::Duration kFresh = std::chrono::seconds(1);
constexpr base::Duration kWindow = std::chrono::seconds(30);

std::optional<std::int64_t> rate_of(std::int64_t before_ns, std::int64_t now_ns, base::Duration passed) {
    const auto passed_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(passed).count();
    if (passed_ns <= 0 || now_ns < before_ns) return std::nullopt;
    return static_cast<std::int64_t>(static_cast<double>(now_ns - before_ns) * 1e9 /
                                     static_cast<double>(passed_ns));
}

}  // namespace

Task<void> UsageSampler::run() {
    while (true) {
        auto looking = look();
        co_await looking;
        auto waiting = pause_.sleep(kInterval);
        const bool goes_on = co_await waiting;
        if (!goes_on) co_return;
    }
}

Task<void> UsageSampler::look() {
    auto asking = parts_.runtime.usage({});
    Result<UsageList> usage = co_await asking;
    auto reading = [directory = settings_.root_directory]() -> Result<MachineState> {
        return read_machine_state(directory);
    };
    auto examining = base::blocking(std::move(reading));
    Result<MachineState> machine = co_await examining;
    Sample sample;
    sample.at = parts_.executor.clock().now();
    sample.time = parts_.executor.clock().wall_now();
    if (machine) sample.machine = *machine;
    if (usage) {
        for (Usage& one : usage->containers) sample.containers.emplace(one.id, std::move(one));
        for (Usage& one : usage->sandboxes) sample.sandboxes.emplace(one.id, std::move(one));
    }
    // Somebody else may have looked meanwhile.
    if (!samples_.empty() && sample.at - samples_.back().at < kFresh) samples_.pop_back();
    samples_.push_back(std::move(sample));
    while (samples_.size() > 1 && samples_.back().at - samples_[1].at >= kWindow) samples_.pop_front();
}

const UsageSampler::Sample* UsageSampler::base_of(const Sample& newest) const {
    const auto found = std::ranges::find_if(
        samples_, [&](const Sample& sample) { return newest.at - sample.at <= kWindow + kInterval; });
    return found == samples_.end() || &*found == &newest ? nullptr : &*found;
}

Task<UsageReading> UsageSampler::read() {
    if (samples_.empty() || parts_.executor.clock().now() - samples_.back().at >= kFresh) {
        auto looking = look();
        co_await looking;
    }
    const Sample& newest = samples_.back();
    const Sample* base = base_of(newest);
    UsageReading reading;
    reading.time = newest.time;
    reading.machine = newest.machine;
    if (base != nullptr) {
        reading.window = newest.at - base->at;
        reading.machine_cpu_nano_cores = rate_of(base->machine.cpu_ns, newest.machine.cpu_ns, reading.window);
    }
    const auto rate = [&](const auto& usages, auto member) {
        std::map<std::string, RatedUsage, std::less<>> rated;
        for (const auto& [id, usage] : usages) {
            RatedUsage& one = rated[id];
            one.usage = usage;
            // What started within the window is measured from where it was first seen.
            for (const Sample& sample : samples_) {
                const auto& known = sample.*member;
                const auto before = known.find(id);
                if (before == known.end() || &sample == &newest) continue;
                one.cpu_nano_cores = rate_of(before->second.cpu_ns, usage.cpu_ns, newest.at - sample.at);
                break;
            }
        }
        return rated;
    };
    reading.containers = rate(newest.containers, &Sample::containers);
    reading.sandboxes = rate(newest.sandboxes, &Sample::sandboxes);
    co_return reading;
}

}  // namespace keelson::node
