#include "kernel/access/verdict_cache.h"

#include <gtest/gtest.h>

namespace keelson::access {
namespace {

base::Sha256Digest key(std::uint8_t number) {
    return {number};
}

Authenticator::Answer jane() {
    return std::optional<Identity>(Identity{.user = "jane", .uid = {}, .groups = {}, .extra = {}});
}

base::MonotonicTime at(int seconds) {
    return base::MonotonicTime(std::chrono::seconds(seconds));
}

TEST(VerdictCache, ForgetsInTime) {
    VerdictCache cache(10);
    cache.put(key(1), jane(), at(10));
    ASSERT_NE(cache.find(key(1), at(9)), nullptr);
    EXPECT_EQ((**cache.find(key(1), at(9)))->user, "jane");
    EXPECT_EQ(cache.find(key(2), at(9)), nullptr);
    EXPECT_EQ(cache.find(key(1), at(10)), nullptr);
    EXPECT_EQ(cache.size(), 0u);
}

TEST(VerdictCache, KeepsWhatIsUsed) {
    VerdictCache cache(2);
    cache.put(key(1), jane(), at(10));
    cache.put(key(2), jane(), at(10));
    ASSERT_NE(cache.find(key(1), at(1)), nullptr);
    cache.put(key(3), jane(), at(10));
    EXPECT_EQ(cache.size(), 2u);
    EXPECT_NE(cache.find(key(1), at(1)), nullptr);
    EXPECT_EQ(cache.find(key(2), at(1)), nullptr);
    cache.put(key(3), base::Status(base::Reason::unauthorized, "no"), at(20));
    EXPECT_FALSE(*cache.find(key(3), at(15)));
    cache.clear();
    EXPECT_EQ(cache.find(key(3), at(1)), nullptr);
    VerdictCache none(0);
    none.put(key(1), jane(), at(10));
    EXPECT_EQ(none.size(), 0u);
}

}  // namespace
}  // namespace keelson::access
