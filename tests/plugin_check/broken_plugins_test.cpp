// Every broken plugin fails in the one case that is about what is wrong with it, and in no other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "kit.h"

namespace keelson::check {
namespace {

struct Expectation {
    const char* plugin;
    const char* result;
    const char* id;
    // A part of the reason.
    const char* reason;
};

void PrintTo(const Expectation& expectation, std::ostream* out) {
    *out << expectation.plugin;
}

constexpr Expectation expectations[] = {
    {"unresolved", "fail", "library.loads", "undefined symbol: keelson_nobody_has_this"},
    {"no_entry", "fail", "library.symbol", "keelson_plugin"},
    {"extra_symbols", "fail", "library.exports", "broken_helper, broken_variable"},
    {"unique_symbols", "fail", "library.unique-symbols", "shared_count"},
    {"null_entry", "fail", "library.entry", "null"},
    {"changing_entry", "fail", "library.entry", "another address"},
    {"short_entry", "fail", "library.entry-size", "struct_size is 24"},
    {"wrong_abi", "fail", "library.abi", "99 to 100"},
    {"bad_name", "fail", "library.name", "My Disk!"},
    {"other_id", "fail", "library.manifest", "com.example.other"},
    {"crash_create", "fail", "lifecycle.create", "SIGSEGV while calling create"},
    {"throws_in_create", "fail", "lifecycle.create", "exception"},
    {"takes_any_abi", "fail", "lifecycle.unknown-abi", "KEELSON_OK"},
    {"crash_destroy", "fail", "lifecycle.destroy", "SIGSEGV while calling destroy"},
    {"crash_start", "fail", "lifecycle.start", "SIGSEGV while calling start"},
    {"crash_stop", "fail", "lifecycle.stop", "SIGSEGV while calling stop"},
    {"hang_stop", "fail", "lifecycle.stop", "while calling stop"},
    {"leaks_threads", "fail", "lifecycle.threads", "1 threads still run"},
    {"leaks_instances", "fail", "lifecycle.repeated", "40 more descriptors"},
    {"leaks_memory", "warn", "lifecycle.repeated", "more memory"},
    {"single_instance", "fail", "lifecycle.two-instances", "not now"},
    {"reads_past_host", "fail", "lifecycle.short-host", "beyond the end of struct keelson_host"},
    {"no_health", "fail", "health.answers", "healthy"},
    {"crash_configuration", "fail", "configuration.garbage", "SIGSEGV while calling start"},
    {"knows_everything", "fail", "capabilities.unknown", "com.example.unknown/0"},
    {"garbage_table", "fail", "capabilities.tables", "struct_size 1073741824"},
    {"garbage_pointer", "fail", "capabilities.tables", "does not point to code"},
    {"changing_table", "fail", "capabilities.stable", "another table"},
    {"crash_method", "fail", "methods.return", "SIGSEGV while calling keelson.volume/0 remove"},
    {"hang_method", "fail", "methods.return", "while calling keelson.volume/0 remove"},
    {"throws", "fail", "methods.return", "out of cheese"},
    {"aborts", "fail", "methods.return", "SIGABRT"},
    {"exits", "fail", "methods.return", "exit(3)"},
    {"unknown_status", "fail", "replies.status", "99"},
    {"corrupt_reply", "fail", "replies.document", "not one JSON object"},
    {"two_documents", "fail", "replies.document", "goes on after its document"},
    {"no_reply", "fail", "replies.document", "no reply"},
    {"error_without_message", "fail", "replies.errors", "KEELSON_NOT_FOUND without a message"},
    {"other_thread_reply", "fail", "replies.thread", "another thread"},
    {"reads_past_request", "fail", "methods.bounds", "beyond the end of the request"},
    {"reads_past_call", "fail", "methods.short-tables", "beyond the end of struct keelson_call"},
    {"late_write", "fail", "methods.late-use", "used its reply"},
    {"late_read", "fail", "methods.late-use", "after the method had returned, the request"},
    {"closes_descriptors", "fail", "methods.passed-descriptors", "closed a descriptor"},
    {"leaks_descriptors", "fail", "methods.descriptor-leaks", "left 40 descriptors open"},
    {"not_concurrent", "fail", "methods.concurrent", "SIGABRT"},
    {"crash_not_json", "fail", "requests.not-json", "SIGSEGV"},
    {"refuses_unknown_members", "fail", "requests.unknown-members", "unknown member"},
    {"crash_optional_member", "fail", "requests.schema", "secrets"},
    {"crash_edge_number", "fail", "requests.fuzz", "SIGSEGV"},
    {"changes_signals", "fail", "conduct.signals", "SIGPIPE"},
    {"changes_directory", "fail", "conduct.directory", "/"},
    {"changes_umask", "fail", "conduct.umask", "mask"},
    {"changes_locale", "fail", "conduct.locale", "C.UTF-8"},
    {"changes_environment", "fail", "conduct.environment", "environment"},
    {"prints", "warn", "conduct.output", "standard output"},
    {"leaves_child", "fail", "conduct.children", "1 child processes"},
    {"bad_metric", "fail", "conduct.host-calls", "metric()"},
    {"undo_fails", "fail", "volume.remove-unknown", "KEELSON_NOT_FOUND"},
    {"trusts_everyone", "fail", "auth.garbage-tokens", "taken for a user's"},
    {"slow_auth", "fail", "auth.quick", "longer than 50 ms"},
    {"refuses_handover", "fail", "handover.round-trip", "from another version"},
};

// A manifest that fits every broken plugin but other_id.
std::string write_manifest() {
    const std::string path =
        testing::TempDir() + "keelson_check_manifest_" + std::to_string(::getpid()) + ".yaml";
    std::ofstream(path) << "id: com.example.broken\nversion: 1.0.0\n";
    return path;
}

class BrokenPlugin : public testing::TestWithParam<Expectation> {};

TEST_P(BrokenPlugin, FailsInOneCase) {
    const Expectation& expected = GetParam();
    const std::string manifest = write_manifest();
    std::vector<std::string> arguments = {plugin_path(expected.plugin),
                                          "--seed",
                                          "1",
                                          "--timeout",
                                          "5",
                                          "--schema",
                                          KEELSON_SCHEMAS,
                                          "-o",
                                          "json"};
    if (expected.id != std::string("library.name"))
        arguments.insert(arguments.end(), {"--manifest", manifest});
    const KitRun run = run_kit(arguments);
    std::filesystem::remove(manifest);

    using Ids = std::set<std::string>;
    const bool fails = expected.result == std::string("fail");
    EXPECT_EQ(cases_with(run.output, "fail"), fails ? Ids{expected.id} : Ids{}) << run.output;
    EXPECT_EQ(cases_with(run.output, "warn"), fails ? Ids{} : Ids{expected.id}) << run.output;
    EXPECT_THAT(reason_of(run.output, expected.id), testing::HasSubstr(expected.reason));
    EXPECT_EQ(run.exit_code, fails ? 1 : 0);
    EXPECT_EQ(run.errors, "");
}

INSTANTIATE_TEST_SUITE_P(All, BrokenPlugin, testing::ValuesIn(expectations),
                         [](const auto& info) { return std::string(info.param.plugin); });

// Behind the host process: what shows in the conversation fails there too. The other plugins' faults are of
// memory, threads and the process, which the kernel's own process is safe from.
constexpr Expectation isolated_expectations[] = {
    {"unresolved", "fail", "lifecycle.start", "undefined symbol: keelson_nobody_has_this"},
    {"no_entry", "fail", "lifecycle.start", "keelson_plugin"},
    {"null_entry", "fail", "lifecycle.start", "returned nothing"},
    {"short_entry", "fail", "lifecycle.start", "incomplete"},
    {"wrong_abi", "fail", "lifecycle.start", "99 to 100"},
    {"other_id", "fail", "lifecycle.start", "com.example.other"},
    {"crash_create", "fail", "lifecycle.start", "SIGSEGV while loading"},
    {"throws_in_create", "fail", "lifecycle.start", "exception"},
    {"garbage_table", "fail", "lifecycle.start", "1073741824 bytes"},
    {"crash_start", "fail", "lifecycle.start", "SIGSEGV while calling start"},
    {"crash_stop", "fail", "lifecycle.stop", "SIGSEGV while calling stop"},
    {"hang_stop", "fail", "lifecycle.stop", "while calling stop"},
    {"no_health", "fail", "health.answers", "healthy"},
    {"crash_configuration", "fail", "configuration.garbage", "SIGSEGV while calling start"},
    {"crash_method", "fail", "methods.return", "SIGSEGV while calling keelson.volume/0 remove"},
    {"hang_method", "fail", "methods.return", "while calling keelson.volume/0 remove"},
    {"throws", "fail", "methods.return", "exception"},
    {"aborts", "fail", "methods.return", "SIGABRT"},
    {"exits", "fail", "methods.return", "exit(3)"},
    {"unknown_status", "fail", "replies.status", "99"},
    {"corrupt_reply", "fail", "replies.document", "not one JSON object"},
    {"two_documents", "fail", "replies.document", "goes on after its document"},
    {"no_reply", "fail", "replies.document", "no reply"},
    {"error_without_message", "fail", "replies.errors", "KEELSON_NOT_FOUND without a message"},
    {"not_concurrent", "fail", "methods.concurrent", "SIGABRT"},
    {"crash_not_json", "fail", "requests.not-json", "SIGSEGV"},
    {"refuses_unknown_members", "fail", "requests.unknown-members", "unknown member"},
    {"crash_optional_member", "fail", "requests.schema", "secrets"},
    {"crash_edge_number", "fail", "requests.fuzz", "SIGSEGV"},
    {"undo_fails", "fail", "volume.remove-unknown", "KEELSON_NOT_FOUND"},
    {"trusts_everyone", "fail", "auth.garbage-tokens", "taken for a user's"},
    {"slow_auth", "fail", "auth.quick", "longer than 50 ms"},
    {"refuses_handover", "fail", "handover.round-trip", "from another version"},
};

class IsolatedBrokenPlugin : public testing::TestWithParam<Expectation> {};

TEST_P(IsolatedBrokenPlugin, FailsInOneCase) {
    const Expectation& expected = GetParam();
    const std::string manifest = write_manifest();
    const KitRun run =
        run_kit({plugin_path(expected.plugin), "--isolated", "--host", KEELSON_HOST_PROGRAM, "--seed", "1",
                 "--timeout", "5", "--schema", KEELSON_SCHEMAS, "--manifest", manifest, "-o", "json"});
    std::filesystem::remove(manifest);
    EXPECT_EQ(cases_with(run.output, "fail"), std::set<std::string>{expected.id}) << run.output;
    EXPECT_THAT(reason_of(run.output, expected.id), testing::HasSubstr(expected.reason));
    EXPECT_EQ(run.exit_code, 1);
}

INSTANTIATE_TEST_SUITE_P(All, IsolatedBrokenPlugin, testing::ValuesIn(isolated_expectations),
                         [](const auto& info) { return std::string(info.param.plugin); });

TEST(BrokenPlugins, AllHaveAnExpectation) {
    std::set<std::string> expected = {"good_c", "good_cpp"};
    for (const Expectation& one : expectations) expected.insert(one.plugin);
    std::set<std::string> built;
    for (const auto& file : std::filesystem::directory_iterator(KEELSON_BROKEN_PLUGINS)) {
        if (file.path().extension() == ".so") built.insert(file.path().stem());
    }
    EXPECT_EQ(built, expected);
}

class GoodPlugin : public testing::TestWithParam<const char*> {};

TEST_P(GoodPlugin, PassesWithoutWarning) {
    const KitRun run = run_kit({plugin_path(GetParam()), "-o", "json"});
    EXPECT_EQ(run.exit_code, 0);
    EXPECT_EQ(cases_with(run.output, "fail"), std::set<std::string>{}) << run.output;
    EXPECT_EQ(cases_with(run.output, "warn"), std::set<std::string>{}) << run.output;
    EXPECT_GE(cases_with(run.output, "pass").size(), 60u);
    EXPECT_EQ(run.errors, "");
}

INSTANTIATE_TEST_SUITE_P(All, GoodPlugin, testing::Values("good_c", "good_cpp"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(GoodPlugin, PassesBehindTheHostProcess) {
    const KitRun run =
        run_kit({plugin_path(GetParam()), "--isolated", "--host", KEELSON_HOST_PROGRAM, "-o", "json"});
    EXPECT_EQ(run.exit_code, 0);
    EXPECT_EQ(cases_with(run.output, "fail"), std::set<std::string>{}) << run.output;
    EXPECT_EQ(cases_with(run.output, "warn"), std::set<std::string>{}) << run.output;
    EXPECT_GE(cases_with(run.output, "pass").size(), 25u);
}

TEST(GoodPlugins, CoverTheirCapabilities) {
    const auto in_c = cases_with(run_kit({plugin_path("good_c"), "-o", "json"}).output, "pass");
    EXPECT_TRUE(in_c.contains("volume.create-again"));
    EXPECT_TRUE(in_c.contains("volume.unpublish-unknown"));
    const auto in_cpp = cases_with(run_kit({plugin_path("good_cpp"), "-o", "json"}).output, "pass");
    EXPECT_TRUE(in_cpp.contains("handover.round-trip"));
    EXPECT_TRUE(in_cpp.contains("auth.garbage-tokens"));
}

}  // namespace
}  // namespace keelson::check
