#include "kernel/api/event_cache.h"

#include <gtest/gtest.h>

#include "kernel/base/executor_real.h"

namespace keelson::api {
namespace {

using resource::WatchEventType;

// A stored object whose resourceVersion is put in where two quotes stand together.
class EventCacheTest : public ::testing::Test {
  protected:
    store::Record record(store::Revision revision, std::string_view key = "/pods/default/a") {
        store::Record record;
        record.key = key;
        record.bytes = bytes_;
        record.modified = revision;
        record.header.revision_offset = static_cast<std::uint32_t>(bytes_.find(R"("")") + 1);
        return record;
    }
    std::string bytes_ = R"({"metadata":{"name":"a","resourceVersion":""}})";
    EventCache cache_;
};

TEST_F(EventCacheTest, MakesTheLineOfAnEvent) {
    EXPECT_EQ(*cache_.json(WatchEventType::added, record(7)),
              "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"7\"}}}\n");
}

TEST_F(EventCacheTest, SharesWhatIsTheSame) {
    BodyPiece first = cache_.json(WatchEventType::added, record(7));
    EXPECT_EQ(cache_.json(WatchEventType::added, record(7)), first);
    // An object that leaves the selector of one watcher and stays in that of another.
    EXPECT_NE(*cache_.json(WatchEventType::removed, record(7)), *first);
    EXPECT_NE(*cache_.json(WatchEventType::added, record(8)), *first);
    // The same revision: both keys were written by one transaction.
    bytes_ = R"({"metadata":{"name":"b","resourceVersion":""}})";
    EXPECT_NE(*cache_.json(WatchEventType::added, record(7, "/pods/default/b")), *first);
    EXPECT_EQ(cache_.json(WatchEventType::added, record(7)), first);
}

TEST_F(EventCacheTest, KeepsFewAndSmallEventsOnly) {
    BodyPiece first = cache_.json(WatchEventType::added, record(1));
    std::weak_ptr<const std::string> kept = first;
    first.reset();
    EXPECT_FALSE(kept.expired());
    for (store::Revision revision = 2; revision < 20; ++revision)
        (void)cache_.json(WatchEventType::added, record(revision));
    EXPECT_TRUE(kept.expired());
    bytes_.insert(bytes_.size() - 1, R"(,"data":")" + std::string(100'000, 'x') + "\"");
    kept = cache_.json(WatchEventType::added, record(20));
    EXPECT_TRUE(kept.expired());
}

TEST(EventCachesTest, HasOneForEachExecutor) {
    auto one = base::make_thread_executor(1, 1), other = base::make_thread_executor(1, 1);
    EventCaches caches;
    EXPECT_EQ(caches.of(*one), caches.of(*one));
    EXPECT_NE(caches.of(*one), caches.of(*other));
}

}  // namespace
}  // namespace keelson::api
