// The OCI runtime does what every runtime does, by crun and by runc.
#include <unistd.h>

#include <filesystem>

#include "tests/plugins/runtime/oci/oci_fixture.h"
#include "tests/plugins/runtime/runtime_suite.h"

namespace keelson::testing {
namespace {

template <typename Program>
class OciWorld {
  public:
    OciWorld() {
        directory_ = make_oci_directory();
        if (!missing().empty()) return;
        make_test_image(directory_ + "/state", "box", Json::object());
        restart();
    }
    ~OciWorld() {
        oci_.reset();
        remove_test_cgroup(top());
        std::filesystem::remove_all(directory_);
    }

    static std::string missing() {
        if (std::string why = missing_for_oci(); !why.empty()) return why;
        return ::access(Program::path, X_OK) == 0 ? "" : std::string("needs ") + Program::path;
    }
    OciAnswer call(const std::string& method, const Json& request) { return oci_->call(method, request); }
    [[nodiscard]] std::string log_directory() const { return directory_ + "/logs"; }
    [[nodiscard]] std::string cgroup() const { return top() + "/pod"; }
    static std::string image_id() { return "sha256:box"; }
    static Json annotations(std::optional<int> /*exit_code*/) { return Json::object(); }
    static Json command(std::optional<int> exit_code) {
        const std::string end = exit_code ? "exit " + std::to_string(*exit_code) : "exec sleep 1000";
        return {"/bin/sh", "-c", "echo started; " + end};
    }
    static void pass_time() {}
    bool restart() {
        oci_.reset();
        oci_ = std::make_unique<Oci>(directory_ + "/state", Json{{"program", Program::path}});
        return oci_->started.ok();
    }
    bool has_request(const std::string& key) { return oci_->wait_for_reconcile(key); }

  private:
    [[nodiscard]] std::string top() const {
        return "keelson-test-" + directory_.substr(directory_.rfind('-') + 1);
    }
    std::string directory_;
    std::unique_ptr<Oci> oci_;
};

struct Crun {
    static constexpr const char* path = "/usr/bin/crun";
};
struct Runc {
    static constexpr const char* path = "/usr/sbin/runc";
};

using OciWorlds = ::testing::Types<OciWorld<Crun>, OciWorld<Runc>>;
INSTANTIATE_TYPED_TEST_SUITE_P(Oci, RuntimeSuite, OciWorlds);

}  // namespace
}  // namespace keelson::testing
