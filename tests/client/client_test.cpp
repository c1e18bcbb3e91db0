// One suite for both clients: what one answers, the other answers too.
#include "kernel/client/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>

#include "kernel/base/executor_real.h"
#include "kernel/base/files.h"
#include "kernel/base/ids.h"
#include "kernel/base/log.h"
#include "kernel/base/sync_wait.h"
#include "kernel/client/http.h"
#include "kernel/client/in_process.h"
#include "kernel/daemon/app.h"
#include "kernel/object/json.h"
#include "kernel/resource/bootstrap.h"
#include "kernel/store/memory.h"

namespace keelson::client {
namespace {

using base::Reason;
using object::Arena;
using object::Value;
using testing::ElementsAre;
using testing::HasSubstr;

base::Task<bool> wait_for(base::Completion<bool> done) {
    co_return co_await done;
}

// The verbs over a memory store.
class InProcess {
  public:
    explicit InProcess(base::Executor& executor) {
        store_ = store::make_memory_store();
        verbs_ = std::make_unique<resource::Verbs>(*store_, executor.clock(), base::system_random(),
                                                   resource::NetworkSettings());
        subresources_ = std::make_unique<resource::Subresources>(*verbs_, nullptr, nullptr);
        resource::BootstrapSettings settings;
        EXPECT_TRUE(base::sync_wait(executor, resource::bootstrap(*verbs_, settings)));
    }
    std::unique_ptr<Client> connect() {
        access::Identity admin{"admin", "", {"system:masters", "system:authenticated"}, {}};
        return make_in_process_client(*verbs_, *subresources_, admin);
    }

  private:
    std::unique_ptr<store::Store> store_;
    std::unique_ptr<resource::Verbs> verbs_;
    std::unique_ptr<resource::Subresources> subresources_;
};

// A whole keelsond, without the process around it.
class Https {
  public:
    explicit Https(base::Executor&) {
        std::string text = ::testing::TempDir() + "client-XXXXXX";
        root_ = ::mkdtemp(text.data());
        daemon::Config config;
        config.data_directory = root_ + "/data";
        config.api_address = "127.0.0.1";
        config.advertise_address = "127.0.0.1";
        config.api_port = 0;
        config.admin_port = 0;
        base::set_log_level(base::LogLevel::error);
        config.log.level = base::LogLevel::error;
        config.roles = {"api"};
        auto started = daemon::App::start(config);
        EXPECT_TRUE(started) << started.error().message();
        if (started) app_ = std::move(*started);
    }
    ~Https() {
        app_.reset();
        std::filesystem::remove_all(root_);
    }
    std::unique_ptr<Client> connect() {
        HttpSettings settings = trusted();
        settings.token = *base::read_file(root_ + "/data/admin.token");
        while (!settings.token.empty() && settings.token.back() == '\n') settings.token.pop_back();
        auto made = make_http_client(settings);
        EXPECT_TRUE(made) << made.error().message();
        return std::move(*made);
    }
    HttpSettings trusted() {
        HttpSettings settings;
        settings.port = app_->api_port();
        settings.ca_certificates = *base::read_file(root_ + "/data/pki/ca.crt");
        return settings;
    }
    void stop() { app_->stop(); }

  private:
    std::string root_;
    std::unique_ptr<daemon::App> app_;
};

template <typename Server>
class ClientTest : public ::testing::Test {
  protected:
    // Runs a task of the client to its end.
    template <typename T>
    T run(base::Task<T> task) {
        return base::sync_wait(*executor_, std::move(task));
    }
    Value json(std::string_view text) { return *object::parse_json_copy(text, arena_); }
    Client::Object create(std::string_view name, std::string_view labels = "{}") {
        Value object =
            json(R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":")" + std::string(name) +
                 R"(","labels":)" + std::string(labels) + R"(},"data":{"a":"1"}})");
        return run(client_->create(maps_, object, {}));
    }
    Client::Object patch(PatchType type, std::string_view text, WriteOptions options = {}) {
        return run(client_->patch(at("m"), type, json(text), std::move(options)));
    }
    static Address at(std::string_view name) {
        return {"", "v1", "configmaps", "default", std::string(name), ""};
    }

    std::unique_ptr<base::ThreadExecutor> executor_ = base::make_thread_executor(2, 2);
    Server server_{*executor_};
    std::unique_ptr<Client> client_ = server_.connect();
    Address maps_{"", "v1", "configmaps", "default", "", ""};
    Arena arena_;
};

using Servers = ::testing::Types<InProcess, Https>;
TYPED_TEST_SUITE(ClientTest, Servers);

TYPED_TEST(ClientTest, CreatesReadsAndRemoves) {
    auto made = this->create("m");
    ASSERT_TRUE(made) << made.error().message();
    EXPECT_EQ(made->root["kind"].as_string(), "ConfigMap");
    auto read = this->run(this->client_->get(this->at("m")));
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(object::to_json(read->root), object::to_json(made->root));
    auto removed = this->run(this->client_->remove(this->at("m"), {}));
    ASSERT_TRUE(removed) << removed.error().message();
    EXPECT_EQ(removed->root["status"].as_string(), "Success");
    auto gone = this->run(this->client_->get(this->at("m")));
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().reason(), Reason::not_found);
    EXPECT_EQ(gone.error().message(), "configmaps \"m\" not found");
    ASSERT_NE(gone.error().details(), nullptr);
    EXPECT_EQ(gone.error().details()->name, "m");
}

TYPED_TEST(ClientTest, UpdatesAndReportsConflicts) {
    auto made = this->create("m");
    ASSERT_TRUE(made);
    made->root["data"].set(made->arena, "a", Value::reference("2"));
    auto updated = this->run(this->client_->update(this->at("m"), made->root, {}));
    ASSERT_TRUE(updated) << updated.error().message();
    made->root["data"].set(made->arena, "a", Value::reference("3"));
    auto stale = this->run(this->client_->update(this->at("m"), made->root, {}));
    ASSERT_FALSE(stale);
    EXPECT_EQ(stale.error().reason(), Reason::conflict);
    EXPECT_EQ(stale.error().code(), 409);
}

TYPED_TEST(ClientTest, PatchesInEveryWay) {
    ASSERT_TRUE(this->create("m"));
    auto merged = this->patch(PatchType::merge, R"({"data":{"b":"2"}})");
    ASSERT_TRUE(merged) << merged.error().message();
    EXPECT_EQ(object::to_json(merged->root["data"]), R"({"a":"1","b":"2"})");
    auto strategic = this->patch(PatchType::strategic, R"({"data":{"a":null}})");
    ASSERT_TRUE(strategic) << strategic.error().message();
    EXPECT_EQ(object::to_json(strategic->root["data"]), R"({"b":"2"})");
    auto operations = this->patch(PatchType::json, R"([{"op":"add","path":"/data/c","value":"3"}])");
    ASSERT_TRUE(operations) << operations.error().message();
    EXPECT_EQ(object::to_json(operations->root["data"]), R"({"b":"2","c":"3"})");
    WriteOptions options;
    options.field_manager = "tester";
    Value configuration =
        this->json(R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"m"},"data":{"b":"9"}})");
    auto conflict = this->run(this->client_->apply(this->at("m"), configuration, options));
    ASSERT_FALSE(conflict);
    ASSERT_NE(conflict.error().details(), nullptr);
    EXPECT_EQ(conflict.error().details()->causes.at(0).field, ".data.b");
    options.force = true;
    auto applied = this->run(this->client_->apply(this->at("m"), configuration, options));
    ASSERT_TRUE(applied) << applied.error().message();
    EXPECT_EQ(object::to_json(applied->root["data"]), R"({"b":"9","c":"3"})");
    auto nameless = this->run(this->client_->apply(this->at("m"), configuration, {}));
    ASSERT_FALSE(nameless) << "an apply needs a manager";
}

TYPED_TEST(ClientTest, ReportsInvalidObjects) {
    auto refused = this->create("Not A Name");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().reason(), Reason::invalid);
    ASSERT_NE(refused.error().details(), nullptr);
    EXPECT_EQ(refused.error().details()->causes.at(0).field, "metadata.name");
    Address nowhere{"nobody.example", "v1", "things", "default", "x", ""};
    auto unknown = this->run(this->client_->get(nowhere));
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().code(), 404);
}

TYPED_TEST(ClientTest, ListsPageByPage) {
    for (std::string_view name : {"a", "b", "c"}) ASSERT_TRUE(this->create(name, R"({"mine":"yes"})"));
    ListOptions options;
    options.label_selector = "mine in (yes, no)";
    options.limit = 2;
    auto first = this->run(this->client_->list(this->maps_, options));
    ASSERT_TRUE(first) << first.error().message();
    ASSERT_EQ(first->items.size(), 2u);
    EXPECT_EQ(first->items[0]["metadata"]["name"].as_string(), "a");
    EXPECT_TRUE(first->items[0]["kind"].is_absent());
    EXPECT_NE(first->resource_version, "");
    options.continue_token = first->continue_token;
    auto second = this->run(this->client_->list(this->maps_, options));
    ASSERT_TRUE(second) << second.error().message();
    ASSERT_EQ(second->items.size(), 1u);
    EXPECT_EQ(second->items[0]["metadata"]["name"].as_string(), "c");
    EXPECT_EQ(second->continue_token, "");
    EXPECT_EQ(second->resource_version, first->resource_version);
    options.continue_token = "nonsense";
    EXPECT_FALSE(this->run(this->client_->list(this->maps_, options)));
}

// Adds "added a", "removed b" for each event.
void note(const std::vector<WatchEvent>& events, std::vector<std::string>& seen) {
    constexpr std::string_view kNames[] = {"added", "modified", "removed", "bookmark"};
    for (const WatchEvent& event : events)
        seen.push_back(std::string(kNames[static_cast<std::size_t>(event.type)]) + " " +
                       event.object.root["metadata"]["name"].to_string());
}

TYPED_TEST(ClientTest, WatchesFromAListOn) {
    ASSERT_TRUE(this->create("a", R"({"mine":"yes"})"));
    ListOptions options;
    options.label_selector = "mine=yes";
    auto page = this->run(this->client_->list(this->maps_, options));
    ASSERT_TRUE(page);
    options.resource_version = page->resource_version;
    auto watch = this->run(this->client_->watch(this->maps_, options));
    ASSERT_TRUE(watch) << watch.error().message();
    std::vector<std::string> seen;
    std::string version;
    ASSERT_TRUE(this->create("b", R"({"mine":"yes"})"));
    ASSERT_TRUE(this->create("other"));
    Value leave = this->json(R"({"metadata":{"labels":null}})");
    ASSERT_TRUE(this->run(this->client_->patch(this->at("a"), PatchType::merge, leave, {})));
    ASSERT_TRUE(this->run(this->client_->remove(this->at("b"), {})));
    while (seen.size() < 3) {
        auto events = this->run((*watch)->next());
        ASSERT_TRUE(events) << events.error().message();
        ASSERT_FALSE(events->empty());
        note(*events, seen);
        version = events->back().resource_version;
    }
    EXPECT_THAT(seen, ElementsAre("added b", "removed a", "removed b"));
    EXPECT_GT(std::stoull(version), std::stoull(page->resource_version));
}

TYPED_TEST(ClientTest, StoppingAWatchEndsTheWait) {
    ListOptions options;
    options.label_selector = "nobody=has";
    auto watch = this->run(this->client_->watch(this->maps_, options));
    ASSERT_TRUE(watch) << watch.error().message();
    base::Completion<bool> ended;
    base::spawn(*this->executor_, (*watch)->next(), [&](base::Result<std::vector<WatchEvent>> events) {
        ended.complete(events && events->empty());
    });
    (*watch)->stop();
    EXPECT_TRUE(this->run(wait_for(ended)));
}

TYPED_TEST(ClientTest, WatchesWithoutAVersionBeginWithTheState) {
    ASSERT_TRUE(this->create("a", R"({"mine":"yes"})"));
    ListOptions options;
    options.label_selector = "mine=yes";
    options.allow_watch_bookmarks = true;
    options.send_initial_events = true;
    options.resource_version_match = "NotOlderThan";
    auto watch = this->run(this->client_->watch(this->maps_, options));
    ASSERT_TRUE(watch) << watch.error().message();
    std::vector<std::string> seen;
    while (seen.size() < 2) {
        auto events = this->run((*watch)->next());
        ASSERT_TRUE(events && !events->empty());
        note(*events, seen);
    }
    EXPECT_THAT(seen, ElementsAre("added a", "bookmark "));
}

TYPED_TEST(ClientTest, WatchesThatCannotStartSayWhy) {
    auto refusal = [&](const ListOptions& options) {
        auto watch = this->run(this->client_->watch(this->maps_, options));
        if (!watch) return watch.error();
        auto events = this->run((*watch)->next());
        return events ? base::Status(Reason::unknown, "it started") : events.error();
    };
    ListOptions options;
    options.resource_version = "999999999";
    EXPECT_EQ(refusal(options).reason(), Reason::timeout);
    options.resource_version = "";
    options.label_selector = "a in b";
    EXPECT_EQ(refusal(options).reason(), Reason::bad_request) << refusal(options).message();
}

TYPED_TEST(ClientTest, ReachesSubresources) {
    Address workloads{"apps", "v1", "deployments", "default", "", ""};
    Value deployment = this->json(
        R"({"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"d"},"spec":{"replicas":1,
        "selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},
        "spec":{"containers":[{"name":"c","image":"i"}]}}}})");
    auto made = this->run(this->client_->create(workloads, deployment, {}));
    ASSERT_TRUE(made) << made.error().message();
    Address one = workloads;
    one.name = "d";
    made->root.child_map(made->arena, "status").set(made->arena, "replicas", Value::integer(1));
    auto status = this->run(this->client_->update_status(one, made->root, {}));
    ASSERT_TRUE(status) << status.error().message();
    EXPECT_EQ(status->root["status"]["replicas"].as_integer(), 1);
    one.subresource = "scale";
    Value scale = this->json(R"({"spec":{"replicas":3}})");
    auto scaled = this->run(this->client_->patch(one, PatchType::merge, scale, {}));
    ASSERT_TRUE(scaled) << scaled.error().message();
    EXPECT_EQ(scaled->root["kind"].as_string(), "Scale");
    EXPECT_EQ(scaled->root["spec"]["replicas"].as_integer(), 3);
}

TYPED_TEST(ClientTest, OptionsArrive) {
    WriteOptions options;
    options.dry_run = true;
    options.field_manager = "somebody & co";
    Value object =
        this->json(R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"m"},"data":{"a":"1"}})");
    auto dry = this->run(this->client_->create(this->maps_, object, options));
    ASSERT_TRUE(dry) << dry.error().message();
    EXPECT_EQ(dry->root["metadata"]["managedFields"].at(0)["manager"].as_string(), "somebody & co");
    EXPECT_FALSE(this->run(this->client_->get(this->at("m"))));
    ASSERT_TRUE(this->create("m"));
    DeleteOptions removal;
    removal.preconditions.uid = "someone else";
    auto refused = this->run(this->client_->remove(this->at("m"), removal));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), 409);
    WriteOptions strict;
    strict.field_validation = resource::FieldValidation::strict;
    Value wrong = this->json(R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"n"},"nope":1})");
    auto unknown = this->run(this->client_->create(this->maps_, wrong, strict));
    ASSERT_FALSE(unknown);
    EXPECT_THAT(unknown.error().message(), HasSubstr("unknown field \"nope\""));
}

TYPED_TEST(ClientTest, ServesManyCallsAtOnce) {
    constexpr int kCalls = 200;
    std::atomic<int> done = 0, good = 0;
    base::Completion<bool> all;
    for (int i = 0; i < kCalls; ++i) {
        Value object = this->json(R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"m)" +
                                  std::to_string(i) + "\"}}");
        base::spawn(*this->executor_, this->client_->create(this->maps_, object, {}),
                    [&](Client::Object made) {
                        if (made) ++good;
                        if (++done == kCalls) all.complete(true);
                    });
    }
    this->run(wait_for(all));
    EXPECT_EQ(good, kCalls);
}

// More than a watch reads ahead.
TYPED_TEST(ClientTest, WatchesBigCollectionsWhole) {
    constexpr std::size_t kObjects = 12;
    const std::string big(900'000, 'x');
    for (std::size_t i = 0; i < kObjects; ++i) {
        Value object =
            this->json(R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"big)" +
                       std::to_string(i) + R"(","labels":{"big":"yes"}},"data":{"a":")" + big + "\"}}");
        ASSERT_TRUE(this->run(this->client_->create(this->maps_, object, {})));
    }
    ListOptions options;
    options.label_selector = "big=yes";
    auto watch = this->run(this->client_->watch(this->maps_, options));
    ASSERT_TRUE(watch) << watch.error().message();
    std::size_t seen = 0;
    while (seen < kObjects) {
        auto events = this->run((*watch)->next());
        ASSERT_TRUE(events) << events.error().message();
        ASSERT_FALSE(events->empty());
        for (const WatchEvent& event : *events)
            EXPECT_EQ(event.object.root["data"]["a"].as_string().size(), big.size());
        seen += events->size();
    }
}

class HttpClientTest : public ::testing::Test {
  protected:
    base::Result<object::Document> ask(HttpSettings settings) {
        auto client = make_http_client(std::move(settings));
        if (!client) return client.error();
        Address pods{"", "v1", "pods", "default", "x", ""};
        return base::sync_wait(*executor_, (*client)->get(pods));
    }
    std::unique_ptr<base::ThreadExecutor> executor_ = base::make_thread_executor(1, 1);
    Https server_{*executor_};
};

TEST_F(HttpClientTest, SaysWhoItCannotReach) {
    HttpSettings settings = server_.trusted();
    settings.port = 1;
    auto unreachable = ask(settings);
    ASSERT_FALSE(unreachable);
    EXPECT_EQ(unreachable.error().reason(), Reason::service_unavailable);
    EXPECT_THAT(unreachable.error().message(), HasSubstr("127.0.0.1:1"));
}

TEST_F(HttpClientTest, TrustsItsAuthoritiesOnly) {
    Https other(*executor_);
    HttpSettings settings = server_.trusted();
    settings.ca_certificates = other.trusted().ca_certificates;
    auto refused = ask(settings);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().reason(), Reason::service_unavailable);
    settings.ca_certificates = "nonsense";
    EXPECT_FALSE(make_http_client(settings));
}

TEST_F(HttpClientTest, ShowsWhoAsks) {
    HttpSettings settings = server_.trusted();
    auto anonymous = ask(settings);
    ASSERT_FALSE(anonymous);
    EXPECT_EQ(anonymous.error().reason(), Reason::forbidden);
    settings.token = "wrong";
    auto wrong = ask(settings);
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().reason(), Reason::unauthorized);
}

TEST_F(HttpClientTest, WatchesEndWithTheServer) {
    auto client = server_.connect();
    Address maps{"", "v1", "configmaps", "default", "", ""};
    auto watch = base::sync_wait(*executor_, client->watch(maps, {}));
    ASSERT_TRUE(watch) << watch.error().message();
    server_.stop();
    for (bool more = true; more;) {
        auto events = base::sync_wait(*executor_, (*watch)->next());
        more = events && !events->empty();
    }
}

// A port where somebody listens and nobody answers.
class SilentServer {
  public:
    SilentServer() {
        socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof(address);
        EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), length), 0);
        EXPECT_EQ(::listen(socket_, 8), 0);
        EXPECT_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length), 0);
        port_ = ntohs(address.sin_port);
    }
    ~SilentServer() { ::close(socket_); }
    [[nodiscard]] std::uint16_t port() const { return port_; }

  private:
    int socket_ = -1;
    std::uint16_t port_ = 0;
};

TEST_F(HttpClientTest, ClosingItEndsWhatIsUnderWay) {
    SilentServer silent;
    HttpSettings settings = server_.trusted();
    settings.port = silent.port();
    auto client = make_http_client(settings);
    ASSERT_TRUE(client);
    base::Completion<bool> ended;
    base::spawn(*executor_, (*client)->get({"", "v1", "configmaps", "default", "m", ""}),
                [&](Client::Object answer) {
                    ended.complete(!answer && answer.error().reason() == Reason::service_unavailable);
                });
    client->reset();
    EXPECT_TRUE(base::sync_wait(*executor_, wait_for(ended)));
}

TEST_F(HttpClientTest, GivesUpOnAServerThatDoesNotAnswer) {
    SilentServer silent;
    HttpSettings settings = server_.trusted();
    settings.port = silent.port();
    settings.timeout = std::chrono::milliseconds(20);
    auto answer = ask(settings);
    ASSERT_FALSE(answer);
    EXPECT_THAT(answer.error().message(), HasSubstr("securing the connection"));
}

}  // namespace
}  // namespace keelson::client
