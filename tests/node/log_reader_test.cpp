#include "kernel/node/log_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "kernel/base/executor_real.h"
#include "kernel/node/log_files.h"
#include "kernel/object/time_format.h"
#include "tests/node/node_cluster.h"

namespace keelson::node {
namespace {

using testing::ElementsAre;

// "2026-01-01T00:00:07.000000000Z"
std::string at(int second) {
    return "2026-01-01T00:00:" + std::string(second < 10 ? "0" : "") + std::to_string(second) + ".000000000Z";
}
std::string line(int second, const std::string& text, const std::string& stream = "stdout",
                 const std::string& tag = "F") {
    return at(second) + " " + stream + " " + tag + " " + text + "\n";
}

class LogReaderTest : public ::testing::Test {
  protected:
    void append(const std::string& text, const std::string& file = "0.log") {
        std::ofstream(directory.path() + "/" + file, std::ios::app) << text;
    }
    std::shared_ptr<LogReader> open(LogOptions options) {
        auto opened = base::sync_wait(executor, open_log(path, std::move(options), executor));
        EXPECT_TRUE(opened) << opened.error().message();
        return opened ? *opened : nullptr;
    }
    std::string next(LogReader& reader) {
        auto piece = base::sync_wait(executor, reader.next());
        EXPECT_TRUE(piece) << piece.error().message();
        return piece ? *piece : "";
    }
    // All that there is.
    std::string read(LogOptions options = {}) {
        const auto reader = open(std::move(options));
        std::string all;
        for (std::string piece; reader && !(piece = next(*reader)).empty(); all += piece)
            EXPECT_LE(piece.size(), 64u << 10);
        return all;
    }
    std::string tail(std::int64_t lines) {
        LogOptions options;
        options.tail_lines = lines;
        return read(options);
    }

    TemporaryDirectory directory;
    std::string path = directory.path() + "/0.log";
    base::SimulatedExecutor executor;
};

TEST_F(LogReaderTest, GivesTheTextOfTheLines) {
    append(line(1, "one") + line(2, "two words") + line(3, ""));
    EXPECT_EQ(read(), "one\ntwo words\n\n");
    LogOptions options;
    options.timestamps = true;
    EXPECT_EQ(read(options), at(1) + " one\n" + at(2) + " two words\n" + at(3) + " \n");
}

TEST_F(LogReaderTest, SaysWhenThereIsNone) {
    const auto opened = base::sync_wait(executor, open_log(path, {}, executor));
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().reason(), base::Reason::not_found);
}

TEST_F(LogReaderTest, JoinsPartialLines) {
    append(line(1, "a", "stdout", "P") + line(2, "b", "stdout", "P") + line(3, "c") + line(4, "d"));
    EXPECT_EQ(read(), "abc\nd\n");
    LogOptions options;
    options.timestamps = true;
    EXPECT_EQ(read(options), at(1) + " abc\n" + at(4) + " d\n");
    EXPECT_EQ(tail(2), "abc\nd\n");
    EXPECT_EQ(tail(1), "d\n");
    append(line(5, "unfinished", "stdout", "P"));
    EXPECT_EQ(tail(1), "unfinished");
    EXPECT_EQ(tail(2), "d\nunfinished");
}

TEST_F(LogReaderTest, KeepsToOneStream) {
    append(line(1, "out") + line(2, "err", "stderr") + line(3, "more"));
    LogOptions options;
    options.stream = "Stderr";
    EXPECT_EQ(read(options), "err\n");
    options.stream = "Stdout";
    EXPECT_EQ(read(options), "out\nmore\n");
    options.tail_lines = 1;
    options.stream = "Stderr";
    EXPECT_EQ(read(options), "err\n");
    options.stream = "All";
    EXPECT_EQ(read(options), "more\n");
}

TEST_F(LogReaderTest, BeginsAtATime) {
    append(line(1, "a") + line(2, "b") + line(3, "c"));
    LogOptions options;
    options.since = object::wall_time_of(*object::parse_time(at(2)));
    EXPECT_EQ(read(options), "b\nc\n");
}

TEST_F(LogReaderTest, EndsAfterExactlySoManyBytes) {
    append(line(1, "abc") + line(2, "def"));
    LogOptions options;
    for (const auto& [bytes, expected] : std::vector<std::pair<std::int64_t, std::string>>{
             {1, "a"}, {4, "abc\n"}, {6, "abc\nde"}, {100, "abc\ndef\n"}}) {
        options.limit_bytes = bytes;
        EXPECT_EQ(read(options), expected) << bytes;
    }
}

TEST_F(LogReaderTest, SkipsWhatIsNoLine) {
    append("rubbish\n" + line(1, "a") + "2026 stdout X b\n2026 stdin F c\n" + line(2, "d"));
    append(at(3) + " stdout F cut o");
    EXPECT_EQ(read(), "a\nd\ncut o") << "the writer was killed in the middle of a line";
}

TEST_F(LogReaderTest, FindsTheLastLinesInLargeFiles) {
    std::string expected;
    for (int index = 0; index < 20'000; ++index) {
        const std::string text =
            "line " + std::to_string(index) + std::string(static_cast<std::size_t>(index % 50), 'x');
        append(line(1, text));
        if (index >= 15'000) expected += text + "\n";
    }
    EXPECT_EQ(tail(5'000), expected);
    EXPECT_EQ(tail(0), "");
    EXPECT_EQ(tail(1), expected.substr(expected.rfind("line ")));
    EXPECT_EQ(tail(20'000), read());
    EXPECT_EQ(tail(30'000), read());
}

TEST_F(LogReaderTest, ReachesBackIntoEarlierFiles) {
    append(line(1, "a") + line(2, "b"), "0.log.20260101-000001");
    append(line(3, "c") + line(4, "d"), "0.log.20260101-000002");
    append(line(5, "e"));
    append("packed", "0.log.20260101-000000.gz");
    append(line(9, "other"), "1.log");
    EXPECT_EQ(read(), "a\nb\nc\nd\ne\n");
    EXPECT_EQ(tail(1), "e\n");
    EXPECT_EQ(tail(3), "c\nd\ne\n");
    EXPECT_EQ(tail(4), "b\nc\nd\ne\n");
    EXPECT_EQ(tail(9), "a\nb\nc\nd\ne\n");
}

TEST_F(LogReaderTest, FollowsUntilTheContainerHasEnded) {
    append(line(1, "a"));
    LogOptions options;
    options.follow = true;
    const auto reader = open(options);
    EXPECT_EQ(next(*reader), "a\n");
    executor.post_after(std::chrono::seconds(5), [&] { append(line(2, "b")); });
    const auto before = executor.clock().now();
    EXPECT_EQ(next(*reader), "b\n");
    EXPECT_LE(executor.clock().now() - before, std::chrono::milliseconds(5100));
    executor.post_after(std::chrono::seconds(1), [&] {
        append(line(3, "last"));
        reader->finish();
    });
    EXPECT_EQ(next(*reader), "last\n");
    EXPECT_EQ(next(*reader), "");
    EXPECT_EQ(next(*reader), "");
}

TEST_F(LogReaderTest, FollowsAcrossRotations) {
    append(line(1, "a"));
    LogOptions options;
    options.follow = true;
    options.tail_lines = 0;
    const auto reader = open(options);
    int second = 0;
    const auto rotate = [&] {
        const auto now = base::WallTime(std::chrono::seconds(1'767'225'600 + ++second));
        const auto rotated = rotate_log(path, 0, 5, now);
        EXPECT_TRUE(rotated && *rotated);
    };
    executor.post_after(std::chrono::seconds(1), [&] { append(line(2, "b")); });
    EXPECT_EQ(next(*reader), "b\n");
    executor.post_after(std::chrono::seconds(1), [&] {
        rotate();
        append(line(3, "late"), "0.log.20260101-000001");  // the runtime has not opened the new one yet
    });
    EXPECT_EQ(next(*reader), "late\n");
    executor.post_after(std::chrono::seconds(1), [&] {
        append(line(4, "new"));
        rotate();
        append(line(5, "newer"));
        rotate();
        append(line(6, "newest"));
    });
    std::string all;
    while (all.find("newest") == std::string::npos) all += next(*reader);
    EXPECT_EQ(all, "new\nnewer\nnewest\n");
    reader->finish();
    EXPECT_EQ(next(*reader), "");
}

TEST_F(LogReaderTest, StopsWaitingWhenNobodyReads) {
    append(line(1, "a"));
    LogOptions options;
    options.follow = true;
    options.tail_lines = 0;
    const auto reader = open(options);
    executor.post_after(std::chrono::seconds(1), [&] { reader->stop(); });
    EXPECT_EQ(next(*reader), "");
    EXPECT_EQ(next(*reader), "");
}

TEST_F(LogReaderTest, FollowsOnRealThreads) {
    const auto threads = base::make_thread_executor(2, 2);
    append(line(1, "a"));
    LogOptions options;
    options.follow = true;
    auto opened = base::sync_wait(*threads, open_log(path, options, *threads));
    ASSERT_TRUE(opened);
    EXPECT_EQ(base::sync_wait(*threads, (*opened)->next()).value(), "a\n");
    threads->post_after(std::chrono::milliseconds(20), [&] {
        append(line(2, "b"));
        (*opened)->finish();
    });
    EXPECT_EQ(base::sync_wait(*threads, (*opened)->next()).value(), "b\n");
    EXPECT_EQ(base::sync_wait(*threads, (*opened)->next()).value(), "");
    threads->stop();
}

TEST_F(LogReaderTest, RotatesWhatHasGrown) {
    const auto rotate = [&](int second) {
        const auto now = base::WallTime(std::chrono::seconds(1'767'225'600 + second));
        const auto rotated = rotate_log(path, 100, 3, now);
        EXPECT_TRUE(rotated) << rotated.error().message();
        return rotated && *rotated;
    };
    const auto names = [&] {
        std::vector<std::string> found;
        for (const std::string& file : log_files(path))
            found.push_back(file.substr(directory.path().size() + 1));
        return found;
    };
    EXPECT_FALSE(rotate(0)) << "no log";
    append(std::string(100, 'x'));
    EXPECT_FALSE(rotate(0));
    append("x");
    EXPECT_TRUE(rotate(1));
    EXPECT_THAT(names(), ElementsAre("0.log.20260101-000001"));
    EXPECT_TRUE(rotate(1)) << "the runtime has to be told again";
    append(std::string(101, 'x'));
    EXPECT_FALSE(rotate(1)) << "there is one of that second";
    EXPECT_TRUE(rotate(2));
    append(std::string(101, 'x'));
    EXPECT_TRUE(rotate(3));
    append("new");
    EXPECT_THAT(names(), ElementsAre("0.log.20260101-000002", "0.log.20260101-000003", "0.log"));
}

}  // namespace
}  // namespace keelson::node
