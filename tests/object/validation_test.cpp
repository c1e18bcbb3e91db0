#include "kernel/object/validation/validation.h"

#include <gtest/gtest.h>

#include "kernel/object/conform.h"
#include "kernel/object/defaults.h"
#include "kernel/object/json.h"

namespace keelson::object {
namespace {

class Validation : public testing::Test {
  protected:
    Value made(std::string_view json) {
        auto raw = parse_json_copy(json, arena_);
        EXPECT_TRUE(raw) << json;
        auto conformed = conform(*resource_->type, *raw, arena_);
        EXPECT_TRUE(conformed) << json;
        apply_defaults(*resource_->type, *conformed, arena_);
        return canonical(*resource_->type, *conformed, arena_);
    }
    void use(std::string_view group, std::string_view version, std::string_view name) {
        resource_ = find_resource(group, version, name);
        ASSERT_NE(resource_, nullptr);
    }
    std::string create_errors(std::string_view json) {
        FieldErrors errors = validate_create(*resource_, made(json), arena_);
        return errors.empty() ? std::string() : errors.joined();
    }
    std::string update_errors(std::string_view old, std::string_view now, std::string_view subresource = "") {
        FieldErrors errors = validate_update(*resource_, made(now), made(old), subresource, arena_);
        return errors.empty() ? std::string() : errors.joined();
    }

    Arena arena_;
    const Resource* resource_ = nullptr;
};

constexpr std::string_view kPod =
    R"({"metadata":{"name":"p","namespace":"n"},"spec":{"containers":[{"name":"c","image":"i:1"}]}})";

TEST_F(Validation, AcceptsAPod) {
    use("", "v1", "pods");
    EXPECT_EQ(create_errors(kPod), "");
}

TEST_F(Validation, NamesEachFaultOfAPod) {
    use("", "v1", "pods");
    EXPECT_EQ(create_errors(R"({"metadata":{"name":"p","namespace":"n"},"spec":{"restartPolicy":"Sometimes",
        "containers":[{"name":"c"},{"name":"c","image":"i","volumeMounts":[{"name":"v","mountPath":"/x"}]}]}})"),
              "[spec.containers[0].image: Required value, spec.containers[1].volumeMounts[0].name: Not "
              "found: \"v\", "
              "spec.containers[1].name: Duplicate value: \"c\", spec.restartPolicy: Unsupported value: "
              "\"Sometimes\": "
              "supported values: \"Always\", \"OnFailure\", \"Never\"]");
}

TEST_F(Validation, ShowsWhatAPodUpdateWouldChange) {
    use("", "v1", "pods");
    std::string errors = update_errors(
        kPod,
        R"({"metadata":{"name":"p","namespace":"n"},"spec":{"nodeName":"x","containers":[{"name":"c","image":"i:2"}]}})");
    EXPECT_NE(errors.find("(allow it to be set to 1 if it was previously negative)\n@@ -42,7 +42,7 @@\n"),
              std::string::npos)
        << errors;
    EXPECT_NE(errors.find("\n- \"NodeName\": \"\",\n+ \"NodeName\": \"x\",\n"), std::string::npos) << errors;
    EXPECT_EQ(
        update_errors(
            kPod,
            R"({"metadata":{"name":"p","namespace":"n"},"spec":{"containers":[{"name":"c","image":"i:2"}]}})"),
        "");
}

TEST_F(Validation, MetadataRules) {
    use("", "v1", "configmaps");
    EXPECT_EQ(create_errors(R"({"metadata":{"namespace":"n"}})"),
              "metadata.name: Required value: name or generateName is required");
    EXPECT_EQ(create_errors(R"({"metadata":{"name":"a","namespace":"n","finalizers":["x"]}})"),
              "metadata.finalizers[0]: Invalid value: \"x\": name is neither a standard finalizer name nor "
              "is it fully "
              "qualified");
    EXPECT_EQ(update_errors(R"({"metadata":{"name":"a","namespace":"n"},"immutable":true,"data":{"k":"1"}})",
                            R"({"metadata":{"name":"a","namespace":"n"},"immutable":true,"data":{"k":"2"}})"),
              "data: Forbidden: field is immutable when `immutable` is set");
}

TEST_F(Validation, CausesRepeatWhatTheMessageSaysOnce) {
    use("", "v1", "configmaps");
    Value old = made(R"({"metadata":{"name":"a","namespace":"n"}})");
    Value now = made(R"({"metadata":{"name":"a","namespace":"n","labels":{"k":"-"}}})");
    FieldErrors errors = validate_update(*resource_, now, old, "", arena_);
    base::Status status = invalid_status("", "ConfigMap", "a", errors);
    EXPECT_EQ(status.details()->causes.size(), 3u);
    EXPECT_EQ(status.message().find('['), status.message().find("[-A-Za-z0-9_.]") - 11) << status.message();
}

TEST_F(Validation, SelectorsMustMatchTheirTemplate) {
    use("apps", "v1", "deployments");
    EXPECT_EQ(
        create_errors(
            R"({"metadata":{"name":"d","namespace":"n"},"spec":{"selector":{"matchLabels":{"a":"1"}},
        "template":{"metadata":{"labels":{"b":"2","a":"2"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}})"),
        "spec.template.metadata.labels: Invalid value: {\"a\":\"2\",\"b\":\"2\"}: `selector` does not match "
        "template `labels`");
}

TEST_F(Validation, Services) {
    use("", "v1", "services");
    EXPECT_EQ(
        create_errors(
            R"({"metadata":{"name":"1s","namespace":"n"},"spec":{"ports":[{"port":1},{"name":"b","port":2}]}})"),
        "spec.ports[0].name: Required value");
    EXPECT_EQ(
        create_errors(
            R"({"metadata":{"name":"s","namespace":"n"},"spec":{"ports":[{"port":1,"nodePort":30000}]}})"),
        "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'");
}

TEST_F(Validation, CronSchedules) {
    use("batch", "v1", "cronjobs");
    auto with = [&](std::string_view schedule) {
        return create_errors(R"({"metadata":{"name":"c","namespace":"n"},"spec":{"schedule":")" +
                             std::string(schedule) +
                             R"(","jobTemplate":{"spec":{"template":{"spec":{"restartPolicy":"Never",
                             "containers":[{"name":"c","image":"i"}]}}}}}})");
    };
    for (std::string_view good : {"* * * * *", "*/5 1-3 1,15 jan mon-fri", "@daily", "0 0 1 1 0"})
        EXPECT_EQ(with(good), "") << good;
    EXPECT_EQ(with("60 * * * *"),
              "spec.schedule: Invalid value: \"60 * * * *\": end of range (60) above maximum (59): 60");
    EXPECT_EQ(with("x * * * *"),
              "spec.schedule: Invalid value: \"x * * * *\": failed to parse int from x: strconv.Atoi: "
              "parsing \"x\": invalid syntax");
}

TEST_F(Validation, SlicesOfDevicesThatCostTheSchedulerMoreAreSmaller) {
    use("resource.k8s.io", "v1", "resourceslices");
    const auto slice = [](int count, const std::string& more_of_last) {
        std::string devices;
        for (int at = 1; at <= count; ++at)
            devices += (at == 1 ? "{\"name\":\"d" : ",{\"name\":\"d") + std::to_string(at) + "\"" +
                       (at == count ? more_of_last : "") + "}";
        return R"({"metadata":{"name":"s"},"spec":{"driver":"d.example.com","nodeName":"n",)"
               R"("pool":{"name":"p","resourceSliceCount":1},"devices":[)" +
               devices + "]}}";
    };
    const std::string taint = R"(,"taints":[{"key":"example.com/broken","effect":"NoSchedule"}])";
    EXPECT_EQ(create_errors(slice(128, "")), "");
    EXPECT_EQ(create_errors(slice(129, "")), "spec.devices: Too many: 129: must have at most 128 items");
    EXPECT_EQ(create_errors(slice(64, taint)), "");
    EXPECT_EQ(create_errors(slice(65, taint)), "spec.devices: Too many: 65: must have at most 64 items");
}

TEST_F(Validation, EveryKindTakesAnEmptyObject) {
    for (const Resource& resource : builtin_resources()) {
        if (!resource.type) continue;
        resource_ = &resource;
        (void)create_errors("{}");
        (void)update_errors("{}", R"({"metadata":{"name":"a"},"spec":{},"status":{}})");
        (void)update_errors("{}", R"({"metadata":{"name":"a"},"spec":{},"status":{}})", "status");
    }
}

TEST_F(Validation, Warnings) {
    use("", "v1", "pods");
    Value pod =
        made(R"({"metadata":{"name":"p","namespace":"n"},"spec":{"containers":[{"name":"c","image":"i",
        "env":[{"name":"A","value":"1"},{"name":"A","value":"2"}],
        "ports":[{"containerPort":1},{"containerPort":1}]}]}})");
    EXPECT_EQ(
        warnings(*resource_, pod, Value()),
        (std::vector<std::string>{
            "spec.containers[0].env[1]: hides previous definition of \"A\", which may be dropped when using "
            "apply",
            "spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]"}));
}

}  // namespace
}  // namespace keelson::object
