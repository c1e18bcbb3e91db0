#include "kernel/control/go_dump.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/control/hashes.h"
#include "kernel/object/json.h"

namespace keelson::control {
namespace {

using testing::HasSubstr;

std::string dump(std::string_view type, std::string_view json) {
    object::Document document;
    document.root = *object::parse_json_copy(json, document.arena);
    return go_dump(*object::find_type(type), document.root);
}

std::string hash_of(std::string_view json, std::optional<std::int64_t> collisions = {}) {
    object::Document document;
    document.root = *object::parse_json_copy(json, document.arena);
    return template_hash(api_types::core_v1::PodTemplateSpec(document.root), collisions);
}

// As the API defaults the shortest template there is.
std::string small_template(std::string_view image) {
    return R"({"metadata":{"labels":{"app":"x"}},"spec":{"automountServiceAccountToken":false,
        "containers":[{"name":"c","image":")" +
           std::string(image) + R"(","resources":{},"terminationMessagePath":"/dev/termination-log",
        "terminationMessagePolicy":"File","imagePullPolicy":"IfNotPresent"}],"restartPolicy":"Always",
        "terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst","securityContext":{},
        "schedulerName":"default-scheduler"}})";
}

TEST(TemplateHash, IsThatOfKubernetes) {
    EXPECT_EQ(hash_of(small_template("app:1")), "895ff75ff");
    EXPECT_EQ(hash_of(small_template("app:2")), "767c9d464");
}

TEST(TemplateHash, IsAnotherOneForEachCollision) {
    const std::string templ = small_template("app:1");
    EXPECT_NE(hash_of(templ, 0), hash_of(templ));
    EXPECT_NE(hash_of(templ, 1), hash_of(templ, 0));
    EXPECT_EQ(hash_of(templ, 1), hash_of(templ, 1));
}

TEST(RevisionHash, IsThatOfKubernetes) {
    object::Document document;
    document.root = *object::parse_json_copy(
        R"({"spec":{"template":{"$patch":"replace",)" + small_template("app:1").substr(1) + "}}",
        document.arena);
    EXPECT_EQ(revision_hash(document.root, 0), "5fff6b6974");
}

TEST(GoDump, WritesThePointersTypeWhetherItIsSetOrNot) {
    const std::string text = dump("core/v1.PodOS", R"({"name":"linux"})");
    EXPECT_EQ(text, "(v1.PodOS){Name:(v1.OSName)linux}");
    EXPECT_THAT(dump("core/v1.SecurityContext", R"({"privileged":true})"),
                HasSubstr("Privileged:(*bool)true SELinuxOptions:(*v1.SELinuxOptions)<nil>"));
    EXPECT_THAT(dump("core/v1.Container", R"({"name":"c","securityContext":{}})"),
                HasSubstr("SecurityContext:(*v1.SecurityContext){Capabilities:(*v1.Capabilities)<nil>"));
}

TEST(GoDump, SortsMapsAndLeavesOutTheTypesOfElements) {
    EXPECT_THAT(dump("meta/v1.LabelSelector", R"({"matchLabels":{"b":"2","a":"1"}})"),
                HasSubstr("MatchLabels:(map[string]string)map[a:1 b:2] "
                          "MatchExpressions:([]v1.LabelSelectorRequirement)<nil>"));
    EXPECT_THAT(dump("core/v1.Container", R"({"args":["a","b c"]})"),
                HasSubstr("Args:([]string)[a b c] WorkingDir:(string) "));
}

TEST(GoDump, TakesAnEmptyMapForNone) {
    EXPECT_THAT(dump("meta/v1.ObjectMeta", R"({"annotations":{}})"),
                HasSubstr("Annotations:(map[string]string)<nil>"));
}

TEST(GoDump, PutsEmbeddedStructuresIntoFieldsOfTheirOwn) {
    EXPECT_EQ(dump("core/v1.ConfigMapKeySelector", R"({"name":"m","key":"k"})"),
              "(v1.ConfigMapKeySelector){LocalObjectReference:(v1.LocalObjectReference){Name:(string)m} "
              "Key:(string)k Optional:(*bool)<nil>}");
    EXPECT_THAT(
        dump("core/v1.Probe", R"({"tcpSocket":{"port":80},"periodSeconds":5})"),
        testing::AllOf(HasSubstr("(v1.Probe){ProbeHandler:(v1.ProbeHandler){Exec:(*v1.ExecAction)<nil>"),
                       HasSubstr("TCPSocket:(*v1.TCPSocketAction){Port:(intstr.IntOrString){Type:("
                                 "intstr.Type)0 IntVal:(int32)80 StrVal:(string)} Host:(string)}"),
                       HasSubstr("GRPC:(*v1.GRPCAction)<nil>} InitialDelaySeconds:(int32)0")));
}

TEST(GoDump, WritesNamedPorts) {
    EXPECT_THAT(dump("core/v1.TCPSocketAction", R"({"port":"web"})"),
                HasSubstr("{Type:(intstr.Type)1 IntVal:(int32)0 StrVal:(string)web}"));
}

TEST(GoDump, WritesQuantitiesAsGoParsedThem) {
    const auto limits = [](std::string_view quantity) {
        return dump("core/v1.ResourceRequirements",
                    R"({"limits":{"cpu":")" + std::string(quantity) + R"("}})");
    };
    EXPECT_THAT(limits("100m"),
                HasSubstr("Limits:(v1.ResourceList)map[cpu:{i:(resource.int64Amount){value:(int64)100 "
                          "scale:(resource.Scale)-3} d:(resource.infDecAmount){Dec:(*inf.Dec)<nil>} "
                          "s:(string)100m Format:(resource.Format)DecimalSI}]"));
    EXPECT_THAT(limits("1Gi"), HasSubstr("{value:(int64)1073741824 scale:(resource.Scale)0} "
                                         "d:(resource.infDecAmount){Dec:(*inf.Dec)<nil>} s:(string)1Gi "
                                         "Format:(resource.Format)BinarySI}"));
    // Go does not see at once whether a multiple of eight is canonical, and keeps no text of it.
    EXPECT_THAT(limits("64Mi"), HasSubstr("s:(string) Format:(resource.Format)BinarySI"));
    EXPECT_THAT(limits("0"), HasSubstr("value:(int64)0 scale:(resource.Scale)0}"));
    EXPECT_THAT(limits("1Pi"),
                HasSubstr("{value:(int64)0 scale:(resource.Scale)0} d:(resource.infDecAmount){Dec:(*inf.Dec)"
                          "{unscaled:(big.Int){neg:(bool)false abs:(big.nat)[2882303761517117440 61035]} "
                          "scale:(inf.Scale)9}} s:(string)"));
}

TEST(GoDump, KnowsFieldsWhoseNamesAreOthersInGo) {
    const std::string text = dump("core/v1.PodSpec", R"({"serviceAccount":"a","dnsPolicy":"None"})");
    EXPECT_THAT(text, HasSubstr("DeprecatedServiceAccount:(string)a"));
    EXPECT_THAT(text, HasSubstr("DNSPolicy:(v1.DNSPolicy)None"));
    EXPECT_THAT(dump("core/v1.Volume", R"({"name":"v","emptyDir":{}})"),
                HasSubstr("VolumeSource:(v1.VolumeSource){HostPath:(*v1.HostPathVolumeSource)<nil> "
                          "EmptyDir:(*v1.EmptyDirVolumeSource){Medium:(v1.StorageMedium) "
                          "SizeLimit:(*resource.Quantity)<nil>}"));
}

}  // namespace
}  // namespace keelson::control
