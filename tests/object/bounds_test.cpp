// Documents of the size that a request may have, made to be as slow as can be: everything is carried out in
// about linear time. The limits here are far above what is needed, but far below what a quadratic step would
// take.
#include <gtest/gtest.h>

#include <ctime>

#include "kernel/object/conform.h"
#include "kernel/object/json.h"
#include "kernel/object/managed_fields.h"
#include "kernel/object/patch.h"
#include "kernel/object/protobuf.h"
#include "kernel/object/yaml.h"

namespace keelson::object {
namespace {

// Sanitizers make everything many times slower.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define KEELSON_SANITIZED
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KEELSON_SANITIZED
#endif
#ifdef KEELSON_SANITIZED
constexpr int kMany = 10'000;
constexpr int kManyContainers = 5'000;
#else
constexpr int kMany = 150'000;
constexpr int kManyContainers = 30'000;
#endif
constexpr double kLimitSeconds = 10;

// Of this thread: other programs on the machine do not count.
double processor_seconds() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

class Bounds : public ::testing::Test {
  protected:
    ~Bounds() override { EXPECT_LT(processor_seconds() - start_, kLimitSeconds); }

    // {"k0":VALUE,"k1":VALUE,...}
    static std::string many_members(std::string_view value, int first = 0, std::string_view quote = "\"") {
        std::string text = "{";
        for (int i = first; i < first + kMany; ++i) {
            if (text.size() > 1) text += ',';
            text +=
                std::string(quote) + "k" + std::to_string(i) + std::string(quote) + ": " + std::string(value);
        }
        return text + "}";
    }
    Value parse(std::string_view json) { return *parse_json_copy(json, arena_); }
    Value data(std::string_view members) {
        return *conform(map_, parse(R"({"metadata":{"name":"m"},"data":)" + std::string(members) + "}"),
                        arena_);
    }

    Arena arena_;
    const Type& map_ = *find_type("core/v1.ConfigMap");

  private:
    double start_ = processor_seconds();
};

TEST_F(Bounds, Members) {
    Value map = parse(many_members("1"));
    EXPECT_EQ(map.size(), static_cast<std::size_t>(kMany));
    for (int i = 0; i < kMany; ++i) ASSERT_TRUE(map.has("k" + std::to_string(i)));
    EXPECT_FALSE(map.has("k"));
    map.sort_members();
    EXPECT_EQ(map["k777"].as_integer(), 1);
    EXPECT_TRUE(map.erase("k777"));
    EXPECT_FALSE(map.has("k777"));
    EXPECT_TRUE(map.has("k778"));
    map.set(arena_, "k777", Value::integer(2));
    EXPECT_EQ(map["k777"].as_integer(), 2);
    EXPECT_TRUE(map.equals(map.clone(arena_)));
    map.clear();
    EXPECT_FALSE(map.has("k778"));
    map.set(arena_, "k778", Value::integer(3));
    EXPECT_EQ(map["k778"].as_integer(), 3);
}

TEST_F(Bounds, DuplicateMembers) {
    std::string text = many_members("1");
    text.pop_back();
    for (int i = 0; i < kMany; ++i) text += R"(,"k149999":2)";
    std::vector<std::string> duplicates;
    auto map = parse_json(text + "}", arena_, &duplicates);
    ASSERT_TRUE(map);
    EXPECT_EQ(duplicates.size(), 1u);
    std::string twice = "{";
    for (int i = 0; i < kMany; ++i)
        twice += std::string(i ? "," : "") + "\"" + std::to_string(i / 2) + "\":1";
    twice += '}';
    duplicates.clear();
    ASSERT_TRUE(parse_json(twice, arena_, &duplicates));
    EXPECT_EQ(duplicates.size(), 100u);
    // Each of them would be as long as the name that they are below.
    duplicates.clear();
    text = "{\"" + std::string(1'000'000, 'n') + "\":" + twice + "}";
    ASSERT_TRUE(parse_json(text, arena_, &duplicates));
    EXPECT_EQ(duplicates.size(), 1u);
}

TEST_F(Bounds, UnknownMembers) {
    std::vector<std::string> unknown;
    ASSERT_TRUE(conform(map_, parse(many_members("1")), arena_, &unknown));
    EXPECT_EQ(unknown.size(), 100u);
}

TEST_F(Bounds, Yaml) {
    std::string text;
    for (int i = 0; i < kMany / 2; ++i) text += "k" + std::to_string(i) + ": 1\n";
    auto map = parse_yaml(text, arena_);
    ASSERT_TRUE(map) << map.error().message();
    EXPECT_EQ(map->size(), static_cast<std::size_t>(kMany / 2));
}

TEST_F(Bounds, Protobuf) {
    Value value = data(many_members("\"x\""));
    std::string message;
    encode_message(map_, value, message);
    auto decoded = decode_message(map_, message, arena_);
    ASSERT_TRUE(decoded);
    EXPECT_TRUE(conform(map_, *decoded, arena_)->equals(value));
}

TEST_F(Bounds, MergePatches) {
    Value target = parse(many_members("1"));
    EXPECT_EQ(merge_patch(target, parse(many_members("2", kMany)), arena_).size(),
              static_cast<std::size_t>(2 * kMany));
    EXPECT_EQ(merge_patch(target, parse(many_members("null")), arena_).size(), 0u);
    EXPECT_EQ(merge_patch(target, parse(many_members("3")), arena_).size(), static_cast<std::size_t>(kMany));
}

TEST_F(Bounds, StrategicPatches) {
    Value target = data(many_members("\"1\""));
    auto patched = [&](std::string_view members) {
        return strategic_merge_patch(map_, target, parse(R"({"data":)" + std::string(members) + "}"), arena_);
    };
    EXPECT_EQ((*patched(many_members("\"2\"", kMany)))["data"].size(), static_cast<std::size_t>(2 * kMany));
    EXPECT_EQ((*patched(many_members("null")))["data"].size(), 0u);
}

TEST_F(Bounds, Apply) {
    FieldManager first{"first", "v1", "", "2026-01-01T00:00:00Z"},
        second{"second", "v1", "", "2026-01-01T00:00:01Z"};
    auto configuration = [&](int from) {
        return parse(R"({"metadata":{"name":"m"},"data":)" + many_members("\"1\"", from) + "}");
    };
    auto live = apply(map_, Value(), configuration(0), first, false, {}, arena_);
    ASSERT_TRUE(live);
    auto both = apply(map_, *live, configuration(kMany), second, false, {}, arena_);
    ASSERT_TRUE(both);
    EXPECT_EQ((*both)["data"].size(), static_cast<std::size_t>(2 * kMany));
    auto moved = apply(map_, *both, configuration(2 * kMany), first, false, {}, arena_);
    ASSERT_TRUE(moved);
    EXPECT_EQ((*moved)["data"].size(), static_cast<std::size_t>(2 * kMany));
}

TEST_F(Bounds, AppliedLists) {
    const Type& pod = *find_type("core/v1.Pod");
    auto configuration = [&](bool backwards) {
        std::string text = R"({"metadata":{"name":"p"},"spec":{"containers":[)";
        for (int i = 0; i < kManyContainers; ++i)
            text += std::string(i ? "," : "") + R"({"name":"c)" +
                    std::to_string(backwards ? kManyContainers - i : i) + "\"}";
        return parse(text + "]}}");
    };
    FieldManager manager{"first", "v1", "", "2026-01-01T00:00:00Z"};
    auto live = apply(pod, Value(), configuration(false), manager, false, {}, arena_);
    ASSERT_TRUE(live);
    auto turned = apply(pod, *live, configuration(true), manager, false, {}, arena_);
    ASSERT_TRUE(turned);
    EXPECT_EQ((*turned)["spec"]["containers"].at(0)["name"].as_string(),
              "c" + std::to_string(kManyContainers));
}

TEST_F(Bounds, StrategicLists) {
    const Type& pod = *find_type("core/v1.Pod");
    auto containers = [&](int first) {
        std::string text = R"({"spec":{"containers":[)";
        for (int i = first; i < first + 20'000; ++i)
            text += std::string(i > first ? "," : "") + R"({"name":"c)" + std::to_string(i) + "\"}";
        return parse(text + "]}}");
    };
    auto merged = strategic_merge_patch(pod, containers(0), containers(10'000), arena_);
    ASSERT_TRUE(merged);
    EXPECT_EQ((*merged)["spec"]["containers"].size(), 30'000u);
}

}  // namespace
}  // namespace keelson::object
