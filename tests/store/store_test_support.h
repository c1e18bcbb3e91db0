// Helpers for the tests of the store: short ways to write, and stores of both engines.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernel/base/executor_real.h"
#include "kernel/base/executor_simulated.h"
#include "kernel/base/sync_wait.h"
#include "kernel/store/lmdb.h"
#include "kernel/store/memory.h"

namespace keelson::store {

// A directory that goes away with the object. In memory where that is possible, so that a test does not take
// longer when the disk is busy; `disk` asks for the real thing.
class TemporaryDirectory {
  public:
    enum class Place { memory, disk };
    explicit TemporaryDirectory(Place place = Place::memory) {
        const bool memory = place == Place::memory && ::access("/dev/shm", W_OK) == 0;
        std::string pattern = (memory ? "/dev/shm/" : testing::TempDir()) + "keelson-store-XXXXXX";
        if (::mkdtemp(pattern.data()) != nullptr) path_ = pattern;
    }
    ~TemporaryDirectory() {
        std::error_code ignored;
        if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  private:
    std::string path_;
};

// One executor for all tests of a program: the store only posts resumptions to it.
inline base::Executor& test_executor() {
    static const auto executor = base::make_thread_executor(2, 2);
    return *executor;
}

template <typename T>
T wait(base::Task<T> task) {
    return base::sync_wait(test_executor(), std::move(task));
}

inline Operation put_operation(std::string key, std::string bytes, std::optional<Revision> expected = {}) {
    return {
        .kind = Operation::Kind::put, .key = std::move(key), .expected = expected, .bytes = std::move(bytes)};
}
inline Operation remove_operation(std::string key, std::optional<Revision> expected = {},
                                  std::string bytes = {}) {
    return {.kind = Operation::Kind::remove,
            .key = std::move(key),
            .expected = expected,
            .bytes = std::move(bytes)};
}

inline base::Result<CommitResult> commit(Store& store, std::vector<Operation> operations,
                                         Durability durability = Durability::durable) {
    return wait(store.commit({.operations = std::move(operations), .durability = durability}));
}
// The revision of a write that must succeed; 0 when it did not.
inline Revision put(Store& store, const std::string& key, const std::string& bytes,
                    Durability durability = Durability::durable) {
    auto result = commit(store, {put_operation(key, bytes)}, durability);
    if (!result) ADD_FAILURE() << result.error().message();
    return result && !result->conflict ? result->revision : 0;
}
inline Revision remove(Store& store, const std::string& key, const std::string& bytes = {}) {
    auto result = commit(store, {remove_operation(key, {}, bytes)});
    if (!result) ADD_FAILURE() << result.error().message();
    return result && !result->conflict ? result->revision : 0;
}

// The bytes of a key, "(none)" or "(error: reason)".
inline std::string read(const Store& store, const std::string& key, Revision at = 0) {
    const auto result = store.get(key, at);
    if (!result) return "(" + std::string(base::reason_text(result.error().reason())) + ")";
    return *result ? (*result)->bytes : "(none)";
}

// "key=bytes@modified/created" of everything below a prefix, over as many pages as it takes.
inline std::vector<std::string> list(const Store& store, const std::string& prefix, Revision at = 0,
                                     std::size_t limit_bytes = 256 * 1024) {
    std::vector<std::string> lines;
    ScanRequest request{.prefix = prefix, .start = {}, .revision = at, .limit_bytes = limit_bytes};
    while (true) {
        const auto page = store.scan(request, [&](const Record& record) {
            lines.push_back(std::string(record.key) + "=" + std::string(record.bytes) + "@" +
                            std::to_string(record.modified) + "/" + std::to_string(record.created));
            return true;
        });
        if (!page) {
            lines.push_back("(" + std::string(base::reason_text(page.error().reason())) + ")");
            return lines;
        }
        if (!page->more) return lines;
        request.start = page->next_key;
        request.revision = page->revision;
    }
}

inline std::string describe(const Event& event) {
    constexpr const char* kKinds[] = {"created", "updated", "removed"};
    std::string line = kKinds[static_cast<int>(event.kind)];
    line += " " + std::string(event.record.key) + "=" + std::string(event.record.bytes) + "@" +
            std::to_string(event.revision) + "/" + std::to_string(event.record.created);
    if (!event.previous.key.empty()) {
        line += " was " + std::string(event.previous.bytes) + "@" + std::to_string(event.previous.modified);
    }
    return line;
}

// What a watch delivers now; "(reason)" at the end when it fails.
inline std::vector<std::string> drain(Watch& watch, std::size_t limit = 100) {
    std::vector<std::string> lines;
    while (true) {
        const auto count = watch.poll(limit, [&](const Event& event) { lines.push_back(describe(event)); });
        if (!count) {
            lines.push_back("(" + std::string(base::reason_text(count.error().reason())) + ")");
            return lines;
        }
        if (*count == 0) return lines;
    }
}

// Small files, so that tests meet turns of the journal and are quick.
inline LmdbOptions small_options() {
    LmdbOptions options;
    options.keep_history = base::Duration::zero();
    options.journal_bytes = 1u << 20;
    options.recent_bytes = 64u << 10;
    options.reserve_bytes = 1u << 20;
    options.initial_map_bytes = 4u << 20;
    options.revision_block = 1000;
    return options;
}

inline std::unique_ptr<Store> must_open(const std::string& directory, LmdbOptions options = small_options()) {
    auto store = open_lmdb_store(directory, std::move(options));
    if (!store) {
        ADD_FAILURE() << store.error().message();
        return nullptr;
    }
    return std::move(*store);
}

}  // namespace keelson::store
