#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "kernel/node/container_settings.h"
#include "kernel/node/environment_file.h"
#include "kernel/node/variable_expansion.h"
#include "tests/node/node_cluster.h"

namespace keelson::node {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::Key;
using testing::Not;
using testing::Pair;

TEST(VariableExpansionTest, FollowsTheTableOfKubernetes) {
    const std::map<std::string, std::string> variables{
        {"VAR_A", "A"}, {"VAR_B", "B"}, {"VAR_C", "C"}, {"VAR_REF", "$(VAR_A)"}, {"VAR_EMPTY", ""}};
    const auto look_up = [&](std::string_view name) -> std::optional<std::string> {
        const auto found = variables.find(std::string(name));
        if (found == variables.end()) return std::nullopt;
        return found->second;
    };
    const std::vector<std::pair<std::string, std::string>> cases{
        {"$(VAR_A)", "A"},
        {"___$(VAR_B)___", "___B___"},
        {"$(VAR_A)-1", "A-1"},
        {"$$(VAR_B)_$(VAR_A)", "$(VAR_B)_A"},
        {"$$VAR_A", "$VAR_A"},
        {"$(VAR_A)$(VAR_B)", "AB"},
        {"f000-$$VAR_A", "f000-$VAR_A"},
        {"foo\\$(VAR_C)bar", "foo\\Cbar"},
        {"foo$$$$$(BAD_VAR)", "foo$$$(BAD_VAR)"},
        {"$$$$$$$(VAR_A)", "$$$A"},
        {"$$$$$$$$(VAR_A)", "$$$$(VAR_A)"},
        {"$VAR_A)", "$VAR_A)"},
        {"${VAR_A}", "${VAR_A}"},
        {"$(VAR_B_______$(A", "$(VAR_B_______$(A"},
        {"$(VAR_C_", "$(VAR_C_"},
        {"$", "$"},
        {"a$", "a$"},
        {"$()", "$()"},
        {"$(VAR_REF)", "$(VAR_A)"},
        {"foo$(VAR_EMPTY)bar", "foobar"},
        {"$(VAR_DNE)", "$(VAR_DNE)"},
        {"--$(VAR_A)$", "--A$"},
        {"$$$(VAR_A$(VAR_B)", "$$(VAR_A$(VAR_B)"},
    };
    for (const auto& [text, expected] : cases) EXPECT_EQ(expand_variables(text, look_up), expected) << text;
}

TEST(EnvironmentFileTest, TakesWhatStandsInSingleQuotes) {
    const std::string text = "# c\n\n A='1' # one\nB='two $(A)\nlines'\nC=''\n";
    EXPECT_EQ(find_in_environment_file(text, "A").value(), "1");
    EXPECT_EQ(find_in_environment_file(text, "B").value(), "two $(A)\nlines");
    EXPECT_EQ(find_in_environment_file(text, "C").value(), "");
    EXPECT_EQ(find_in_environment_file(text, "D").value(), std::nullopt);
    for (const char* bad : {"A=1", "A", "A='1", "A=\"1\"", "A='1' b", "A = '1'"})
        EXPECT_FALSE(find_in_environment_file(bad, "A")) << bad;
}

class EnvironmentTest : public ::testing::Test, public NodeCluster {
  protected:
    // Of the container c with these members.
    base::Result<ContainerConfig> config(std::string_view container, std::string_view spec = "{}") {
        object::Arena arena;
        const auto root = object::parse_json_copy(spec, arena);
        std::string text = object::to_json(*root);
        text.pop_back();
        if (text.size() > 1) text += ",";
        surroundings.pod =
            pod_of(text + R"("containers":[{"name":"c",)" + std::string(container) + "}]}",
                   R"(,"labels":{"app":"x","a":"q\"uote"},"annotations":{"example.com/note":"line\nbreak"})");
        surroundings.container_name = "c";
        surroundings.pod_directory = directory.path();
        return run(container_config(surroundings, *cache));
    }
    std::map<std::string, std::string> environment(std::string_view container, std::string_view spec = "{}") {
        const auto made = config(container, spec);
        EXPECT_TRUE(made) << made.error().message();
        std::map<std::string, std::string> variables;
        if (!made) return variables;
        for (const Variable& variable : made->environment)
            EXPECT_TRUE(variables.emplace(variable.name, variable.value).second)
                << "twice: " << variable.name;
        return variables;
    }
    std::string failure(std::string_view container) {
        const auto made = config(container);
        return made ? "none" : made.error().message();
    }
    void create(std::string_view resource, const std::string& name, const std::string& data) {
        const auto made = cluster.create({resource, "default", ""},
                                         R"({"metadata":{"name":")" + name + R"("},"data":)" + data + "}");
        ASSERT_TRUE(made.ok()) << made.error;
    }
    static client::ObjectPointer service(const std::string& name, const std::string& spec,
                                         const std::string& space = "default") {
        return object_of(
            R"({"metadata":{"name":")" + name + R"(","namespace":")" + space + R"("},"spec":)" + spec + "}",
            "Service");
    }

    TemporaryDirectory directory;
    ContainerSurroundings surroundings;
};

TEST_F(EnvironmentTest, NamesTheServicesOfTheNamespace) {
    surroundings.services = {
        service("redis-primary", R"({"clusterIP":"10.0.0.11","ports":[{"port":6379,"protocol":"TCP"}]})"),
        service("dns", R"({"clusterIP":"10.0.0.10","ports":[{"name":"dns-udp","port":53,"protocol":"UDP"},
                          {"name":"dns-tcp","port":53,"protocol":"TCP"}]})"),
        service("six", R"({"clusterIP":"fd00::1","ports":[{"port":80,"protocol":"TCP"}]})"),
        service("headless", R"({"clusterIP":"None","ports":[{"port":80}]})"),
        service("elsewhere", R"({"clusterIP":"10.0.0.12","ports":[{"port":80}]})", "other"),
        service("kubernetes",
                R"({"clusterIP":"10.0.0.1","ports":[{"name":"https","port":443,"protocol":"TCP"}]})"),
    };
    const std::map<std::string, std::string> expected{
        {"REDIS_PRIMARY_SERVICE_HOST", "10.0.0.11"},
        {"REDIS_PRIMARY_SERVICE_PORT", "6379"},
        {"REDIS_PRIMARY_PORT", "tcp://10.0.0.11:6379"},
        {"REDIS_PRIMARY_PORT_6379_TCP", "tcp://10.0.0.11:6379"},
        {"REDIS_PRIMARY_PORT_6379_TCP_PROTO", "tcp"},
        {"REDIS_PRIMARY_PORT_6379_TCP_PORT", "6379"},
        {"REDIS_PRIMARY_PORT_6379_TCP_ADDR", "10.0.0.11"},
        {"DNS_SERVICE_HOST", "10.0.0.10"},
        {"DNS_SERVICE_PORT", "53"},
        {"DNS_SERVICE_PORT_DNS_UDP", "53"},
        {"DNS_SERVICE_PORT_DNS_TCP", "53"},
        {"DNS_PORT", "udp://10.0.0.10:53"},
        {"DNS_PORT_53_UDP", "udp://10.0.0.10:53"},
        {"DNS_PORT_53_UDP_PROTO", "udp"},
        {"DNS_PORT_53_UDP_PORT", "53"},
        {"DNS_PORT_53_UDP_ADDR", "10.0.0.10"},
        {"DNS_PORT_53_TCP", "tcp://10.0.0.10:53"},
        {"DNS_PORT_53_TCP_PROTO", "tcp"},
        {"DNS_PORT_53_TCP_PORT", "53"},
        {"DNS_PORT_53_TCP_ADDR", "10.0.0.10"},
        {"SIX_SERVICE_HOST", "fd00::1"},
        {"SIX_SERVICE_PORT", "80"},
        {"SIX_PORT", "tcp://[fd00::1]:80"},
        {"SIX_PORT_80_TCP", "tcp://[fd00::1]:80"},
        {"SIX_PORT_80_TCP_PROTO", "tcp"},
        {"SIX_PORT_80_TCP_PORT", "80"},
        {"SIX_PORT_80_TCP_ADDR", "fd00::1"},
        {"KUBERNETES_SERVICE_HOST", "10.0.0.1"},
        {"KUBERNETES_SERVICE_PORT", "443"},
        {"KUBERNETES_SERVICE_PORT_HTTPS", "443"},
        {"KUBERNETES_PORT", "tcp://10.0.0.1:443"},
        {"KUBERNETES_PORT_443_TCP", "tcp://10.0.0.1:443"},
        {"KUBERNETES_PORT_443_TCP_PROTO", "tcp"},
        {"KUBERNETES_PORT_443_TCP_PORT", "443"},
        {"KUBERNETES_PORT_443_TCP_ADDR", "10.0.0.1"},
    };
    EXPECT_EQ(environment(R"("image":"i")"), expected);
}

TEST_F(EnvironmentTest, WithoutLinksOnlyTheApiServerIsNamed) {
    surroundings.services = {
        service("web", R"({"clusterIP":"10.0.0.11","ports":[{"port":80}]})"),
        service("kubernetes", R"({"clusterIP":"10.0.0.1","ports":[{"port":443}]})"),
        service("kubernetes", R"({"clusterIP":"10.9.9.9","ports":[{"port":443}]})", "other"),
    };
    const auto variables = environment(R"("image":"i")", R"({"enableServiceLinks":false})");
    EXPECT_THAT(variables, Contains(Pair("KUBERNETES_SERVICE_HOST", "10.0.0.1")));
    EXPECT_THAT(variables, Not(Contains(Key("WEB_SERVICE_HOST"))));
}

TEST_F(EnvironmentTest, PutsEnvOverEnvFromOverServices) {
    create("v1/configmaps", "m", R"({"A":"map","B":"map","KUBERNETES_SERVICE_HOST":"map"})");
    create("v1/secrets", "s", R"({"B":"c2VjcmV0","C":"c2VjcmV0"})");
    surroundings.services = {service("kubernetes", R"({"clusterIP":"10.0.0.1","ports":[{"port":443}]})")};
    const auto variables =
        environment(R"x("envFrom":[{"configMapRef":{"name":"m"}},{"secretRef":{"name":"s"}},
        {"prefix":"P_","configMapRef":{"name":"m"}},{"configMapRef":{"name":"none","optional":true}}],
        "env":[{"name":"A","value":"own"},{"name":"D","value":"$(A)-$(B)-$(KUBERNETES_SERVICE_PORT)-$(E)"},
               {"name":"E","value":"late"},{"name":"F"}])x");
    EXPECT_THAT(variables, AllOf(Contains(Pair("A", "own")), Contains(Pair("B", "secret")),
                                 Contains(Pair("C", "secret")), Contains(Pair("D", "own-secret-443-$(E)")),
                                 Contains(Pair("F", "")), Contains(Pair("P_A", "map")),
                                 Contains(Pair("KUBERNETES_SERVICE_HOST", "map"))));
}

TEST_F(EnvironmentTest, ResolvesKeys) {
    create("v1/configmaps", "m", R"({"k":"v"})");
    create("v1/secrets", "s", R"({"k":"c2VjcmV0"})");
    const auto variables = environment(R"("env":[
        {"name":"A","valueFrom":{"configMapKeyRef":{"name":"m","key":"k"}}},
        {"name":"B","valueFrom":{"secretKeyRef":{"name":"s","key":"k"}}},
        {"name":"C","valueFrom":{"configMapKeyRef":{"name":"m","key":"no","optional":true}}},
        {"name":"D","valueFrom":{"secretKeyRef":{"name":"none","key":"k","optional":true}}}])");
    EXPECT_EQ(variables, (std::map<std::string, std::string>{{"A", "v"}, {"B", "secret"}}));
}

TEST_F(EnvironmentTest, SaysWhatIsMissingAsKubernetesDoes) {
    create("v1/configmaps", "m", R"({"k":"v"})");
    create("v1/secrets", "s", R"({"k":"c2VjcmV0"})");
    const auto key_of = [](const std::string& kind, const std::string& name) {
        return R"("env":[{"name":"A","valueFrom":{")" + kind + R"(":{"name":")" + name +
               R"(","key":"no"}}}])";
    };
    EXPECT_EQ(failure(key_of("configMapKeyRef", "m")), "couldn't find key no in ConfigMap default/m");
    EXPECT_EQ(failure(key_of("secretKeyRef", "s")), "couldn't find key no in Secret default/s");
    EXPECT_EQ(failure(key_of("configMapKeyRef", "x")), "configmap \"x\" not found");
    EXPECT_EQ(failure(key_of("secretKeyRef", "x")), "secret \"x\" not found");
    EXPECT_EQ(failure(R"("envFrom":[{"secretRef":{"name":"x"}}])"), "secret \"x\" not found");
}

TEST_F(EnvironmentTest, ResolvesTheFieldsOfThePod) {
    surroundings.pod_addresses = {"10.244.0.2", "fd00::2"};
    surroundings.host_addresses = {"192.168.1.1", "fd00::1"};
    const std::vector<std::pair<std::string, std::string>> cases{
        {"metadata.name", "web"},
        {"metadata.namespace", "default"},
        {"metadata.uid", "u1"},
        {"metadata.labels['app']", "x"},
        {"metadata.labels['none']", ""},
        {"metadata.annotations['example.com/note']", "line\nbreak"},
        {"metadata.labels", "a=\"q\\\"uote\"\napp=\"x\""},
        {"metadata.annotations", "example.com/note=\"line\\nbreak\""},
        {"spec.nodeName", "n1"},
        {"spec.serviceAccountName", "builder"},
        {"status.podIP", "10.244.0.2"},
        {"status.podIPs", "10.244.0.2,fd00::2"},
        {"status.hostIP", "192.168.1.1"},
        {"status.hostIPs", "192.168.1.1,fd00::1"},
    };
    for (const auto& [path, expected] : cases) {
        const auto variables =
            environment(R"("env":[{"name":"A","valueFrom":{"fieldRef":{"fieldPath":")" + path + R"("}}}])",
                        R"({"nodeName":"n1","serviceAccountName":"builder"})");
        EXPECT_THAT(variables, ElementsAre(Pair("A", expected))) << path;
    }
    EXPECT_EQ(failure(R"("env":[{"name":"A","valueFrom":{"fieldRef":{"fieldPath":"status.phase"}}}])"),
              "unsupported fieldPath: status.phase");
}

TEST_F(EnvironmentTest, ResolvesResourcesInUnitsOfTheDivisor) {
    surroundings.node = object_of(
        R"({"metadata":{"name":"n1"},"status":{"capacity":{"cpu":"8","memory":"16Gi"},
            "allocatable":{"cpu":"3500m","memory":"8Gi"}}})",
        "Node");
    const std::string resources =
        R"("resources":{"requests":{"cpu":"250m","memory":"100Mi"},"limits":{"memory":"200Mi"}},)";
    struct Case {
        std::string resource;
        std::string divisor;
        std::string expected;
    };
    for (const Case& one : std::vector<Case>{{"requests.cpu", "", "1"},
                                             {"requests.cpu", "1m", "250"},
                                             {"limits.cpu", "", "4"},
                                             {"limits.cpu", "1m", "3500"},
                                             {"limits.memory", "1Mi", "200"},
                                             {"limits.memory", "0", "209715200"},
                                             {"requests.memory", "1Gi", "1"},
                                             {"requests.ephemeral-storage", "1", "0"}}) {
        const std::string divisor = one.divisor.empty() ? "" : R"(,"divisor":")" + one.divisor + "\"";
        const auto variables =
            environment(std::string(resources)
                            .append(R"("env":[{"name":"A","valueFrom":{"resourceFieldRef":{"resource":")")
                            .append(one.resource)
                            .append("\"")
                            .append(divisor)
                            .append("}}}]"));
        EXPECT_THAT(variables, ElementsAre(Pair("A", one.expected))) << one.resource << " " << one.divisor;
    }
}

TEST_F(EnvironmentTest, ReadsVariablesFromAFileInAVolume) {
    ASSERT_TRUE(base::make_directory(directory.path() + "/v"));
    ASSERT_TRUE(base::write_file_atomic(directory.path() + "/v/env", "A='from file'\n"));
    ASSERT_EQ(::symlink("/etc/passwd", (directory.path() + "/v/link").c_str()), 0);
    surroundings.volumes["v"].path = directory.path() + "/v";
    const auto ref = [](const std::string& path, const std::string& more = "") {
        return R"("env":[{"name":"A","valueFrom":{"fileKeyRef":{"volumeName":"v","path":")" + path +
               R"(","key":"A")" + more + "}}}]";
    };
    EXPECT_THAT(environment(ref("env")), ElementsAre(Pair("A", "from file")));
    EXPECT_THAT(environment(ref("none", R"(,"optional":true)")), testing::IsEmpty());
    EXPECT_THAT(failure(ref("link")), testing::HasSubstr("leads out of the volume"));
}

TEST_F(EnvironmentTest, ExpandsCommandAndArguments) {
    const auto made = config(R"x("command":["sh","$(A)","$(B)"],"args":["$$(A)","$(A)$(A)"],"workingDir":"/w",
        "tty":true,"stdin":true,"stdinOnce":true,"env":[{"name":"A","value":"1"}])x");
    ASSERT_TRUE(made) << made.error().message();
    EXPECT_THAT(made->command, ElementsAre("sh", "1", "$(B)"));
    EXPECT_THAT(made->arguments, ElementsAre("$(A)", "11"));
    EXPECT_EQ(made->working_directory, "/w");
    EXPECT_TRUE(made->has_terminal);
    EXPECT_TRUE(made->has_standard_input);
    EXPECT_TRUE(made->has_standard_input_once);
}

}  // namespace
}  // namespace keelson::node
