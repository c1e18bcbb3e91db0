// Reads containers' logs as `kubectl logs` asks for them: files of lines "2026-01-02T03:04:05.000000000Z
// stdout F text", rotated by renaming (0.log, then 0.log.20260102-030405). Earlier files stay as they are,
// none is compressed; they are read as well, so a tail may reach back into them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "kernel/base/clock.h"
#include "kernel/base/executor.h"
#include "kernel/base/result.h"
#include "kernel/base/task.h"

namespace keelson::node {

struct LogOptions {
    bool follow = false;
    bool timestamps = false;
    std::optional<std::int64_t> tail_lines;
    std::optional<std::int64_t> limit_bytes;
    std::optional<base::WallTime> since;
    std::string stream;  // "Stdout", "Stderr"; empty or "All": both
};

// One reader of one log. next() is awaited by one task at a time; stop() may be called from any thread.
class LogReader {
  public:
    virtual ~LogReader() = default;
    // The next piece (at most 64 KiB); empty at the end. Following, it waits for more, across rotations,
    // until `finish()` was called and all has been read.
    virtual base::Task<base::Result<std::string>> next() = 0;
    // The container has ended: nothing is written any more. Thread-safe.
    virtual void finish() = 0;
    virtual void stop() = 0;
};

// Fails with not_found when there is no log.
[[nodiscard]] base::Task<base::Result<std::shared_ptr<LogReader>>> open_log(std::string path,
                                                                            LogOptions options,
                                                                            base::Executor& executor);

// Renames a log that has grown beyond the bound and removes the oldest of its files, so that with the next
// one there are as many as said; true: renamed now or earlier, so the runtime has to reopen it. Blocks.
[[nodiscard]] base::Result<bool> rotate_log(const std::string& path, std::uint64_t maximum_bytes,
                                            int maximum_files, base::WallTime now);

}  // namespace keelson::node
