// What plugins tell about objects, over a real store.
#include "kernel/daemon/plugin_events.h"

#include <gtest/gtest.h>

#include "kernel/base/executor_real.h"
#include "kernel/base/ids.h"
#include "kernel/base/sync_wait.h"
#include "kernel/client/in_process.h"
#include "kernel/resource/bootstrap.h"
#include "kernel/store/memory.h"

namespace keelson::daemon {
namespace {

class PluginEventsTest : public ::testing::Test {
  protected:
    PluginEventsTest() {
        EXPECT_TRUE(run(resource::bootstrap(verbs_, resource::BootstrapSettings())));
        client_ = client::make_in_process_client(verbs_, subresources_, access::node_identity("n1"));
        reader_ = client::make_in_process_client(verbs_, subresources_, access::api_server_identity());
    }

    template <typename T>
    T run(base::Task<T> task) {
        return base::sync_wait(*executor_, std::move(task));
    }
    // All Events after the plugin "disk" has sent these.
    client::Page after(const std::vector<std::string>& sent) {
        auto events = PluginEvents::start(*client_, base::system_random(), "n1");
        for (const std::string& one : sent) events->take("disk", one);
        events.reset();
        auto page = run(reader_->list({"", "v1", "events", "", "", ""}, {}));
        EXPECT_TRUE(page) << page.error().message();
        return std::move(*page);
    }

    std::unique_ptr<base::ThreadExecutor> executor_ = base::make_thread_executor(2, 2);
    std::unique_ptr<store::Store> store_ = store::make_memory_store();
    resource::Verbs verbs_{*store_, executor_->clock(), base::system_random(), resource::NetworkSettings()};
    resource::Subresources subresources_{verbs_, nullptr, nullptr};
    std::unique_ptr<client::Client> client_;
    std::unique_ptr<client::Client> reader_;
};

TEST_F(PluginEventsTest, BecomeEventsOfTheApi) {
    const client::Page page = after(
        {R"({"regarding":{"apiVersion":"v1","kind":"Pod","namespace":"default","name":"web","uid":"u1"},)"
         R"("type":"Warning","reason":"DiskIsSlow","action":"Mounting","message":"it takes its time"})"});
    ASSERT_EQ(page.items.size(), 1u);
    const object::Value event = page.items[0];
    EXPECT_EQ(event["involvedObject"]["name"].as_string(), "web");
    EXPECT_EQ(event["involvedObject"]["uid"].as_string(), "u1");
    EXPECT_EQ(event["type"].as_string(), "Warning");
    EXPECT_EQ(event["reason"].as_string(), "DiskIsSlow");
    EXPECT_EQ(event["message"].as_string(), "it takes its time");
    EXPECT_EQ(event["source"]["component"].as_string(), "disk");
    EXPECT_EQ(event["source"]["host"].as_string(), "n1");
}

TEST_F(PluginEventsTest, WhatIsNoneIsForgotten) {
    const client::Page page =
        after({"", "[]", R"({"type":"Warning"})",
               R"({"regarding":{"kind":"Pod"},"type":"Normal","reason":"A","message":"b"})",
               R"({"regarding":{"apiVersion":"v1","kind":"Pod","name":"web"},"type":"Loud","reason":"A",)"
               R"("action":"B","message":"c"})"});
    EXPECT_TRUE(page.items.empty());
}

}  // namespace
}  // namespace keelson::daemon
