// The published schema of the configuration and what keelsond reads are the same.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "kernel/daemon/config.h"

namespace keelson::daemon {
namespace {

using Json = nlohmann::json;

// "a: b:" of a path as one line of flow style around the text.
std::string within(const std::vector<std::string>& path, const std::string& text) {
    std::string result = text;
    for (auto at = path.rbegin(); at != path.rend(); ++at)
        result = *at == "[]" ? "[" + result + "]" : "{" + *at + ": " + result + "}";
    return result;
}

class ConfigSchema : public ::testing::Test {
  protected:
    void SetUp() override {
        std::ifstream file(KEELSON_CONFIG_SCHEMA);
        schema_ = Json::parse(file);
    }

    // Calls with every map of known keys.
    void each_map(const Json& schema, std::vector<std::string> path, auto&& visit) {
        visit(schema, path);
        for (const auto& [name, member] : schema["properties"].items()) {
            auto below = path;
            below.push_back(name);
            if (member.contains("properties")) each_map(member, below, visit);
            if (!member.contains("items") || !member["items"].contains("properties")) continue;
            below.emplace_back("[]");
            each_map(member["items"], below, visit);
        }
    }

    Json schema_;
};

TEST_F(ConfigSchema, HasTheKeysThatAreRead) {
    int maps = 0;
    each_map(schema_, {}, [&](const Json& schema, const std::vector<std::string>& path) {
        const auto config = parse_config(within(path, "{noSuchKey: 1}"));
        ASSERT_FALSE(config);
        std::string known;
        for (const auto& [name, member] : schema["properties"].items())
            known += (known.empty() ? "" : ", ") + name;
        EXPECT_EQ(config.error().message(), "line 1: unknown key 'noSuchKey' (known here: " + known + ")");
        ++maps;
    });
    EXPECT_GE(maps, 9);
}

TEST_F(ConfigSchema, HasTheDefaults) {
    int defaults = 0;
    each_map(schema_, {}, [&](const Json& schema, const std::vector<std::string>& path) {
        if (!path.empty() && path.back() == "[]") return;
        for (const auto& [name, member] : schema["properties"].items()) {
            if (!member.contains("default")) continue;
            const std::string text = within(path, "{" + name + ": " + member["default"].dump() + "}");
            const auto config = parse_config(text);
            ASSERT_TRUE(config) << config.error().message();
            EXPECT_TRUE(*config == Config()) << text;
            ++defaults;
        }
    });
    EXPECT_GE(defaults, 20);
}

TEST_F(ConfigSchema, HasTheBoundsOfNumbers) {
    each_map(schema_, {}, [&](const Json& schema, const std::vector<std::string>& path) {
        for (const auto& [name, member] : schema["properties"].items()) {
            if (member.value("type", "") != "integer") continue;
            const auto given = [&](std::int64_t value) {
                return parse_config(within(path, "{" + name + ": " + std::to_string(value) + "}"));
            };
            EXPECT_FALSE(given(member["minimum"].get<std::int64_t>() - 1)) << name;
            EXPECT_FALSE(given(member["maximum"].get<std::int64_t>() + 1)) << name;
        }
    });
}

}  // namespace
}  // namespace keelson::daemon
