// The examples that out_of_tree.py has built, loaded as a host loads them.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "driver.h"

namespace keelson::testing {
namespace {

namespace fs = std::filesystem;

const std::string built = KEELSON_OUT_OF_TREE;

// Stays loaded: plugins are never unloaded.
const keelson_entry* entry_of(const std::string& path) {
    void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        ADD_FAILURE() << ::dlerror();
        return nullptr;
    }
    const auto function = reinterpret_cast<keelson_plugin_function>(::dlsym(library, KEELSON_PLUGIN_SYMBOL));
    return function != nullptr ? function() : nullptr;
}

class TemporaryDirectory {
  public:
    TemporaryDirectory() {
        std::string name = (fs::temp_directory_path() / "keelson-examples-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "no temporary directory";
        path = name;
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    ~TemporaryDirectory() { fs::remove_all(path); }

    fs::path path;
};

class ScratchVolume : public ::testing::Test {
  protected:
    void SetUp() override {
        host_.struct_size = sizeof(host_);
        host_.state_directory = state_.path.c_str();
        entry_ = entry_of(built + "/scratch-volume-1.0.0/lib/keelson/plugins/scratch-volume.so");
        ASSERT_NE(entry_, nullptr);
        plugin_ = std::make_unique<Driven>(*entry_, &host_);
        ASSERT_EQ(plugin_->start().status, KEELSON_OK);
    }

    [[nodiscard]] Answer create(const char* name) const {
        return plugin_->call(KEELSON_VOLUME, "create",
                             {{"name", name},
                              {"capacityBytes", 1024},
                              {"capabilities", {capability_}},
                              {"parameters", Json::object()}});
    }
    [[nodiscard]] Answer publish(bool read_only) const {
        return plugin_->call(
            KEELSON_VOLUME, "publish",
            {{"volumeId", "data"},
             {"path", target()},
             {"capability", capability_},
             {"readOnly", read_only},
             {"attributes", Json::object()},
             {"pod", {{"name", "p"}, {"namespace", "n"}, {"uid", "u"}, {"serviceAccountName", "s"}}}});
    }
    [[nodiscard]] Answer unpublish() const {
        return plugin_->call(KEELSON_VOLUME, "unpublish", {{"volumeId", "data"}, {"path", target()}});
    }
    [[nodiscard]] std::string target() const { return pods_.path / "volume"; }

    TemporaryDirectory state_;
    TemporaryDirectory pods_;
    keelson_host host_{};
    const keelson_entry* entry_ = nullptr;
    std::unique_ptr<Driven> plugin_;
    const Json capability_ = {{"accessMode", "ReadWriteOnce"}, {"volumeMode", "Filesystem"}};
};

TEST_F(ScratchVolume, MakesAndRemovesDirectories) {
    EXPECT_EQ(create("data").document["volumeId"], "data");
    EXPECT_EQ(create("data").status, KEELSON_OK);
    EXPECT_TRUE(fs::is_directory(state_.path / "volumes" / "data"));
    for (int count = 0; count < 2; ++count)
        EXPECT_EQ(plugin_->call(KEELSON_VOLUME, "remove", {{"volumeId", "data"}}).status, KEELSON_OK);
    EXPECT_FALSE(fs::exists(state_.path / "volumes" / "data"));
    for (const char* name : {"", "..", "../up", "a/b", ".hidden"}) {
        EXPECT_EQ(create(name).status, KEELSON_INVALID) << name;
        EXPECT_EQ(create(name).field(), "name");
    }
}

TEST_F(ScratchVolume, ShowsTheVolumeToAPod) {
    EXPECT_EQ(publish(false).status, KEELSON_NOT_FOUND);
    ASSERT_EQ(create("data").status, KEELSON_OK);
    const Answer first = publish(false);
    if (first.message().find("not permitted") != std::string::npos) GTEST_SKIP() << "may not mount here";
    ASSERT_EQ(first.status, KEELSON_OK) << first.document;
    EXPECT_EQ(publish(false).status, KEELSON_OK);
    std::ofstream(target() + "/file") << "kept";
    EXPECT_TRUE(fs::exists(state_.path / "volumes" / "data" / "file"));
    for (int count = 0; count < 2; ++count) EXPECT_EQ(unpublish().status, KEELSON_OK);
    EXPECT_FALSE(fs::exists(target()));
    EXPECT_TRUE(fs::exists(state_.path / "volumes" / "data" / "file"));

    ASSERT_EQ(publish(true).status, KEELSON_OK);
    EXPECT_FALSE(std::ofstream(target() + "/other").is_open());
    EXPECT_EQ(unpublish().status, KEELSON_OK);
}

TEST_F(ScratchVolume, BothVersionsLiveInOneProcess) {
    const keelson_entry* second =
        entry_of(built + "/scratch-volume-2.0.0/lib/keelson/plugins/scratch-volume.so");
    ASSERT_NE(second, nullptr);
    EXPECT_STREQ(entry_->version, "1.0.0");
    EXPECT_STREQ(second->version, "2.0.0");
    const Driven other(*second, &host_);
    ASSERT_EQ(other.start().status, KEELSON_OK);
    EXPECT_EQ(create("data").document["attributes"]["version"], "1.0.0");
    EXPECT_EQ(other.call(KEELSON_VOLUME, "remove", {{"volumeId", "data"}}).status, KEELSON_OK);
}

TEST(StaticUser, KnowsItsUsers) {
    const keelson_entry* entry = entry_of(built + "/static-user/lib/keelson/plugins/static-user.so");
    ASSERT_NE(entry, nullptr);
    const Driven driven(*entry);
    for (const Json& wrong : {Json::object(), Json({{"users", 3}}), Json({{"users", {3}}}),
                              Json({{"users", {{{"token", "short"}, {"username", "a"}}}}})}) {
        EXPECT_EQ(driven.start(wrong).status, KEELSON_INVALID) << wrong;
        EXPECT_EQ(driven.start(wrong).field(), "users");
    }
    const Json user = {{"token", "0123456789abcdef"}, {"username", "ann"}, {"groups", {"admins"}}};
    ASSERT_EQ(driven.start({{"users", {user}}}).status, KEELSON_OK);
    EXPECT_EQ(driven.health().document, Json({{"healthy", true}}));

    const auto ask = [&](const Json& request) {
        return driven.call(KEELSON_AUTHENTICATOR, "authenticate", request);
    };
    const Answer known = ask({{"token", "0123456789abcdef"}, {"audiences", Json::array()}});
    EXPECT_EQ(known.status, KEELSON_OK);
    EXPECT_EQ(known.document["authenticated"], true);
    EXPECT_EQ(known.document["user"],
              Json({{"username", "ann"}, {"groups", {"admins"}}, {"extra", Json::object()}}));
    EXPECT_EQ(ask({{"token", "0123456789abcdeg"}}).document["authenticated"], false);
    EXPECT_EQ(ask({{"token", 7}}).document["authenticated"], false);
    EXPECT_EQ(ask({{"certificate", Json::object()}}).document["authenticated"], false);
    for (const char* text : {"", "{", "[]", "7", "nonsense"})
        EXPECT_EQ(driven.call_text(KEELSON_AUTHENTICATOR, "authenticate", text).status, KEELSON_INVALID)
            << text;
    EXPECT_EQ(driven.stop().status, KEELSON_OK);
    EXPECT_EQ(ask({{"token", "x"}}).status, KEELSON_INTERNAL);
}

}  // namespace
}  // namespace keelson::testing
