// The plugin host with a real plugin, in this process and in another.
#include <fcntl.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "kernel/base/gather.h"
#include "tests/plugin/host_fixture.h"

namespace keelson::plugin {
namespace {

using base::Reason;
using testing::ElementsAre;
using testing::HasSubstr;

// Everything that holds wherever the plugin runs.
class BothTest : public HostTest, public ::testing::WithParamInterface<Isolation> {
  protected:
    void start_probe(const std::string& variant = "one", const std::string& config = "{}",
                     const std::string& manifest = "") {
        place(settings_.directory, variant, manifest);
        PluginSettings probe;
        probe.name = "probe";
        probe.isolation = GetParam();
        probe.config = config;
        settings_.plugins = {probe};
        start();
    }
    [[nodiscard]] bool isolated() const { return GetParam() == Isolation::process; }
};

INSTANTIATE_TEST_SUITE_P(Isolation, BothTest, ::testing::Values(Isolation::process, Isolation::in_process),
                         [](const auto& info) {
                             return info.param == Isolation::process ? "Process" : "InProcess";
                         });

TEST_P(BothTest, CallsGoThereAndBack) {
    start_probe();
    ASSERT_EQ(info().state, State::ready) << info().reason;
    EXPECT_THAT(info().capabilities, ElementsAre("keelson.auth.authenticator/0", "keelson.volume/0"));
    EXPECT_EQ(info().process_id != 0, isolated());
    auto reply = call({{"hello", "probe"}});
    ASSERT_TRUE(reply) << reply.error().message();
    EXPECT_EQ(json::parse(reply->body), json({{"hello", "probe"}}));
    const json about = describe();
    EXPECT_EQ(about["version"], "1.0.0");
    EXPECT_EQ(about["process"] != ::getpid(), isolated());
    EXPECT_EQ(about["state"], settings_.state_directory + "/state/probe");
    EXPECT_EQ(about["node"], "node-1");
    auto probe = host_->find("probe");
    EXPECT_TRUE(probe->has("keelson.volume/0", "stats"));
    EXPECT_FALSE(probe->has("keelson.volume/0", "publish"));
    EXPECT_TRUE(run(probe->call("keelson.auth.authenticator/0", "authenticate", "{}")));
}

TEST_P(BothTest, LargeMessagesPass) {
    start_probe();
    const json large{{"text", std::string(8'000'000, 'x')}};
    auto reply = call(large);
    ASSERT_TRUE(reply) << reply.error().message();
    EXPECT_EQ(json::parse(reply->body), large);
}

TEST_P(BothTest, DescriptorsPassBothWays) {
    start_probe();
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    ASSERT_EQ(::write(ends[1], "to the plugin", 13), 13);
    CallOptions options;
    options.descriptors = {ends[0]};
    auto reply = call({{"do", "pass"}}, options);
    ASSERT_TRUE(reply) << reply.error().message();
    EXPECT_EQ(json::parse(reply->body)["read"], "to the plugin");
    ASSERT_EQ(reply->descriptors.size(), 1u);
    char text[64] = {};
    EXPECT_EQ(::read(reply->descriptors[0].get(), text, sizeof text), 15);
    EXPECT_STREQ(text, "from the plugin");
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST_P(BothTest, FailuresSayWhatThePluginSaid) {
    start_probe();
    auto refused = call({{"do", "refuse"}});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().reason(), Reason::not_found);
    EXPECT_EQ(refused.error().message(), "plugin probe: keelson.volume/0.stats: no such disk");
    ASSERT_NE(refused.error().details(), nullptr);
    EXPECT_EQ(refused.error().details()->causes.at(0).field, "disk");
    auto silent = call({{"do", "silent"}});
    ASSERT_FALSE(silent);
    EXPECT_EQ(silent.error().reason(), Reason::internal_error);
    auto absent = run(host_->find("probe")->call("keelson.volume/0", "publish", "{}"));
    ASSERT_FALSE(absent);
    EXPECT_EQ(absent.error().reason(), Reason::method_not_allowed);
    auto unknown = run(host_->find("probe")->call("keelson.volume/7", "publish", "{}"));
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().reason(), Reason::method_not_allowed);
}

TEST_P(BothTest, DocumentsThatBreakTheirSchemaAreNamed) {
    settings_.check_documents = true;
    start_probe();
    const auto ask = [&](const json& request) {
        return run(host_->find("probe")->call("keelson.volume/0", "stats", request.dump()));
    };
    // The probe echoes: that is no reply to this request.
    auto reply = ask({{"volumeId", "a"}, {"path", "/a"}});
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().reason(), Reason::internal_error);
    EXPECT_THAT(reply.error().message(),
                testing::StartsWith("plugin probe: keelson.volume/0.stats: its reply is not what "
                                    "sdk/schema/volume.json says: /"));
    auto request = ask({{"volumeId", 7}, {"path", "/a"}});
    ASSERT_FALSE(request);
    EXPECT_THAT(request.error().message(),
                HasSubstr("keelson.volume/0.stats: the request is not what sdk/schema/volume.json says: "
                          "/volumeId"));
    // A failure of the plugin's own stays what it is.
    auto refused = ask({{"volumeId", "a"}, {"path", "/a"}, {"do", "refuse"}});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().reason(), Reason::not_found);
}

TEST_P(BothTest, ExceptionsStopAtTheBorder) {
    start_probe();
    auto thrown = call({{"do", "throw"}});
    ASSERT_FALSE(thrown);
    EXPECT_THAT(thrown.error().message(), HasSubstr("threw an exception"));
    EXPECT_TRUE(call({{"still", "there"}}));
}

TEST_P(BothTest, DeadlinesEndTheWait) {
    start_probe();
    CallOptions options;
    options.timeout = std::chrono::milliseconds(20);
    options.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    auto late = call({{"do", "wait"}, {"ms", 60'000}}, options);
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().reason(), Reason::timeout);
    // The plugin has noticed that nobody waits: its place is free again, and it is the same instance.
    EXPECT_GE(describe()["calls"], 2);
    EXPECT_EQ(info().restarts, 0u);
}

TEST_P(BothTest, WhatThePluginSaysArrives) {
    start_probe();
    ASSERT_TRUE(call({{"do", "reconcile"}}));
    ASSERT_TRUE(call({{"do", "event"}}));
    ASSERT_TRUE(call({{"do", "metric"}}));
    ASSERT_TRUE(call({{"do", "log"}}));
    EXPECT_TRUE(eventually([&] { return was_noted("reconcile volume/a"); }));
    EXPECT_TRUE(eventually([&] { return was_noted(R"(event {"reason":"Probed"})"); }));
    EXPECT_TRUE(eventually([&] {
        return metrics_.text().find(R"(keelson_plugin_probe_depth{plugin="probe",disk="a"} 7)") !=
               std::string::npos;
    })) << metrics_.text();
}

TEST_P(BothTest, CallsAreCountedAndTraced) {
    start_probe();
    std::vector<std::string> lines;
    auto trace = host_->trace("probe", [&](const std::string& line) { lines.push_back(line); });
    ASSERT_TRUE(call({{"hello", 1}}));
    ASSERT_FALSE(call({{"do", "refuse"}}));
    trace.reset();
    ASSERT_TRUE(call({{"hello", 2}}));
    ASSERT_EQ(lines.size(), 2u);
    const json first = json::parse(lines[0]);
    EXPECT_EQ(first["method"], "keelson.volume/0.stats");
    EXPECT_EQ(first["request"], R"({"hello":1})");
    EXPECT_EQ(first["reply"], R"({"hello":1})");
    ASSERT_EQ(info().methods.size(), 1u);
    EXPECT_EQ(info().methods[0].calls, 3u);
    EXPECT_EQ(info().methods[0].failures, 1u);
}

TEST_P(BothTest, ReloadTakesTheNewConfiguration) {
    start_probe();
    auto configured = run(host_->configure("probe", R"({"size":7})"));
    ASSERT_TRUE(configured) << configured.error().message();
    EXPECT_EQ(describe()["config"], json({{"size", 7}}));
    auto wrong = run(host_->configure("probe", R"({"sizee":7})"));
    ASSERT_FALSE(wrong);
    EXPECT_THAT(wrong.error().message(), HasSubstr("unknown key 'sizee'"));
    EXPECT_EQ(describe()["config"], json({{"size", 7}})) << "nothing is changed by what was refused";
    EXPECT_EQ(info().state, State::ready);
}

TEST_P(BothTest, ReplacedByAnotherVersion) {
    start_probe();
    place(root_ + "/more", "two");
    auto replaced = run(host_->replace("probe", root_ + "/more/probe.yaml"));
    ASSERT_TRUE(replaced) << replaced.error().message();
    EXPECT_EQ(replaced->version, "2.0.0");
    EXPECT_EQ(describe()["version"], "2.0.0");
    ASSERT_EQ(info().retired.size(), 1u);
    EXPECT_EQ(info().retired[0].version, "1.0.0");
    EXPECT_EQ(info().retired[0].is_loaded, !isolated());
}

TEST_P(BothTest, VersionsOfOneLibraryShareNothing) {
    start_probe();
    EXPECT_EQ(describe()["statics"], 1);
    ASSERT_TRUE(run(host_->reload("probe")));
    EXPECT_EQ(describe()["statics"], 1);
}

TEST_P(BothTest, AVersionThatDoesNotStartChangesNothing) {
    start_probe("one", R"({"refuseStart":"2.0.0"})");
    place(root_ + "/more", "two");
    auto replaced = run(host_->replace("probe", root_ + "/more/probe.yaml"));
    ASSERT_FALSE(replaced);
    EXPECT_THAT(replaced.error().message(), HasSubstr("told to refuse"));
    EXPECT_EQ(describe()["version"], "1.0.0");
    EXPECT_EQ(info().state, State::ready);
    EXPECT_EQ(info().version, "1.0.0");
}

TEST_P(BothTest, ASickVersionChangesNothing) {
    start_probe("one", R"({"sick":"2.0.0"})");
    place(root_ + "/more", "two");
    auto replaced = run(host_->replace("probe", root_ + "/more/probe.yaml"));
    ASSERT_FALSE(replaced);
    EXPECT_THAT(replaced.error().message(), HasSubstr("told to be sick"));
    EXPECT_EQ(describe()["version"], "1.0.0");
}

TEST_P(BothTest, HandsItsStateOver) {
    start_probe("handover_one");
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(call({{"i", i}}));
    place(root_ + "/more", "handover_two");
    auto replaced = run(host_->replace("probe", root_ + "/more/probe.yaml"));
    ASSERT_TRUE(replaced) << replaced.error().message();
    const json about = describe();
    EXPECT_EQ(about["version"], "2.0.0");
    EXPECT_EQ(about["calls"], 6);
}

TEST_P(BothTest, AFailedHandoverResumes) {
    start_probe("handover_one", R"({"refuseAdopt":"2.0.0"})");
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(call({{"i", i}}));
    place(root_ + "/more", "handover_two");
    auto replaced = run(host_->replace("probe", root_ + "/more/probe.yaml"));
    ASSERT_FALSE(replaced);
    EXPECT_THAT(replaced.error().message(), HasSubstr("told not to adopt"));
    const json about = describe();
    EXPECT_EQ(about["version"], "1.0.0");
    EXPECT_EQ(about["calls"], 6);
}

// Calls from several threads while the plugin is swapped again and again: none fails.
TEST_P(BothTest, SwapsUnderLoadLoseNoCall) {
    constexpr int kSwaps = 200;
    start_probe();
    place(root_ + "/more", "two");
    auto probe = host_->find("probe");
    std::atomic<bool> done = false;
    std::atomic<int> good = 0;
    std::atomic<int> bad = 0;
    std::string failure;
    constexpr int kCallers = 3;
    std::vector<std::thread> callers;
    callers.reserve(kCallers);
    for (int i = 0; i < kCallers; ++i)
        callers.emplace_back([&, i] {
            while (!done) {
                auto reply = i == 0 ? run(probe->call("keelson.auth.authenticator/0", "authenticate", "{}"))
                                    : run(probe->call("keelson.volume/0", "stats", R"({"a":1})"));
                if (!reply && bad++ == 0) failure = reply.error().message();
                if (reply) ++good;
            }
        });
    for (int i = 0; i < kSwaps; ++i) {
        const std::string directory = i % 2 == 0 ? root_ + "/more" : settings_.directory;
        auto swapped = run(host_->replace("probe", directory + "/probe.yaml"));
        EXPECT_TRUE(swapped) << i << ": " << swapped.error().message();
        if (!swapped) break;
    }
    done = true;
    for (std::thread& caller : callers) caller.join();
    EXPECT_EQ(bad, 0) << failure;
    EXPECT_GT(good, kSwaps);
    EXPECT_EQ(info().generation, kSwaps + 1u);
}

TEST_P(BothTest, DisabledAndEnabledAgain) {
    start_probe();
    ASSERT_TRUE(run(host_->enable("probe", false)));
    EXPECT_EQ(info().state, State::disabled);
    auto refused = call({});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().reason(), Reason::service_unavailable);
    ASSERT_TRUE(run(host_->enable("probe", true)));
    EXPECT_TRUE(call({}));
    ASSERT_TRUE(run(host_->remove("probe", false)));
    EXPECT_TRUE(host_->list().empty());
    EXPECT_EQ(host_->find("probe"), nullptr);
}

TEST_P(BothTest, NotRemovedWhileItIsUsed) {
    start_probe();
    auto probe = host_->find("probe");
    base::Completion<bool> answered;
    base::spawn(*executor_, probe->call("keelson.volume/0", "stats", R"({"do":"wait","ms":300})"),
                [&](const base::Result<Reply>& reply) { answered.complete(bool(reply)); });
    ASSERT_TRUE(eventually([&] { return info().calls_in_flight == 1; }));
    auto refused = run(host_->remove("probe", false));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().reason(), Reason::conflict);
    ASSERT_TRUE(run(host_->remove("probe", true)));
    auto wait = [](base::Completion<bool> done) -> base::Task<bool> { co_return co_await done; };
    EXPECT_TRUE(run(wait(answered))) << "a call under way is finished first";
}

// Gone, or dead and waiting for its parent, which is this test when it plays an earlier kernel.
bool has_ended(int process) {
    std::ifstream file("/proc/" + std::to_string(process) + "/stat");
    std::string text;
    std::getline(file, text);
    const auto after_name = text.rfind(')');
    return after_name == std::string::npos || text.substr(after_name, 3) == ") Z";
}

// What only a process of its own can take.
class IsolatedTest : public HostTest {
  protected:
    void start_probe(const std::string& manifest = "") {
        place(settings_.directory, "one", manifest);
        start();
        ASSERT_EQ(info().state, State::ready) << info().reason;
    }
    // Another process than that one is ready, as one reading says.
    bool is_back_after(int process) {
        return eventually([&] {
            const Info now = info();
            return now.state == State::ready && now.process_id != process;
        });
    }
    // Kills the plugin in some way; it is back by itself.
    void survives(const char* what, const std::string& manifest = "") {
        start_probe(manifest);
        const int process = info().process_id;
        CallOptions options;
        options.timeout = std::chrono::milliseconds(300);
        auto failed = call({{"do", what}}, options);
        ASSERT_FALSE(failed);
        const bool retryable = failed.error().reason() == Reason::service_unavailable ||
                               failed.error().reason() == Reason::timeout;
        EXPECT_TRUE(retryable) << failed.error().message();
        EXPECT_TRUE(is_back_after(process)) << state_text(info().state) << ": " << info().reason;
        EXPECT_TRUE(call({{"hello", "again"}}));
        EXPECT_EQ(info().restarts, 1u);
    }
};

TEST_F(IsolatedTest, IsNeverListedAsReadyWithoutAProcess) {
    start_probe();
    std::atomic<bool> is_over = false;
    std::atomic<int> untrue = 0;
    std::thread reader([&] {
        while (!is_over) {
            const Info seen = info();
            if (seen.state == State::ready && seen.process_id == 0) ++untrue;
        }
    });
    for (int round = 0; round < 3; ++round) {
        const int process = info().process_id;
        EXPECT_FALSE(call({{"do", "crash"}}));
        EXPECT_TRUE(is_back_after(process));
    }
    is_over = true;
    reader.join();
    EXPECT_EQ(untrue, 0);
}

TEST_F(IsolatedTest, SurvivesASegmentationFault) {
    survives("crash");
}
TEST_F(IsolatedTest, SurvivesAnAbort) {
    survives("abort");
}
TEST_F(IsolatedTest, SurvivesAnExit) {
    survives("exit");
}
TEST_F(IsolatedTest, SurvivesAnInfiniteLoop) {
    survives("loop");
}
TEST_F(IsolatedTest, SurvivesADeadlock) {
    survives("deadlock");
}
TEST_F(IsolatedTest, SurvivesAForkBomb) {
    if (::getuid() != 0) GTEST_SKIP() << "needs root for a cgroup";
    survives("fork", "limits: {processes: 40}\n");
}
TEST_F(IsolatedTest, SurvivesALargeAllocation) {
    if (::getuid() != 0) GTEST_SKIP() << "needs root for a cgroup";
    start_probe("limits: {memoryMegabytes: 64}\n");
    const int process = info().process_id;
    ASSERT_FALSE(call({{"do", "allocate"}}));
    EXPECT_TRUE(is_back_after(process));
}

TEST_F(IsolatedTest, OutputBecomesLogLines) {
    const std::string path = root_ + "/log";
    base::LogOptions options;
    options.path = path;
    ASSERT_TRUE(base::configure_log(options));
    base::set_log_level(base::LogLevel::info);
    start_probe();
    ASSERT_TRUE(call({{"do", "print"}}));
    ASSERT_TRUE(call({{"do", "log"}}));
    auto logged = [&](const char* what) {
        std::ifstream file(path);
        const std::string text((std::istreambuf_iterator<char>(file)), {});
        return text.find(what) != std::string::npos && text.find("plugin=probe") != std::string::npos;
    };
    EXPECT_TRUE(eventually([&] { return logged("printed by the plugin"); }));
    EXPECT_TRUE(eventually([&] { return logged("logged by the plugin"); }));
    base::set_log_level(base::LogLevel::off);
    ASSERT_TRUE(base::configure_log({.level = base::LogLevel::off}));
}

TEST_F(IsolatedTest, StaysForTheNextKernel) {
    start_probe();
    const int process = info().process_id;
    ASSERT_TRUE(call({{"a", 1}}));
    stop(false);
    EXPECT_FALSE(has_ended(process)) << "it runs on without a kernel";
    start();
    EXPECT_EQ(info().state, State::ready);
    EXPECT_EQ(info().process_id, process);
    EXPECT_EQ(describe()["calls"], 2) << "the same instance, with what it knows";
    // Still looked after: it comes back after a crash, as a process of this kernel.
    ASSERT_FALSE(call({{"do", "crash"}}));
    EXPECT_TRUE(is_back_after(process));
}

TEST_F(IsolatedTest, AnotherVersionReplacesWhatStayed) {
    start_probe();
    const int process = info().process_id;
    stop(false);
    place(settings_.directory, "two");
    start();
    EXPECT_EQ(describe()["version"], "2.0.0");
    EXPECT_TRUE(eventually([&] { return has_ended(process); })) << "the old one has ended";
}

TEST_F(IsolatedTest, WhatStayedIsReplacedWhenTheNodeHasAnotherName) {
    start_probe();
    const int process = info().process_id;
    stop(false);
    settings_.node_name = "node-2";
    start();
    EXPECT_EQ(describe()["node"], "node-2");
    EXPECT_TRUE(eventually([&] { return has_ended(process); })) << "the old one has ended";
}

TEST_F(IsolatedTest, LeavesWhenNobodyComes) {
    start_probe("orphanGraceSeconds: 1\n");
    const int process = info().process_id;
    stop(false);
    EXPECT_TRUE(eventually([&] { return has_ended(process); }));
}

TEST_F(IsolatedTest, EndsWithEverything) {
    start_probe();
    const int process = info().process_id;
    stop(true);
    EXPECT_TRUE(has_ended(process));
    EXPECT_TRUE(std::filesystem::is_empty(settings_.state_directory + "/run"));
    EXPECT_TRUE(std::filesystem::is_empty(settings_.state_directory + "/libraries"));
}

TEST_F(IsolatedTest, ThreadsOfALoadEndWithIt) {
    constexpr std::size_t kLoad = 12;
    start_probe();
    const std::string tasks = "/proc/" + std::to_string(info().process_id) + "/task";
    const auto threads = [&] {
        return std::size_t(std::distance(std::filesystem::directory_iterator(tasks), {}));
    };
    const std::size_t before = threads();
    auto probe = host_->find("probe");
    const std::string wait = R"({"do":"wait","ms":300})";
    for (int round = 0; round < 3; ++round) {
        std::vector<base::Task<base::Result<Reply>>> calls;
        calls.reserve(kLoad);
        for (std::size_t at = 0; at < kLoad; ++at)
            calls.push_back(probe->call("keelson.volume/0", "stats", wait, {}));
        for (const base::Result<Reply>& reply : run(base::gather(std::move(calls)))) EXPECT_TRUE(reply);
    }
    EXPECT_TRUE(eventually([&] { return threads() <= before + 5; })) << threads();
    EXPECT_TRUE(call({{"still", "there"}}));
}

TEST_F(IsolatedTest, HasNoMoreRightsThanItAskedFor) {
    if (::getuid() != 0) GTEST_SKIP() << "needs root";
    start_probe("privileges: {capabilities: [NET_ADMIN]}\n");
    std::ifstream status("/proc/" + std::to_string(info().process_id) + "/status");
    const std::string text((std::istreambuf_iterator<char>(status)), {});
    EXPECT_THAT(text, HasSubstr("CapEff:\t0000000000001000"));
    EXPECT_THAT(text, HasSubstr("CapBnd:\t0000000000001000"));
    EXPECT_THAT(text, HasSubstr("NoNewPrivs:\t1"));
    EXPECT_THAT(text, HasSubstr("Seccomp:\t2"));
}

// The directory as the way to add, change and remove plugins.
class DirectoryTest : public HostTest {
  protected:
    DirectoryTest() { settings_.watch_directory = true; }
};

TEST_F(DirectoryTest, DroppedInChangedAndTakenAway) {
    start();
    EXPECT_TRUE(host_->list().empty());
    place(settings_.directory);
    ASSERT_TRUE(eventually([&] { return host_->list().size() == 1 && info().state == State::ready; }));
    EXPECT_EQ(describe()["version"], "1.0.0");
    place(settings_.directory, "two");
    ASSERT_TRUE(eventually([&] { return info().version == "2.0.0"; }));
    std::filesystem::remove(settings_.directory + "/probe.yaml");
    EXPECT_TRUE(eventually([&] { return host_->list().empty(); }));
}

TEST_F(HostTest, AFailureStaysListedWithItsReason) {
    place(settings_.directory);
    std::filesystem::remove(settings_.directory + "/probe.so");
    start();
    ASSERT_EQ(host_->list().size(), 1u);
    EXPECT_EQ(info().state, State::failed);
    EXPECT_THAT(info().reason, HasSubstr("probe.so"));
    // It is tried again by itself.
    place(settings_.directory);
    EXPECT_TRUE(eventually([&] { return info().state == State::ready; })) << info().reason;
}

TEST_F(HostTest, RequirementsComeFirst) {
    place(settings_.directory, "one", "requires: [com.example.other]\n");
    start();
    EXPECT_EQ(info().state, State::waiting);
    EXPECT_THAT(info().reason, HasSubstr("com.example.other"));
}

TEST_F(HostTest, PluginsComeFromAllowedPlacesOnly) {
    start();
    std::filesystem::create_directory(root_ + "/elsewhere");
    place(root_ + "/elsewhere");
    PluginSettings settings;
    settings.manifest_path = root_ + "/elsewhere/probe.yaml";
    auto refused = run(host_->add(settings));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().reason(), Reason::forbidden);
    settings.manifest_path = root_ + "/more/../elsewhere/probe.yaml";
    EXPECT_FALSE(run(host_->add(settings)));
    place(root_ + "/more");
    settings.manifest_path = root_ + "/more/probe.yaml";
    auto added = run(host_->add(settings));
    ASSERT_TRUE(added) << added.error().message();
    EXPECT_EQ(added->state, State::ready);
    auto twice = run(host_->add(settings));
    ASSERT_FALSE(twice);
    EXPECT_EQ(twice.error().reason(), Reason::already_exists);
}

TEST_F(HostTest, WhatCannotBeAddedIsNotListed) {
    start();
    place(root_ + "/more");
    std::filesystem::remove(root_ + "/more/probe.so");
    PluginSettings settings;
    settings.manifest_path = root_ + "/more/probe.yaml";
    EXPECT_FALSE(run(host_->add(settings)));
    EXPECT_TRUE(host_->list().empty());
}

TEST_F(HostTest, TheOperatorsListIsFollowed) {
    place(settings_.directory);
    PluginSettings probe;
    probe.name = "probe";
    probe.config = R"({"size":1})";
    settings_.plugins = {probe};
    start();
    EXPECT_EQ(describe()["config"], json({{"size", 1}}));
    probe.config = R"({"size":2})";
    base::sync_wait(*executor_, host_->apply({probe}));
    EXPECT_EQ(describe()["config"], json({{"size", 2}}));
    probe.enabled = false;
    base::sync_wait(*executor_, host_->apply({probe}));
    EXPECT_EQ(info().state, State::disabled);
}

// Broken plugins fail alone and say why.
class BrokenTest : public HostTest,
                   public ::testing::WithParamInterface<std::pair<const char*, const char*>> {};

TEST_P(BrokenTest, IsListedAsFailed) {
    const auto [name, why] = GetParam();
    const std::string library = std::string(BROKEN_DIRECTORY) + "/" + name + ".so";
    std::filesystem::copy_file(library, settings_.directory + "/broken.so");
    write(settings_.directory + "/broken.yaml",
          "id: com.example.broken\nname: broken\nkind: volume\nversion: 1.0.0\ncapabilities: "
          "[keelson.volume/0]\n");
    start();
    ASSERT_EQ(host_->list().size(), 1u);
    EXPECT_EQ(info().state, State::failed);
    EXPECT_THAT(info().reason, HasSubstr(why));
}

INSTANTIATE_TEST_SUITE_P(Plugins, BrokenTest,
                         ::testing::Values(std::pair{"no_entry", "does not export keelson_plugin"},
                                           std::pair{"null_entry", "returned nothing"},
                                           std::pair{"crash_create", "process has gone"},
                                           std::pair{"crash_start", "ended during the call"}),
                         [](const auto& info) { return std::string(info.param.first); });

}  // namespace
}  // namespace keelson::plugin
