#include "kernel/node/log_keeper.h"

#include "kernel/base/log.h"
#include "kernel/node/container_life.h"
#include "kernel/node/log_reader.h"

namespace keelson::node {
namespace {

using base::Result;
using base::Task;

constexpr base::Duration kInterval = std::chrono::seconds(10);

}  // namespace

Task<void> LogKeeper::run(std::function<std::vector<std::shared_ptr<PodRecord>>()> records) {
    while (true) {
        auto waiting = pause_.sleep(kInterval);
        const bool goes_on = co_await waiting;
        if (!goes_on) co_return;
        const auto all = records();
        for (const auto& record : all) {
            auto looking = look_at(record);
            co_await looking;
        }
    }
}

Task<void> LogKeeper::look_at(std::shared_ptr<PodRecord> record) {
    struct Log {
        std::string id;
        std::string path;
    };
    std::vector<Log> logs;
    const std::string directory = ContainerLife::log_directory(settings_, *record);
    for (const ContainerRecord& container : record->containers)
        if (container.is_running())
            logs.push_back(
                {container.current->id,
                 directory + "/" + ContainerLife::log_path(container.name, container.current->attempt)});
    const base::WallTime now = parts_.executor.clock().wall_now();
    for (const Log& log : logs) {
        auto work = [path = log.path, now, bytes = settings_.log_maximum_bytes,
                     files = settings_.log_maximum_files] { return rotate_log(path, bytes, files, now); };
        auto rotating = base::blocking(std::move(work));
        const Result<bool> rotated = co_await rotating;
        if (!rotated && rotated.error().reason() != base::Reason::not_found)
            base::log_warning("a log was not rotated", {{"path", log.path}, {"reason", rotated.error()}});
        if (!rotated || !*rotated) continue;
        auto reopening = parts_.runtime.reopen_log(log.id);
        const Result<void> reopened = co_await reopening;
        if (!reopened)
            base::log_warning("a log was not opened anew",
                              {{"path", log.path}, {"reason", reopened.error()}});
    }
}

}  // namespace keelson::node
