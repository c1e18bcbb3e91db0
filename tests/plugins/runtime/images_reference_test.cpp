// How names of images are read.
#include <gtest/gtest.h>

#include "keelson/error.hpp"
#include "reference.h"

namespace keelson::oci {
namespace {

const std::string digest = "sha256:" + std::string(64, 'a');

struct Case {
    std::string text;
    std::string expected;  // empty: refused
    std::string reason;
};

class References : public testing::TestWithParam<Case> {};

TEST_P(References, AreReadAsDockerReadsThem) {
    const Case& tried = GetParam();
    try {
        EXPECT_EQ(parse_reference(tried.text).text(), tried.expected) << tried.text;
    } catch (const Error& error) {
        EXPECT_EQ(tried.expected, "") << error.what();
        EXPECT_EQ(error.code(), Code::invalid);
        EXPECT_NE(std::string(error.what()).find(tried.reason), std::string::npos) << error.what();
    }
}

INSTANTIATE_TEST_SUITE_P(
    Good, References,
    testing::Values(Case{"busybox", "docker.io/library/busybox:latest"},
                    Case{"busybox:1.36", "docker.io/library/busybox:1.36"},
                    Case{"index.docker.io/busybox", "docker.io/library/busybox:latest"},
                    Case{"docker.io/busybox", "docker.io/library/busybox:latest"},
                    Case{"user/tool:v1", "docker.io/user/tool:v1"},
                    Case{"a/b/c/d", "docker.io/a/b/c/d:latest"},
                    Case{"localhost/tool", "localhost/tool:latest"},
                    Case{"localhost:5000/tool:1", "localhost:5000/tool:1"},
                    Case{"registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"},
                    Case{"Host/tool", "Host/tool:latest"},
                    Case{"127.0.0.1:5000/a", "127.0.0.1:5000/a:latest"},
                    Case{"[::1]:5000/a:b", "[::1]:5000/a:b"}, Case{"[fe80::1]/a", "[fe80::1]/a:latest"},
                    Case{"busybox@" + digest, "docker.io/library/busybox@" + digest},
                    Case{"busybox:1@" + digest, "docker.io/library/busybox:1@" + digest},
                    Case{"a__b/c-.d", "", "joined"}, Case{"a__b/c--d.e_f", "docker.io/a__b/c--d.e_f:latest"},
                    Case{"host:5000", "docker.io/library/host:5000"},
                    Case{"a:" + std::string(128, 'b'), "docker.io/library/a:" + std::string(128, 'b')},
                    Case{"x.y/" + std::string(251, 'b'), "x.y/" + std::string(251, 'b') + ":latest"}));

INSTANTIATE_TEST_SUITE_P(
    Bad, References,
    testing::Values(Case{"", "", "empty"}, Case{"Busybox", "", "lower case"}, Case{"a/B", "", "lower case"},
                    Case{"a:", "", "no tag"}, Case{"a:.b", "", "start with"},
                    Case{"a:b c", "", "tag must be"}, Case{"a:" + std::string(129, 'b'), "", "128"},
                    Case{"a@", "", "sha256"}, Case{"a@sha256:12", "", "sha256"},
                    Case{"a@md5:" + std::string(32, 'a'), "", "sha256"},
                    Case{"a@sha256:" + std::string(64, 'A'), "", "sha256"}, Case{"/a", "", "joined"},
                    Case{"a//b", "", "joined"}, Case{"a/", "", "joined"}, Case{"-a", "", "joined"},
                    Case{"a___b", "", "joined"}, Case{"a..b/c", "", "registry"}, Case{"a._b", "", "joined"},
                    Case{"host.x/", "", "missing"}, Case{"host:0/a", "", "port"},
                    Case{"host:65536/a", "", "port"}, Case{"host:x/a", "", "port"},
                    Case{"[::1/a", "", "registry"}, Case{"[zz]/a", "", "registry"},
                    Case{"-h.x/a", "", "registry"}, Case{"https://h/a", "", "port"},
                    Case{"a b", "", "joined"}, Case{"a\n", "", "joined"}, Case{"../a", "", "registry"},
                    Case{std::string(64, 'a'), "", "id"}, Case{"x.y/" + std::string(252, 'b'), "", "255"}));

}  // namespace
}  // namespace keelson::oci
