// keelson-plugin-check: tries whether a shared object is the plugin that the headers describe.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "cases.h"
#include "isolated.h"
#include "replies.h"
#include "report.h"
#include "runner.h"

namespace keelson::check {
namespace {

constexpr int exit_failed = 1;
constexpr int exit_bad_use = 2;

struct BadUse : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Arguments {
    std::string manifest;
    std::string configuration;
    std::string output = "table";
    double timeout_seconds = 20;
    bool lists_cases = false;
};

void add_options(CLI::App& app, Options& options, Arguments& arguments) {
    app.add_option("plugin", options.plugin, "The shared object")->type_name("PLUGIN.so");
    app.add_option("--manifest", arguments.manifest, "Its manifest, to compare id and version with")
        ->type_name("FILE");
    app.add_option("--config", arguments.configuration, "The configuration that it starts with; {} without")
        ->type_name("JSON|@FILE");
    app.add_option("--schema", options.schema_directory,
                   "Where sdk/schema is; beside the installed kit without")
        ->type_name("DIR")
        ->check(CLI::ExistingDirectory);
    app.add_flag("--isolated", options.is_isolated, "Call it through keelson-plugin-host");
    app.add_option("--host", options.host_program, "The keelson-plugin-host to use")->type_name("PATH");
    app.add_option("--only", options.only, "Only cases or groups that match, like lifecycle or 'requests.*'")
        ->type_name("PATTERN")
        ->delimiter(',')
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    app.add_option("--seed", options.seed, "Where random requests begin")->type_name("N");
    app.add_option("--timeout", arguments.timeout_seconds, "For each case; 20 without")
        ->type_name("SECONDS")
        ->check(CLI::Range(0.1, 3600.0));
    app.add_flag("--list", arguments.lists_cases, "List the cases and end");
    app.add_option("-o,--output", arguments.output, "table or json")->check(CLI::IsMember({"table", "json"}));
}

std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw BadUse("cannot read " + path);
    return {std::istreambuf_iterator<char>(file), {}};
}

// ../share/keelson/schema from where the kit lies; empty when there is none.
std::string installed_schemas() {
    std::error_code error;
    const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
    const auto directory = program.parent_path().parent_path() / "share/keelson/schema";
    return std::filesystem::is_directory(directory, error) ? directory.string() : std::string();
}

void apply(const Arguments& arguments, bool has_seed, Options& options) {
    if (options.schema_directory.empty()) options.schema_directory = installed_schemas();
    if (!has_seed) options.seed = std::random_device()();
    options.timeout = std::chrono::milliseconds(static_cast<long>(arguments.timeout_seconds * 1000));
    options.is_json = arguments.output == "json";
    options.is_configured = !arguments.configuration.empty();
    if (arguments.configuration.starts_with('@')) {
        options.configuration = read_file(arguments.configuration.substr(1));
    } else if (options.is_configured) {
        options.configuration = arguments.configuration;
    }
    if (!is_one_object(options.configuration)) throw BadUse("--config is not one JSON object");
    if (!arguments.manifest.empty()) options.manifest = read_manifest(arguments.manifest);
}

void require_plugin(Options& options) {
    if (options.plugin.empty()) throw BadUse("name the shared object to check, or use --list");
    if (::access(options.plugin.c_str(), R_OK) != 0) throw BadUse("cannot read " + options.plugin);
    // Without a slash the dynamic linker would look in its own directories.
    if (options.plugin.find('/') == std::string::npos) options.plugin = "./" + options.plugin;
    if (!options.is_isolated) return;
    if (const std::string problem = isolation_problem(options); !problem.empty()) throw BadUse(problem);
}

int check_plugin(const Options& options, const std::vector<const Case*>& cases) {
    if (!options.is_json) print_heading(options);
    const auto results = run_cases(options, cases, [&](const CaseResult& result) {
        if (!options.is_json) print_result(result);
    });
    if (options.is_json) {
        print_json(results, options);
    } else {
        print_summary(results, options);
    }
    for (const CaseResult& result : results) {
        if (result.outcome == Outcome::fail) return exit_failed;
    }
    return 0;
}

int run(Options& options, const Arguments& arguments, bool has_seed) {
    apply(arguments, has_seed, options);
    const auto cases = selected_cases(options);
    if (cases.empty()) throw BadUse("--only matches none of the cases; --list shows them");
    if (arguments.lists_cases) {
        print_cases(cases, options.is_json);
        return 0;
    }
    require_plugin(options);
    return check_plugin(options, cases);
}

}  // namespace
}  // namespace keelson::check

int main(int argument_count, char** argument_values) {
    using namespace keelson::check;
    CLI::App app(
        "Tries whether a shared object is a Keelson plugin that keeps to its contract.\n"
        "Run it where the plugin may do what it does: every method is called.\n"
        "Ends with 0 when nothing failed, 1 when a case failed, 2 when it was used wrongly.");
    app.set_version_flag("--version", KEELSON_CHECK_VERSION);
    Options options;
    Arguments arguments;
    add_options(app, options, arguments);
    try {
        app.parse(argument_count, argument_values);
        return run(options, arguments, app.count("--seed") > 0);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : exit_bad_use;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "keelson-plugin-check: %s\n", error.what());
        return exit_bad_use;
    }
}
