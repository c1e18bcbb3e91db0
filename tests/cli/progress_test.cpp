#include "cli/progress.h"

#include <gtest/gtest.h>

namespace keelson::cli {
namespace {

TEST(Progress, IsABarWithPercentAndSize) {
    EXPECT_EQ(progress_text("pulling a", 0, 20'000'000, 80),
              "pulling a [----------------------------------------]   0% of 20.0 MB");
    EXPECT_EQ(progress_text("pulling a", 5'000'000, 20'000'000, 80),
              "pulling a [##########------------------------------]  25% of 20.0 MB");
    EXPECT_EQ(progress_text("pulling a", 20'000'000, 20'000'000, 80),
              "pulling a [########################################] 100% of 20.0 MB");
}

TEST(Progress, StaysFullWhenMoreCameThanWasSaid) {
    EXPECT_EQ(progress_text("a", 30, 20, 80), "a [########################################] 100% of 0 kB");
}

TEST(Progress, IsASizeWhileTheWholeIsNotKnown) {
    EXPECT_EQ(progress_text("saving", 1'234'567, 0, 80), "saving 1.2 MB");
}

TEST(Progress, FitsInNarrowTerminals) {
    EXPECT_EQ(progress_text("pulling a", 5, 10, 30), "pulling a [##---]  50% of 0 kB");
    EXPECT_EQ(progress_text("pulling a", 5, 10, 22), "pulling a  50% of 0 kB");
    EXPECT_EQ(progress_text("pulling a", 5, 10, 12), "pulling a  5");
    EXPECT_EQ(progress_text("pulling a", 5, 0, 5), "pulli");
}

}  // namespace
}  // namespace keelson::cli
