#include "kernel/api/io_loop.h"

#include <gtest/gtest.h>

#include <latch>
#include <thread>
#include <vector>

#include "kernel/base/executor_real.h"

namespace keelson::api {
namespace {

class IoLoopTest : public ::testing::Test {
  protected:
    ~IoLoopTest() override {
        loop_.stop();
        if (thread_.joinable()) thread_.join();
    }
    void run() {
        thread_ = std::thread([this] { loop_.run(); });
    }
    // Until everything that was posted before has run.
    void settle() {
        std::latch done(1);
        loop_.post([&] { done.count_down(); });
        done.wait();
    }

    std::unique_ptr<base::ThreadExecutor> background_ = base::make_thread_executor(1, 1);
    IoLoop loop_{*background_};
    std::thread thread_;
};

TEST_F(IoLoopTest, RunsCallbacksInTheirOrder) {
    std::vector<int> seen;
    for (int i = 0; i < 100; ++i) loop_.post([&, i] { seen.push_back(i); });
    EXPECT_TRUE(seen.empty());
    run();
    settle();
    ASSERT_EQ(seen.size(), 100u);
    for (int i = 0; i < 100; ++i) EXPECT_EQ(seen[static_cast<std::size_t>(i)], i);
}

TEST_F(IoLoopTest, RunsWhatACallbackPostsAfterIt) {
    run();
    std::vector<int> seen;
    std::latch done(1);
    loop_.post([&] {
        loop_.post([&] {
            seen.push_back(2);
            done.count_down();
        });
        seen.push_back(1);
    });
    done.wait();
    EXPECT_EQ(seen, (std::vector<int>{1, 2}));
}

TEST_F(IoLoopTest, TakesCallbacksFromManyThreads) {
    constexpr int kThreads = 4, kEach = 5000;
    run();
    int count = 0;
    std::vector<std::thread> threads;
    threads.reserve(kThreads);
    for (int i = 0; i < kThreads; ++i)
        threads.emplace_back([&] {
            for (int j = 0; j < kEach; ++j) loop_.post([&] { ++count; });
        });
    for (std::thread& thread : threads) thread.join();
    settle();
    EXPECT_EQ(count, kThreads * kEach);
}

TEST_F(IoLoopTest, DropsWhatHasNotRunWithItself) {
    auto owned = std::make_shared<int>();
    std::weak_ptr<int> watched = owned;
    {
        IoLoop loop(*background_);
        loop.post([owned = std::move(owned)] {});
        EXPECT_FALSE(watched.expired());
    }
    EXPECT_TRUE(watched.expired());
}

}  // namespace
}  // namespace keelson::api
