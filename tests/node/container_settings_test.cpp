#include "kernel/node/container_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/node/pod_references.h"
#include "kernel/node/security_settings.h"
#include "tests/node/node_cluster.h"

namespace keelson::node {
namespace {

namespace core_v1 = api_types::core_v1;
using testing::ElementsAre;
using testing::HasSubstr;

std::string spec_with(const std::string& container, const std::string& more = "") {
    return R"({"containers":[{"name":"c")" + (container.empty() ? "" : "," + container) + "}]" +
           (more.empty() ? "" : "," + more) + "}";
}

// Security

base::Result<Security> security(const std::string& of_pod, const std::string& own,
                                std::string_view image_user = "") {
    const auto pod = pod_of(spec_with(R"("securityContext":)" + own, R"("securityContext":)" + of_pod));
    const core_v1::Pod view(pod->root());
    return security_of(view, view.spec().containers()[0], image_user, "/seccomp");
}

TEST(SecuritySettingsTest, TheContainersOwnComesBeforeThePods) {
    const auto merged = security(
        R"({"runAsUser":1,"runAsGroup":2,"fsGroup":3,"supplementalGroups":[4,5],"supplementalGroupsPolicy":"Strict",
            "seccompProfile":{"type":"RuntimeDefault"}})",
        R"({"runAsUser":10,"capabilities":{"add":["NET_ADMIN"],"drop":["ALL"]},"readOnlyRootFilesystem":true,
            "allowPrivilegeEscalation":false,"procMount":"Unmasked",
            "seccompProfile":{"type":"Localhost","localhostProfile":"a/b.json"}})");
    ASSERT_TRUE(merged) << merged.error().message();
    EXPECT_EQ(merged->user, 10);
    EXPECT_EQ(merged->group, 2);
    EXPECT_THAT(merged->supplemental_groups, ElementsAre(3, 4, 5));
    EXPECT_EQ(merged->supplemental_groups_policy, "Strict");
    EXPECT_THAT(merged->added_capabilities, ElementsAre("NET_ADMIN"));
    EXPECT_THAT(merged->dropped_capabilities, ElementsAre("ALL"));
    EXPECT_TRUE(merged->has_read_only_root);
    EXPECT_TRUE(merged->has_no_new_privileges);
    EXPECT_FALSE(merged->masks_proc);
    EXPECT_FALSE(merged->is_privileged);
    EXPECT_EQ(merged->seccomp_type, "Localhost");
    EXPECT_EQ(merged->seccomp_path, "/seccomp/a/b.json");
}

TEST(SecuritySettingsTest, SaysNothingWhereNothingIsSaid) {
    const auto plain = security("{}", "{}", "1000");
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->user, std::nullopt) << "the image's user is the runtime's business";
    EXPECT_EQ(plain->group, std::nullopt);
    EXPECT_FALSE(plain->has_no_new_privileges);
    EXPECT_TRUE(plain->masks_proc);
    EXPECT_EQ(plain->seccomp_type, "");
    EXPECT_TRUE(security("{}", R"({"privileged":true})")->is_privileged);
}

TEST(SecuritySettingsTest, RefusesRootWhereItIsForbidden) {
    struct Case {
        std::string of_pod;
        std::string own;
        std::string image_user;
        std::string failure;  // empty: none
    };
    const std::string who = R"x( (pod: "web_default(u1)", container: c))x";
    const std::string as_root = "container has runAsNonRoot and image will run as root" + who;
    const std::string non_root = R"({"runAsNonRoot":true})";
    for (const Case& one : std::vector<Case>{
             {"{}", "{}", "root", ""},
             {non_root, "{}", "", as_root},
             {non_root, "{}", "0", as_root},
             {non_root, "{}", "0:100", as_root},
             {non_root, "{}", "1000:0", ""},
             {non_root, R"({"runAsNonRoot":false})", "0", ""},
             {R"({"runAsNonRoot":false})", non_root, "0", as_root},
             {non_root, R"({"runAsUser":7})", "0", ""},
             {non_root, R"({"runAsUser":0})", "7", "container's runAsUser breaks non-root policy" + who},
             {R"({"runAsNonRoot":true,"runAsUser":0})", R"({"runAsUser":7})", "", ""},
             {non_root, "{}", "nobody",
              "container has runAsNonRoot and image has non-numeric user (nobody), cannot verify user is "
              "non-root" +
                  who},
             {non_root, "{}", "root:root",
              "container has runAsNonRoot and image has non-numeric user (root), cannot verify user is "
              "non-root" +
                  who},
         }) {
        const auto result = security(one.of_pod, one.own, one.image_user);
        EXPECT_EQ(result ? "" : result.error().message(), one.failure)
            << one.of_pod << one.own << one.image_user;
    }
}

// Resources

constexpr std::int64_t kMebibyte = 1 << 20;
constexpr std::int64_t kNodeMemory = 4000 * kMebibyte;

ResourceLimits limits_of(const std::string& spec, std::string_view name = "c") {
    const auto pod = pod_of(spec);
    return container_limits(find_container(core_v1::Pod(pod->root()), name).untyped(), pod->root(),
                            kNodeMemory);
}
std::string resources(const std::string& requests, const std::string& limits) {
    return R"("resources":{"requests":)" + requests + R"(,"limits":)" + limits + "}";
}

TEST(ResourceSettingsTest, TurnsCpuIntoSharesAndQuota) {
    struct Case {
        std::string requests;
        std::string limits;
        std::int64_t shares;
        std::optional<std::int64_t> quota_us;
    };
    for (const Case& one : std::vector<Case>{{"{}", "{}", 2, std::nullopt},
                                             {R"({"cpu":"1m"})", "{}", 2, std::nullopt},
                                             {R"({"cpu":"500m"})", "{}", 512, std::nullopt},
                                             {"{}", R"({"cpu":"2"})", 2048, 200'000},
                                             {R"({"cpu":"100m"})", R"({"cpu":"250m"})", 102, 25'000},
                                             {"{}", R"({"cpu":"1m"})", 2, 1'000},
                                             {R"({"cpu":"1000"})", "{}", 262'144, std::nullopt}}) {
        const ResourceLimits limits = limits_of(spec_with(resources(one.requests, one.limits)));
        EXPECT_EQ(limits.cpu_shares, one.shares) << one.requests << one.limits;
        EXPECT_EQ(limits.cpu_quota_us, one.quota_us) << one.requests << one.limits;
        EXPECT_EQ(limits.cpu_period_us.has_value(), one.quota_us.has_value());
    }
    EXPECT_EQ(limits_of(spec_with(resources("{}", R"({"memory":"64Mi"})"))).memory_limit_bytes,
              64 * kMebibyte);
}

TEST(ResourceSettingsTest, ScoresWhoDiesFirst) {
    const auto score = [](const std::string& spec, std::string_view name = "c") {
        return limits_of(spec, name).oom_score_adjustment;
    };
    EXPECT_EQ(score(spec_with("")), 1000);
    const std::string all = R"({"cpu":"1","memory":"1Gi"})";
    EXPECT_EQ(score(spec_with(resources(all, all))), -997);
    EXPECT_EQ(score(spec_with(resources(R"({"memory":"1000Mi"})", "{}"))), 750);
    EXPECT_EQ(score(spec_with(resources(R"({"cpu":"1"})", "{}"))), 999);
    EXPECT_EQ(score(spec_with(resources(R"({"memory":"8000Mi"})", "{}"))), 3);
    EXPECT_EQ(score(spec_with("", R"("priority":2000001000)")), -997);
    // A sidecar is not killed before the container that it serves.
    const std::string with_sidecar =
        spec_with(resources(R"({"memory":"2000Mi"})", "{}"),
                  R"("initContainers":[{"name":"s","restartPolicy":"Always"},{"name":"i"}])");
    EXPECT_EQ(score(with_sidecar, "s"), 500);
    EXPECT_EQ(score(with_sidecar, "i"), 999);
    EXPECT_EQ(score(spec_with("", R"("resources":{"requests":{"memory":"1000Mi"}})")), 750);
}

TEST(ResourceSettingsTest, ContainersWithoutLimitsGetThePods) {
    const ResourceLimits limits =
        limits_of(spec_with("", R"("resources":{"limits":{"cpu":"1","memory":"100Mi"}})"));
    EXPECT_EQ(limits.cpu_quota_us, 100'000);
    EXPECT_EQ(limits.memory_limit_bytes, 100 * kMebibyte);
}

TEST(ResourceSettingsTest, AddsUpThePod) {
    const auto of = [](const std::string& spec) { return pod_limits(pod_of(spec)->root()); };
    const std::string half = R"("resources":{"requests":{"cpu":"500m","memory":"64Mi"},
                                            "limits":{"cpu":"500m","memory":"64Mi"}})";
    const std::string two = R"("containers":[{"name":"a",)" + half + R"(},{"name":"b",)" + half + "}]";
    ResourceLimits limits = of("{" + two + "}");
    EXPECT_EQ(limits.cpu_shares, 1024);
    EXPECT_EQ(limits.cpu_quota_us, 100'000);
    EXPECT_EQ(limits.memory_limit_bytes, 128 * kMebibyte);

    limits = of("{" + two + R"(,"overhead":{"cpu":"500m","memory":"8Mi"}})");
    EXPECT_EQ(limits.cpu_shares, 1536);
    EXPECT_EQ(limits.cpu_quota_us, 150'000);
    EXPECT_EQ(limits.memory_limit_bytes, 136 * kMebibyte);

    // The sidecar runs beside them; the init container, with the sidecar before it, needs less.
    limits = of("{" + two + R"(,"initContainers":[{"name":"s","restartPolicy":"Always",)" + half +
                R"(},{"name":"i",)" + half + "}]}");
    EXPECT_EQ(limits.cpu_shares, 1536);
    EXPECT_EQ(limits.memory_limit_bytes, 192 * kMebibyte);

    limits = of(R"({"containers":[{"name":"a",)" + half + R"(},{"name":"b"}]})");
    EXPECT_EQ(limits.cpu_shares, 512);
    EXPECT_EQ(limits.cpu_quota_us, std::nullopt) << "one container without a limit";
    EXPECT_EQ(limits.memory_limit_bytes, std::nullopt);

    limits = of(R"({"containers":[{"name":"a"},{"name":"b"}],"resources":{"requests":{"cpu":"2"},
                    "limits":{"cpu":"4","memory":"1Gi"}}})");
    EXPECT_EQ(limits.cpu_shares, 2048);
    EXPECT_EQ(limits.cpu_quota_us, 400'000);
    EXPECT_EQ(limits.memory_limit_bytes, 1024 * kMebibyte);

    limits = of(R"({"containers":[{"name":"a"}]})");
    EXPECT_EQ(limits.cpu_shares, 2);
    EXPECT_EQ(limits.memory_limit_bytes, std::nullopt);
}

TEST(ResourceSettingsTest, PlacesPodsByTheirQuality) {
    const std::string all = R"({"cpu":"1","memory":"1Gi"})";
    EXPECT_EQ(cgroup_of_pod(pod_of(spec_with(""))->root()), "keelson/pods/besteffort/podu1");
    EXPECT_EQ(cgroup_of_pod(pod_of(spec_with(resources(R"({"cpu":"1"})", "{}")))->root()),
              "keelson/pods/burstable/podu1");
    EXPECT_EQ(cgroup_of_pod(pod_of(spec_with(resources(all, all)))->root()), "keelson/pods/podu1");
    EXPECT_EQ(quality_of_service(pod_of(spec_with(resources(all, all)))->root()), "Guaranteed");
}

// Files and names

TEST(PodFilesTest, NamesThePod) {
    const auto names = [](const std::string& spec) {
        return host_names(pod_of(spec)->root(), "cluster.local");
    };
    EXPECT_EQ(names("{}").hostname, "web");
    EXPECT_EQ(names("{}").full_name, "");
    EXPECT_EQ(names(R"({"hostname":"h","subdomain":"s"})").hostname, "h");
    EXPECT_EQ(names(R"({"hostname":"h","subdomain":"s"})").full_name, "h.s.default.svc.cluster.local");
    EXPECT_EQ(names(R"({"subdomain":"s","setHostnameAsFQDN":true})").hostname,
              "web.s.default.svc.cluster.local");
    EXPECT_EQ(names(R"({"setHostnameAsFQDN":true})").hostname, "web");
    EXPECT_EQ(names(R"({"hostname":"h","subdomain":"s","hostnameOverride":"a.b"})").hostname, "a.b");
    EXPECT_EQ(names(R"({"hostname":")" + std::string(62, 'a') + "-bcd" + R"("})").hostname,
              std::string(62, 'a'));
    const HostNames long_one =
        names(R"({"subdomain":")" + std::string(60, 's') + R"(","setHostnameAsFQDN":true})");
    EXPECT_THAT(long_one.problem,
                HasSubstr("is too long (64 characters is the max, 90 characters requested)"));
    EXPECT_EQ(names("{}").problem, "");
}

TEST(PodFilesTest, WritesTheHostsFile) {
    const std::string aliases = R"("hostAliases":[{"ip":"1.2.3.4","hostnames":["a","b.c"]}])";
    const auto file = [&](const std::string& spec) {
        const auto pod = pod_of(spec);
        return hosts_file(pod->root(), host_names(pod->root(), "cluster.local"), {"10.0.0.2", "fd00::2"},
                          "127.0.0.1 node\n");
    };
    const std::string head =
        "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
        "fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n";
    EXPECT_EQ(file("{}"), head + "10.0.0.2\tweb\nfd00::2\tweb\n");
    EXPECT_EQ(
        file(R"({"subdomain":"s",)" + aliases + "}"),
        head +
            "10.0.0.2\tweb.s.default.svc.cluster.local\tweb\nfd00::2\tweb.s.default.svc.cluster.local\tweb\n"
            "\n# Entries added by HostAliases.\n1.2.3.4\ta\tb.c\n");
    EXPECT_EQ(file(R"({"hostNetwork":true})"),
              "# Kubernetes-managed hosts file (host network).\n127.0.0.1 node\n");
    EXPECT_EQ(file(R"({"hostNetwork":true,)" + aliases + "}"),
              "# Kubernetes-managed hosts file (host network).\n127.0.0.1 node\n"
              "\n# Entries added by HostAliases.\n1.2.3.4\ta\tb.c\n");
}

std::string resolver(const std::string& spec, std::vector<std::string> servers = {"10.96.0.10"},
                     const std::string& of_node =
                         "# c\nnameserver 8.8.8.8\nsearch old\nsearch corp.example. lan\n"
                         "options timeout:3 rotate\n") {
    DnsSettings settings;
    settings.cluster_servers = std::move(servers);
    return resolver_file(pod_of(spec)->root(), settings, of_node);
}

TEST(PodFilesTest, WritesTheResolverFileByPolicy) {
    const std::string cluster =
        "search default.svc.cluster.local svc.cluster.local cluster.local corp.example lan\nnameserver "
        "10.96.0.10\noptions ndots:5\n";
    const std::string node = "search corp.example lan\nnameserver 8.8.8.8\noptions timeout:3 rotate\n";
    EXPECT_EQ(resolver(R"({"dnsPolicy":"ClusterFirst"})"), cluster);
    EXPECT_EQ(resolver(R"({"dnsPolicy":"ClusterFirst","hostNetwork":true})"), node);
    EXPECT_EQ(resolver(R"({"dnsPolicy":"ClusterFirstWithHostNet","hostNetwork":true})"), cluster);
    EXPECT_EQ(resolver(R"({"dnsPolicy":"Default"})"), node);
    EXPECT_EQ(resolver(R"({"dnsPolicy":"ClusterFirst"})", {}), node);
    EXPECT_EQ(resolver(R"({"dnsPolicy":"None","dnsConfig":{"nameservers":["1.1.1.1"]}})"),
              "nameserver 1.1.1.1\n");
    EXPECT_EQ(resolver(R"({"dnsPolicy":"ClusterFirst","dnsConfig":{"nameservers":["1.1.1.1","10.96.0.10"],
                           "searches":["lan","my.dns"],"options":[{"name":"ndots","value":"2"},{"name":"edns0"}]}})"),
              "search default.svc.cluster.local svc.cluster.local cluster.local corp.example lan my.dns\n"
              "nameserver 10.96.0.10\nnameserver 1.1.1.1\noptions ndots:2 edns0\n");
}

TEST(PodFilesTest, KeepsTheResolverWithinItsBounds) {
    std::string searches;
    for (int index = 0; index < 40; ++index)
        searches += (index ? ",\"s" : "\"s") + std::to_string(index) + "\"";
    const std::string many = resolver(R"({"dnsPolicy":"None","dnsConfig":{"nameservers":["1","2","3","4"],
                                          "searches":[)" +
                                      searches + "]}}");
    EXPECT_THAT(many, HasSubstr("nameserver 3\n"));
    EXPECT_THAT(many, testing::Not(HasSubstr("nameserver 4")));
    EXPECT_THAT(many, HasSubstr(" s31\n"));
    searches.clear();
    for (int index = 0; index < 12; ++index)
        searches += (index ? ",\"" : "\"") + std::string(199, static_cast<char>('a' + index)) + "\"";
    const std::string wide = resolver(R"({"dnsPolicy":"None","dnsConfig":{"searches":[)" + searches + "]}}");
    // Ten of them and the blanks between are 1,999 characters, eleven are too many.
    EXPECT_EQ(wide.size(), std::string("search \n").size() + 1999);
}

TEST(PodFilesTest, WritesTheFilesOfThePodOnce) {
    const TemporaryDirectory directory;
    const std::string pods = directory.path() + "/pods/u1";
    const auto pod = pod_of("{}");
    DnsSettings settings;
    settings.cluster_servers = {"10.96.0.10"};
    const auto write = [&](const std::string& address) {
        return write_pod_files(pod->root(), pods, host_names(pod->root(), "cluster.local"), {address},
                               settings);
    };
    ASSERT_TRUE(write("10.0.0.2"));
    EXPECT_THAT(base::read_file(pods + "/etc-hosts").value(), HasSubstr("10.0.0.2\tweb\n"));
    EXPECT_THAT(base::read_file(pods + "/resolv.conf").value(), HasSubstr("nameserver 10.96.0.10\n"));
    EXPECT_EQ(base::read_file(pods + "/hostname").value(), "web\n");
    EXPECT_EQ(std::filesystem::status(pods + "/etc-hosts").permissions(), std::filesystem::perms(0644));
    struct stat before {
    }, after{};
    ASSERT_EQ(::stat((pods + "/etc-hosts").c_str(), &before), 0);
    ASSERT_TRUE(write("10.0.0.2"));
    ASSERT_EQ(::stat((pods + "/etc-hosts").c_str(), &after), 0);
    EXPECT_EQ(before.st_ino, after.st_ino) << "a container holds on to this file";
    ASSERT_TRUE(write("10.0.0.3"));
    EXPECT_THAT(base::read_file(pods + "/etc-hosts").value(), HasSubstr("10.0.0.3\tweb\n"));
}

}  // namespace
}  // namespace keelson::node
