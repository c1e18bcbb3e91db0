// When freed memory is given back.
#include "kernel/daemon/memory_keeper.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "kernel/base/executor_simulated.h"

namespace keelson::daemon {
namespace {

constexpr std::uint64_t kMegabyte = 1u << 20;

class MemoryKeeperTest : public ::testing::Test {
  protected:
    void seconds_pass(int count) { executor.advance(std::chrono::seconds(count)); }

    base::SimulatedExecutor executor;
    std::uint64_t held = 30 * kMegabyte;
    std::uint64_t needed = 20 * kMegabyte;
    int times = 0;
    std::optional<MemoryKeeper> keeper{std::in_place, executor,
                                       MemoryKeeper::Memory{[this] { return held; },
                                                            [this] {
                                                                ++times;
                                                                held = needed;
                                                            }}};
};

TEST_F(MemoryKeeperTest, GivesBackWhatTheStartHasLeftAndThenNothingMore) {
    seconds_pass(11);
    EXPECT_EQ(held, 20 * kMegabyte);
    seconds_pass(600);
    EXPECT_EQ(times, 1);
}

TEST_F(MemoryKeeperTest, WaitsUntilTheLoadIsOver) {
    seconds_pass(11);
    for (int step = 0; step < 10; ++step) {
        held += 2 * kMegabyte;
        seconds_pass(5);
    }
    EXPECT_EQ(times, 1);
    needed = 25 * kMegabyte;
    seconds_pass(11);
    EXPECT_EQ(times, 2);
    EXPECT_EQ(held, 25 * kMegabyte);
}

TEST_F(MemoryKeeperTest, ALittleIsNotWorthTheWork) {
    seconds_pass(11);
    held += 2 * kMegabyte;
    seconds_pass(600);
    EXPECT_EQ(times, 1);
}

TEST_F(MemoryKeeperTest, LooksNoMoreWhenItIsGone) {
    keeper.reset();
    seconds_pass(600);
    EXPECT_EQ(times, 0);
}

TEST(OwnMemory, GrowsWithWhatIsHeldAndShrinksWhenItIsGivenBack) {
    constexpr std::size_t kPieces = 40'000;
    std::vector<std::unique_ptr<std::array<char, 1024>>> pieces(kPieces);
    const MemoryKeeper::Memory own = MemoryKeeper::own();
    const std::uint64_t before = own.held_bytes();
    for (auto& piece : pieces) {
        piece = std::make_unique<std::array<char, 1024>>();
        piece->fill('x');
    }
    const std::uint64_t most = own.held_bytes();
    EXPECT_GT(most, before + 30 * kMegabyte);
    // The last one keeps the C library from giving the others back by itself.
    const auto last = std::move(pieces.back());
    pieces.clear();
    own.give_back();
    EXPECT_LT(own.held_bytes(), most - 30 * kMegabyte);
}

}  // namespace
}  // namespace keelson::daemon
