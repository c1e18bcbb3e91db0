#include "kernel/node/object_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/client/collections.h"
#include "tests/client/forwarding_client.h"
#include "tests/node/node_cluster.h"

namespace keelson::node {
namespace {

namespace collections = client::collections;
using base::Reason;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class ObjectCacheTest : public ::testing::Test, public NodeCluster {
  protected:
    base::Result<client::ObjectPointer> get(std::string name, std::string user = "u1") {
        return run(cache->get(collections::config_maps, {"default", std::move(name)}, std::move(user)));
    }
    void make(std::string_view name, std::string_view value) {
        const auto made = cluster.create({"v1/configmaps", "default", ""},
                                         R"({"metadata":{"name":")" + std::string(name) +
                                             R"("},"data":{"a":")" + std::string(value) + R"("}})");
        ASSERT_TRUE(made.ok()) << made.error;
        settle();
    }
    void change(std::string_view name, std::string_view value) {
        const auto changed = cluster.patch({"v1/configmaps", "default", name}, resource::PatchType::merge,
                                           R"({"data":{"a":")" + std::string(value) + R"("}})");
        ASSERT_TRUE(changed.ok()) << changed.error;
        settle();
    }
    std::string value(std::string_view name) {
        const auto object = get(std::string(name));
        return object ? (*object)->root()["data"]["a"].to_string() : object.error().message();
    }
};

TEST_F(ObjectCacheTest, GivesTheObjectAndFollowsIt) {
    make("m", "1");
    EXPECT_EQ(value("m"), "1");
    settle();
    EXPECT_THAT(changed, IsEmpty());
    change("m", "2");
    EXPECT_THAT(changed, ElementsAre("u1"));
    EXPECT_EQ(value("m"), "2");
}

TEST_F(ObjectCacheTest, WatchesNothingButTheName) {
    make("m", "1");
    EXPECT_EQ(value("m"), "1");
    make("other", "1");
    change("other", "2");
    EXPECT_THAT(changed, IsEmpty());
}

TEST_F(ObjectCacheTest, RemembersThatThereIsNoneAndSaysWhenItComes) {
    const auto missing = get("m");
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().reason(), Reason::not_found);
    EXPECT_EQ(missing.error().message(), "configmap \"m\" not found");
    settle();
    make("m", "1");
    EXPECT_THAT(changed, ElementsAre("u1"));
    EXPECT_EQ(value("m"), "1");
    ASSERT_TRUE(cluster.remove({"v1/configmaps", "default", "m"}).ok());
    settle();
    EXPECT_EQ(value("m"), "configmap \"m\" not found");
    EXPECT_THAT(changed, ElementsAre("u1", "u1"));
}

TEST_F(ObjectCacheTest, TellsAllUsersUntilTheyAreReleased) {
    make("m", "1");
    ASSERT_TRUE(get("m", "u1"));
    ASSERT_TRUE(get("m", "u2"));
    change("m", "2");
    EXPECT_THAT(changed, UnorderedElementsAre("u1", "u2"));
    changed.clear();
    cache->release("u1");
    change("m", "3");
    EXPECT_THAT(changed, ElementsAre("u2"));
    changed.clear();
    cache->release("u2");
    change("m", "4");
    EXPECT_THAT(changed, IsEmpty());
    EXPECT_EQ(value("m"), "4") << "a new watch sees the present state";
}

TEST_F(ObjectCacheTest, RefusesAfterTheStop) {
    make("m", "1");
    EXPECT_EQ(value("m"), "1");
    run(cache->stop());
    EXPECT_EQ(get("m").error().reason(), Reason::service_unavailable);
}

// A client whose lists fail for a while.
class FailingClient final : public client::ForwardingClient {
  public:
    using ForwardingClient::ForwardingClient;
    base::Task<base::Result<client::Page>> list(client::Address address,
                                                client::ListOptions options) override {
        ++lists;
        if (failure) co_return *failure;
        auto listing = real_.list(std::move(address), std::move(options));
        co_return co_await listing;
    }

    std::optional<base::Status> failure;
    int lists = 0;
};

TEST_F(ObjectCacheTest, ReportsAFailureAndTriesAgainByItself) {
    make("m", "1");
    FailingClient failing(*client);
    std::vector<std::string> told;
    const auto other = ObjectCache::make(failing, cluster.executor, cluster.random,
                                         [&](const std::string& user) { told.push_back(user); });
    failing.failure = base::Status(Reason::forbidden, "no relationship found");
    const auto refused = run(other->get(collections::config_maps, {"default", "m"}, "u1"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message(), "no relationship found");
    EXPECT_LE(failing.lists, 3);
    failing.failure.reset();
    cluster.executor.advance(std::chrono::minutes(1));
    EXPECT_THAT(told, ElementsAre("u1"));
    const auto found = run(other->get(collections::config_maps, {"default", "m"}, "u1"));
    EXPECT_TRUE(found);
    run(other->stop());
}

// It would be asked without end while nothing else runs.
TEST_F(ObjectCacheTest, WaitsBeforeItAsksAgainForAListThatIsForgotten) {
    FailingClient failing(*client);
    const auto other =
        ObjectCache::make(failing, cluster.executor, cluster.random, [](const std::string&) {});
    failing.failure = base::Status(Reason::expired, "the continue parameter is too old");
    ASSERT_FALSE(run(other->get(collections::config_maps, {"default", "m"}, "u1")));
    cluster.executor.advance(std::chrono::minutes(1));
    EXPECT_LE(failing.lists, 15);
    run(other->stop());
}

}  // namespace
}  // namespace keelson::node
