#include "kernel/client/line_splitter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace keelson::client {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class LineSplitterTest : public ::testing::Test {
  protected:
    void add(std::string_view piece) {
        splitter_.add(piece, [this](std::string line) { lines_.push_back(std::move(line)); });
    }
    LineSplitter splitter_;
    std::vector<std::string> lines_;
};

TEST_F(LineSplitterTest, CutsWhereLinesEnd) {
    add("one\ntwo\nthr");
    EXPECT_THAT(lines_, ElementsAre("one", "two"));
    EXPECT_EQ(splitter_.begun_bytes(), 3u);
    add("ee");
    EXPECT_EQ(splitter_.begun_bytes(), 5u);
    add("\n");
    EXPECT_THAT(lines_, ElementsAre("one", "two", "three"));
    EXPECT_EQ(splitter_.begun_bytes(), 0u);
}

TEST_F(LineSplitterTest, LeavesEmptyLinesOut) {
    add("\n\na\n\n");
    add("");
    add("\n");
    EXPECT_THAT(lines_, ElementsAre("a"));
}

// To search all that has come for each piece would be 16 TB here, and end in the time limit of the test.
TEST_F(LineSplitterTest, TakesAsLongForManyPiecesAsForOne) {
    constexpr std::size_t kPieces = 1 << 20;
    const std::string piece(16, 'x');
    for (std::size_t i = 0; i < kPieces; ++i) add(piece);
    EXPECT_THAT(lines_, IsEmpty());
    add("\n");
    ASSERT_EQ(lines_.size(), 1u);
    EXPECT_EQ(lines_[0].size(), kPieces * piece.size());
}

}  // namespace
}  // namespace keelson::client
