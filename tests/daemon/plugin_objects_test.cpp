// What plugins read of the API, over a real store.
#include "kernel/daemon/plugin_objects.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/base/executor_real.h"
#include "kernel/base/ids.h"
#include "kernel/base/sync_wait.h"
#include "kernel/client/in_process.h"
#include "kernel/object/json.h"
#include "kernel/resource/bootstrap.h"
#include "kernel/store/memory.h"

namespace keelson::daemon {
namespace {

using base::Reason;
using plugin::ObjectQuery;
using plugin::StopSignal;
using testing::HasSubstr;

class PluginObjectsTest : public ::testing::Test {
  protected:
    PluginObjectsTest() {
        EXPECT_TRUE(run(resource::bootstrap(verbs_, resource::BootstrapSettings())));
        writer_ = client::make_in_process_client(verbs_, subresources_, access::api_server_identity());
        objects_.begin(verbs_, subresources_);
    }

    template <typename T>
    T run(base::Task<T> task) {
        return base::sync_wait(*executor_, std::move(task));
    }
    void create(const std::string& name, const std::string& label = "a") {
        object::Arena arena;
        const auto value = object::parse_json_copy(
            R"({"metadata":{"name":")" + name + R"(","labels":{"app":")" + label + R"("}}})", arena);
        ASSERT_TRUE(value);
        const auto made = run(writer_->create(address(name), *value, {}));
        ASSERT_TRUE(made) << made.error().message();
    }
    static client::Address address(const std::string& name) {
        return {"", "v1", "configmaps", "default", name, ""};
    }
    static ObjectQuery query(std::size_t limit_bytes = 1 << 20) {
        ObjectQuery query;
        query.plugin = "probe";
        query.version = "v1";
        query.resource = "configmaps";
        query.namespace_name = "default";
        query.limit_bytes = limit_bytes;
        return query;
    }

    std::unique_ptr<base::ThreadExecutor> executor_ = base::make_thread_executor(2, 2);
    std::unique_ptr<store::Store> store_ = store::make_memory_store();
    resource::Verbs verbs_{*store_, executor_->clock(), base::system_random(), resource::NetworkSettings()};
    resource::Subresources subresources_{verbs_, nullptr, nullptr};
    std::unique_ptr<client::Client> writer_;
    PluginObjects objects_;
};

TEST_F(PluginObjectsTest, ObjectsAndListsAreThoseOfTheApi) {
    create("one");
    create("two", "b");
    auto wanted = query();
    wanted.name = "one";
    const auto one = run(objects_.get(wanted));
    ASSERT_TRUE(one) << one.error().message();
    EXPECT_THAT(*one, HasSubstr(R"("kind":"ConfigMap")"));
    auto some = query();
    some.label_selector = "app=b";
    const auto list = run(objects_.list(some));
    ASSERT_TRUE(list) << list.error().message();
    ASSERT_EQ(list->items.size(), 1u);
    EXPECT_THAT(list->items[0], HasSubstr(R"("name":"two")"));
    EXPECT_FALSE(list->resource_version.empty());
}

TEST_F(PluginObjectsTest, WhatCannotBeReadSaysWhy) {
    auto unknown = query();
    unknown.resource = "widgets";
    EXPECT_EQ(run(objects_.list(unknown)).error().reason(), Reason::not_found);
    auto nowhere = query();
    nowhere.name = "one";
    nowhere.namespace_name.clear();
    EXPECT_THAT(run(objects_.get(nowhere)).error().message(), HasSubstr("'namespace' is required"));
    auto broken = query();
    broken.label_selector = "a in (";
    EXPECT_EQ(run(objects_.list(broken)).error().reason(), Reason::bad_request);
    objects_.end();
    EXPECT_EQ(run(objects_.list(query())).error().reason(), Reason::service_unavailable);
}

TEST_F(PluginObjectsTest, AListBeyondTheLimitIsRefusedNotCut) {
    for (int i = 0; i < 20; ++i) create("map-" + std::to_string(i));
    EXPECT_EQ(run(objects_.list(query(1000))).error().reason(), Reason::request_entity_too_large);
}

TEST_F(PluginObjectsTest, WatchesGiveWhatHasChangedSinceAVersion) {
    const std::string before = run(objects_.list(query()))->resource_version;
    create("one");
    create("two");
    auto changes_wanted = query();
    changes_wanted.resource_version = before;
    const auto changes = run(objects_.watch(changes_wanted, std::make_shared<StopSignal>()));
    ASSERT_TRUE(changes) << changes.error().message();
    ASSERT_EQ(changes->changes.size(), 2u);
    EXPECT_EQ(changes->changes[0].type, "ADDED");
    EXPECT_THAT(changes->changes[1].object, HasSubstr(R"("name":"two")"));
    // What does not fit comes with the next question.
    changes_wanted.limit_bytes = 10;
    const auto first = run(objects_.watch(changes_wanted, std::make_shared<StopSignal>()));
    ASSERT_EQ(first->changes.size(), 1u);
    changes_wanted.resource_version = first->resource_version;
    const auto second = run(objects_.watch(changes_wanted, std::make_shared<StopSignal>()));
    ASSERT_EQ(second->changes.size(), 1u);
    EXPECT_EQ(second->resource_version, changes->resource_version);
}

TEST_F(PluginObjectsTest, AWatchWaitsUntilItIsStopped) {
    auto wanted = query();
    wanted.resource_version = run(objects_.list(query()))->resource_version;
    auto stop = std::make_shared<StopSignal>();
    executor_->post_after(std::chrono::milliseconds(20), [stop] { stop->stop(); });
    const auto nothing = run(objects_.watch(wanted, stop));
    ASSERT_TRUE(nothing) << nothing.error().message();
    EXPECT_TRUE(nothing->changes.empty());
    EXPECT_EQ(nothing->resource_version, wanted.resource_version);
    objects_.end();
}

TEST_F(PluginObjectsTest, AVersionThatIsNoNumberIsRefused) {
    auto wanted = query();
    wanted.resource_version = "yesterday";
    const auto refused = run(objects_.watch(wanted, std::make_shared<StopSignal>()));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().reason(), Reason::bad_request);
}

}  // namespace
}  // namespace keelson::daemon
