#include "kernel/resource/listing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/base/base64.h"
#include "kernel/base/sync_wait.h"
#include "kernel/object/json.h"
#include "kernel/resource/codec.h"
#include "tests/resource/cluster.h"

namespace keelson::resource {
namespace {

using base::Reason;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr Target kMaps{"v1/configmaps", "default", ""};

std::string map_json(std::string_view name, std::string_view labels = "{}") {
    return R"({"metadata":{"name":")" + std::string(name) + R"(","labels":)" + std::string(labels) + "}}";
}

class ListingTest : public ::testing::Test {
  protected:
    ListingTest() {
        for (std::string_view name : {"a", "b", "c", "d", "e"})
            EXPECT_TRUE(cluster
                            .create(kMaps, map_json(name, name < "c" ? R"({"half":"first"})"
                                                                     : R"({"half":"second"})"))
                            .ok());
    }
    Cluster cluster;
};

TEST_F(ListingTest, PagesStayAtOneRevision) {
    ListOptions options;
    options.limit = 2;
    auto first = cluster.list(kMaps, options);
    EXPECT_THAT(first.names, ElementsAre("a", "b"));
    EXPECT_EQ(first.remaining, 3);
    ASSERT_FALSE(first.continue_token.empty());
    // The world goes on.
    (void)cluster.remove({"v1/configmaps", "default", "c"});
    (void)cluster.create(kMaps, map_json("bb"));
    (void)cluster.create(kMaps, map_json("f"));
    options.continue_token = first.continue_token;
    auto second = cluster.list(kMaps, options);
    EXPECT_THAT(second.names, ElementsAre("c", "d"));
    EXPECT_EQ(second.revision, first.revision);
    EXPECT_EQ(second.remaining, 1);
    options.continue_token = second.continue_token;
    auto third = cluster.list(kMaps, options);
    EXPECT_THAT(third.names, ElementsAre("e"));
    EXPECT_EQ(third.continue_token, "");
    EXPECT_FALSE(third.remaining);
    EXPECT_THAT(cluster.list(kMaps).names, ElementsAre("a", "b", "bb", "d", "e", "f"));
}

TEST_F(ListingTest, SelectorsChoose) {
    ListOptions options;
    options.label_selector = "half=second";
    EXPECT_THAT(cluster.list(kMaps, options).names, ElementsAre("c", "d", "e"));
    options.limit = 2;
    auto page = cluster.list(kMaps, options);
    EXPECT_THAT(page.names, ElementsAre("c", "d"));
    EXPECT_FALSE(page.remaining) << "nobody counts what a selector leaves";
    options.continue_token = page.continue_token;
    EXPECT_THAT(cluster.list(kMaps, options).names, ElementsAre("e"));
    ListOptions by_name;
    by_name.field_selector = "metadata.name=d";
    EXPECT_THAT(cluster.list(kMaps, by_name).names, ElementsAre("d"));
    by_name.field_selector = "metadata.name!=d,metadata.namespace=default";
    EXPECT_THAT(cluster.list({"v1/configmaps", "", ""}, by_name).names, ElementsAre("a", "b", "c", "e"));
    by_name.field_selector = "spec.nope=1";
    EXPECT_EQ(cluster.list(kMaps, by_name).reason, Reason::bad_request);
    by_name.field_selector = "";
    by_name.label_selector = "a in b";
    EXPECT_EQ(cluster.list(kMaps, by_name).reason, Reason::bad_request);
}

TEST_F(ListingTest, RevisionsMayBeChosen) {
    ListOptions options;
    options.resource_version = std::to_string(cluster.store->current());
    (void)cluster.create(kMaps, map_json("z"));
    EXPECT_THAT(cluster.list(kMaps, options).names, testing::Contains("z")) << "at least that revision";
    options.resource_version_match = "Exact";
    EXPECT_THAT(cluster.list(kMaps, options).names, ElementsAre("a", "b", "c", "d", "e"));
    options.resource_version = "999999";
    options.resource_version_match = "NotOlderThan";
    auto future = cluster.list(kMaps, options);
    EXPECT_EQ(future.reason, Reason::timeout);
    EXPECT_THAT(future.error, HasSubstr("Too large resource version"));
    options.resource_version = "0";
    options.resource_version_match = "Exact";
    EXPECT_EQ(cluster.list(kMaps, options).reason, Reason::invalid);
    options.resource_version = "x";
    options.resource_version_match = "";
    EXPECT_EQ(cluster.list(kMaps, options).reason, Reason::bad_request);
}

TEST_F(ListingTest, CompactedRevisionsAreGone) {
    ListOptions options;
    options.limit = 2;
    auto page = cluster.list(kMaps, options);
    cluster.executor.advance(std::chrono::hours(1));
    for (int i = 0; i < 3; ++i) (void)cluster.create(kMaps, map_json("x" + std::to_string(i)));
    ASSERT_TRUE(base::sync_wait(cluster.executor, cluster.store->compact(cluster.store->current())));
    options.continue_token = page.continue_token;
    auto late = cluster.list(kMaps, options);
    EXPECT_EQ(late.reason, Reason::expired);
    EXPECT_THAT(late.error, HasSubstr("The provided continue parameter is too old"));
    ListOptions exact;
    exact.resource_version = "2";
    exact.resource_version_match = "Exact";
    EXPECT_EQ(cluster.list(kMaps, exact).reason, Reason::expired);
}

TEST_F(ListingTest, ForeignTokensAreRefused) {
    auto refused = [&](std::string_view token) {
        ListOptions options;
        options.limit = 2;
        options.continue_token = token;
        auto page = cluster.list(kMaps, options);
        EXPECT_THAT(page.names, IsEmpty());
        return page.reason;
    };
    auto encoded = [](std::string_view json) { return base::base64_encode(json, base::Base64::url); };
    for (std::string_view token : {"x", "!!!", "====", "e30"})
        EXPECT_EQ(refused(token), Reason::bad_request) << token;
    EXPECT_EQ(refused(encoded(R"({"v":"v2","rv":5,"start":"a"})")), Reason::bad_request);
    EXPECT_EQ(refused(encoded(R"({"v":"meta.k8s.io/v1","rv":-5,"start":"a"})")), Reason::bad_request);
    EXPECT_EQ(refused(encoded(R"({"v":"meta.k8s.io/v1","rv":5,"start":""})")), Reason::bad_request);
    EXPECT_EQ(refused(encoded(R"({"v":"meta.k8s.io/v1","rv":5,"start":"../secrets/default/a"})")),
              Reason::bad_request);
    EXPECT_EQ(refused(encoded(R"({"v":"meta.k8s.io/v1","rv":999999,"start":"a"})")), Reason::timeout);
    ListOptions both;
    both.continue_token = encoded(R"({"v":"meta.k8s.io/v1","rv":5,"start":"a"})");
    both.resource_version = "5";
    EXPECT_EQ(cluster.list(kMaps, both).reason, Reason::bad_request);
}

// A watch whose events are written down as "ADDED a", "DELETED b", "BOOKMARK", "END".
class Watcher {
  public:
    Watcher(Cluster& cluster, const Target& target, const ListOptions& options) {
        auto started = WatchStream::start(*cluster.store, Cluster::call_of(target), options);
        if (started)
            stream_.emplace(std::move(*started));
        else
            error = started.error();
    }
    std::vector<std::string> take() {
        std::vector<std::string> seen;
        while (stream_) {
            auto count = stream_->poll(10, [&](WatchEventType type, const store::Record& record) {
                constexpr std::string_view kNames[] = {"ADDED ", "MODIFIED ", "DELETED ", "BOOKMARK", "END"};
                std::string text(kNames[static_cast<std::size_t>(type)]);
                if (!record.key.empty()) text += record.key.substr(record.key.rfind('/') + 1);
                seen.push_back(text);
                last_version = record.modified;
                object::Arena arena;
                if (!record.key.empty())
                    if (auto object = decode(record, arena)) last_object = object::to_json(*object);
            });
            if (!count) {
                error = count.error();
                break;
            }
            if (*count == 0) break;
        }
        return seen;
    }
    store::Revision progress() const { return stream_->progress(); }

    std::optional<base::Status> error;
    store::Revision last_version = 0;
    std::string last_object;

  private:
    std::optional<WatchStream> stream_;
};

TEST_F(ListingTest, WatchesBeginWithTheState) {
    Watcher fresh(cluster, kMaps, {});
    EXPECT_THAT(fresh.take(), ElementsAre("ADDED a", "ADDED b", "ADDED c", "ADDED d", "ADDED e"));
    ListOptions from_now;
    from_now.resource_version = std::to_string(cluster.store->current());
    Watcher later(cluster, kMaps, from_now);
    EXPECT_THAT(later.take(), IsEmpty());
    (void)cluster.create(kMaps, map_json("f"));
    (void)cluster.patch({"v1/configmaps", "default", "a"}, PatchType::merge, R"({"data":{"x":"y"}})");
    (void)cluster.remove({"v1/configmaps", "default", "b"});
    EXPECT_THAT(fresh.take(), ElementsAre("ADDED f", "MODIFIED a", "DELETED b"));
    EXPECT_THAT(later.take(), ElementsAre("ADDED f", "MODIFIED a", "DELETED b"));
    EXPECT_EQ(later.last_version, cluster.store->current()) << "a deletion has a revision of its own";
}

TEST_F(ListingTest, WatchesFromThePastCatchUp) {
    ListOptions options;
    options.resource_version = std::to_string(cluster.store->current() - 2);
    Watcher watcher(cluster, kMaps, options);
    EXPECT_THAT(watcher.take(), ElementsAre("ADDED d", "ADDED e"));
}

TEST_F(ListingTest, LeavingASelectorIsADeletion) {
    ListOptions options;
    options.label_selector = "half=first";
    Watcher watcher(cluster, kMaps, options);
    EXPECT_THAT(watcher.take(), ElementsAre("ADDED a", "ADDED b"));
    Outcome left = cluster.patch({"v1/configmaps", "default", "a"}, PatchType::merge,
                                 R"({"metadata":{"labels":{"half":"none"}}})");
    EXPECT_THAT(watcher.take(), ElementsAre("DELETED a"));
    EXPECT_EQ(std::to_string(watcher.last_version), left.version());
    EXPECT_THAT(watcher.last_object, HasSubstr(R"("half":"first")")) << "it shows what this watcher may see";
    (void)cluster.patch({"v1/configmaps", "default", "a"}, PatchType::merge, R"({"data":{"x":"1"}})");
    EXPECT_THAT(watcher.take(), IsEmpty());
    (void)cluster.patch({"v1/configmaps", "default", "c"}, PatchType::merge,
                        R"({"metadata":{"labels":{"half":"first"}}})");
    EXPECT_THAT(watcher.take(), ElementsAre("ADDED c"));
    (void)cluster.patch({"v1/configmaps", "default", "c"}, PatchType::merge, R"({"data":{"x":"1"}})");
    (void)cluster.remove({"v1/configmaps", "default", "c"});
    (void)cluster.remove({"v1/configmaps", "default", "d"});
    EXPECT_THAT(watcher.take(), ElementsAre("MODIFIED c", "DELETED c"));
}

TEST_F(ListingTest, FieldSelectorsSeeEveryChange) {
    (void)cluster.create({"v1/pods", "default", ""}, pod_json("p"));
    ListOptions options;
    options.field_selector = "spec.nodeName=n";
    Watcher watcher(cluster, {"v1/pods", "default", ""}, options);
    EXPECT_THAT(watcher.take(), IsEmpty());
    Outcome bound = cluster.create({"v1/pods/binding", "default", "p"},
                                   R"({"metadata":{"name":"p"},"target":{"kind":"Node","name":"n"}})");
    ASSERT_TRUE(bound.ok()) << bound.error;
    EXPECT_THAT(watcher.take(), ElementsAre("ADDED p"));
}

TEST_F(ListingTest, InitialEventsEndWithABookmark) {
    ListOptions options;
    options.send_initial_events = true;
    options.resource_version_match = "NotOlderThan";
    options.allow_watch_bookmarks = true;
    Watcher watcher(cluster, kMaps, options);
    EXPECT_THAT(watcher.take(), ElementsAre("ADDED a", "ADDED b", "ADDED c", "ADDED d", "ADDED e", "END"));
    EXPECT_EQ(watcher.last_version, cluster.store->current());
    options.resource_version_match = "";
    EXPECT_EQ(Watcher(cluster, kMaps, options).error->reason(), Reason::invalid);
}

TEST_F(ListingTest, ProgressGoesOnWithoutEvents) {
    Watcher watcher(cluster, kMaps, {});
    (void)watcher.take();
    (void)cluster.create({"v1/secrets", "default", ""}, map_json("s"));
    EXPECT_THAT(watcher.take(), IsEmpty());
    EXPECT_EQ(watcher.progress(), cluster.store->current());
}

TEST_F(ListingTest, WatchesOfCompactedRevisionsAreGone) {
    cluster.executor.advance(std::chrono::hours(1));
    (void)cluster.create(kMaps, map_json("z"));
    ASSERT_TRUE(base::sync_wait(cluster.executor, cluster.store->compact(cluster.store->current())));
    ListOptions options;
    options.resource_version = "2";
    Watcher watcher(cluster, kMaps, options);
    (void)watcher.take();
    ASSERT_TRUE(watcher.error);
    EXPECT_EQ(watcher.error->reason(), Reason::expired);
    EXPECT_EQ(watcher.error->code(), 410);
    options.resource_version = "999999";
    EXPECT_EQ(Watcher(cluster, kMaps, options).error->reason(), Reason::timeout);
}

}  // namespace
}  // namespace keelson::resource
