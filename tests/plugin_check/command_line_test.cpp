// The command line of keelson-plugin-check: what it takes, prints and ends with.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "kit.h"

namespace keelson::check {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(CommandLine, BadUseEndsWithTwo) {
    const std::string good = plugin_path("good_c");
    const std::vector<std::vector<std::string>> uses = {
        {},
        {"/nonexistent/plugin.so"},
        {good, "--no-such-option"},
        {good, "--timeout", "0"},
        {good, "--timeout", "soon"},
        {good, "-o", "xml"},
        {good, "--only", "no-such-case"},
        {good, "--config", "[1]"},
        {good, "--config", "@/nonexistent/config.json"},
        {good, "--manifest", "/nonexistent/manifest.yaml"},
        {good, "--isolated", "--host", "/nowhere/keelson-plugin-host"},
    };
    for (const auto& arguments : uses) {
        const KitRun run = run_kit(arguments);
        EXPECT_EQ(run.exit_code, 2) << testing::PrintToString(arguments);
        EXPECT_NE(run.errors, "") << testing::PrintToString(arguments);
    }
}

TEST(CommandLine, IsolatedNamesWhatItNeeds) {
    EXPECT_THAT(run_kit({plugin_path("good_c"), "--isolated", "--host", "/nowhere/it"}).errors,
                HasSubstr("/nowhere/it"));
}

TEST(CommandLine, ListNamesEveryCaseWithoutAPlugin) {
    const KitRun run = run_kit({"--list"});
    EXPECT_EQ(run.exit_code, 0);
    EXPECT_GE(std::count(run.output.begin(), run.output.end(), '\n'), 30);
    EXPECT_THAT(run.output, HasSubstr("lifecycle.repeated"));
    EXPECT_THAT(run_kit({"--list", "--only", "handover"}).output, Not(HasSubstr("lifecycle.repeated")));
    EXPECT_THAT(run_kit({"--list", "-o", "json"}).output, HasSubstr("\"id\": \"lifecycle.repeated\""));
}

TEST(CommandLine, OnlyChoosesCasesAndGroups) {
    const KitRun run = run_kit(
        {plugin_path("good_c"), "-o", "json", "--only", "library,volume.rem*", "--only", "health.answers"});
    const auto passed = cases_with(run.output, "pass");
    EXPECT_TRUE(passed.contains("library.entry"));
    EXPECT_TRUE(passed.contains("volume.remove-unknown"));
    EXPECT_TRUE(passed.contains("health.answers"));
    EXPECT_FALSE(passed.contains("lifecycle.stop"));
    // Cases that were left out do not keep others from running.
    const KitRun one = run_kit({plugin_path("crash_stop"), "-o", "json", "--only", "lifecycle.repeated"});
    EXPECT_EQ(one.exit_code, 1);
    EXPECT_THAT(reason_of(one.output, "lifecycle.repeated"), HasSubstr("SIGSEGV"));
}

TEST(CommandLine, FailuresLeaveOutWhatNeedsThem) {
    const KitRun run = run_kit({plugin_path("crash_start"), "-o", "json"});
    EXPECT_THAT(reason_of(run.output, "lifecycle.stop"), HasSubstr("needs lifecycle.start"));
    EXPECT_THAT(reason_of(run.output, "lifecycle.repeated"), HasSubstr("needs lifecycle.stop"));
    EXPECT_TRUE(cases_with(run.output, "pass").contains("capabilities.tables"));
}

TEST(CommandLine, TableShowsResultsReasonsAndSummary) {
    const KitRun run = run_kit({plugin_path("undo_fails"), "--seed", "7", "--only", "library,volume"});
    EXPECT_EQ(run.exit_code, 1);
    EXPECT_THAT(run.output, HasSubstr("seed 7, in-process"));
    EXPECT_THAT(run.output, HasSubstr("pass  library.loads"));
    EXPECT_THAT(run.output, HasSubstr("FAIL  volume.remove-unknown"));
    EXPECT_THAT(run.output, HasSubstr("KEELSON_NOT_FOUND (no such volume)"));
    EXPECT_THAT(run.output, HasSubstr(" 1 failed, 0 warned"));
    EXPECT_THAT(run.output, HasSubstr("--seed 7"));
    // No colours where no terminal is.
    EXPECT_THAT(run.output, Not(HasSubstr("\033")));
}

std::string fuzz_reason(const std::string& seed) {
    const KitRun run =
        run_kit({plugin_path("crash_edge_number"), "-o", "json", "--only", "requests.fuzz", "--seed", seed});
    EXPECT_EQ(run.exit_code, 1) << run.output;
    return reason_of(run.output, "requests.fuzz");
}

TEST(CommandLine, SeedMakesTheSameRequestsAgain) {
    const std::string first = fuzz_reason("11");
    EXPECT_THAT(first, HasSubstr("-9223372036854775808"));
    EXPECT_EQ(fuzz_reason("11"), first);
    EXPECT_NE(fuzz_reason("12"), first);
}

TEST(CommandLine, ConfigurationComesFromTextOrFile) {
    const std::string path =
        testing::TempDir() + "keelson_check_config_" + std::to_string(::getpid()) + ".json";
    std::ofstream(path) << R"({"size": 1})";
    for (const std::string& configuration : {std::string(R"({"size": 1})"), "@" + path}) {
        const KitRun run = run_kit({plugin_path("crash_start"), "-o", "json", "--only", "lifecycle.start",
                                    "--config", configuration});
        EXPECT_THAT(reason_of(run.output, "lifecycle.start"), HasSubstr(R"({"size": 1})"));
    }
    std::filesystem::remove(path);
}

TEST(CommandLine, LeavesNothingInTheTemporaryDirectory) {
    const std::string directory = testing::TempDir() + "keelson-check-own-" + std::to_string(::getpid());
    std::filesystem::create_directory(directory);
    ::setenv("TMPDIR", directory.c_str(), 1);
    EXPECT_EQ(run_kit({plugin_path("good_c"), "--only", "lifecycle"}).exit_code, 0);
    ::unsetenv("TMPDIR");
    EXPECT_TRUE(std::filesystem::is_empty(directory));
    std::filesystem::remove_all(directory);
}

TEST(CommandLine, RefusesWhatIsNoPlugin) {
    const std::string path = testing::TempDir() + "keelson_check_text_" + std::to_string(::getpid()) + ".so";
    std::ofstream(path) << "not a shared object";
    const KitRun run = run_kit({path, "-o", "json"});
    EXPECT_EQ(run.exit_code, 1);
    EXPECT_EQ(cases_with(run.output, "fail"), std::set<std::string>{"library.loads"});
    std::filesystem::remove(path);
}

}  // namespace
}  // namespace keelson::check
