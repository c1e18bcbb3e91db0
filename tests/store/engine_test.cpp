// What every engine must do, run on each of them.
#include <atomic>
#include <latch>
#include <thread>

#include "tests/store/store_test_support.h"

namespace keelson::store {
namespace {

using base::Reason;
using testing::Test;
using Lines = std::vector<std::string>;

struct MemoryEngine {
    base::ManualClock clock;
    std::unique_ptr<Store> store =
        make_memory_store({.clock = &clock, .keep_history = base::Duration::zero()});
};
struct LmdbEngine {
    TemporaryDirectory directory{TemporaryDirectory::Place::disk};
    base::ManualClock clock;
    std::unique_ptr<Store> store = [this] {
        LmdbOptions options = small_options();
        options.clock = &clock;
        return must_open(directory / "data", options);
    }();
};

template <typename Engine>
class EngineTest : public Test {
  protected:
    Engine engine;
    Store& store = *engine.store;
};
using Engines = testing::Types<MemoryEngine, LmdbEngine>;
TYPED_TEST_SUITE(EngineTest, Engines);

TYPED_TEST(EngineTest, AnEmptyStoreHasARevision) {
    EXPECT_EQ(this->store.current(), 1u);
    EXPECT_EQ(this->store.compacted(), 0u);
    EXPECT_EQ(list(this->store, ""), Lines{});
    EXPECT_EQ(this->store.count("").value(), 0u);
    EXPECT_EQ(read(this->store, "core/pods/a/b"), "(none)");
    EXPECT_EQ(read(this->store, "core/pods/a/b", 2), "(Timeout)");
}

TYPED_TEST(EngineTest, ReadsNowAndInThePast) {
    Store& store = this->store;
    const Revision first = put(store, "a/x/1", "one");
    const Revision second = put(store, "a/x/1", "two");
    const Revision gone = remove(store, "a/x/1", "last");
    const Revision again = put(store, "a/x/1", "three");
    EXPECT_EQ(
        (Lines{std::to_string(first), std::to_string(second), std::to_string(gone), std::to_string(again)}),
        (Lines{"2", "3", "4", "5"}));
    for (int flushed = 0; flushed < 2; ++flushed) {
        EXPECT_EQ(read(store, "a/x/1"), "three");
        EXPECT_EQ(read(store, "a/x/1", 1), "(none)");
        EXPECT_EQ(read(store, "a/x/1", first), "one");
        EXPECT_EQ(read(store, "a/x/1", second), "two");
        EXPECT_EQ(read(store, "a/x/1", gone), "(none)");
        EXPECT_EQ(list(store, "a/", second), Lines{"a/x/1=two@3/2"});
        EXPECT_EQ(list(store, "a/", gone), Lines{});
        EXPECT_EQ(list(store, "a/"), Lines{"a/x/1=three@5/5"});
        EXPECT_EQ(store.count("a/", {}, gone).value(), 0u);
        EXPECT_EQ(store.count("a/").value(), 1u);
        ASSERT_TRUE(wait(store.flush()));
    }
}

TYPED_TEST(EngineTest, HeadersComeBack) {
    Operation operation = put_operation("a/b/c", "bytes");
    operation.header = {.type = 7,
                        .stored_version = 2,
                        .schema_epoch = 123456,
                        .transform = 1,
                        .revision_offset = 10,
                        .metadata_offset = 20,
                        .metadata_length = 30};
    ASSERT_TRUE(commit(this->store, {operation}));
    EXPECT_EQ((*this->store.get("a/b/c"))->header, operation.header);
    ASSERT_TRUE(wait(this->store.flush()));
    EXPECT_EQ((*this->store.get("a/b/c"))->header, operation.header);
}

TYPED_TEST(EngineTest, ExpectationsAreChecked) {
    Store& store = this->store;
    const Revision created = put(store, "k", "1");
    auto conflict = commit(store, {put_operation("k", "2", 0)});
    ASSERT_TRUE(conflict && conflict->conflict);
    EXPECT_EQ(conflict->conflict->current->bytes, "1");
    EXPECT_EQ(conflict->conflict->current->modified, created);
    ASSERT_TRUE(wait(store.flush()));
    conflict = commit(store, {put_operation("k", "2", created + 5)});
    ASSERT_TRUE(conflict && conflict->conflict);
    EXPECT_EQ(conflict->conflict->current->bytes, "1");
    conflict = commit(store, {put_operation("other", "2"), remove_operation("none", 3)});
    ASSERT_TRUE(conflict && conflict->conflict);
    EXPECT_EQ(conflict->conflict->operation, 1u);
    EXPECT_FALSE(conflict->conflict->current);
    EXPECT_EQ(read(store, "other"), "(none)") << "all or none";
    EXPECT_EQ(store.current(), created);
    const auto applied = commit(store, {put_operation("k", "2", created)});
    EXPECT_EQ(applied->revision, created + 1);
}

TYPED_TEST(EngineTest, ATransactionHasOneRevisionAndAllItsChanges) {
    Store& store = this->store;
    put(store, "a", "1");
    put(store, "b", "1");
    Operation check{.kind = Operation::Kind::check, .key = "b", .expected = 3};
    const auto done =
        commit(store, {put_operation("a", "2"), check, put_operation("c", "1", 0), remove_operation("none")});
    ASSERT_TRUE(done && !done->conflict);
    EXPECT_EQ(done->revision, 4u);
    EXPECT_EQ(list(store, ""), (Lines{"a=2@4/2", "b=1@3/3", "c=1@4/4"}));
    auto watch = store.watch("", 3);
    EXPECT_EQ(drain(**watch, 1), (Lines{"updated a=2@4/2 was 1@2", "created c=1@4/4"}));
    const auto nothing = commit(store, {check});
    EXPECT_EQ(nothing->revision, 4u);
    EXPECT_EQ(store.current(), 4u);
}

TYPED_TEST(EngineTest, BadTransactionsAreRefused) {
    Store& store = this->store;
    const std::string long_key(481, 'k');
    EXPECT_EQ(commit(store, {}).error().reason(), Reason::bad_request);
    EXPECT_EQ(commit(store, {put_operation("", "")}).error().reason(), Reason::bad_request);
    EXPECT_EQ(commit(store, {put_operation(long_key, "")}).error().reason(), Reason::bad_request);
    EXPECT_EQ(commit(store, {put_operation(std::string("a\0b", 3), "")}).error().reason(),
              Reason::bad_request);
    EXPECT_EQ(commit(store, {put_operation("a", ""), remove_operation("a")}).error().reason(),
              Reason::bad_request);
    EXPECT_EQ(commit(store, {put_operation("a", std::string(9u << 20, 'x'))}).error().reason(),
              Reason::request_entity_too_large);
    std::vector<Operation> many;
    for (int index = 0; index < 129; ++index) many.push_back(put_operation("k" + std::to_string(index), ""));
    EXPECT_EQ(commit(store, many).error().reason(), Reason::bad_request);
    many.pop_back();
    EXPECT_EQ(commit(store, many)->revision, 2u);
    EXPECT_EQ(store.count("k").value(), 128u);
    EXPECT_EQ(read(store, long_key), "(none)");
    EXPECT_EQ(put(store, std::string(480, 'k'), "longest"), 3u);
    ASSERT_TRUE(wait(store.flush()));
    EXPECT_EQ(read(store, std::string(480, 'k')), "longest");
}

TYPED_TEST(EngineTest, KeysAreInByteOrderAndPrefixesAreExact) {
    Store& store = this->store;
    const Lines keys{"a", "a-b", "a.b", "a/", "a/b", "a/b/c", "aa", "b", "\xff", "\xff\xff"};
    for (std::size_t index = 0; index < keys.size(); ++index) {
        put(store, keys[keys.size() - 1 - index], "v");
        if (index == 4) {
            ASSERT_TRUE(wait(store.flush()));
        }
    }
    Lines seen;
    ScanRequest request{.prefix = "", .start = "", .revision = 0, .limit_bytes = 1};
    while (true) {
        const auto page = store.scan(request, [&](const Record& record) {
            seen.emplace_back(record.key);
            return true;
        });
        ASSERT_TRUE(page);
        if (!page->more) break;
        request.start = page->next_key;
    }
    EXPECT_EQ(seen, keys);
    EXPECT_EQ(store.count("a/").value(), 3u);
    EXPECT_EQ(store.count("a").value(), 7u);
    EXPECT_EQ(store.count("a", "a/b").value(), 3u);
    EXPECT_EQ(store.count("\xff").value(), 2u);
    EXPECT_EQ(store.count("c").value(), 0u);
}

TYPED_TEST(EngineTest, PagesEndAtTheLimitAndAtTheVisitor) {
    Store& store = this->store;
    for (int index = 0; index < 10; ++index) put(store, "k" + std::to_string(index), std::string(100, 'v'));
    const auto crossing =
        store.scan({.prefix = "k", .start = {}, .limit_bytes = 250}, [](const Record&) { return true; });
    EXPECT_TRUE(crossing->more);
    EXPECT_EQ(crossing->next_key, "k3");
    const auto stopped = store.scan({.prefix = "k", .start = "k2"}, [](const Record&) { return false; });
    EXPECT_TRUE(stopped->more);
    EXPECT_EQ(stopped->next_key, "k3");
    const auto last = store.scan({.prefix = "k", .start = "k9"}, [](const Record&) { return false; });
    EXPECT_FALSE(last->more);
    const auto exact =
        store.scan({.prefix = "k", .start = {}, .limit_bytes = 1000}, [](const Record&) { return true; });
    EXPECT_FALSE(exact->more);
}

TYPED_TEST(EngineTest, APagedListStaysAtItsRevision) {
    Store& store = this->store;
    for (int index = 0; index < 6; ++index) put(store, "k" + std::to_string(index), "old");
    ScanRequest request{.prefix = "k", .start = {}, .revision = 0, .limit_bytes = 1};
    Lines seen;
    for (int page_number = 0;; ++page_number) {
        const auto page = store.scan(request, [&](const Record& record) {
            seen.push_back(std::string(record.key) + std::string(record.bytes));
            return true;
        });
        ASSERT_TRUE(page);
        if (!page->more) break;
        request.start = page->next_key;
        request.revision = page->revision;
        put(store, "k5", "new");
        put(store, "k3x", "new");
        remove(store, "k4");
        if (page_number == 1) {
            ASSERT_TRUE(wait(store.flush()));
        }
    }
    EXPECT_EQ(seen, (Lines{"k0old", "k1old", "k2old", "k3old", "k4old", "k5old"}));
}

TYPED_TEST(EngineTest, WatchesSeeEverythingOnceInOrder) {
    Store& store = this->store;
    put(store, "core/pods/a/1", "x");
    auto all = std::move(*store.watch("", 1));
    auto pods = std::move(*store.watch("core/pods/", 2));
    auto one = std::move(*store.watch("core/pods/a/1", 2));
    auto odd = std::move(*store.watch("core/po", 2));
    put(store, "core/pods/a/1", "y");
    put(store, "core/nodes/n", "z");
    remove(store, "core/pods/a/1", "bye");
    EXPECT_EQ(drain(*all), (Lines{"created core/pods/a/1=x@2/2", "updated core/pods/a/1=y@3/2 was x@2",
                                  "created core/nodes/n=z@4/4", "removed core/pods/a/1=bye@5/2 was y@3"}));
    const Lines pod_lines{"updated core/pods/a/1=y@3/2 was x@2", "removed core/pods/a/1=bye@5/2 was y@3"};
    EXPECT_EQ(drain(*pods, 1), pod_lines);
    ASSERT_TRUE(wait(store.flush()));
    EXPECT_EQ(drain(*one), pod_lines);
    EXPECT_EQ(drain(*odd), pod_lines);
    for (Watch* watch : {all.get(), pods.get(), one.get(), odd.get()}) {
        EXPECT_EQ(drain(*watch), Lines{});
        EXPECT_EQ(watch->progress(), 5u);
    }
}

TYPED_TEST(EngineTest, ArmedWatchesAreToldOnceAndOnlyOfTheirOwn) {
    Store& store = this->store;
    std::vector<std::unique_ptr<Watch>> watches;
    std::vector<std::unique_ptr<std::atomic<int>>> told;
    const Lines prefixes{"",      "core/pods/", "core/pods/a/", "core/pods/a/1", "core/pods/a/2",
                         "apps/", "core/po"};
    for (const std::string& prefix : prefixes) {
        watches.push_back(std::move(*store.watch(prefix, 1)));
        told.push_back(std::make_unique<std::atomic<int>>(0));
        watches.back()->arm([counter = told.back().get()] { ++*counter; });
    }
    auto counts = [&] {
        Lines lines;
        for (const auto& counter : told) lines.push_back(std::to_string(counter->load()));
        return lines;
    };
    EXPECT_EQ(counts(), (Lines{"0", "0", "0", "0", "0", "0", "0"}));
    put(store, "core/nodes/n", "v");
    EXPECT_EQ(counts(), (Lines{"1", "0", "0", "0", "0", "0", "0"}));
    EXPECT_EQ(watches[5]->progress(), 2u) << "a silent watch has progress, for bookmarks";
    put(store, "core/pods/a/1", "v");
    put(store, "core/pods/a/1", "v");
    EXPECT_EQ(counts(), (Lines{"1", "1", "1", "1", "0", "0", "1"}));
    EXPECT_EQ(watches[4]->progress(), 4u);
    EXPECT_EQ(watches[3]->progress(), 2u) << "told, but not delivered yet";
    // Something is there already: told at once.
    watches[3]->arm([counter = told[3].get()] { ++*counter; });
    EXPECT_EQ(told[3]->load(), 2);
    EXPECT_EQ(drain(*watches[3]).size(), 2u);
    watches[3]->arm([counter = told[3].get()] { ++*counter; });
    EXPECT_EQ(told[3]->load(), 2);
    watches.clear();
    put(store, "core/pods/a/1", "v");
    EXPECT_EQ(told[3]->load(), 2) << "a watch that is gone is not told";
}

TYPED_TEST(EngineTest, CompactionForgetsWhatNobodyNeeds) {
    Store& store = this->store;
    put(store, "a", "1");  // 2
    put(store, "a", "2");  // 3
    put(store, "b", "1");  // 4
    remove(store, "b");    // 5
    put(store, "a", "3");  // 6
    remove(store, "c");    // changes nothing
    put(store, "d", "1");  // 7
    auto behind = std::move(*store.watch("", 2));
    auto ahead = std::move(*store.watch("", 5));
    auto silent = std::move(*store.watch("quiet/", 2));
    bool silent_told = false;
    silent->arm([&] { silent_told = true; });
    ASSERT_TRUE(wait(store.compact(5)));
    EXPECT_EQ(store.compacted(), 5u);
    EXPECT_EQ(read(store, "a", 4), "(Expired)");
    EXPECT_EQ(read(store, "a", 5), "2");
    EXPECT_EQ(read(store, "b", 5), "(none)");
    EXPECT_EQ(list(store, "", 4), Lines{"(Expired)"});
    EXPECT_EQ(list(store, "", 5), Lines{"a=2@3/2"});
    EXPECT_EQ(list(store, ""), (Lines{"a=3@6/2", "d=1@7/7"}));
    EXPECT_EQ(store.count("", {}, 4).error().reason(), Reason::expired);
    EXPECT_EQ(drain(*behind), Lines{"(Expired)"});
    EXPECT_EQ(drain(*ahead), (Lines{"updated a=3@6/2 was 2@3", "created d=1@7/7"}));
    EXPECT_EQ(drain(*silent), Lines{}) << "nothing happened that concerns it";
    EXPECT_FALSE(silent_told);
    EXPECT_EQ(store.watch("", 4).error().reason(), Reason::expired);
    EXPECT_EQ(wait(store.compact(100)).error().reason(), Reason::timeout);
    ASSERT_TRUE(wait(store.compact(3)));
    EXPECT_EQ(store.compacted(), 5u);
    ASSERT_TRUE(wait(store.compact(7)));
    EXPECT_EQ(list(store, ""), (Lines{"a=3@6/2", "d=1@7/7"}));
    EXPECT_EQ(put(store, "b", "new"), 8u);
    EXPECT_EQ(list(store, "b"), Lines{"b=new@8/8"});
}

TYPED_TEST(EngineTest, HoldsKeepHistoryForATime) {
    Store& store = this->store;
    put(store, "a", "1");
    put(store, "a", "2");
    put(store, "a", "3");
    store.hold(2, std::chrono::seconds(30));
    ASSERT_TRUE(wait(store.compact(4)));
    EXPECT_EQ(store.compacted(), 2u);
    EXPECT_EQ(read(store, "a", 2), "1");
    this->engine.clock.advance(std::chrono::seconds(20));
    store.hold(2, std::chrono::seconds(30));
    this->engine.clock.advance(std::chrono::seconds(20));
    ASSERT_TRUE(wait(store.compact(4)));
    EXPECT_EQ(store.compacted(), 2u) << "the hold was extended";
    this->engine.clock.advance(std::chrono::seconds(20));
    ASSERT_TRUE(wait(store.compact(4)));
    EXPECT_EQ(store.compacted(), 4u);
    EXPECT_EQ(read(store, "a", 2), "(Expired)");
}

TYPED_TEST(EngineTest, RollbackIsAForwardWrite) {
    Store& store = this->store;
    std::vector<Operation> many;
    for (int index = 0; index < 300; ++index) put(store, "in/" + std::to_string(1000 + index), "old");
    put(store, "out/x", "old");
    const Revision good = store.current();
    const auto before = list(store, "in/");
    for (int index = 0; index < 300; index += 2) put(store, "in/" + std::to_string(1000 + index), "bad");
    for (int index = 1; index < 300; index += 4) remove(store, "in/" + std::to_string(1000 + index));
    put(store, "in/new", "bad");
    put(store, "out/x", "new");
    const Revision bad = store.current();
    const auto done = wait(store.rollback("in/", good));
    ASSERT_TRUE(done) << done.error().message();
    EXPECT_GT(*done, bad);
    EXPECT_EQ(*done, store.current());
    auto names = [](const Lines& lines) {
        Lines result;
        for (const std::string& line : lines) result.push_back(line.substr(0, line.find('@')));
        return result;
    };
    EXPECT_EQ(names(list(store, "in/")), names(before));
    EXPECT_EQ(read(store, "out/x"), "new");
    EXPECT_EQ(read(store, "in/new"), "(none)");
    EXPECT_EQ(read(store, "in/1000", bad), "bad") << "history is kept";
    EXPECT_EQ(wait(store.rollback("in/", good)).value(), *done) << "nothing left to do";
}

TYPED_TEST(EngineTest, ManyWritersGetRevisionsOfTheirOwn) {
    Store& store = this->store;
    constexpr int kWriters = 8;
    constexpr int kWrites = 200;
    std::vector<std::thread> writers;
    std::vector<std::vector<Revision>> revisions(kWriters);
    for (int writer = 0; writer < kWriters; ++writer) {
        writers.emplace_back([&, writer] {
            for (int index = 0; index < kWrites; ++index) {
                revisions[writer].push_back(
                    put(store, "k/" + std::to_string(writer) + "/" + std::to_string(index % 20), "v"));
                // What was acknowledged can be read at once.
                ASSERT_GE(store.current(), revisions[writer].back());
            }
        });
    }
    for (auto& writer : writers) writer.join();
    std::vector<Revision> all;
    for (const auto& own : revisions) {
        EXPECT_TRUE(std::is_sorted(own.begin(), own.end()));
        all.insert(all.end(), own.begin(), own.end());
    }
    std::sort(all.begin(), all.end());
    ASSERT_EQ(all.size(), static_cast<std::size_t>(kWriters * kWrites));
    for (std::size_t index = 0; index < all.size(); ++index) ASSERT_EQ(all[index], index + 2);
    EXPECT_EQ(store.statistics().keys, 160u);
    auto watch = std::move(*store.watch("", 1));
    EXPECT_EQ(drain(*watch).size(), all.size());
}

TYPED_TEST(EngineTest, CompareAndSwapLosesNoIncrement) {
    Store& store = this->store;
    put(store, "counter", "0");
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&] {
            for (int done = 0; done < 50;) {
                const auto current = store.get("counter");
                const int value = std::stoi((*current)->bytes);
                const auto result = commit(
                    store, {put_operation("counter", std::to_string(value + 1), (*current)->modified)});
                ASSERT_TRUE(result);
                if (!result->conflict) ++done;
            }
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(read(store, "counter"), "200");
}

TYPED_TEST(EngineTest, WatchersKeepUpWithConcurrentWriters) {
    Store& store = this->store;
    constexpr int kWrites = 2000;
    std::vector<Revision> seen;
    std::thread watcher([&] {
        auto watch = std::move(*store.watch("w/", 1));
        while (seen.size() < kWrites) {
            std::latch told(1);
            watch->arm([&] { told.count_down(); });
            told.wait();
            while (true) {
                const auto count =
                    watch->poll(7, [&](const Event& event) { seen.push_back(event.revision); });
                ASSERT_TRUE(count);
                if (*count == 0) break;
            }
        }
    });
    std::vector<std::thread> writers;
    for (int writer = 0; writer < 4; ++writer) {
        writers.emplace_back([&, writer] {
            for (int index = 0; index < kWrites / 4; ++index) {
                put(store, "w/" + std::to_string(writer), "v");
                put(store, "other/" + std::to_string(writer), "v");
            }
        });
    }
    for (auto& writer : writers) writer.join();
    watcher.join();
    EXPECT_EQ(seen.size(), static_cast<std::size_t>(kWrites));
    EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
    EXPECT_EQ(std::adjacent_find(seen.begin(), seen.end()), seen.end());
}

TYPED_TEST(EngineTest, DeferredWritesAreSeenAtOnce) {
    Store& store = this->store;
    auto watch = std::move(*store.watch("coordination/leases/", 1));
    EXPECT_EQ(put(store, "coordination/leases/a", "1", Durability::deferred), 2u);
    EXPECT_EQ(put(store, "coordination/leases/a", "2", Durability::deferred), 3u);
    EXPECT_EQ(read(store, "coordination/leases/a"), "2");
    EXPECT_EQ(read(store, "coordination/leases/a", 2), "1");
    EXPECT_EQ(store.count("coordination/").value(), 1u);
    EXPECT_EQ(drain(*watch).size(), 2u);
    EXPECT_EQ(put(store, "coordination/leases/a", "3"), 4u);
    ASSERT_TRUE(wait(store.flush()));
    EXPECT_EQ(store.statistics().deferred, 0u);
    EXPECT_EQ(list(store, "", 3), Lines{"coordination/leases/a=2@3/2"});
}

TYPED_TEST(EngineTest, AClosedStoreSaysSo) {
    Store& store = this->store;
    put(store, "a", "1");
    auto watch = std::move(*store.watch("", 1));
    store.close();
    store.close();
    EXPECT_EQ(read(store, "a"), "(ServiceUnavailable)");
    EXPECT_EQ(list(store, ""), Lines{"(ServiceUnavailable)"});
    EXPECT_EQ(commit(store, {put_operation("a", "2")}).error().reason(), Reason::service_unavailable);
    EXPECT_EQ(drain(*watch), Lines{"(ServiceUnavailable)"});
    EXPECT_FALSE(wait(store.compact(1)));
}

}  // namespace
}  // namespace keelson::store
