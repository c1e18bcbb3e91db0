#include "kernel/base/memory.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

namespace keelson::base {
namespace {

// As by a load; threads that stay keep their arenas.
void take_and_free(std::size_t bytes) {
    constexpr std::size_t kBlockBytes = 32u << 10;
    std::vector<std::unique_ptr<char[]>> blocks;
    while (blocks.size() * kBlockBytes < bytes) {
        blocks.push_back(std::make_unique<char[]>(kBlockBytes));
        std::memset(blocks.back().get(), 1, kBlockBytes);
    }
}

bool gives_all_back() {
    constexpr std::size_t kBytes = 12u << 20;  // less than is given back without being asked
    set_up_memory(3);
    return_free_memory();
    const std::uint64_t before = private_memory_bytes();
    std::latch freed(4);
    std::latch looked(1);
    std::vector<std::jthread> threads;
    threads.reserve(3);
    for (int at = 0; at < 3; ++at) {
        threads.emplace_back([&] {
            take_and_free(kBytes);
            freed.count_down();
            looked.wait();
        });
    }
    freed.arrive_and_wait();
    const std::uint64_t held = private_memory_bytes();
    return_free_memory();
    const std::uint64_t left = private_memory_bytes();
    looked.count_down();
    std::fprintf(stderr, "before %lu, held %lu, left %lu\n", before, held, left);
    return held > before + kBytes && left < before + kBytes / 4;
}

// In a process of its own, as a new one has no arenas yet.
TEST(MemoryDeathTest, WhatAllThreadsHaveFreedIsGivenBack) {
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP() << "the sanitizer keeps what is freed";
#endif
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(std::exit(gives_all_back() ? 0 : 1), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace keelson::base
