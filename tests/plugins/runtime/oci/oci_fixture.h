// The OCI runtime with images that a test makes from busybox, loaded and called as the kernel does it; and
// the look at what it leaves behind.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "keelson/entry.h"
#include "kernel/plugin/local_plugin.h"

namespace keelson::testing {

using Json = nlohmann::json;

struct OciAnswer {
    std::int32_t status = KEELSON_OK;
    Json document;
    std::vector<base::FileDescriptor> descriptors;
    [[nodiscard]] bool ok() const { return status == KEELSON_OK; }
    [[nodiscard]] std::string message() const { return document.value("message", std::string()); }
};

// One instance and its host.
class Oci {
  public:
    Oci(const std::string& state_directory, const Json& config = Json::object());
    ~Oci();
    Oci(const Oci&) = delete;
    Oci& operator=(const Oci&) = delete;

    OciAnswer call(const std::string& method, const Json& request);
    // Forgets what was told before. False after a generous while.
    bool wait_for_reconcile(const std::string& key);
    std::vector<std::string> reconciled();
    std::vector<std::string> log();

    OciAnswer started;

  private:
    OciAnswer invoke(plugin::MethodId method, const Json& request);

    std::mutex mutex_;
    std::condition_variable noted_;
    std::vector<std::string> reconciled_;
    std::vector<std::string> log_;
    std::unique_ptr<plugin::LocalPlugin> plugin_;
};

// An image "sha256:<name>" below the state directory: busybox, with links to it, and two layers.
void make_test_image(const std::string& state_directory, const std::string& name, const Json& config);
// Why the tests cannot run here; empty: they can.
std::string missing_for_oci();
// A new directory where file systems of containers can be made: the files of a virtual machine are an overlay
// already, and another cannot lie on that.
std::string make_oci_directory();
// Removes the group below the root of every hierarchy, with what is in it.
void remove_test_cgroup(const std::string& path);

// A state directory with an image "sha256:box" of busybox, and requests about pods and containers. At the end
// of a test nothing may be left: no process, mount, cgroup or directory.
class OciTest : public ::testing::Test {
  protected:
    OciTest();
    ~OciTest() override;
    void SetUp() override;
    void TearDown() override;

    // Ends the instance, if there is one, and starts another.
    Oci& start(const Json& config = Json::object());
    Oci& oci() { return *oci_; }
    void stop() { oci_.reset(); }

    Json sandbox_request(const std::string& name, const Json& more = Json::object()) const;
    // Runs sh -c script, unless `more` says otherwise.
    Json container_request(const std::string& pod, const std::string& script,
                           const Json& more = Json::object(), const std::string& name = "main") const;
    static std::string id_of(const std::string& pod, const std::string& name = "main") {
        return "c-" + pod + "-" + name;
    }
    // A sandbox and a started container; the first failure.
    OciAnswer run(const std::string& pod, const std::string& script, const Json& more = Json::object());
    Json container(const std::string& pod, const std::string& name = "main");
    // Waits until it is as wanted, or a generous while; what it was then.
    Json wait_for_state(const std::string& pod, const std::string& state, const std::string& name = "main");
    // Runs it to its end: its output, without the log's heads.
    std::string output_of(const std::string& pod, const std::string& script,
                          const Json& more = Json::object());
    OciAnswer stop_container(const std::string& pod, int grace_seconds);
    OciAnswer remove_pod(const std::string& pod);
    // The output of a command executed in the container, and its exit code.
    std::pair<std::string, int> execute(const std::string& pod, const std::vector<std::string>& command);

    [[nodiscard]] std::string log_path(const std::string& pod, const std::string& name = "main") const {
        return root_ + "/logs/" + pod + "/" + name + ".log";
    }
    [[nodiscard]] std::string log_text(const std::string& pod, const std::string& name = "main") const;
    void make_image(const std::string& name, const Json& config) const {
        make_test_image(state_directory(), name, config);
    }
    [[nodiscard]] std::string state_directory() const { return root_ + "/state"; }
    [[nodiscard]] std::string cgroup() const { return "keelson-test-" + number_; }
    // Of the shims of this test: their working directories are those of the sandboxes.
    [[nodiscard]] std::vector<pid_t> shims() const;
    // What is left of the test on this machine, a line each.
    [[nodiscard]] std::vector<std::string> leftovers() const;

    std::string root_;
    std::string number_;
    std::unique_ptr<Oci> oci_;
};

// A line of /proc/<process>/smaps_rollup ("Pss").
std::int64_t memory_kb(pid_t process, const std::string& name);
// Polls until it holds; false after a generous while.
bool eventually(const std::function<bool()>& holds);
std::string read_all(int descriptor);
std::string file_text(const std::string& path);

}  // namespace keelson::testing
