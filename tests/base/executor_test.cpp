#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include "kernel/base/executor_real.h"
#include "kernel/base/executor_simulated.h"
#include "kernel/base/result.h"
#include "kernel/base/sync_wait.h"

namespace keelson::base {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(ThreadExecutor, RunsEverythingPostedFromManyThreads) {
    auto executor = make_thread_executor(3, 2);
    std::atomic<int> count = 0;
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&] {
            for (int round = 0; round < 1000; ++round) executor->post([&] { ++count; });
        });
    }
    for (auto& thread : threads) thread.join();
    executor->stop();
    EXPECT_EQ(count, 4000);
}

TEST(ThreadExecutor, StopDrainsWhatCallbacksPost) {
    auto executor = make_thread_executor(2, 1);
    std::atomic<int> count = 0;
    executor->post([&] {
        executor->run_blocking([&] {
            ++count;
            executor->post([&] { ++count; });
        });
    });
    executor->stop();
    EXPECT_EQ(count, 2);
    executor->post([&] { ++count; });
    executor->run_blocking([&] { ++count; });
    executor->stop();
    EXPECT_EQ(count, 2);
}

TEST(ThreadExecutor, TimersFireInOrderAndCancelledOnesDoNot) {
    auto executor = make_thread_executor(1, 1);
    std::latch done(2);
    std::vector<int> order;
    auto late = executor->post_after(milliseconds(20), [&] {
        order.push_back(2);
        done.count_down();
    });
    auto cancelled = executor->post_after(milliseconds(5), [&] { order.push_back(9); });
    executor->post_after(milliseconds(10), [&] {
        order.push_back(1);
        done.count_down();
    });
    cancelled->cancel();
    cancelled->cancel();
    done.wait();
    late->cancel();
    EXPECT_EQ(order, (std::vector<int>{1, 2}));
    executor->stop();
    cancelled->cancel();
}

TEST(ThreadExecutor, StopDropsPendingTimersAndHandlesOutliveIt) {
    auto executor = make_thread_executor(2, 1);
    auto owned = std::make_shared<int>(1);
    auto timer = executor->post_after(std::chrono::hours(1), [owned] {});
    executor.reset();
    EXPECT_EQ(owned.use_count(), 1);
    timer->cancel();
}

TEST(ThreadExecutor, BusyWorkersDoNotHoldUpTimers) {
    auto executor = make_thread_executor(2, 1);
    std::latch fired(1);
    std::latch release(1);
    executor->post_after(milliseconds(1), [&] { fired.count_down(); });
    executor->post([&] { release.wait(); });
    fired.wait();
    release.count_down();
}

TEST(ThreadExecutor, BlockingPoolIsBounded) {
    auto executor = make_thread_executor(1, 2);
    std::atomic<int> running = 0;
    std::atomic<int> most = 0;
    for (int count = 0; count < 50; ++count) {
        executor->run_blocking([&] {
            int now = ++running;
            int seen = most;
            while (seen < now && !most.compare_exchange_weak(seen, now)) {
            }
            std::this_thread::yield();
            --running;
        });
    }
    executor->stop();
    EXPECT_LE(most, 2);
    EXPECT_GE(most, 1);
}

Task<int> add_later(int a, int b) {
    co_await sleep_for(milliseconds(1));
    auto add = [=] { return a + b; };
    co_return co_await blocking(add);
}

Task<Result<std::string>> try_twice(bool fail) {
    auto inner = [](bool bad) -> Task<Result<int>> {
        if (bad) co_return Status(Reason::conflict, "no");
        co_return 4;
    };
    KEELSON_CO_TRY(const int first, co_await inner(false));
    KEELSON_CO_TRY(const int second, co_await inner(fail));
    co_return std::to_string(first + second);
}

TEST(Task, RunsOnRealThreads) {
    auto executor = make_thread_executor(2, 1);
    EXPECT_EQ(sync_wait(*executor, add_later(2, 3)), 5);
    EXPECT_EQ(sync_wait(*executor, try_twice(false)).value(), "8");
    EXPECT_EQ(sync_wait(*executor, try_twice(true)).error().reason(), Reason::conflict);
    sync_wait(*executor, []() -> Task<void> { co_await sleep_for(milliseconds(1)); }());
}

TEST(Task, CompletionFromAnotherThread) {
    auto executor = make_thread_executor(2, 1);
    for (int round = 0; round < 500; ++round) {
        Completion<int> slot;
        std::thread other([slot, round] { slot.complete(round); });
        auto wait = [](Completion<int> from) -> Task<int> { co_return co_await from; };
        EXPECT_EQ(sync_wait(*executor, wait(slot)), round);
        other.join();
        EXPECT_FALSE(slot.complete(1));
    }
}

TEST(SimulatedExecutor, VirtualTimeMovesOnlyWhenTold) {
    SimulatedExecutor executor;
    std::vector<int> order;
    executor.post_after(seconds(10), [&] { order.push_back(10); });
    executor.post_after(seconds(5), [&] {
        order.push_back(5);
        executor.post_after(seconds(1), [&] { order.push_back(6); });
    });
    auto cancelled = executor.post_after(seconds(7), [&] { order.push_back(7); });
    executor.post([&] { order.push_back(0); });
    EXPECT_TRUE(order.empty());
    executor.run_until_idle();
    EXPECT_EQ(order, (std::vector<int>{0}));
    cancelled->cancel();
    const auto before = executor.clock().wall_now();
    executor.advance(seconds(9));
    EXPECT_EQ(order, (std::vector<int>{0, 5, 6}));
    EXPECT_EQ(executor.clock().wall_now() - before, seconds(9));
    executor.advance(seconds(1));
    EXPECT_EQ(order.back(), 10);
    EXPECT_EQ(executor.pending_timers(), 0u);
}

std::vector<int> shuffled_run(std::uint64_t seed) {
    SimulatedExecutor executor(seed);
    std::vector<int> order;
    for (int value = 0; value < 100; ++value) {
        executor.post([&, value] {
            order.push_back(value);
            if (value % 3 == 0) executor.post([&, value] { order.push_back(1000 + value); });
        });
    }
    executor.run_until_idle();
    return order;
}

TEST(SimulatedExecutor, SeedDecidesTheOrder) {
    EXPECT_EQ(shuffled_run(5), shuffled_run(5));
    EXPECT_NE(shuffled_run(5), shuffled_run(6));
    const auto plain = shuffled_run(0);
    EXPECT_EQ(plain.size(), 134u);
    EXPECT_EQ(plain[1], 1);
}

TEST(SimulatedExecutor, TasksRunInVirtualTime) {
    SimulatedExecutor executor(1);
    auto day = []() -> Task<int> {
        co_await sleep_for(std::chrono::hours(24));
        co_return co_await blocking([] { return 3; });
    };
    const auto before = executor.clock().now();
    EXPECT_EQ(sync_wait(executor, day(), std::chrono::hours(48)), 3);
    EXPECT_EQ(executor.clock().now() - before, std::chrono::hours(24));
}

}  // namespace
}  // namespace keelson::base
