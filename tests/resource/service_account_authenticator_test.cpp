#include "kernel/resource/service_account_authenticator.h"

#include <gtest/gtest.h>

#include "kernel/base/sync_wait.h"
#include "tests/resource/cluster.h"

namespace keelson::resource {
namespace {

using access::Identity;

// Always the same answer.
class FakeAuthenticator final : public access::Authenticator {
  public:
    base::Task<Answer> authenticate(const access::Credentials&) override { co_return answer; }
    Answer answer = std::optional<Identity>();
};

class ServiceAccountAuthenticatorTest : public ::testing::Test {
  protected:
    ServiceAccountAuthenticatorTest() {
        identity.user = "system:serviceaccount:default:default";
        identity.uid = uid("v1/serviceaccounts", "default", "default");
        identity.groups = {"system:serviceaccounts", "system:serviceaccounts:default"};
    }
    std::string uid(std::string_view resource, std::string_view space, std::string_view name) {
        return cluster.get({resource, space, name}).text({"metadata", "uid"});
    }
    void say(std::string_view key, const std::string& value) {
        std::erase_if(identity.extra, [&](const auto& entry) { return entry.first == key; });
        identity.extra.emplace_back(key, std::vector<std::string>{value});
    }
    access::Authenticator::Answer ask() {
        inner->answer = std::optional<Identity>(identity);
        return base::sync_wait(cluster.executor, authenticator.authenticate({}));
    }
    std::string problem() {
        const auto answer = ask();
        return answer ? "" : answer.error().message();
    }

    Cluster cluster;
    Identity identity;
    std::shared_ptr<FakeAuthenticator> inner = std::make_shared<FakeAuthenticator>();
    ServiceAccountAuthenticator authenticator{inner, cluster.verbs->lookup(), cluster.executor.clock()};
};

TEST_F(ServiceAccountAuthenticatorTest, LeavesOthersAlone) {
    EXPECT_FALSE(*base::sync_wait(cluster.executor, authenticator.authenticate({})));
    identity = {"jane", "x", {}, {}};
    EXPECT_EQ(problem(), "");
    inner->answer = base::Status(base::Reason::unauthorized, "expired");
    EXPECT_FALSE(base::sync_wait(cluster.executor, authenticator.authenticate({})));
}

TEST_F(ServiceAccountAuthenticatorTest, TheAccountMustBeThere) {
    EXPECT_EQ(problem(), "");
    const std::string actual = identity.uid;
    identity.uid = "old";
    EXPECT_EQ(problem(), "service account UID (" + actual + ") does not match claim (old)");
    identity.uid = actual;
    identity.user = "system:serviceaccount:default:nobody";
    EXPECT_EQ(problem(), "serviceaccounts \"nobody\" not found");
    identity.user = "system:serviceaccount:nobody";
    EXPECT_NE(problem(), "");
    identity.user = "system:serviceaccount:default:default";
    ASSERT_TRUE(cluster.remove({"v1/serviceaccounts", "default", "default"}).ok());
    EXPECT_EQ(problem(), "serviceaccounts \"default\" not found");
}

TEST_F(ServiceAccountAuthenticatorTest, DeletionCountsAfterAMinute) {
    ASSERT_TRUE(cluster
                    .patch({"v1/serviceaccounts", "default", "default"}, PatchType::merge,
                           R"({"metadata":{"finalizers":["example.com/wait"]}})")
                    .ok());
    ASSERT_TRUE(cluster.remove({"v1/serviceaccounts", "default", "default"}).ok());
    EXPECT_EQ(problem(), "");
    cluster.executor.advance(std::chrono::seconds(62));
    EXPECT_EQ(problem(), "service account default/default has been deleted");
}

TEST_F(ServiceAccountAuthenticatorTest, TheBoundPodMustBeThere) {
    ASSERT_TRUE(cluster.create({"v1/pods", "default", ""}, pod_json("p")).ok());
    const std::string pod = uid("v1/pods", "default", "p");
    say(pod_name_extra, "p");
    say(pod_uid_extra, pod);
    say(node_name_extra, "gone");
    say(node_uid_extra, "gone");
    EXPECT_EQ(problem(), "") << "the node of a pod is not looked up";
    say(pod_uid_extra, "old");
    EXPECT_EQ(problem(), "pod UID (" + pod + ") does not match service account pod ref claim (old)");
    say(pod_name_extra, "q");
    EXPECT_EQ(problem(), "service account token has been invalidated");
}

TEST_F(ServiceAccountAuthenticatorTest, TheBoundSecretOrNodeMustBeThere) {
    ASSERT_TRUE(cluster.create({"v1/secrets", "default", ""}, R"({"metadata":{"name":"s"}})").ok());
    ASSERT_TRUE(cluster.create({"v1/nodes", "", ""}, R"({"metadata":{"name":"n"}})").ok());
    say(secret_name_extra, "s");
    say(secret_uid_extra, uid("v1/secrets", "default", "s"));
    const auto answer = ask();
    ASSERT_TRUE(answer);
    EXPECT_TRUE((*answer)->extra.empty()) << "nobody else is to see the secret";
    ASSERT_TRUE(cluster.remove({"v1/secrets", "default", "s"}).ok());
    EXPECT_EQ(problem(), "service account token has been invalidated");
    identity.extra.clear();
    say(node_name_extra, "n");
    say(node_uid_extra, "old");
    EXPECT_EQ(problem(), "node UID (" + uid("v1/nodes", "", "n") +
                             ") does not match service account node ref claim (old)");
    say(node_uid_extra, uid("v1/nodes", "", "n"));
    EXPECT_EQ(problem(), "");
}

}  // namespace
}  // namespace keelson::resource
