// The victim of the crash test: writes to a store until it is killed, and tells what was acknowledged on its
// standard output, one line a write: "d|e <key> <counter> <revision>" (d durable, e deferred).
//
//     store_crash_writer DIRECTORY SEED FIRST_COUNTER
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/store/store_test_support.h"

int main(int count, char** values) {
    using namespace keelson;         // NOLINT: a program of its own
    using namespace keelson::store;  // NOLINT
    if (count != 4) return 2;
    const std::uint64_t seed = std::strtoull(values[2], nullptr, 10);
    std::atomic<std::uint64_t> counter = std::strtoull(values[3], nullptr, 10);
    LmdbOptions options = small_options();
    options.recent_bytes = 32u << 10;
    auto opened = open_lmdb_store(values[1], options);
    if (!opened) {
        std::fprintf(stderr, "%s\n", opened.error().message().c_str());
        return 1;
    }
    Store& store = **opened;
    std::vector<std::thread> writers;
    for (std::uint64_t writer = 0; writer < 6; ++writer) {
        writers.emplace_back([&, writer] {
            std::mt19937_64 random(seed * 100 + writer);
            while (true) {
                const bool deferred = random() % 5 == 0;
                const std::uint64_t number = counter++;
                const std::string key = (deferred ? "core/events/" : "core/pods/") + std::to_string(writer) +
                                        "/" + std::to_string(random() % 10);
                Transaction transaction;
                transaction.durability = deferred ? Durability::deferred : Durability::durable;
                const bool removal = random() % 8 == 0;
                const std::string bytes =
                    std::to_string(number) + ":" + std::string(200 + random() % 3000, 'c');
                transaction.operations.push_back(removal ? remove_operation(key, {}, bytes)
                                                         : put_operation(key, bytes));
                // A second key in the same transaction: both or none.
                if (!deferred)
                    transaction.operations.push_back(
                        put_operation("twin/" + key, removal ? "removed" : bytes));
                const auto result = wait(store.commit(std::move(transaction)));
                if (!result || result->conflict) std::abort();
                char line[128];
                const int length =
                    std::snprintf(line, sizeof line, "%c %s %llu %llu %d\n", deferred ? 'e' : 'd',
                                  key.c_str(), static_cast<unsigned long long>(number),
                                  static_cast<unsigned long long>(result->revision), removal ? 1 : 0);
                if (::write(STDOUT_FILENO, line, static_cast<std::size_t>(length)) != length) return;
                if (number % 512 == 0 && result->revision > 300)
                    (void)!wait(store.compact(result->revision - 300));
            }
        });
    }
    for (auto& writer : writers) writer.join();
    return 0;
}
