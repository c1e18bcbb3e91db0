// What a container's process is and sees, looked at from inside.
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/plugins/runtime/oci/oci_fixture.h"

namespace keelson::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

Json secured(const Json& security) {
    return {{"security", security}};
}

class OciProcessTest : public OciTest {};

TEST_F(OciProcessTest, EnvironmentOfImageAndRequest) {
    make_image("env", {{"environment", {"A=image", "B=image", "PATH=/bin"}}});
    const std::string output = output_of(
        "env", "/bin/env",
        {{"imageId", "sha256:env"},
         {"environment", {{{"name", "A"}, {"value", "request"}}, {{"name", "C"}, {"value", "x=y z"}}}}});
    for (const char* line : {"A=request\n", "B=image\n", "C=x=y z\n", "PATH=/bin\n", "HOSTNAME=env\n"})
        EXPECT_THAT(output, HasSubstr(line));
    EXPECT_THAT(output_of("plain", "/bin/env"),
                HasSubstr("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"));
}

TEST_F(OciProcessTest, EntrypointAndArguments) {
    make_image("words", {{"entrypoint", {"/bin/echo", "e"}}, {"command", {"c"}}});
    const auto said = [&](const std::string& pod, const Json& command, const Json& args) {
        return output_of(pod, "", {{"imageId", "sha256:words"}, {"command", command}, {"args", args}});
    };
    EXPECT_EQ(said("a", Json::array(), Json::array()), "e c\n");
    EXPECT_EQ(said("b", Json::array(), {"x"}), "e x\n");
    EXPECT_EQ(said("c", {"/bin/echo", "q"}, Json::array()), "q\n");
    EXPECT_EQ(said("d", {"/bin/echo", "q"}, {"x", "y"}), "q x y\n");
    ASSERT_TRUE(oci().call("run_sandbox", sandbox_request("e")).ok());
    const OciAnswer nothing =
        oci().call("create_container", container_request("e", "", {{"command", Json::array()}}));
    EXPECT_EQ(nothing.status, KEELSON_INVALID);
    EXPECT_THAT(nothing.message(), HasSubstr("what to run"));
    EXPECT_TRUE(container("e").empty());
}

TEST_F(OciProcessTest, Users) {
    make_image("user", {{"user", "web"}});
    const auto who = [&](const std::string& pod, const Json& security, const char* image = "sha256:box") {
        return output_of(pod, "id -u; id -g; id -G", {{"imageId", image}, {"security", security}});
    };
    EXPECT_EQ(who("root", Json::object()), "0\n0\n0\n");
    EXPECT_EQ(who("image", Json::object(), "sha256:user"), "1234\n5678\n5678 77\n");
    EXPECT_EQ(who("name", {{"userName", "web"}}), "1234\n5678\n5678 77\n");
    EXPECT_EQ(who("number", {{"user", 1234}, {"group", 9}}), "1234\n9\n9 77\n");
    EXPECT_EQ(who("unknown", {{"user", 4000}}), "4000\n0\n0\n");
    EXPECT_EQ(who("strict",
                  {{"user", 1234}, {"supplementalGroupsPolicy", "Strict"}, {"supplementalGroups", {11, 12}}}),
              "1234\n5678\n5678 11 12\n");
    ASSERT_TRUE(oci().call("run_sandbox", sandbox_request("nobody")).ok());
    const OciAnswer nobody =
        oci().call("create_container", container_request("nobody", "id", secured({{"userName", "nosuch"}})));
    EXPECT_EQ(nobody.status, KEELSON_INVALID);
    EXPECT_THAT(nobody.message(), HasSubstr("'nosuch'"));
}

// A link in the image leads to the image's own file, never to the host's.
TEST_F(OciProcessTest, UsersAreNotLookedUpOutsideTheImage) {
    make_image("link", Json::object());
    const std::string etc = state_directory() + "/data/images/link/1/etc";
    std::filesystem::remove(etc + "/passwd");
    std::filesystem::create_symlink("/../../../../../../../../etc/passwd-of-image", etc + "/passwd");
    std::ofstream(etc + "/passwd-of-image") << "daemon:x:4321:8765::/:/bin/sh\n";
    EXPECT_EQ(
        output_of("link", "id -u", {{"imageId", "sha256:link"}, {"security", {{"userName", "daemon"}}}}),
        "4321\n");
}

TEST_F(OciProcessTest, Capabilities) {
    const auto effective = [&](const std::string& pod, const Json& security) {
        const std::string line = output_of(pod, "grep CapEff /proc/self/status", secured(security));
        return std::stoull(line.substr(line.find('\t') + 1), nullptr, 16);
    };
    EXPECT_EQ(effective("usual", Json::object()), 0xa80425fbULL);
    EXPECT_EQ(effective("none", {{"capabilities", {{"drop", {"ALL"}}}}}), 0u);
    EXPECT_EQ(effective("one", {{"capabilities", {{"drop", {"ALL"}}, {"add", {"NET_ADMIN"}}}}}), 1u << 12);
    EXPECT_EQ(effective("less", {{"capabilities", {{"drop", {"CHOWN"}}}}}), 0xa80425faULL);
    EXPECT_NE(effective("privileged", {{"privileged", true}}) & (1u << 21), 0u) << "SYS_ADMIN";
    EXPECT_EQ(effective("user", {{"user", 1000}}), 0u);
}

TEST_F(OciProcessTest, ReadOnlyRootAndPaths) {
    EXPECT_EQ(output_of("ro", "touch /x 2>/dev/null || echo refused", secured({{"readOnlyRoot", true}})),
              "refused\n");
    EXPECT_EQ(output_of("rw", "touch /x && echo written"), "written\n");
    EXPECT_EQ(output_of("proc", "echo 1 2>/dev/null >/proc/sys/kernel/sysrq || echo refused"), "refused\n");
    EXPECT_EQ(output_of("masked", "cat /proc/timer_list | wc -c"), "0\n");
    EXPECT_EQ(output_of("sys", "touch /sys/x 2>/dev/null || echo refused"), "refused\n");
    EXPECT_EQ(output_of("nnp", "grep NoNewPrivs /proc/self/status", secured({{"noNewPrivileges", true}})),
              "NoNewPrivs:\t1\n");
}

TEST_F(OciProcessTest, Seccomp) {
    const auto mode = [&](const std::string& pod, const Json& security) {
        return output_of(pod, "grep Seccomp: /proc/self/status", secured(security));
    };
    EXPECT_EQ(mode("none", Json::object()), "Seccomp:\t0\n");
    EXPECT_EQ(mode("default", {{"seccomp", {{"type", "RuntimeDefault"}}}}), "Seccomp:\t2\n");
    EXPECT_EQ(mode("privileged", {{"privileged", true}, {"seccomp", {{"type", "RuntimeDefault"}}}}),
              "Seccomp:\t0\n");
    EXPECT_EQ(output_of("unshare", "unshare -m true 2>/dev/null || echo refused",
                        secured({{"seccomp", {{"type", "RuntimeDefault"}}}})),
              "refused\n");
    std::ofstream(root_ + "/profile.json")
        << R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO"}]})";
    EXPECT_EQ(output_of("local", "mkdir /d 2>/dev/null || echo refused",
                        secured({{"seccomp", {{"type", "Localhost"}, {"path", root_ + "/profile.json"}}}})),
              "refused\n");
}

TEST_F(OciProcessTest, MountsAndDevices) {
    std::filesystem::create_directory(root_ + "/volume");
    std::ofstream(root_ + "/volume/file") << "content\n";
    const Json mounts = {
        {{"source", root_ + "/volume"}, {"path", "/v"}, {"readOnly", false}, {"propagation", "private"}},
        {{"source", root_ + "/volume"}, {"path", "/r"}, {"readOnly", true}, {"propagation", "private"}}};
    EXPECT_EQ(
        output_of("mounts", "cat /v/file; touch /r/x 2>/dev/null || echo refused; touch /v/x && echo written",
                  {{"mounts", mounts}}),
        "content\nrefused\nwritten\n");
    EXPECT_TRUE(std::filesystem::exists(root_ + "/volume/x"));
    EXPECT_EQ(
        output_of("device", "test -c /dev/mine && echo there; echo x >/dev/mine && echo written",
                  {{"devices", {{{"hostPath", "/dev/null"}, {"path", "/dev/mine"}, {"permissions", "rw"}}}}}),
        "there\nwritten\n");
    EXPECT_THAT(output_of("shm", "grep /dev/shm /proc/mounts"),
                AllOf(HasSubstr("tmpfs"), HasSubstr("size=65536k")));
    EXPECT_EQ(output_of("directory", "pwd", {{"workingDirectory", "/some/where"}}), "/some/where\n");
}

// The directory is a shared mount of its own, so that what is done below it stays in the test.
class OciPropagationTest : public OciTest {
  protected:
    void SetUp() override {
        OciTest::SetUp();
        if (IsSkipped()) return;
        volume_ = root_ + "/shared";
        std::filesystem::create_directories(volume_);
        ASSERT_EQ(::mount("test", volume_.c_str(), "tmpfs", 0, nullptr), 0);
        ASSERT_EQ(::mount(nullptr, volume_.c_str(), nullptr, MS_SHARED, nullptr), 0);
        for (const char* directory : {"/below", "/inside", "/mnt"})
            std::filesystem::create_directory(volume_ + directory);
    }
    void TearDown() override {
        if (oci_) stop_containers();
        for (const char* directory : {"/below", "/inside", ""})
            while (!volume_.empty() && ::umount2((volume_ + directory).c_str(), MNT_DETACH) == 0) {
            }
        OciTest::TearDown();
    }
    void stop_containers() {
        const Json list = oci().call("list_containers", Json::object()).document["containers"];
        for (const Json& one : list)
            oci().call("stop_container", {{"containerId", one["containerId"]}, {"graceSeconds", 0}});
    }
    Json mounted(const char* propagation) const {
        return {{"security", {{"privileged", true}}},
                {"mounts",
                 {{{"source", volume_}, {"path", "/v"}, {"readOnly", false}, {"propagation", propagation}}}}};
    }
    std::string volume_;
};

TEST_F(OciPropagationTest, HostToContainerShowsLaterMounts) {
    ASSERT_TRUE(run("slave", "sleep 1000", mounted("hostToContainer")).ok());
    ASSERT_TRUE(run("private", "sleep 1000", mounted("private")).ok());
    ASSERT_EQ(::mount("late", (volume_ + "/below").c_str(), "tmpfs", 0, nullptr), 0);
    std::ofstream(volume_ + "/below/seen") << "";
    EXPECT_EQ(execute("slave", {"ls", "/v/below"}).first, "seen\n");
    EXPECT_EQ(execute("private", {"ls", "/v/below"}).first, "");
    EXPECT_EQ(execute("slave", {"mount", "-t", "tmpfs", "none", "/v/inside"}).second, 0);
    EXPECT_EQ(execute("slave", {"touch", "/v/inside/own"}).second, 0);
    EXPECT_FALSE(std::filesystem::exists(volume_ + "/inside/own"));
}

TEST_F(OciPropagationTest, BidirectionalShowsTheHostWhatAContainerMounts) {
    const OciAnswer started = run("shared", "sleep 1000", mounted("bidirectional"));
    ASSERT_TRUE(started.ok()) << started.message();
    EXPECT_EQ(execute("shared", {"mount", "-t", "tmpfs", "none", "/v/inside"}).second, 0);
    EXPECT_EQ(execute("shared", {"touch", "/v/inside/own"}).second, 0);
    EXPECT_TRUE(std::filesystem::exists(volume_ + "/inside/own"));
}

TEST_F(OciProcessTest, SharedProcessNamespace) {
    const Json shared = {{"namespaces", {{"pid", "pod"}}}};
    ASSERT_TRUE(oci().call("run_sandbox", sandbox_request("pod", shared)).ok());
    for (const char* name : {"main", "side"}) {
        ASSERT_TRUE(oci()
                        .call("create_container",
                              container_request("pod", "sleep 1000 & sleep 1001", Json::object(), name))
                        .ok());
        const OciAnswer started = oci().call("start_container", {{"containerId", id_of("pod", name)}});
        ASSERT_TRUE(started.ok()) << started.message();
    }
    EXPECT_TRUE(eventually([&] {
        const std::string list = execute("pod", {"ps"}).first;
        return list.find("pause") != std::string::npos &&
               list.find("sleep 1001", list.find("sleep 1001") + 1) != std::string::npos;
    }));
    EXPECT_NE(execute("pod", {"ls", "/proc/1/root/"}).second, 0)
        << "the first process shows nothing of the host";
    // Those that are no child of its first process end with it as well.
    ASSERT_TRUE(stop_container("pod", 0).ok());
    EXPECT_EQ(container("pod", "side")["state"], "running");
}

TEST_F(OciProcessTest, TargetContainerShowsItsProcesses) {
    ASSERT_TRUE(run("pod", "exec sleep 4711").ok());
    ASSERT_TRUE(
        oci()
            .call("create_container",
                  container_request("pod", "ps; echo done", {{"targetContainerId", id_of("pod")}}, "debug"))
            .ok());
    const OciAnswer started = oci().call("start_container", {{"containerId", id_of("pod", "debug")}});
    ASSERT_TRUE(started.ok()) << started.message();
    EXPECT_EQ(wait_for_state("pod", "exited", "debug")["exitCode"], 0);
    EXPECT_THAT(log_text("pod", "debug"), HasSubstr("sleep 4711"));
    EXPECT_EQ(container("pod")["state"], "running");
}

TEST_F(OciProcessTest, HostNamespaces) {
    const Json host = {{"namespaces", {{"network", "host"}, {"pid", "host"}, {"ipc", "host"}}}};
    const OciAnswer sandbox = oci().call("run_sandbox", sandbox_request("host", host));
    ASSERT_TRUE(sandbox.ok()) << sandbox.message();
    EXPECT_TRUE(sandbox.descriptors.empty());
    ASSERT_TRUE(oci()
                    .call("create_container",
                          container_request("host",
                                            "readlink /proc/self/ns/net; readlink /proc/self/ns/ipc; "
                                            "readlink /proc/self/ns/uts; sleep 1000 & sleep 1000"))
                    .ok());
    const OciAnswer started = oci().call("start_container", {{"containerId", id_of("host")}});
    ASSERT_TRUE(started.ok()) << started.message();
    for (const char* name : {"net", "ipc", "uts"}) {
        char link[64] = {};
        ASSERT_GT(::readlink((std::string("/proc/self/ns/") + name).c_str(), link, sizeof link - 1), 0);
        EXPECT_TRUE(eventually([&] { return log_text("host").find(link) != std::string::npos; })) << name;
    }
    ASSERT_TRUE(stop_container("host", 0).ok());
    EXPECT_EQ(container("host")["exitCode"], 137);
}

TEST_F(OciProcessTest, SysctlsOfThePod) {
    const Json request = sandbox_request(
        "sys", {{"sysctls", {{"net.ipv4.ip_local_port_range", "5000 5100"}, {"kernel.shmmni", "77"}}}});
    ASSERT_TRUE(oci().call("run_sandbox", request).ok());
    ASSERT_TRUE(
        run("sys", "cat /proc/sys/net/ipv4/ip_local_port_range /proc/sys/kernel/shmmni; hostname").ok());
    wait_for_state("sys", "exited");
    EXPECT_THAT(log_text("sys"), AllOf(HasSubstr("5000\t5100"), HasSubstr("F 77"), HasSubstr("F sys\n")));
    const OciAnswer refused =
        oci().call("run_sandbox", sandbox_request("bad", {{"sysctls", {{"vm.swappiness", "1"}}}}));
    EXPECT_EQ(refused.status, KEELSON_INVALID);
    const OciAnswer unknown =
        oci().call("run_sandbox", sandbox_request("bad", {{"sysctls", {{"net.ipv4.no_such", "1"}}}}));
    EXPECT_FALSE(unknown.ok());
    EXPECT_THAT(unknown.message(), HasSubstr("sysctls"));
    EXPECT_EQ(oci().call("list_sandboxes", Json::object()).document["sandboxes"].size(), 1u);
}

}  // namespace
}  // namespace keelson::testing
