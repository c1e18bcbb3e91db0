#include "kernel/base/log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "kernel/base/files.h"

namespace keelson::base {
namespace {

class Log : public testing::Test {
  protected:
    void SetUp() override {
        path = testing::TempDir() + "keelson-log-" + std::to_string(::getpid());
        (void)!remove_file(path);
    }
    void TearDown() override {
        ASSERT_TRUE(configure_log({}));
        ASSERT_TRUE(remove_file(path));
    }
    std::string path;
};

TEST_F(Log, TextFieldsAreQuotedWhenNeeded) {
    ASSERT_TRUE(configure_log({.path = path}));
    log_info("pod bound",
             {{"pod", "default/a"}, {"node", "a b"}, {"tries", 3}, {"size", 5u}, {"late", true}});
    log_debug("hidden");
    log_warning("line\nbreak", {{"text", "x\n\"y"}});
    const std::string text = read_file(path).value();
    EXPECT_NE(text.find(R"(info pod bound pod=default/a node="a b" tries=3 size=5 late=true)"),
              std::string::npos)
        << text;
    EXPECT_EQ(text.find("hidden"), std::string::npos);
    EXPECT_NE(text.find(R"(warning line\nbreak text="x\n\"y")"), std::string::npos) << text;
}

TEST_F(Log, JsonLines) {
    ASSERT_TRUE(configure_log({.level = LogLevel::debug, .json = true, .path = path}));
    log_debug("a \"quoted\" message", {{"count", -2}, {"status", Status(Reason::gone, "too old")}});
    const std::string text = read_file(path).value();
    EXPECT_NE(text.find(R"("level":"debug","message":"a \"quoted\" message","count":-2,"status":"too old"})"),
              std::string::npos)
        << text;
}

TEST_F(Log, BadOptionsSayWhatToDo) {
    EXPECT_FALSE(configure_log({.path = "/dev/null/file"}));
    EXPECT_EQ(parse_log_level("error").value(), LogLevel::error);
    EXPECT_NE(parse_log_level("loud").error().message().find("use debug"), std::string::npos);
}

}  // namespace
}  // namespace keelson::base
