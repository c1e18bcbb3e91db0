#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "kernel/base/sync_wait.h"
#include "kernel/object/json.h"
#include "kernel/object/time_format.h"
#include "kernel/store/memory.h"
#include "tests/resource/cluster.h"

namespace keelson::resource {
namespace {

using base::Reason;
using testing::HasSubstr;
using testing::MatchesRegex;

constexpr Target kMaps{"v1/configmaps", "default", ""};
constexpr Target kMap{"v1/configmaps", "default", "m"};
constexpr Target kPods{"v1/pods", "default", ""};
constexpr Target kPod{"v1/pods", "default", "p"};

TEST(Verbs, CreateSetsTheSystemsMetadata) {
    Cluster cluster;
    Outcome made = cluster.create(kMaps, R"({"metadata":{"name":"m","uid":"mine"},"data":{"a":"1"}})");
    ASSERT_TRUE(made.ok()) << made.error;
    EXPECT_EQ(made.code, 201);
    EXPECT_EQ(made["kind"].as_string(), "ConfigMap");
    EXPECT_EQ(made["apiVersion"].as_string(), "v1");
    EXPECT_EQ(made.text({"metadata", "namespace"}), "default");
    EXPECT_THAT(made.text({"metadata", "uid"}),
                MatchesRegex("[0-9a-f]+-[0-9a-f]+-4[0-9a-f]+-[0-9a-f]+-[0-9a-f]+"));
    EXPECT_EQ(made.text({"metadata", "creationTimestamp"}), "2026-01-01T00:00:00Z");
    EXPECT_EQ(made.version(), std::to_string(cluster.store->current()));
    EXPECT_EQ(made["metadata"]["managedFields"].at(0)["manager"].as_string(), "unknown");
    Outcome read = cluster.get(kMap);
    EXPECT_EQ(read.code, 200);
    EXPECT_EQ(read.json, made.json);
}

TEST(Verbs, CreateRefusesWhatIsThere) {
    Cluster cluster;
    (void)cluster.create(kMaps, R"({"metadata":{"name":"m"}})");
    Outcome again = cluster.create(kMaps, R"({"metadata":{"name":"m"}})");
    EXPECT_EQ(again.code, 409);
    EXPECT_EQ(again.reason, Reason::already_exists);
    EXPECT_EQ(again.error, "configmaps \"m\" already exists");
}

TEST(Verbs, CreateChecksNamesAndNamespaces) {
    Cluster cluster;
    EXPECT_EQ(cluster.create(kMaps, R"({"metadata":{"name":"m","namespace":"other"}})").code, 400);
    EXPECT_EQ(cluster.create(kMaps, R"({"metadata":{"name":"Not_A_Name"}})").code, 422);
    EXPECT_EQ(cluster.create(kMaps, R"({"metadata":{}})").code, 422);
    EXPECT_EQ(cluster.create(kMaps, R"({"metadata":{"name":"m","resourceVersion":"5"}})").code, 500);
    EXPECT_EQ(cluster.create(kMaps, R"({"kind":"Secret","apiVersion":"v1","metadata":{"name":"m"}})").code,
              400);
    Outcome nowhere = cluster.create({"v1/configmaps", "nowhere", ""}, R"({"metadata":{"name":"m"}})");
    EXPECT_EQ(nowhere.code, 404);
    EXPECT_THAT(nowhere.error, HasSubstr("namespaces \"nowhere\" not found"));
    EXPECT_EQ(cluster.list(kMaps).names.size(), 0u);
}

TEST(Verbs, GenerateNameFindsAFreeName) {
    Cluster cluster;
    std::set<std::string> names;
    for (int i = 0; i < 20; ++i) {
        Outcome made = cluster.create(kMaps, R"({"metadata":{"generateName":"m-"}})");
        ASSERT_TRUE(made.ok()) << made.error;
        std::string name = made.text({"metadata", "name"});
        EXPECT_THAT(name, MatchesRegex("m-[a-z0-9]{5}"));
        EXPECT_TRUE(names.insert(name).second);
    }
    std::string prefix(100, 'x');
    Outcome cut = cluster.create(kMaps, R"({"metadata":{"generateName":")" + prefix + "\"}}");
    EXPECT_EQ(cut.text({"metadata", "name"}).size(), 63u);
}

// Every byte the same, so that every generated name is.
class StuckRandom final : public base::RandomSource {
  public:
    void fill(void* buffer, std::size_t size) override { std::memset(buffer, 7, size); }
};

TEST(Verbs, GenerateNameGivesUpWhenAllNamesAreTaken) {
    Cluster cluster;
    StuckRandom stuck;
    Verbs verbs(*cluster.store, cluster.executor.clock(), stuck, {});
    for (int expected : {201, 409}) {
        Call call = Cluster::call_of(kMaps);
        object::Arena arena;
        Body body{*object::parse_json(R"({"metadata":{"generateName":"m-"}})", arena), {}};
        WriteOptions options;
        auto answer = base::sync_wait(cluster.executor, verbs.create(call, body, options, arena));
        EXPECT_EQ(answer ? answer->code : answer.error().code(), expected);
    }
}

TEST(Verbs, UpdateNeedsTheRightVersion) {
    Cluster cluster;
    Outcome first = cluster.create(kMaps, R"({"metadata":{"name":"m"},"data":{"a":"1"}})");
    auto body = [](const std::string& version, std::string_view value) {
        return R"({"metadata":{"name":"m","resourceVersion":")" + version + R"("},"data":{"a":")" +
               std::string(value) + "\"}}";
    };
    Outcome second = cluster.update(kMap, body(first.version(), "2"));
    ASSERT_TRUE(second.ok()) << second.error;
    EXPECT_NE(second.version(), first.version());
    EXPECT_EQ(second.text({"metadata", "uid"}), first.text({"metadata", "uid"}));
    EXPECT_EQ(second.text({"metadata", "creationTimestamp"}), first.text({"metadata", "creationTimestamp"}));
    Outcome stale = cluster.update(kMap, body(first.version(), "3"));
    EXPECT_EQ(stale.code, 409);
    EXPECT_EQ(stale.reason, Reason::conflict);
    EXPECT_THAT(stale.error,
                HasSubstr("the object has been modified; please apply your changes to the latest version"));
    Outcome unconditional = cluster.update(kMap, R"({"metadata":{"name":"m"},"data":{"a":"4"}})");
    EXPECT_EQ(unconditional.code, 200);
    EXPECT_EQ(cluster.update({"v1/configmaps", "default", "nope"}, R"({"metadata":{"name":"nope"}})").code,
              404);
    EXPECT_EQ(cluster.update(kMap, R"({"metadata":{"name":"other"}})").code, 400);
    EXPECT_EQ(cluster.update(kMap, R"({"metadata":{"name":"m","uid":"someone-else"}})").code, 409);
}

TEST(Verbs, UpdateWithoutAChangeWritesNothing) {
    Cluster cluster;
    Outcome made = cluster.create(kMaps, R"({"metadata":{"name":"m"},"data":{"a":"1"}})");
    store::Revision before = cluster.store->current();
    Outcome same = cluster.update(kMap, R"({"metadata":{"name":"m"},"data":{"a":"1"}})");
    EXPECT_EQ(same.version(), made.version());
    EXPECT_EQ(cluster.store->current(), before);
}

TEST(Verbs, SomeKindsMustSayTheirVersion) {
    Cluster cluster;
    (void)cluster.create({"policy/v1/poddisruptionbudgets", "default", ""},
                         R"({"metadata":{"name":"b"},"spec":{"minAvailable":1}})");
    Outcome refused = cluster.update({"policy/v1/poddisruptionbudgets", "default", "b"},
                                     R"({"metadata":{"name":"b"},"spec":{"minAvailable":2}})");
    EXPECT_EQ(refused.code, 422);
    EXPECT_THAT(refused.error,
                HasSubstr("metadata.resourceVersion: Invalid value: 0: must be specified for an update"));
}

TEST(Verbs, SomeKindsAreCreatedByUpdate) {
    Cluster cluster;
    Outcome made = cluster.update({"coordination.k8s.io/v1/leases", "default", "l"},
                                  R"({"metadata":{"name":"l"},"spec":{"holderIdentity":"me"}})");
    EXPECT_EQ(made.code, 201) << made.error;
    EXPECT_EQ(cluster.get({"coordination.k8s.io/v1/leases", "default", "l"}).code, 200);
}

TEST(Verbs, StatusAndSpecAreApart) {
    Cluster cluster;
    const Target deployment{"apps/v1/deployments", "default", "d"},
        status{"apps/v1/deployments/status", "default", "d"};
    std::string body =
        R"({"metadata":{"name":"d"},"spec":{"replicas":1,"selector":{"matchLabels":{"a":"b"}},"template":
        {"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}},"status":{"replicas":9}})";
    Outcome made = cluster.create({"apps/v1/deployments", "default", ""}, body);
    ASSERT_TRUE(made.ok()) << made.error;
    EXPECT_TRUE(made["status"]["replicas"].is_absent());
    EXPECT_EQ(made["metadata"]["generation"].as_integer(), 1);
    Outcome patched =
        cluster.patch(status, PatchType::merge, R"({"status":{"replicas":3},"spec":{"replicas":7}})");
    ASSERT_TRUE(patched.ok()) << patched.error;
    EXPECT_EQ(patched["status"]["replicas"].as_integer(), 3);
    EXPECT_EQ(patched["spec"]["replicas"].as_integer(), 1);
    EXPECT_EQ(patched["metadata"]["generation"].as_integer(), 1);
    Outcome respec =
        cluster.patch(deployment, PatchType::merge, R"({"status":{"replicas":4},"spec":{"replicas":7}})");
    EXPECT_EQ(respec["status"]["replicas"].as_integer(), 3);
    EXPECT_EQ(respec["spec"]["replicas"].as_integer(), 7);
    EXPECT_EQ(respec["metadata"]["generation"].as_integer(), 2);
}

TEST(Verbs, PatchesOfAllTypes) {
    Cluster cluster;
    (void)cluster.create(kMaps, R"({"metadata":{"name":"m"},"data":{"a":"1"}})");
    EXPECT_EQ(cluster.patch(kMap, PatchType::json, R"([{"op":"add","path":"/data/b","value":"2"}])")
                  .text({"data", "b"}),
              "2");
    EXPECT_EQ(cluster.patch(kMap, PatchType::merge, R"({"data":{"c":"3","a":null}})").text({"data", "c"}),
              "3");
    EXPECT_EQ(cluster.patch(kMap, PatchType::strategic, R"({"data":{"d":"4"}})").text({"data", "d"}), "4");
    WriteOptions options;
    options.field_manager = "me";
    Outcome applied = cluster.patch(
        kMap, PatchType::apply,
        R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"m"},"data":{"e":"5"}})", options);
    ASSERT_TRUE(applied.ok()) << applied.error;
    EXPECT_EQ(object::to_json(applied["data"]), R"({"b":"2","c":"3","d":"4","e":"5"})");
    Outcome created = cluster.patch(
        {"v1/configmaps", "default", "n"}, PatchType::apply,
        R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"n"},"data":{"e":"5"}})", options);
    EXPECT_EQ(created.code, 201) << created.error;
    EXPECT_EQ(cluster.patch({"v1/configmaps", "default", "x"}, PatchType::merge, R"({"data":{}})").code, 404);
    EXPECT_EQ(cluster.patch(kMap, PatchType::merge, "[]").code, 400);
    EXPECT_EQ(cluster.patch(kMap, PatchType::json, R"([{"op":"remove","path":"/nope"}])").code, 422);
    EXPECT_EQ(cluster.patch(kMap, PatchType::merge, R"({"metadata":{"name":"other"}})").code, 400);
    EXPECT_EQ(cluster.patch(kMap, PatchType::merge, R"({"metadata":{"resourceVersion":"1"}})").code, 409);
}

TEST(Verbs, ApplyConflictsAreReported) {
    Cluster cluster;
    WriteOptions first, second;
    first.field_manager = "first";
    second.field_manager = "second";
    auto body = [](std::string_view value) {
        return R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"m"},"data":{"a":")" +
               std::string(value) + "\"}}";
    };
    (void)cluster.patch(kMap, PatchType::apply, body("1"), first);
    Outcome refused = cluster.patch(kMap, PatchType::apply, body("2"), second);
    EXPECT_EQ(refused.code, 409);
    ASSERT_EQ(refused.causes.size(), 1u);
    EXPECT_EQ(refused.causes[0].field, ".data.a");
    second.force = true;
    EXPECT_EQ(cluster.patch(kMap, PatchType::apply, body("2"), second).text({"data", "a"}), "2");
}

// A store in which somebody else writes just before each of the first commits.
class RivalStore {
  public:
    static void write(Cluster& cluster, int number) {
        std::string patch = R"({"data":{"rival":")" + std::to_string(number) + "\"}}";
        Call call = Cluster::call_of(kMap);
        object::Arena arena;
        Body body{*object::parse_json(patch, arena), {}};
        WriteOptions options;
        bool done = false;
        base::spawn(cluster.executor, cluster.verbs->patch(call, PatchType::merge, body, options),
                    [&](base::Result<ObjectAnswer> answer) { done = answer.has_value(); });
        cluster.executor.run_until_idle();
        EXPECT_TRUE(done);
    }
};

TEST(Verbs, ChangesAreTriedAgainAfterConflicts) {
    Cluster cluster;
    (void)cluster.create(kMaps, R"({"metadata":{"name":"m"},"data":{"a":"0"}})");
    Call call = Cluster::call_of(kMap);
    int calls = 0;
    Mutation mutation = [&](object::Value current, object::Arena& arena) -> base::Result<Change> {
        if (++calls <= 3) RivalStore::write(cluster, calls);
        object::Value changed = current.clone(arena);
        changed["data"].set(arena, "a", object::Value::reference("mine"));
        changed["metadata"].erase("resourceVersion");
        return Change{changed};
    };
    WriteOptions options;
    auto answer = base::sync_wait(cluster.executor, cluster.verbs->change(call, mutation, options));
    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_EQ(calls, 4);
    Outcome read = cluster.get(kMap);
    EXPECT_EQ(read.text({"data", "a"}), "mine");
    EXPECT_EQ(read.text({"data", "rival"}), "3") << "nothing was overwritten";
}

TEST(Verbs, ChangesGiveUpInTheEnd) {
    Cluster cluster;
    (void)cluster.create(kMaps, R"({"metadata":{"name":"m"},"data":{"a":"0"}})");
    Call call = Cluster::call_of(kMap);
    int calls = 0;
    Mutation mutation = [&](object::Value current, object::Arena& arena) -> base::Result<Change> {
        RivalStore::write(cluster, ++calls);
        object::Value changed = current.clone(arena);
        changed["data"].set(arena, "a", object::Value::reference("mine"));
        changed["metadata"].erase("resourceVersion");
        return Change{changed};
    };
    WriteOptions options;
    auto answer = base::sync_wait(cluster.executor, cluster.verbs->change(call, mutation, options));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().reason(), Reason::conflict);
    EXPECT_LT(calls, 100);
}

TEST(Verbs, DryRunsChangeNothing) {
    Cluster cluster;
    WriteOptions dry;
    dry.dry_run = true;
    Outcome made = cluster.create(kMaps, R"({"metadata":{"name":"m"},"data":{"a":"1"}})", dry);
    EXPECT_EQ(made.code, 201);
    EXPECT_NE(made.text({"metadata", "uid"}), "");
    EXPECT_TRUE(made["metadata"]["resourceVersion"].is_absent());
    EXPECT_EQ(cluster.get(kMap).code, 404);
    Outcome real = cluster.create(kMaps, R"({"metadata":{"name":"m"},"data":{"a":"1"}})");
    EXPECT_EQ(cluster.create(kMaps, R"({"metadata":{"name":"m"}})", dry).code, 409);
    Outcome patched = cluster.patch(kMap, PatchType::merge, R"({"data":{"a":"2"}})", dry);
    EXPECT_EQ(patched.text({"data", "a"}), "2");
    EXPECT_EQ(patched.version(), real.version());
    DeleteOptions dry_delete;
    dry_delete.dry_run = true;
    EXPECT_EQ(cluster.remove(kMap, dry_delete).code, 200);
    EXPECT_EQ(cluster.get(kMap).json, real.json);
}

TEST(Verbs, ReadsNeverGoBack) {
    Cluster cluster;
    (void)cluster.create(kMaps, R"({"metadata":{"name":"m"}})");
    Call call = Cluster::call_of(kMap);
    auto get = [&](std::string_view version) {
        auto answer = base::sync_wait(cluster.executor, cluster.verbs->get(call, version));
        return answer ? answer->code : answer.error().code();
    };
    EXPECT_EQ(get("0"), 200);
    EXPECT_EQ(get(std::to_string(cluster.store->current())), 200);
    EXPECT_EQ(get("999999"), 504) << "from the future";
    EXPECT_EQ(get("x"), 400);
    EXPECT_EQ(get("-1"), 400);
    EXPECT_EQ(get("99999999999999999999999"), 400) << "no uint64";
}

TEST(Deletion, FinalizersKeepAnObject) {
    Cluster cluster;
    (void)cluster.create(kMaps, R"({"metadata":{"name":"m","finalizers":["example.org/f"]}})");
    Outcome marked = cluster.remove(kMap);
    EXPECT_EQ(marked.code, 200);
    EXPECT_EQ(marked.text({"metadata", "deletionTimestamp"}), "2026-01-01T00:00:00Z");
    EXPECT_EQ(cluster.get(kMap).code, 200);
    EXPECT_EQ(
        cluster
            .patch(kMap, PatchType::merge, R"({"metadata":{"finalizers":["example.org/f","example.org/g"]}})")
            .code,
        422)
        << "no finalizer is added to what goes";
    Outcome last = cluster.patch(kMap, PatchType::merge, R"({"metadata":{"finalizers":null}})");
    EXPECT_EQ(last.code, 200) << last.error;
    EXPECT_EQ(cluster.get(kMap).code, 404);
}

TEST(Deletion, AskedForAgainWritesNothing) {
    Cluster cluster;
    (void)cluster.create(kMaps, R"({"metadata":{"name":"m","finalizers":["example.org/f"]}})");
    Outcome marked = cluster.remove(kMap);
    Outcome again = cluster.remove(kMap);
    EXPECT_EQ(again.code, 200);
    EXPECT_EQ(again.version(), marked.version());
    EXPECT_EQ(cluster.get(kMap).version(), marked.version());
}

TEST(Deletion, AnswersWithAStatusOrTheObject) {
    Cluster cluster;
    Outcome made = cluster.create(kMaps, R"({"metadata":{"name":"m"}})");
    Outcome gone = cluster.remove(kMap);
    EXPECT_EQ(gone["kind"].as_string(), "Status");
    EXPECT_EQ(gone["status"].as_string(), "Success");
    EXPECT_EQ(gone.text({"details", "uid"}), made.text({"metadata", "uid"}));
    EXPECT_EQ(cluster.remove(kMap).code, 404);
}

TEST(Deletion, ChecksPreconditions) {
    Cluster cluster;
    Outcome made = cluster.create(kMaps, R"({"metadata":{"name":"m"}})");
    DeleteOptions options;
    options.preconditions.uid = "other";
    EXPECT_EQ(cluster.remove(kMap, options).code, 409);
    options.preconditions.uid = made.text({"metadata", "uid"});
    options.preconditions.resource_version = "1";
    EXPECT_EQ(cluster.remove(kMap, options).code, 409);
    options.preconditions.resource_version = made.version();
    EXPECT_EQ(cluster.remove(kMap, options).code, 200);
}

TEST(Deletion, PropagationPolicyBecomesAFinalizer) {
    Cluster cluster;
    (void)cluster.create(kMaps, R"({"metadata":{"name":"m"}})");
    DeleteOptions options;
    options.propagation_policy = "Foreground";
    Outcome marked = cluster.remove(kMap, options);
    EXPECT_EQ(object::to_json(marked["metadata"]["finalizers"]), R"(["foregroundDeletion"])");
    (void)cluster.create(kMaps, R"({"metadata":{"name":"n"}})");
    options.propagation_policy = "Orphan";
    EXPECT_EQ(
        object::to_json(cluster.remove({"v1/configmaps", "default", "n"}, options)["metadata"]["finalizers"]),
        R"(["orphan"])");
}

TEST(Deletion, PodsOnNodesGoGracefully) {
    Cluster cluster;
    (void)cluster.create(kPods, pod_json("p", "", R"(,"nodeName":"n","terminationGracePeriodSeconds":45)"));
    Outcome marked = cluster.remove(kPod);
    EXPECT_EQ(marked["metadata"]["deletionGracePeriodSeconds"].as_integer(), 45);
    EXPECT_EQ(marked.text({"metadata", "deletionTimestamp"}), "2026-01-01T00:00:45Z");
    EXPECT_EQ(cluster.get(kPod).code, 200);
    // A second one with a shorter period moves the end; a longer one does not.
    DeleteOptions shorter, longer, now;
    shorter.grace_period_seconds = 10;
    longer.grace_period_seconds = 100;
    now.grace_period_seconds = 0;
    EXPECT_EQ(cluster.remove(kPod, longer)["metadata"]["deletionGracePeriodSeconds"].as_integer(), 45);
    EXPECT_EQ(cluster.remove(kPod, shorter).text({"metadata", "deletionTimestamp"}), "2026-01-01T00:00:10Z");
    EXPECT_EQ(cluster.remove(kPod, now).code, 200);
    EXPECT_EQ(cluster.get(kPod).code, 404);
}

TEST(Deletion, PodsThatNobodyRunsGoAtOnce) {
    Cluster cluster;
    (void)cluster.create(kPods, pod_json("p"));
    EXPECT_EQ(cluster.remove(kPod).code, 200);
    EXPECT_EQ(cluster.get(kPod).code, 404);
}

TEST(Deletion, AbsurdGracePeriodsDoNoHarm) {
    Cluster cluster;
    (void)cluster.create(kPods, pod_json("p", "", R"(,"nodeName":"n")"));
    DeleteOptions forever;
    forever.grace_period_seconds = INT64_MAX;
    Outcome marked = cluster.remove(kPod, forever);
    EXPECT_LT(marked.code, 500) << marked.error;
    EXPECT_TRUE(object::parse_time(cluster.get(kPod).text({"metadata", "deletionTimestamp"})));
    EXPECT_EQ(cluster.patch(kPod, PatchType::merge, R"({"metadata":{"labels":{"a":"b"}}})").code, 200);
    DeleteOptions now;
    now.grace_period_seconds = 0;
    EXPECT_EQ(cluster.remove(kPod, now).code, 200);
    EXPECT_EQ(cluster.get(kPod).code, 404);
}

TEST(Namespaces, GoWhenNothingHoldsThem) {
    Cluster cluster;
    const Target space{"v1/namespaces", "", "team"};
    Outcome made = cluster.create({"v1/namespaces", "", ""}, R"({"metadata":{"name":"team"}})");
    ASSERT_TRUE(made.ok()) << made.error;
    EXPECT_EQ(made.text({"status", "phase"}), "Active");
    EXPECT_EQ(made.text({"metadata", "labels", "kubernetes.io/metadata.name"}), "team");
    EXPECT_EQ(object::to_json(made["spec"]["finalizers"]), R"(["kubernetes"])");
    Outcome marked = cluster.remove(space);
    EXPECT_EQ(marked.text({"status", "phase"}), "Terminating");
    Outcome refused = cluster.create({"v1/configmaps", "team", ""}, R"({"metadata":{"name":"m"}})");
    EXPECT_EQ(refused.code, 403);
    EXPECT_THAT(refused.error, HasSubstr("because it is being terminated"));
    Outcome final = cluster.update(
        {"v1/namespaces/finalize", "", "team"},
        R"({"kind":"Namespace","apiVersion":"v1","metadata":{"name":"team"},"spec":{"finalizers":[]}})");
    EXPECT_EQ(final.code, 200) << final.error;
    EXPECT_EQ(cluster.get(space).code, 404);
}

TEST(Namespaces, TheDefaultOnesStay) {
    Cluster cluster;
    for (std::string_view name : {"default", "kube-system", "kube-public"}) {
        Outcome refused = cluster.remove({"v1/namespaces", "", name});
        EXPECT_EQ(refused.code, 403) << name;
    }
}

TEST(FieldValidation, WarnsOrRefuses) {
    Cluster cluster;
    WriteOptions options;
    options.field_validation = FieldValidation::strict;
    Outcome strict = cluster.create(kMaps, R"({"metadata":{"name":"m"},"nope":1})", options);
    EXPECT_EQ(strict.code, 400);
    EXPECT_THAT(strict.error, HasSubstr("unknown field \"nope\""));
    options.field_validation = FieldValidation::warn;
    Outcome warned = cluster.create(kMaps, R"({"metadata":{"name":"m"},"nope":1})", options);
    EXPECT_EQ(warned.code, 201);
    EXPECT_THAT(warned.warnings, testing::Contains(HasSubstr("unknown field \"nope\"")));
    options.field_validation = FieldValidation::ignore;
    EXPECT_TRUE(cluster.create(kMaps, R"({"metadata":{"name":"n"},"nope":1})", options).warnings.empty());
}

TEST(Validation, NamesTheFields) {
    Cluster cluster;
    Outcome refused =
        cluster.create(kPods, R"({"metadata":{"name":"p"},"spec":{"containers":[{"name":"","image":"i"}]}})");
    EXPECT_EQ(refused.code, 422);
    ASSERT_FALSE(refused.causes.empty());
    EXPECT_EQ(refused.causes[0],
              (base::Cause{"FieldValueRequired", "Required value", "spec.containers[0].name"}));
}

}  // namespace
}  // namespace keelson::resource
