// keelson_sim: runs the simulation for many seeds.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <map>
#include <string>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include "kernel/base/log.h"
#include "tests/sim/mutations.h"
#include "tests/sim/simulation.h"

namespace {

using keelson::sim::Report;
using keelson::sim::SimulationSettings;
using keelson::sim::Wrapper;

struct Options {
    std::uint64_t seeds = 100;
    std::uint64_t first = 1;
    std::uint64_t seed = 0;
    unsigned jobs = 1;
    bool is_verbose = false;
    std::string mutation;
    bool is_calm = false;
    bool recreates = false;
    bool crowds = false;
};

const std::map<std::string, Wrapper (*)()> kControllerMutations = {
    {"no-preconditions", keelson::sim::without_preconditions},
    {"no-max-unavailable", keelson::sim::without_max_unavailable},
    {"no-read-your-writes", keelson::sim::without_read_your_writes}};

SimulationSettings settings_of(const Options& options, std::uint64_t seed) {
    SimulationSettings settings;
    settings.seed = seed;
    settings.prints_diary = options.is_verbose;
    if (options.is_calm) settings.is_calm = true;
    if (options.recreates) settings.recreates = true;
    if (options.crowds) settings.crowds = true;
    if (options.mutation == "no-assumed-pods")
        settings.wraps_scheduler = keelson::sim::without_assumed_pods();
    if (const auto found = kControllerMutations.find(options.mutation); found != kControllerMutations.end())
        settings.wraps_controllers = found->second();
    return settings;
}

bool run_seed(const Options& options, std::uint64_t seed) {
    const SimulationSettings settings = settings_of(options, seed);
    const auto begin = std::chrono::steady_clock::now();
    const Report report = keelson::sim::simulate(settings);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    if (options.is_verbose)
        std::printf("seed %llu: %llu revisions, %.0f virtual seconds in %.2f s, history %016llx\n",
                    static_cast<unsigned long long>(seed), static_cast<unsigned long long>(report.revisions),
                    std::chrono::duration<double>(report.virtual_time).count(), took.count(),
                    static_cast<unsigned long long>(report.history_hash));
    if (report.broken) std::printf("%s\n", text_of(report).c_str());
    std::fflush(stdout);
    return !report.broken;
}

// The seeds of one process; true when nothing was broken.
bool run_part(const Options& options, unsigned part) {
    bool all_well = true;
    for (std::uint64_t number = part; number < options.seeds; number += options.jobs)
        all_well &= run_seed(options, options.first + number);
    return all_well;
}

int run_all(const Options& options) {
    const auto begin = std::chrono::steady_clock::now();
    std::fflush(stdout);
    for (unsigned part = 0; part < options.jobs; ++part)
        if (fork() == 0) _exit(run_part(options, part) ? 0 : 1);
    int failed = 0;
    for (unsigned part = 0; part < options.jobs; ++part) {
        int status = 0;
        wait(&status);
        if (status != 0) failed = 1;
        if (WIFSIGNALED(status)) std::printf("a process died of signal %d\n", WTERMSIG(status));
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    std::printf("%llu seeds from %llu: %s, %.1f s\n", static_cast<unsigned long long>(options.seeds),
                static_cast<unsigned long long>(options.first), failed == 0 ? "clean" : "BROKEN",
                took.count());
    return failed;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    options.jobs = std::max(1U, std::thread::hardware_concurrency());
    CLI::App app("Runs a whole simulated cluster for each of many seeds.");
    app.add_option("--seeds", options.seeds, "How many seeds (default 100)");
    app.add_option("--first", options.first, "The first of them (default 1)");
    app.add_option("--seed", options.seed, "Only this one");
    app.add_option("--jobs", options.jobs, "How many at once (default: one a core)")
        ->check(CLI::Range(1, 256));
    app.add_flag("--calm", options.is_calm, "Leave nodes and pods alone, whatever the seed says");
    app.add_flag("--recreates", options.recreates, "Delete and make again the same, mostly");
    app.add_flag("--crowds", options.crowds, "Ask for more pods than fit");
    app.add_option("--mutation", options.mutation, "Put a bug in")
        ->check(CLI::IsMember(
            {"no-preconditions", "no-max-unavailable", "no-read-your-writes", "no-assumed-pods"}));
    app.add_flag("--verbose", options.is_verbose, "Print every action and every write");
    CLI11_PARSE(app, argc, argv);
    keelson::base::set_log_level(options.is_verbose ? keelson::base::LogLevel::info
                                                    : keelson::base::LogLevel::off);
    if (options.seed != 0) return run_seed(options, options.seed) ? 0 : 1;
    return run_all(options);
}
