// Measures the store alone: durable writes, reads, scans, watch deliveries. Prints one line a measurement.
//
//     store_bench DIRECTORY [--seconds N] [--writers N] [--bytes N] [--sync-delay-us N] [--puts-only]
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include "kernel/base/executor_real.h"
#include "kernel/base/ids.h"
#include "kernel/base/sync_wait.h"
#include "kernel/store/lmdb.h"

namespace {

using namespace keelson;  // NOLINT: a program of its own
using Clock = std::chrono::steady_clock;

struct Arguments {
    std::string directory;
    double seconds = 5;
    int writers = 64;
    std::size_t bytes = 1024;
    long sync_delay_us = 0;
    bool puts_only = false;
};

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

std::string key_of(std::uint64_t number) {
    char text[64];
    std::snprintf(text, sizeof text, "core/pods/bench-%02llu/pod-%08llu",
                  static_cast<unsigned long long>(number % 50), static_cast<unsigned long long>(number));
    return text;
}

struct Writers {
    store::Store& store;
    const Arguments& arguments;
    std::atomic<std::uint64_t> next{0};
    std::atomic<std::uint64_t> failed{0};
    std::atomic<bool> stop{false};
    std::string value;

    base::Task<void> write_until_stopped(std::latch& done) {
        while (!stop) {
            store::Transaction transaction;
            transaction.operations.push_back({.key = key_of(next++), .expected = 0, .bytes = value});
            const auto result = co_await store.commit(std::move(transaction));
            if (!result || result->conflict) ++failed;
        }
        done.count_down();
    }
};

// Returns the writes a second; the number of keys written is left in `written`.
double measure_puts(store::Store& store, base::Executor& executor, const Arguments& arguments,
                    std::uint64_t& written) {
    Writers writers{.store = store, .arguments = arguments};
    writers.value.resize(arguments.bytes);
    base::SeededRandom(1).fill(writers.value.data(), writers.value.size());
    std::latch done(arguments.writers);
    const auto start = Clock::now();
    for (int index = 0; index < arguments.writers; ++index) {
        executor.post([&] { base::spawn(executor, writers.write_until_stopped(done)); });
    }
    std::this_thread::sleep_for(std::chrono::duration<double>(arguments.seconds));
    writers.stop = true;
    done.wait();
    const double seconds = seconds_since(start);
    written = writers.next;
    if (writers.failed > 0)
        std::printf("failed writes: %llu\n", static_cast<unsigned long long>(writers.failed.load()));
    return static_cast<double>(written) / seconds;
}

void measure_reads(const store::Store& store, std::uint64_t written) {
    base::SeededRandom random(2);
    constexpr int kGets = 300'000;
    std::vector<std::string> keys;
    for (int index = 0; index < 10'000; ++index) keys.push_back(key_of(random.below(written)));
    auto start = Clock::now();
    std::size_t found = 0;
    for (int index = 0; index < kGets; ++index)
        found += (*store.get(keys[index % keys.size()])).has_value() ? 1 : 0;
    std::printf("get: %.2f us (%zu of %d found)\n", seconds_since(start) * 1e6 / kGets, found, kGets);

    start = Clock::now();
    std::uint64_t bytes = 0;
    std::uint64_t records = 0;
    store::ScanRequest request{.prefix = "core/pods/", .start = {}};
    while (true) {
        auto page = store.scan(request, [&](const store::Record& record) {
            bytes += record.bytes.size();
            ++records;
            return true;
        });
        if (!page || !page->more) break;
        request.start = page->next_key;
        request.revision = page->revision;
    }
    const double seconds = seconds_since(start);
    std::printf("scan: %.0f MB/s (%llu records, %.0f MB)\n", static_cast<double>(bytes) / seconds / 1e6,
                static_cast<unsigned long long>(records), static_cast<double>(bytes) / 1e6);
    start = Clock::now();
    const auto count = store.count("core/pods/");
    std::printf("count: %.1f ms for %llu keys\n", seconds_since(start) * 1e3,
                static_cast<unsigned long long>(count.value_or(0)));
}

// 1,000 watches, each of which polls on every event: what the fan-out costs in the store.
void measure_watches(store::Store& store, base::Executor& executor) {
    constexpr int kWatches = 1000;
    constexpr int kEvents = 500;
    std::vector<std::unique_ptr<store::Watch>> watches;
    for (int index = 0; index < kWatches; ++index)
        watches.push_back(std::move(*store.watch("core/events/", store.current())));
    std::uint64_t delivered = 0;
    double fan_out_seconds = 0;
    for (int event = 0; event < kEvents; ++event) {
        std::atomic<int> told = 0;
        for (auto& watch : watches) watch->arm([&] { ++told; });
        store::Transaction transaction;
        transaction.operations.push_back(
            {.key = "core/events/e" + std::to_string(event % 10), .bytes = std::string(500, 'e')});
        (void)!base::sync_wait(executor, store.commit(std::move(transaction)));
        const auto start = Clock::now();
        for (auto& watch : watches) {
            (void)!watch->poll(16, [&](const store::Event&) { ++delivered; });
        }
        fan_out_seconds += seconds_since(start);
    }
    std::printf("watch: %llu deliveries, %.2f us each\n", static_cast<unsigned long long>(delivered),
                fan_out_seconds * 1e6 / static_cast<double>(delivered));
}

}  // namespace

int main(int count, char** values) {
    Arguments arguments;
    for (int index = 1; index < count; ++index) {
        const std::string argument = values[index];
        const char* next = index + 1 < count ? values[index + 1] : "0";
        if (argument == "--seconds")
            arguments.seconds = std::atof(next), ++index;
        else if (argument == "--writers")
            arguments.writers = std::atoi(next), ++index;
        else if (argument == "--bytes")
            arguments.bytes = static_cast<std::size_t>(std::atoll(next)), ++index;
        else if (argument == "--sync-delay-us")
            arguments.sync_delay_us = std::atol(next), ++index;
        else if (argument == "--puts-only")
            arguments.puts_only = true;
        else
            arguments.directory = argument;
    }
    if (arguments.directory.empty() || arguments.writers < 1) {
        std::fputs(
            "usage: store_bench DIRECTORY [--seconds N] [--writers N] [--bytes N] [--sync-delay-us N] "
            "[--puts-only]\n",
            stderr);
        return 2;
    }
    store::LmdbOptions options;
    options.faults.sync_delay = std::chrono::microseconds(arguments.sync_delay_us);
    auto store = store::open_lmdb_store(arguments.directory, options);
    if (!store) {
        std::fprintf(stderr, "%s\n", store.error().message().c_str());
        return 1;
    }
    auto executor = base::make_thread_executor(2, 2);
    std::uint64_t written = 0;
    const double rate = measure_puts(**store, *executor, arguments, written);
    const auto statistics = (*store)->statistics();
    std::printf("puts_per_second %.0f (%d writers, %zu bytes, %.1f writes a sync)\n", rate, arguments.writers,
                arguments.bytes,
                static_cast<double>(statistics.commits) / static_cast<double>(statistics.groups));
    if (!arguments.puts_only) {
        measure_reads(**store, written);
        measure_watches(**store, *executor);
        auto start = Clock::now();
        (void)!base::sync_wait(*executor, (*store)->flush());
        std::printf("flush: %.1f ms\n", seconds_since(start) * 1e3);
        measure_reads(**store, written);
        start = Clock::now();
        (void)!base::sync_wait(*executor, (*store)->compact((*store)->current()));
        std::printf("compact: %.1f ms, file %.0f MB\n", seconds_since(start) * 1e3,
                    static_cast<double>((*store)->statistics().file_bytes) / 1e6);
    }
    (*store)->close();
    executor->stop();
    return 0;
}
