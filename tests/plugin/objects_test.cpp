// keelson.host.objects: what a plugin may read, in this process and in another.
#include <algorithm>
#include <set>

#include "kernel/plugin/objects.h"
#include "tests/plugin/host_fixture.h"

namespace keelson::plugin {
namespace {

using base::Reason;
using base::Result;
using base::Status;
using base::Task;
using testing::ElementsAre;
using testing::HasSubstr;

// keelson_status, as the probe reports it.
constexpr int kOk = 0;
constexpr int kInvalid = 2;
constexpr int kNotFound = 3;
constexpr int kConflict = 5;
constexpr int kUnavailable = 6;
constexpr int kUnsupported = 9;
constexpr int kExhausted = 10;
constexpr int kForbidden = 12;

// Config maps whose resource version is the number of the change that made them.
class FakeSource final : public ObjectsSource {
  public:
    void change(const std::string& type, const std::string& name) {
        std::vector<std::shared_ptr<StopSignal>> waiting;
        {
            const std::lock_guard lock(mutex_);
            const json object{{"metadata", {{"name", name}}}};
            changes_.push_back({type, object.dump()});
            waiting.swap(waiting_);
        }
        for (const auto& wake : waiting) wake->stop();
    }
    [[nodiscard]] std::size_t watches() {
        const std::lock_guard lock(mutex_);
        return watches_;
    }
    [[nodiscard]] ObjectQuery last_query() {
        const std::lock_guard lock(mutex_);
        return last_;
    }

    Task<Result<std::string>> get(ObjectQuery query) override {
        note(query);
        if (query.resource == "widgets")
            co_return Status(Reason::not_found, "the API does not serve widgets in v1");
        co_return json({{"metadata", {{"name", query.name}}}, {"plugin", query.plugin}}).dump();
    }
    Task<Result<ObjectList>> list(ObjectQuery query) override {
        note(query);
        if (query.label_selector == "all=true")
            co_return Status(Reason::request_entity_too_large, "all together are too large");
        ObjectList list;
        list.items = {R"({"metadata":{"name":"a"}})", R"({"metadata":{"name":"b"}})"};
        list.resource_version = "7";
        co_return list;
    }
    Task<Result<ObjectChanges>> watch(ObjectQuery query, std::shared_ptr<StopSignal> stop) override {
        note(query);
        if (query.resource_version == "old") co_return Status(Reason::expired, "too old resource version");
        const std::size_t from = std::stoul(query.resource_version);
        auto waiting = wait_for_more(from, stop);
        co_await waiting;
        ObjectChanges changes;
        const std::lock_guard lock(mutex_);
        --watches_;
        for (std::size_t i = from; i < changes_.size(); ++i) changes.changes.push_back(changes_[i]);
        changes.resource_version = std::to_string(std::max(from, changes_.size()));
        co_return changes;
    }

  private:
    void note(const ObjectQuery& query) {
        const std::lock_guard lock(mutex_);
        last_ = query;
    }
    Task<void> wait_for_more(std::size_t from, std::shared_ptr<StopSignal> stop) {
        base::Completion<bool> woken;
        auto wake = std::make_shared<StopSignal>();
        wake->arm([woken] { woken.complete(true); });
        {
            const std::lock_guard lock(mutex_);
            ++watches_;
            if (changes_.size() > from) co_return;
            waiting_.push_back(wake);
        }
        stop->arm([woken] { woken.complete(true); });
        co_await woken;
    }

    std::mutex mutex_;
    std::vector<ObjectChange> changes_;
    std::vector<std::shared_ptr<StopSignal>> waiting_;
    std::size_t watches_ = 0;
    ObjectQuery last_;
};

constexpr const char* kAsked =
    "objects:\n"
    "  - {apiVersion: v1, resource: configmaps, verbs: [get, list, watch]}\n"
    "  - {apiVersion: v1, resource: secrets, verbs: [get]}\n"
    "  - {apiVersion: v1, resource: widgets, verbs: [get]}\n";

const ObjectAccess kConfigMaps{"v1", "configmaps", {"get", "list", "watch"}};
const ObjectAccess kWidgets{"v1", "widgets", {"get"}};

class ObjectsTest : public HostTest, public ::testing::WithParamInterface<Isolation> {
  protected:
    ~ObjectsTest() override { stop(true); }

    void start_probe(std::vector<ObjectAccess> accepted = {kConfigMaps, kWidgets}) {
        place(settings_.directory, "one", kAsked);
        PluginSettings probe;
        probe.name = "probe";
        probe.isolation = GetParam();
        probe.objects = std::move(accepted);
        settings_.plugins = {probe};
        settings_.objects = &source_;
        start();
        ASSERT_EQ(info().state, State::ready) << info().reason;
    }
    json objects(json document) {
        document["do"] = "objects";
        auto reply = call(document);
        EXPECT_TRUE(reply) << reply.error().message();
        return reply ? json::parse(reply->body) : json();
    }
    json ask(const std::string& verb, const json& request, int wait_ms = 0) {
        return objects({{"verb", verb}, {"request", request}, {"waitMs", wait_ms}});
    }
    static json config_maps(const json& more = json::object()) {
        json request{{"apiVersion", "v1"}, {"resource", "configmaps"}};
        request.update(more);
        return request;
    }
    bool has_seen(const std::vector<std::string>& changes) {
        return eventually([&] { return objects({{"followed", true}})["seen"] == json(changes); });
    }

    FakeSource source_;
};

INSTANTIATE_TEST_SUITE_P(Isolation, ObjectsTest, ::testing::Values(Isolation::process, Isolation::in_process),
                         [](const auto& info) {
                             return info.param == Isolation::process ? "Process" : "InProcess";
                         });

TEST_P(ObjectsTest, WhatIsAcceptedIsRead) {
    start_probe();
    const json got = ask("get", config_maps({{"namespace", "default"}, {"name", "settings"}}));
    EXPECT_EQ(got["status"], kOk) << got;
    EXPECT_EQ(got["reply"]["metadata"]["name"], "settings");
    EXPECT_EQ(got["reply"]["plugin"], "probe");
    const json listed = ask("list", config_maps({{"labelSelector", "app=web"}, {"fieldSelector", "x=y"}}));
    EXPECT_EQ(listed["status"], kOk) << listed;
    EXPECT_EQ(listed["reply"]["items"].size(), 2u);
    EXPECT_EQ(listed["reply"]["resourceVersion"], "7");
    EXPECT_EQ(source_.last_query().label_selector, "app=web");
    EXPECT_EQ(source_.last_query().field_selector, "x=y");
}

TEST_P(ObjectsTest, WhatIsNotAcceptedIsRefusedAndListedAsWaiting) {
    start_probe();
    const json request{{"apiVersion", "v1"}, {"resource", "secrets"}, {"name", "x"}, {"namespace", "y"}};
    const json refused = ask("get", request);
    EXPECT_EQ(refused["status"], kForbidden);
    EXPECT_THAT(refused["reply"]["message"].get<std::string>(),
                HasSubstr("the operator has not accepted it"));
    EXPECT_THAT(info().objects_accepted, ElementsAre(kConfigMaps, kWidgets));
    EXPECT_EQ(info().reason, "waits for the operator to accept that it reads v1 secrets (get)");

    ASSERT_TRUE(run(host_->accept("probe", {kConfigMaps, {"v1", "secrets", {"get", "list"}}, kWidgets})));
    EXPECT_EQ(ask("get", request)["status"], kOk);
    EXPECT_EQ(info().reason, "");
    EXPECT_EQ(info().generation, 1u) << "it was not restarted for that";
    ASSERT_TRUE(run(host_->accept("probe", {})));
    EXPECT_EQ(ask("get", request)["status"], kForbidden);
}

TEST_P(ObjectsTest, WhatTheManifestDoesNotAskForIsRefusedEvenIfAccepted) {
    start_probe({{"v1", "secrets", {"get", "list"}}, {"v1", "pods", {"list"}}});
    const json pods = ask("list", {{"apiVersion", "v1"}, {"resource", "pods"}});
    EXPECT_EQ(pods["status"], kForbidden);
    EXPECT_THAT(pods["reply"]["message"].get<std::string>(), HasSubstr("its manifest does not ask for it"));
    EXPECT_EQ(ask("list", {{"apiVersion", "v1"}, {"resource", "secrets"}})["status"], kForbidden);
}

TEST_P(ObjectsTest, FailuresOfTheApiArriveAsStatuses) {
    start_probe();
    const json unknown = ask("get", {{"apiVersion", "v1"}, {"resource", "widgets"}, {"name", "x"}});
    EXPECT_EQ(unknown["status"], kNotFound);
    EXPECT_THAT(unknown["reply"]["message"].get<std::string>(), HasSubstr("does not serve widgets"));
    EXPECT_EQ(ask("watch", config_maps({{"resourceVersion", "old"}}))["status"], kConflict);
    EXPECT_EQ(ask("list", config_maps({{"labelSelector", "all=true"}}))["status"], kExhausted);
}

TEST_P(ObjectsTest, WatchesTellChangesAndEndAtTheDeadline) {
    start_probe();
    const json quiet = ask("watch", config_maps({{"resourceVersion", "0"}}), 30);
    EXPECT_EQ(quiet["status"], kOk) << quiet;
    EXPECT_EQ(quiet["reply"], json({{"events", json::array()}, {"resourceVersion", "0"}}));
    source_.change("ADDED", "a");
    const json told = ask("watch", config_maps({{"resourceVersion", "0"}}));
    EXPECT_EQ(told["reply"]["events"][0]["type"], "ADDED");
    EXPECT_EQ(told["reply"]["events"][0]["object"]["metadata"]["name"], "a");
    EXPECT_EQ(told["reply"]["resourceVersion"], "1");

    objects({{"follow", "1"}});
    ASSERT_TRUE(eventually([&] { return source_.watches() == 1; }));
    source_.change("MODIFIED", "a");
    EXPECT_TRUE(has_seen({"MODIFIED a"}));
    source_.change("DELETED", "a");
    EXPECT_TRUE(has_seen({"MODIFIED a", "DELETED a"}));
}

TEST_P(ObjectsTest, AWatchEndsWhenItsCallIsCancelled) {
    start_probe();
    CallOptions options;
    options.timeout = std::chrono::milliseconds(50);
    const json request{
        {"do", "objects"}, {"verb", "watch"}, {"request", config_maps({{"resourceVersion", "0"}})}};
    EXPECT_FALSE(call(request, options));
    EXPECT_TRUE(eventually([&] { return source_.watches() == 0; }));
    EXPECT_EQ(describe()["version"], "1.0.0");
    EXPECT_EQ(info().restarts, 0u);
}

TEST_P(ObjectsTest, APluginThatFollowsCanBeReplacedAndStopped) {
    start_probe();
    objects({{"follow", "0"}});
    ASSERT_TRUE(eventually([&] { return source_.watches() == 1; }));
    ASSERT_TRUE(run(host_->reload("probe")));
    EXPECT_EQ(source_.watches(), 0u);
    objects({{"follow", "0"}});
    ASSERT_TRUE(eventually([&] { return source_.watches() == 1; }));
    ASSERT_TRUE(run(host_->enable("probe", false)));
    EXPECT_EQ(source_.watches(), 0u);
}

TEST_P(ObjectsTest, RevokedAcceptanceEndsWatches) {
    start_probe();
    objects({{"follow", "0"}});
    ASSERT_TRUE(eventually([&] { return source_.watches() == 1; }));
    ASSERT_TRUE(run(host_->accept("probe", {})));
    EXPECT_TRUE(eventually([&] {
        return objects({{"followed", true}})["failures"].contains(std::to_string(kForbidden));
    }));
    EXPECT_EQ(source_.watches(), 0u);
}

TEST_P(ObjectsTest, WhatIsNoRequestIsRefused) {
    start_probe();
    const std::set<std::string> broken = {"",
                                          "nonsense",
                                          "[]",
                                          R"({"apiVersion": "v1"})",
                                          R"({"apiVersion": 1, "resource": "configmaps"})",
                                          R"({"apiVersion": "v1", "resource": ""})",
                                          R"({"apiVersion": "v1", "resource": "configmaps", "name": {}})",
                                          std::string(70'000, ' '),
                                          std::string(60'000, '[')};
    for (const std::string& raw : broken) {
        const json answer = objects({{"verb", "get"}, {"raw", raw}});
        EXPECT_EQ(answer["status"], kInvalid) << raw.substr(0, 80);
        EXPECT_FALSE(answer["reply"].value("message", "").empty());
    }
    // A watch from nowhere is refused as well: it would begin with everything there is.
    EXPECT_EQ(ask("watch", config_maps())["status"], kInvalid);
}

TEST_P(ObjectsTest, ShortMethodsCannotWaitForObjects) {
    start_probe();
    const json request{
        {"do", "objects"}, {"verb", "get"}, {"request", config_maps({{"name", "x"}, {"namespace", "y"}})}};
    auto reply =
        run(host_->find("probe")->call("keelson.auth.authenticator/0", "authenticate", request.dump()));
    ASSERT_TRUE(reply) << reply.error().message();
    EXPECT_EQ(json::parse(reply->body)["status"], kUnsupported);
}

TEST_P(ObjectsTest, AHostWithoutASourceOffersNothing) {
    place(settings_.directory, "one", kAsked);
    PluginSettings probe;
    probe.name = "probe";
    probe.isolation = GetParam();
    settings_.plugins = {probe};
    start();
    EXPECT_EQ(ask("get", config_maps({{"name", "x"}}))["status"], kUnsupported);
}

class IsolatedObjectsTest : public ObjectsTest {};
INSTANTIATE_TEST_SUITE_P(Isolation, IsolatedObjectsTest, ::testing::Values(Isolation::process),
                         [](const auto&) { return "Process"; });

// The process outlives the kernel; what it asks in between may be tried again, and nothing is missed.
TEST_P(IsolatedObjectsTest, AWatchGoesOnWithTheNextKernel) {
    start_probe();
    const int process = info().process_id;
    objects({{"follow", "0"}});
    ASSERT_TRUE(eventually([&] { return source_.watches() == 1; }));
    source_.change("ADDED", "before");
    ASSERT_TRUE(has_seen({"ADDED before"}));
    stop(false);
    ASSERT_TRUE(eventually([&] { return source_.watches() == 0; }));
    source_.change("ADDED", "meanwhile");
    start();
    ASSERT_EQ(info().process_id, process);
    source_.change("ADDED", "after");
    EXPECT_TRUE(has_seen({"ADDED before", "ADDED meanwhile", "ADDED after"}));
    EXPECT_TRUE(objects({{"followed", true}})["failures"].contains(std::to_string(kUnavailable)));
}

TEST(ObjectsBroker, TakesABoundedNumberOfCallsOfOnePlugin) {
    auto executor = base::make_thread_executor(2, 2);
    FakeSource source;
    auto broker =
        std::make_shared<ObjectsBroker>(source, *executor, "greedy", std::vector<ObjectAccess>{kConfigMaps},
                                        std::vector<ObjectAccess>{kConfigMaps});
    std::mutex mutex;
    std::map<int, int> answers;
    auto note = [&](Outcome outcome) {
        const std::lock_guard lock(mutex);
        ++answers[outcome.code];
    };
    const std::string request = R"({"apiVersion":"v1","resource":"configmaps","resourceVersion":"0"})";
    for (int i = 0; i < 100; ++i) broker->ask({ObjectVerb::watch, request, 0}, note);
    {
        const std::lock_guard lock(mutex);
        EXPECT_EQ(answers[kExhausted], 68);
    }
    EXPECT_EQ(source.watches(), 32u);
    broker->close();
    for (int i = 0; i < 3000 && source.watches() > 0; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_EQ(source.watches(), 0u);
    broker->ask({ObjectVerb::watch, request, 0}, note);
    executor->stop();
    EXPECT_EQ(answers[kUnavailable], 1);
}

TEST(ObjectAccess, IsReadFromTheAdminApi) {
    const auto some = parse_object_access(
        R"({"objects": [{"apiVersion": "v1", "resource": "services"}, {"apiVersion": "apps/v1",
            "resource": "deployments", "verbs": ["list"]}]})");
    ASSERT_TRUE(some) << some.error().message();
    EXPECT_THAT(*some, ElementsAre(ObjectAccess{"v1", "services", {"get", "list", "watch"}},
                                   ObjectAccess{"apps/v1", "deployments", {"list"}}));
    for (const char* wrong : {"{}", "nonsense", R"([{"apiVersion": "v1"}])",
                              R"([{"apiVersion": "v1", "resource": "x", "verbs": ["delete"]}])",
                              R"([{"apiVersion": "v1", "resource": "x", "verb": ["get"]}])", R"([3])"})
        EXPECT_FALSE(parse_object_access(wrong)) << wrong;
    EXPECT_TRUE(parse_object_access("[]")->empty());
}

}  // namespace
}  // namespace keelson::plugin
