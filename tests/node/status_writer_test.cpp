// What a node knows of a pod after it has written the pod's status.
#include "kernel/node/status_writer.h"

#include <gtest/gtest.h>

#include "tests/node/node_cluster.h"

namespace keelson::node {
namespace {

using base::Task;
using client::Client;

// Answers an update with what it was given, at the revision that the test says; `meanwhile` runs before the
// answer arrives.
class PlayedClient final : public Client {
  public:
    std::string revision;
    std::function<void()> meanwhile = [] {};

    Task<Object> update(client::Address, object::Value object, client::WriteOptions) override {
        object::Document answer;
        answer.root = object.clone(answer.arena);
        answer.root["metadata"].set(answer.arena, "resourceVersion",
                                    object::Value::string(answer.arena, revision));
        meanwhile();
        co_return std::move(answer);
    }
    Task<Object> get(client::Address) override { co_return unexpected(); }
    Task<base::Result<client::Page>> list(client::Address, client::ListOptions) override {
        co_return unexpected();
    }
    Task<base::Result<std::unique_ptr<client::Watch>>> watch(client::Address, client::ListOptions) override {
        co_return unexpected();
    }
    Task<Object> create(client::Address, object::Value, client::WriteOptions) override {
        co_return unexpected();
    }
    Task<Object> patch(client::Address, client::PatchType, object::Value, client::WriteOptions) override {
        co_return unexpected();
    }
    Task<Object> remove(client::Address, client::DeleteOptions) override { co_return unexpected(); }

  private:
    static base::Status unexpected() { return {base::Reason::internal_error, "not played"}; }
};

class StatusWriterTest : public ::testing::Test {
  protected:
    StatusWriterTest() {
        record->uid = "u1";
        record->pod = at("5");
    }
    static client::ObjectPointer at(const std::string& revision, const std::string& more = {}) {
        return pod_of(R"({"containers":[{"name":"c","image":"i"}]})",
                      R"(,"resourceVersion":")" + revision + "\"" + more);
    }
    void write(const std::string& revision) {
        client.revision = revision;
        StatusWriter writer(client);
        EXPECT_TRUE(base::sync_wait(cluster.executor, writer.write(record, {})));
    }

    resource::Cluster cluster;
    PlayedClient client;
    std::shared_ptr<PodRecord> record = std::make_shared<PodRecord>();
};

TEST_F(StatusWriterTest, ThePodIsAsItWasWritten) {
    write("6");
    EXPECT_EQ(record->pod->revision(), 6u);
}

// Deleted behind the write, and told of it before the write's answer came.
TEST_F(StatusWriterTest, ANewerPodIsNotReplacedByTheAnswer) {
    client.meanwhile = [this] { record->pod = at("7", R"(,"deletionTimestamp":"2026-01-01T00:00:00Z")"); };
    write("6");
    EXPECT_EQ(record->pod->revision(), 7u);
    EXPECT_TRUE(record->pod->is_being_deleted());
}

}  // namespace
}  // namespace keelson::node
