// Pulling from Debian's docker-registry what skopeo pushed there.
#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "images_fixture.h"
#include "images_server.h"

namespace keelson::oci {
namespace {

class ImagesRegistry : public ImagesTest {
  protected:
    void SetUp() override {
        if (!has_program("docker-registry") || !make_busybox())
            GTEST_SKIP() << "docker-registry, umoci, skopeo and busybox are needed";
        settings.first_pause = std::chrono::milliseconds(10);
        settings.attempts = 2;
    }
    // A test that cannot start it has failed: the program is there.
    [[nodiscard]] bool serve(const std::string& more = {}, const std::string& more_http = {}) {
        registry = std::make_unique<RealRegistry>(folder.path(), more, more_http);
        return registry->is_up();
    }
    [[nodiscard]] bool push(const std::vector<std::string>& options = {}) const {
        std::vector<std::string> arguments = {"skopeo", "copy", "--dest-tls-verify=false"};
        arguments.insert(arguments.end(), options.begin(), options.end());
        arguments.push_back("oci:" + folder / "oci:1");
        arguments.push_back("docker://" + image());
        return run_program(arguments) == 0;
    }
    [[nodiscard]] std::string image() const { return registry->host() + "/test/busybox:1"; }
    void expect_busybox(const std::string& id) {
        const auto held = store->hold(id, "c");
        EXPECT_EQ(read_text(held.layers.at(0) + "/bin/busybox"), read_text("/bin/busybox"));
    }

    std::unique_ptr<RealRegistry> registry;
};

TEST_F(ImagesRegistry, IsPulledFrom) {
    ASSERT_TRUE(serve());
    ASSERT_TRUE(push());
    settings.registries[registry->host()].plain_http = true;
    open();
    const auto started = std::chrono::steady_clock::now();
    const std::string id = store->pull({image(), {}}, Call()).image_id;
    const auto took = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - started);
    RecordProperty("pull_ms", std::to_string(took.count()));
    expect_busybox(id);
    EXPECT_EQ(failure([&] {
                  store->pull({registry->host() + "/test/busybox:2", {}}, Call());
              }).first,
              Code::not_found);
    EXPECT_EQ(failure([&] {
                  store->pull({registry->host() + "/nothing", {}}, Call());
              }).first,
              Code::not_found);
}

TEST_F(ImagesRegistry, WantsAPassword) {
    // user:geheim
    write_text(folder / "htpasswd", "user:$2b$04$TRFmxFnpHEh0Y1VsM3TPSebxyY/UZxgLAQXZcoWn0HpMbxy8jci9a\n");
    ASSERT_TRUE(serve("auth:\n  htpasswd:\n    realm: test\n    path: " + folder / "htpasswd" + "\n"));
    ASSERT_TRUE(push({"--dest-creds", "user:geheim"}));
    settings.registries[registry->host()].plain_http = true;
    open();
    EXPECT_EQ(failure([&] { store->pull({image(), {}}, Call()); }).first, Code::forbidden);
    EXPECT_EQ(failure([&] {
                  store->pull({image(), {{"user", "wrong", "", ""}}}, Call());
              }).first,
              Code::forbidden);
    expect_busybox(
        store->pull({image(), {{"user", "wrong", "", ""}, {"user", "geheim", "", ""}}}, Call()).image_id);
    settings.registries[registry->host()].credentials = {{"user", "geheim", "", ""}};
    open();
    store->pull({image(), {}}, Call());
}

TEST_F(ImagesRegistry, MustShowACertificateThatIsTrusted) {
    if (!has_program("openssl")) GTEST_SKIP() << "openssl is needed";
    ASSERT_EQ(run_program({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                           "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=registry",
                           "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem", "-out",
                           folder / "cert.pem"}),
              0);
    ASSERT_TRUE(serve(
        "", "  tls:\n    certificate: " + folder / "cert.pem" + "\n    key: " + folder / "key.pem" + "\n"));
    ASSERT_TRUE(push());
    open();
    const auto [code, message] = failure([&] { store->pull({image(), {}}, Call()); });
    EXPECT_EQ(code, Code::unavailable);
    EXPECT_NE(message.find("certificate verify failed"), std::string::npos) << message;
    settings.registries[registry->host()].ca_file = folder / "cert.pem";
    open();
    expect_busybox(store->pull({image(), {}}, Call()).image_id);
    settings.registries[registry->host()] = {};
    settings.registries[registry->host()].skip_verification = true;
    open();
    store->pull({image(), {}}, Call());
    settings.registries[registry->host()] = {};
    settings.registries[registry->host()].ca_file = folder / "key.pem";
    open();
    EXPECT_EQ(failure([&] { store->pull({image(), {}}, Call()); }).first, Code::invalid);
}

}  // namespace
}  // namespace keelson::oci
