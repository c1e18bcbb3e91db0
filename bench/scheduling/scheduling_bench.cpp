// Measures decisions alone, without the API: pods a second on a large cluster, and what the cluster takes in
// memory. Prints one line a measurement.
//
//     scheduling_bench [--nodes N] [--pods N]
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <string>

#include "kernel/object/json.h"
#include "kernel/scheduling/decision.h"
#include "kernel/scheduling/queue.h"

namespace {

using namespace keelson;              // NOLINT: a program of its own
using namespace keelson::scheduling;  // NOLINT
// CPU time: others on the machine do not count.
double cpu_seconds() {
    return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}
namespace core_v1 = api_types::core_v1;

struct Arguments {
    int nodes = 5000;
    int pods = 10000;
};

double resident_mb() {
    std::ifstream statm("/proc/self/statm");
    long all = 0, resident = 0;
    statm >> all >> resident;
    return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE)) / 1e6;
}

std::string node_json(int number) {
    const std::string name = "node-" + std::to_string(number);
    return R"({"metadata":{"name":")" + name + R"(","labels":{"kubernetes.io/hostname":")" + name +
           R"(","kubernetes.io/os":"linux","kubernetes.io/arch":"amd64","node.kubernetes.io/instance-type":"large",)" +
           R"("topology.kubernetes.io/region":"r","topology.kubernetes.io/zone":"z)" +
           std::to_string(number % 10) +
           R"("}},"status":{"allocatable":{"cpu":"16","memory":"64Gi","pods":"110","ephemeral-storage":"100Gi"}}})";
}

enum class Kind { plain, spread, soft_spread, apart, together };

// Pods of deployments with 100 replicas each; a tenth of them with `special`.
std::string pod_json(int number, Kind special) {
    const int deployment = number / 100;
    const std::string app = "app-" + std::to_string(deployment);
    const std::string selector = R"({"matchLabels":{"app":")" + app + R"("}})";
    const auto spread = [&](const char* when) {
        return R"("topologySpreadConstraints":[{"maxSkew":1,"topologyKey":"topology.kubernetes.io/zone","whenUnsatisfiable":")" +
               std::string(when) + R"(","labelSelector":)" + selector + "}],";
    };
    const auto affinity = [&](const char* kind, const char* topology) {
        return R"("affinity":{")" + std::string(kind) +
               R"(":{"requiredDuringSchedulingIgnoredDuringExecution":[{"topologyKey":")" + topology +
               R"(","labelSelector":)" + selector + "}]}},";
    };
    std::string spec;
    switch (deployment % 10 == 0 ? special : Kind::plain) {
        case Kind::plain:
            break;
        case Kind::spread:
            spec = spread("DoNotSchedule");
            break;
        case Kind::soft_spread:
            spec = spread("ScheduleAnyway");
            break;
        case Kind::apart:
            spec = affinity("podAntiAffinity", "kubernetes.io/hostname");
            break;
        case Kind::together:
            spec = affinity("podAffinity", "topology.kubernetes.io/zone");
            break;
    }
    const std::string name = app + "-" + std::to_string(number);
    return R"({"metadata":{"name":")" + name + R"(","namespace":"bench","uid":"00000000-0000-4000-8000-)" +
           name + R"(","labels":{"app":")" + app +
           R"(","pod-template-hash":"5d4f8c7b9"},"ownerReferences":[{"kind":"ReplicaSet","name":")" + app +
           R"(","controller":true}]},"spec":{)" + spec +
           R"("schedulerName":"default-scheduler","containers":[{"name":"c","image":"registry.example.com/app:1","resources":)" +
           R"({"requests":{"cpu":"100m","memory":"128Mi"}}}],"tolerations":[{"key":"node.kubernetes.io/not-ready","operator":)" +
           R"("Exists","effect":"NoExecute","tolerationSeconds":300},{"key":"node.kubernetes.io/unreachable","operator":"Exists",)" +
           R"("effect":"NoExecute","tolerationSeconds":300}]}})";
}

struct Bench {
    explicit Bench(int nodes) {
        for (int number = 0; number < nodes; ++number) {
            object::Arena arena;
            cluster.set_node(core_v1::Node(*object::parse_json_copy(node_json(number), arena)));
        }
    }
    PodPointer read(int number, Kind special) {
        object::Arena arena;
        return reader.read(core_v1::Pod(*object::parse_json_copy(pod_json(number, special), arena)));
    }

    Cluster cluster;
    PodReader reader;
    PodQueue queue{cluster};
    base::SeededRandom random{1};
};

// default_spread: every pod belongs to a workload and is spread for it, as in a real cluster.
void measure(const Arguments& arguments, const char* name, Kind special, bool default_spread) {
    Bench bench(arguments.nodes);
    Decider decider(Profile(), bench.cluster, bench.queue.nominations(), bench.random);
    const base::MonotonicTime now{};
    for (int number = 0; number < arguments.pods; ++number) {
        bench.queue.add(bench.read(number, special), std::nullopt, now);
        if (!default_spread || number % 100 != 0) continue;
        const std::string app = "app-" + std::to_string(number / 100);
        Selector selector;
        selector.require("app", Requirement::Operator::in, app);
        bench.cluster.workloads.controllers["ReplicaSet/bench/" + app] = selector;
    }
    int placed = 0;
    const double start = cpu_seconds();
    while (QueuedPod* next = bench.queue.take(now)) {
        const PodPointer pod = next->pod;
        const Decision decision = decider.decide(*pod, "");
        if (decision.is_placed()) {
            bench.cluster.assume(pod, decision.node);
            bench.queue.remove(pod->uid);
            ++placed;
        } else {
            bench.queue.put_aside(pod->uid, decision.refused_by, now);
        }
    }
    const double seconds = cpu_seconds() - start;
    std::printf("%-40s %8d pods on %d nodes: %9.0f pods/s, %7.1f us each\n", name, placed, arguments.nodes,
                arguments.pods / seconds, seconds / arguments.pods * 1e6);
}

void measure_memory(int nodes, int pods) {
    Bench bench(nodes);
    const double before = resident_mb();
    const double start = cpu_seconds();
    for (int number = 0; number < pods; ++number)
        bench.cluster.set_pod(bench.read(number, Kind::spread), "node-" + std::to_string(number % nodes));
    const double seconds = cpu_seconds() - start;
    std::printf("%-40s %8d pods on %d nodes: %9.1f MB, %7.1f us each to read\n", "memory of the cluster",
                pods, nodes, resident_mb() - before, seconds / pods * 1e6);
}

}  // namespace

int main(int count, char** values) {
    Arguments arguments;
    for (int index = 1; index + 1 < count; index += 2) {
        if (std::strcmp(values[index], "--nodes") == 0) arguments.nodes = std::atoi(values[index + 1]);
        if (std::strcmp(values[index], "--pods") == 0) arguments.pods = std::atoi(values[index + 1]);
    }
    measure(arguments, "plain", Kind::plain, false);
    measure(arguments, "plain, spread by default", Kind::plain, true);
    measure(arguments, "a tenth spread over zones", Kind::spread, true);
    measure(arguments, "a tenth preferably spread", Kind::soft_spread, true);
    measure(arguments, "a tenth apart from each other", Kind::apart, true);
    measure(arguments, "a tenth together in a zone", Kind::together, true);
    measure_memory(arguments.nodes, 100'000);
    return 0;
}
