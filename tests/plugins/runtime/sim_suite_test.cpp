// The simulated runtime does what every runtime does.
#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "tests/plugins/runtime/runtime_suite.h"
#include "tests/plugins/runtime/sim_fixture.h"

namespace keelson::testing {
namespace {

class SimWorld {
  public:
    SimWorld() {
        std::string path = std::string(SIM_DIRECTORY) + "/suite-XXXXXX";
        directory_ = ::mkdtemp(path.data());
    }
    ~SimWorld() { std::filesystem::remove_all(directory_); }

    static std::string missing() { return ""; }
    SimAnswer call(const std::string& method, const Json& request) { return sim_.call(method, request); }
    [[nodiscard]] std::string log_directory() const { return directory_; }
    static std::string cgroup() { return "pods"; }
    static std::string image_id() { return "sha256:1"; }
    static Json annotations(std::optional<int> exit_code) {
        if (!exit_code) return Json::object();
        return {{"sim.keelson.dev/run-milliseconds", "10"},
                {"sim.keelson.dev/exit-code", std::to_string(*exit_code)}};
    }
    static Json command(std::optional<int> /*exit_code*/) { return {"sleep"}; }
    void pass_time() { sim_.advance_ms(1000); }
    static bool restart() { return false; }
    bool has_request(const std::string& key) {
        const std::vector<std::string> all = sim_.reconciled();
        return std::ranges::find(all, key) != all.end();
    }

  private:
    std::string directory_;
    Sim sim_;
};

using SimWorlds = ::testing::Types<SimWorld>;
INSTANTIATE_TYPED_TEST_SUITE_P(Sim, RuntimeSuite, SimWorlds);

}  // namespace
}  // namespace keelson::testing
