// Measures calls of plugins, in this process and in one of their own, beside a plain virtual call that does
// the same. Prints a table; values are medians of several rounds.
//
//     plugin_bench [--rounds N] [--calls N] [--only in-process|isolated]
//
// Needs keelson-plugin-host beside it. Makes a directory beside itself and removes it. On a shared machine
// put `nice -n -10` before it rather than `chrt`: a real-time process may not enter a cgroup that limits
// processors.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include "kernel/base/executor_real.h"
#include "kernel/base/log.h"
#include "kernel/base/sync_wait.h"
#include "kernel/plugin/plugin_host.h"

namespace {

using namespace keelson;  // NOLINT: a program of its own
using Clock = std::chrono::steady_clock;

constexpr std::size_t kRequestBytes = 200;
constexpr const char* kName = "echo";

struct Method {
    const char* capability;
    const char* name;
};
constexpr Method kShort{"keelson.auth.authorizer/0", "authorize"};
constexpr Method kLong{"keelson.volume/0", "stats"};

struct Arguments {
    int rounds = 5;
    int calls = 20'000;
    std::string only;
};

double micros_since(Clock::time_point start) {
    return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

double median(std::vector<double> values) {
    std::ranges::sort(values);
    return values.at(values.size() / 2);
}

// The median of what each of the rounds measures.
double repeat(const Arguments& arguments, const std::function<double()>& measure) {
    std::vector<double> values;
    values.reserve(static_cast<std::size_t>(arguments.rounds));
    for (int round = 0; round < arguments.rounds; ++round) values.push_back(measure());
    return median(std::move(values));
}

[[noreturn]] void give_up(const std::string& why) {
    std::fprintf(stderr, "plugin_bench: %s\n", why.c_str());
    std::exit(1);
}

// --- the table ---

struct Row {
    std::string what;
    double value = 0;
    const char* unit = "";
    double peer = 0;    // 0: none
    double budget = 0;  // at most; 0: none
};

// "1,234,567", "1.23"
std::string number_text(double value) {
    char digits[64];
    std::snprintf(digits, sizeof digits, value >= 100 ? "%.0f" : "%.2f", value);
    std::string text = digits;
    if (value < 100) return text;
    for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
    return text;
}

void print(const Row& row) {
    auto number = [&](double value) { return number_text(value) + " " + row.unit; };
    std::string ratio = "-";
    if (row.peer > 0) ratio = std::to_string(row.value / row.peer).substr(0, 5);
    const char* met = row.budget == 0 ? "" : row.value <= row.budget ? "yes" : "**no**";
    std::printf("| %s | %s | %s | %s | %s | %s |\n", row.what.c_str(), number(row.value).c_str(),
                row.peer > 0 ? number(row.peer).c_str() : "-", ratio.c_str(),
                row.budget > 0 ? ("<= " + number(row.budget)).c_str() : "", met);
    std::fflush(stdout);
}

// --- the plugin ---

// Removed at the end of the process, also when it gives up.
std::string made_directory;

// Plugins have to lie where only trusted users may write: not in /tmp.
std::string make_directory() {
    std::string text = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "plugin-bench-XXXXXX";
    if (!::mkdtemp(text.data())) give_up("cannot make " + text);
    made_directory = text;
    for (const char* name : {"", "/plugins", "/state"}) {
        std::filesystem::create_directory(text + name);
        ::chmod((text + name).c_str(), 0755);
    }
    return text;
}

void remove_directory() {
    std::error_code ignored;
    if (!made_directory.empty()) std::filesystem::remove_all(made_directory, ignored);
    made_directory.clear();
}

class Bench {
  public:
    explicit Bench(plugin::Isolation isolation) : directory_(make_directory()) {
        base::set_log_level(base::LogLevel::off);
        const std::string library = directory_ + "/plugins/echo.so";
        std::filesystem::copy_file(ECHO_LIBRARY, library);
        ::chmod(library.c_str(), 0755);
        const std::string manifest = directory_ + "/plugins/echo.yaml";
        std::ofstream(manifest) << "id: dev.keelson.bench-echo\nname: echo\nkind: volume\nversion: 1.0.0\n"
                                   "abi: {minimum: 1, maximum: 1}\n"
                                   "capabilities: [keelson.auth.authorizer/0, keelson.volume/0]\n";
        ::chmod(manifest.c_str(), 0644);
        settings_.directory = directory_ + "/plugins";
        settings_.state_directory = directory_ + "/state";
        settings_.host_program =
            std::filesystem::read_symlink("/proc/self/exe").parent_path() / "keelson-plugin-host";
        settings_.trusted_user = ::getuid();
        settings_.watch_directory = false;
        plugin::PluginSettings echo;
        echo.name = kName;
        echo.isolation = isolation;
        settings_.plugins = {echo};
        host_ = plugin::make_plugin_host(settings_, *executor_, metrics_, {});
        wait(host_->start());
        echo_ = host_->find(kName);
        if (!echo_ || echo_->info().state != plugin::State::ready)
            give_up("the plugin does not run: " + (echo_ ? echo_->info().reason : std::string()));
        if ((echo_->info().process_id != 0) != (isolation == plugin::Isolation::process))
            give_up("the plugin runs in the wrong process");
    }
    ~Bench() {
        wait(host_->stop(true));
        executor_->stop();
        remove_directory();
    }
    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;

    // Microseconds of each call, one after another.
    std::vector<double> latencies_us(Method method, int calls) {
        std::vector<double> result;
        result.reserve(static_cast<std::size_t>(calls));
        wait(time_calls(method, calls, result));
        return result;
    }
    // Nanoseconds a call, without a clock around each.
    double nanoseconds_a_call(Method method, int calls) {
        const auto start = Clock::now();
        wait(make_calls(method, calls));
        return micros_since(start) * 1000 / calls;
    }
    double calls_per_second(Method method, int calls, int callers) {
        std::latch done(callers);
        const auto start = Clock::now();
        for (int caller = 0; caller < callers; ++caller) {
            executor_->post([&] {
                base::spawn(*executor_, make_calls(method, calls / callers), [&] { done.count_down(); });
            });
        }
        done.wait();
        return calls / micros_since(start) * 1e6;
    }
    double swap_us() {
        const auto start = Clock::now();
        must(wait(host_->reload(kName)));
        return micros_since(start);
    }
    double start_us() {
        must(wait(host_->enable(kName, false)));
        const auto start = Clock::now();
        must(wait(host_->enable(kName, true)));
        return micros_since(start);
    }

  private:
    static void must(const base::Result<plugin::Info>& result) {
        if (!result) give_up(result.error().message());
        if (result->state == plugin::State::failed) give_up(result->reason);
    }
    template <typename T>
    T wait(base::Task<T> task) {
        return base::sync_wait(*executor_, std::move(task));
    }
    base::Task<void> make_call(Method method) {
        auto calling = echo_->call(method.capability, method.name, request_);
        const auto reply = co_await calling;
        if (!reply || reply->body.size() != request_.size())
            give_up(reply ? "a wrong answer" : reply.error().message());
    }
    base::Task<void> make_calls(Method method, int calls) {
        for (int call = 0; call < calls; ++call) co_await make_call(method);
    }
    base::Task<void> time_calls(Method method, int calls, std::vector<double>& result) {
        for (int call = 0; call < calls; ++call) {
            const auto start = Clock::now();
            co_await make_call(method);
            result.push_back(micros_since(start));
        }
    }

    const std::string directory_;
    const std::string request_ = R"({"text":")" + std::string(kRequestBytes - 11, 'x') + "\"}";
    base::Metrics metrics_;
    std::unique_ptr<base::ThreadExecutor> executor_ = base::make_thread_executor(2, 16);
    plugin::HostSettings settings_;
    std::shared_ptr<plugin::PluginHost> host_;
    std::shared_ptr<plugin::Plugin> echo_;
};

// --- the peer: what a call costs when there is no plugin ---

struct Peer {
    virtual ~Peer() = default;
    virtual std::string call(std::string_view request) = 0;
};
struct EchoPeer final : Peer {
    std::string call(std::string_view request) override { return std::string(request); }
};

double peer_nanoseconds_a_call(int calls) {
    EchoPeer echo;
    Peer* volatile hidden = &echo;  // the compiler must not see which one it is
    const std::string request(kRequestBytes, 'x');
    std::size_t bytes = 0;
    const auto start = Clock::now();
    for (int call = 0; call < calls; ++call) bytes += hidden->call(request).size();
    const double took_ns = micros_since(start) * 1000;
    if (bytes != kRequestBytes * static_cast<std::size_t>(calls)) give_up("a wrong answer");
    return took_ns / calls;
}

// --- the measurements ---

void measure_in_process(const Arguments& arguments) {
    Bench bench(plugin::Isolation::in_process);
    const int many = arguments.calls * 10;
    bench.nanoseconds_a_call(kShort, arguments.calls);
    const double peer = repeat(arguments, [&] { return peer_nanoseconds_a_call(many); });
    const double ours = repeat(arguments, [&] { return bench.nanoseconds_a_call(kShort, many); });
    print({"in-process call, 200 bytes, beside a virtual call", ours, "ns", peer});
    print({"in-process call, what it adds", ours - peer, "ns", 0, 2000});
    print({"in-process call on the pool, p50",
           repeat(arguments, [&] { return median(bench.latencies_us(kLong, arguments.calls)); }), "us"});
    for (const int callers : {1, 16})
        print({"in-process calls/s, callers: " + std::to_string(callers),
               repeat(arguments, [&] { return bench.calls_per_second(kShort, many, callers); }), "/s"});
    print({"swap in-process", repeat(arguments, [&] { return bench.swap_us(); }) / 1000, "ms"});
}

void measure_isolated(const Arguments& arguments) {
    Bench bench(plugin::Isolation::process);
    bench.nanoseconds_a_call(kLong, arguments.calls / 10);
    std::vector<double> middles;
    std::vector<double> tails;
    for (int round = 0; round < arguments.rounds; ++round) {
        auto latencies = bench.latencies_us(kLong, arguments.calls);
        std::ranges::sort(latencies);
        middles.push_back(latencies[latencies.size() / 2]);
        tails.push_back(latencies[latencies.size() * 99 / 100]);
    }
    print({"isolated round trip, 200 bytes, p50", median(middles), "us", 0, 60});
    print({"isolated round trip, 200 bytes, p99", median(tails), "us"});
    for (const int callers : {1, 16})
        print({"isolated calls/s, callers: " + std::to_string(callers),
               repeat(arguments, [&] { return bench.calls_per_second(kLong, arguments.calls, callers); }),
               "/s"});
    print({"swap isolated", repeat(arguments, [&] { return bench.swap_us(); }) / 1000, "ms"});
    print({"start isolated", repeat(arguments, [&] { return bench.start_us(); }) / 1000, "ms"});
}

Arguments read_arguments(int count, char** values) {
    Arguments arguments;
    for (int index = 1; index + 1 < count; index += 2) {
        const std::string argument = values[index];
        const char* next = values[index + 1];
        if (argument == "--rounds") arguments.rounds = std::max(1, std::atoi(next));
        if (argument == "--calls") arguments.calls = std::max(100, std::atoi(next));
        if (argument == "--only") arguments.only = next;
    }
    return arguments;
}

}  // namespace

int main(int count, char** values) {
    const Arguments arguments = read_arguments(count, values);
    std::atexit(remove_directory);
    std::printf("| what | ours | peer | ratio | budget | met |\n|---|---|---|---|---|---|\n");
    if (arguments.only != "isolated") measure_in_process(arguments);
    if (arguments.only != "in-process") measure_isolated(arguments);
    return 0;
}
