// Random histories: the lmdb engine against the memory engine, with restarts, flushes and compactions in
// between.
#include <random>

#include "tests/store/store_test_support.h"

namespace keelson::store {
namespace {

class RandomHistory : public testing::TestWithParam<std::uint64_t> {
  protected:
    std::mt19937_64 random{GetParam()};
    TemporaryDirectory directory;
    base::ManualClock clock;
    std::unique_ptr<Store> oracle =
        make_memory_store({.clock = &clock, .keep_history = base::Duration::zero()});
    std::unique_ptr<Store> store;
    std::vector<std::pair<std::unique_ptr<Watch>, std::unique_ptr<Watch>>> watches;

    std::uint64_t below(std::uint64_t bound) { return random() % bound; }

    void open() {
        LmdbOptions options = small_options();
        options.clock = &clock;
        options.recent_bytes = below(3) == 0 ? 0 : 16'384;
        store = must_open(directory / "data", options);
    }

    std::string key() {
        static const std::vector<std::string> kGroups{"apps/deployments/", "core/pods/", "core/po", "", "z/"};
        return kGroups[below(kGroups.size())] + "n" + std::to_string(below(3)) + (below(4) == 0 ? "" : "/") +
               std::to_string(below(12));
    }
    std::string prefix() {
        static const std::vector<std::string> kPrefixes{
            "", "core/", "core/pods/", "core/pods/n1/", "core/po", "n", "apps/deployments/n0/1"};
        return kPrefixes[below(kPrefixes.size())];
    }
    Revision revision() { return below(3) == 0 ? 0 : below(store->current() + 2); }

    void write() {
        Transaction transaction;
        std::vector<std::string> used;
        for (std::uint64_t count = 1 + (below(4) == 0 ? below(6) : 0); count > 0; --count) {
            Operation operation{.key = key()};
            if (std::find(used.begin(), used.end(), operation.key) != used.end()) continue;
            used.push_back(operation.key);
            const auto current = oracle->get(operation.key);
            operation.kind = below(10) < 6   ? Operation::Kind::put
                             : below(8) == 0 ? Operation::Kind::check
                                             : Operation::Kind::remove;
            if (below(2) == 0) {
                operation.expected = *current ? (*current)->modified : 0;
                if (below(8) == 0) operation.expected = below(oracle->current() + 2);
            }
            operation.bytes = std::string(below(12) == 0 ? 5000 + below(9000) : below(300),
                                          static_cast<char>('a' + below(26)));
            operation.header.type = static_cast<std::uint16_t>(below(9));
            transaction.operations.push_back(std::move(operation));
        }
        if (below(5) == 0) transaction.durability = Durability::deferred;
        const auto expected = wait(oracle->commit(transaction));
        const auto actual = wait(store->commit(transaction));
        ASSERT_TRUE(expected && actual);
        EXPECT_EQ(actual->revision, expected->revision);
        ASSERT_EQ(actual->conflict.has_value(), expected->conflict.has_value());
        if (!actual->conflict) return;
        EXPECT_EQ(actual->conflict->operation, expected->conflict->operation);
        ASSERT_EQ(actual->conflict->current.has_value(), expected->conflict->current.has_value());
        if (!actual->conflict->current) return;
        EXPECT_EQ(actual->conflict->current->bytes, expected->conflict->current->bytes);
    }

    void compare() {
        const std::string wanted = prefix();
        const Revision at = revision();
        const std::size_t limit = 1 + below(2000);
        EXPECT_EQ(list(*store, wanted, at, limit), list(*oracle, wanted, at, limit))
            << wanted << " at " << at;
        const std::string one = key();
        EXPECT_EQ(read(*store, one, at), read(*oracle, one, at)) << one << " at " << at;
        const auto expected = oracle->count(wanted, one, at);
        const auto actual = store->count(wanted, one, at);
        ASSERT_EQ(actual.has_value(), expected.has_value());
        EXPECT_EQ(actual.value_or(0), expected.value_or(0));
        EXPECT_EQ(store->current(), oracle->current());
        EXPECT_EQ(store->statistics().keys, oracle->statistics().keys);
    }

    void watch() {
        if (watches.size() < 6) {
            const std::string wanted = prefix();
            const Revision after = below(store->current() + 1);
            auto actual = store->watch(wanted, after);
            auto expected = oracle->watch(wanted, after);
            ASSERT_EQ(actual.has_value(), expected.has_value());
            if (actual) watches.emplace_back(std::move(*actual), std::move(*expected));
            return;
        }
        const std::size_t chosen = below(watches.size());
        auto& [actual, expected] = watches[chosen];
        std::vector<std::string> lines[2];
        const std::size_t limit = 1 + below(20);
        Watch* both[2] = {actual.get(), expected.get()};
        bool ended = false;
        bool is_full = false;
        for (int side = 0; side < 2; ++side) {
            const auto count =
                both[side]->poll(limit, [&](const Event& event) { lines[side].push_back(describe(event)); });
            lines[side].push_back(count ? std::to_string(*count)
                                        : std::string(base::reason_text(count.error().reason())));
            ended = !count;
            is_full = count && *count == limit;
        }
        EXPECT_EQ(lines[0], lines[1]);
        // A watch that has delivered all it was asked for may know, or not, that nothing follows for a while.
        if (is_full)
            EXPECT_GE(actual->progress(), expected->progress());
        else
            EXPECT_EQ(actual->progress(), expected->progress());
        if (ended || below(8) == 0) watches.erase(watches.begin() + static_cast<std::ptrdiff_t>(chosen));
    }
};

TEST_P(RandomHistory, BothEnginesAgree) {
    open();
    for (int step = 0; step < 2500 && !HasFailure(); ++step) {
        const auto choice = below(1000);
        if (choice < 600) {
            write();
        } else if (choice < 800) {
            compare();
        } else if (choice < 970) {
            watch();
        } else if (choice < 985) {
            ASSERT_TRUE(wait(store->flush()));
        } else if (choice < 995) {
            const Revision until = 1 + below(store->current());
            ASSERT_TRUE(wait(store->compact(until)));
            ASSERT_TRUE(wait(oracle->compact(until)));
            EXPECT_EQ(store->compacted(), oracle->compacted());
        } else if (choice < 998) {
            const Revision held = 1 + below(store->current());
            store->hold(held, std::chrono::seconds(10));
            oracle->hold(held, std::chrono::seconds(10));
            clock.advance(std::chrono::seconds(below(15)));
        } else {
            watches.clear();
            clock.advance(std::chrono::seconds(20));  // holds do not outlive a restart
            store.reset();
            open();
        }
    }
    EXPECT_FALSE(HasFailure()) << "seed " << GetParam();
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomHistory, testing::Range<std::uint64_t>(1, 21));

}  // namespace
}  // namespace keelson::store
