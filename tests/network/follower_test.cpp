// A plugin is kept in step with a table, whatever happens to it. In virtual time.
#include "kernel/network/follower.h"

#include <gtest/gtest.h>

#include "tests/resource/cluster.h"

namespace keelson::network {
namespace {

using base::Status;

class FollowerTest : public ::testing::Test {
  protected:
    FollowerTest() {
        base::spawn(cluster.executor, follower.run(), [this] { has_ended = true; });
        cluster.executor.run_until_idle();
    }
    ~FollowerTest() override {
        follower.stop();
        cluster.executor.run_until_idle();
        EXPECT_TRUE(has_ended);
    }
    bool until(const std::function<bool()>& done, base::Duration limit = std::chrono::minutes(1)) {
        return cluster.executor.run_until(done, limit);
    }
    void change() {
        ++changes;
        follower.table_changed();
    }

    Answer<void> configure() {
        ++configured;
        if (during_configure) std::exchange(during_configure, nullptr)();
        if (failure) co_return *failure;
        co_return base::ok();
    }
    Answer<bool> apply(std::int64_t generation, bool full) {
        if (during_apply) std::exchange(during_apply, nullptr)();
        if (failure) co_return *failure;
        const int now = std::exchange(changes, 0);
        if (!full && now == 0) co_return false;
        plugin.generation = generation;
        applied.push_back({full, now});
        co_return true;
    }
    Answer<PluginState> state() {
        if (failure) co_return *failure;
        co_return plugin;
    }

    struct Applied {
        bool full;
        int changes;
        bool operator==(const Applied&) const = default;
    };
    resource::Cluster cluster;
    base::Metrics metrics;
    std::optional<Status> failure;
    std::function<void()> during_configure;  // once
    std::function<void()> during_apply;      // once
    PluginState plugin;
    std::vector<Applied> applied;
    int changes = 0;
    int configured = 0;
    bool has_ended = false;
    Follower follower{{"the proxy", cluster.executor, metrics, "test", [this] { return configure(); },
                       [this](std::int64_t generation, bool full) { return apply(generation, full); },
                       [this] { return state(); }}};
};

const Status kGone{base::Reason::service_unavailable, "the plugin is gone"};

TEST_F(FollowerTest, EverythingIsToldFirstThenTheDifferences) {
    ASSERT_EQ(applied, std::vector<Applied>({{true, 0}}));
    cluster.executor.advance(std::chrono::seconds(1));
    change();
    cluster.executor.run_until_idle();
    ASSERT_EQ(applied.back(), (Applied{false, 1})) << "at once";
    change();
    change();
    change();
    cluster.executor.run_until_idle();
    EXPECT_EQ(applied.size(), 2u) << "what comes right behind waits a little";
    ASSERT_TRUE(until([&] { return applied.size() == 3; }, std::chrono::seconds(1)));
    EXPECT_EQ(applied.back(), (Applied{false, 3}));
    EXPECT_EQ(plugin.generation, 3);
    EXPECT_EQ(configured, 1);
}

TEST_F(FollowerTest, AfterAFailureEverythingIsToldAgain) {
    failure = kGone;
    change();
    cluster.executor.advance(std::chrono::seconds(5));
    EXPECT_EQ(applied.size(), 1u);
    EXPECT_FALSE(follower.is_in_step());
    bool is_in_step = false;
    follower.when_in_step([&] { is_in_step = true; });
    failure.reset();
    ASSERT_TRUE(until([&] { return is_in_step; }));
    EXPECT_EQ(applied.size(), 2u);
    EXPECT_TRUE(applied.back().full);
    EXPECT_GE(configured, 2);
}

TEST_F(FollowerTest, WhatHasBeenTakenAwayIsPutBack) {
    plugin.is_intact = false;
    ASSERT_TRUE(until([&] { return applied.size() == 2; }));
    EXPECT_TRUE(applied.back().full);
    plugin.is_intact = true;
    cluster.executor.advance(std::chrono::minutes(5));
    EXPECT_EQ(applied.size(), 2u) << "nothing is written while nothing is wrong";
}

TEST_F(FollowerTest, APluginThatHasForgottenIsToldEverything) {
    plugin.generation = 0;
    ASSERT_TRUE(until([&] { return applied.size() == 2; }));
    EXPECT_TRUE(applied.back().full);
}

TEST_F(FollowerTest, CountingGoesOnFromAPluginThatOutlivedTheLastKernel) {
    plugin.generation = 700;
    follower.settings_changed();
    ASSERT_TRUE(until([&] { return applied.size() == 2; }));
    EXPECT_EQ(plugin.generation, 701);
}

// A node's pod CIDR may come at any time.
TEST_F(FollowerTest, SettingsThatChangeWhileThePluginIsToldAreToldToo) {
    bool is_in_step = false;
    const auto change_settings = [&] {
        follower.settings_changed();
        follower.when_in_step([&] { is_in_step = applied.size() == 3; });
    };
    for (auto* moment : {&during_configure, &during_apply}) {
        applied.assign(1, {});
        configured = 0;
        is_in_step = false;
        *moment = change_settings;
        follower.settings_changed();
        ASSERT_TRUE(until([&] { return applied.size() == 3; }, std::chrono::seconds(5)));
        cluster.executor.run_until_idle();
        EXPECT_TRUE(applied.back().full);
        EXPECT_EQ(configured, 2);
        EXPECT_TRUE(is_in_step) << "not before it has been told";
        EXPECT_TRUE(follower.is_in_step());
    }
}

TEST_F(FollowerTest, ItIsNotInStepBeforeThePluginHasTakenEverything) {
    std::optional<bool> before;
    during_apply = [&] { before = follower.is_in_step(); };
    follower.settings_changed();
    ASSERT_TRUE(until([&] { return applied.size() == 2; }));
    cluster.executor.run_until_idle();
    EXPECT_EQ(before, std::optional(false));
    EXPECT_TRUE(follower.is_in_step());
}

}  // namespace
}  // namespace keelson::network
