// Runs every target over its corpus with the ordinary build, so that what fuzzing once found stays mended.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/fuzz/targets.h"

namespace keelson::fuzz {
namespace {

class Corpus : public testing::TestWithParam<NamedTarget> {};

TEST_P(Corpus, Replays) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry :
         std::filesystem::directory_iterator(std::filesystem::path(KEELSON_FUZZ_CORPUS) / GetParam().name))
        files.push_back(entry.path());
    std::ranges::sort(files);
    ASSERT_FALSE(files.empty());
    for (const auto& file : files) {
        SCOPED_TRACE(file.string());
        std::ifstream stream(file, std::ios::binary);
        std::string bytes{std::istreambuf_iterator<char>(stream), {}};
        GetParam().run(bytes);
    }
}

INSTANTIATE_TEST_SUITE_P(Targets, Corpus, testing::ValuesIn(kTargets),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace keelson::fuzz
