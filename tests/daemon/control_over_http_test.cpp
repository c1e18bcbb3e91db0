// Controllers know the API only by the client: the same ones work on a server in another process.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <functional>

#include "kernel/base/executor_real.h"
#include "kernel/base/files.h"
#include "kernel/base/log.h"
#include "kernel/base/sync_wait.h"
#include "kernel/client/http.h"
#include "kernel/control/engine.h"
#include "kernel/control/namespace_defaults.h"
#include "kernel/control/replica_set.h"
#include "kernel/daemon/app.h"
#include "kernel/object/json.h"

namespace keelson::daemon {
namespace {

using base::Task;

// A keelsond with nothing but the API, and a directory that goes with it.
class Server {
  public:
    Server() {
        std::string text = ::testing::TempDir() + "control-XXXXXX";
        root_ = ::mkdtemp(text.data());
        Config config;
        config.data_directory = root_ + "/data";
        config.api_address = "127.0.0.1";
        config.advertise_address = "127.0.0.1";
        config.api_port = 0;
        config.admin_port = 0;
        config.log.level = base::LogLevel::error;
        base::set_log_level(base::LogLevel::error);
        config.roles = {"api"};
        auto started = App::start(config);
        EXPECT_TRUE(started) << started.error().message();
        app_ = std::move(*started);
    }
    ~Server() {
        app_.reset();
        std::filesystem::remove_all(root_);
    }
    std::unique_ptr<client::Client> connect() {
        client::HttpSettings settings;
        settings.port = app_->api_port();
        settings.ca_certificates = *base::read_file(root_ + "/data/pki/ca.crt");
        settings.token = *base::read_file(root_ + "/data/admin.token");
        while (!settings.token.empty() && settings.token.back() == '\n') settings.token.pop_back();
        return *client::make_http_client(settings);
    }

  private:
    std::string root_;
    std::unique_ptr<App> app_;
};

// Runs a task on the one thread of an executor, and waits for its end.
Task<void> wait_for(base::Completion<bool> ended) {
    co_await ended;
}
void run_on(base::Executor& executor, std::function<Task<void>()> work) {
    const base::Completion<bool> ended;
    executor.post([&executor, work = std::move(work), ended] {
        base::spawn(executor, work(), [ended] { ended.complete(true); });
    });
    base::sync_wait(executor, wait_for(ended));
}

// Watches until that many pods are there.
Task<void> wait_for_pods(client::Client& client, std::size_t count) {
    auto opening = client.watch(client::collections::pods.address("default"), {});
    auto watch = co_await opening;
    EXPECT_TRUE(watch);
    for (std::size_t seen = 0; watch && seen < count;) {
        auto waiting = (*watch)->next();
        const auto events = co_await waiting;
        EXPECT_TRUE(events);
        if (!events || events->empty()) co_return;
        for (const client::WatchEvent& event : *events)
            if (event.type == client::WatchEvent::Type::added) ++seen;
    }
}

TEST(ControlOverHttp, AReplicaSetGetsItsPods) {
    Server server;
    // The client answers what it was asked for until it goes: on an executor that is still there.
    const auto executor = base::make_thread_executor(1, 1);
    const auto client = server.connect();
    base::Metrics metrics;
    const auto informers = client::Informers::make(*client, *executor, base::system_random());
    const control::Surroundings surroundings{*client, *informers, *executor, base::system_random(), metrics};
    const auto engine = control::Engine::make(surroundings);
    engine->add(control::make_service_account_controller(surroundings));
    engine->add(control::make_replica_set_controller(surroundings));
    run_on(*executor, [&engine] { return engine->start(); });

    object::Arena arena;
    const auto set = object::parse_json_copy(
        R"({"metadata":{"name":"r","namespace":"default"},"spec":{"replicas":3,"selector":{"matchLabels":{"a":"b"}},)"
        R"("template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}})",
        arena);
    const auto made = base::sync_wait(
        *executor, client->create(client::collections::replica_sets.address("default"), *set, {}));
    ASSERT_TRUE(made) << made.error().message();
    base::sync_wait(*executor, wait_for_pods(*client, 3));

    run_on(*executor, [&engine] { return engine->stop(); });
    run_on(*executor, [&informers] { return informers->stop(); });
    const auto pods =
        base::sync_wait(*executor, client->list(client::collections::pods.address("default"), {}));
    ASSERT_TRUE(pods);
    EXPECT_EQ(pods->items.size(), 3U);
    executor->stop();
}

}  // namespace
}  // namespace keelson::daemon
