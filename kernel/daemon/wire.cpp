#include "kernel/daemon/wire.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>

#include <algorithm>
#include <cstdlib>

#include "kernel/api/kubernetes_handler.h"
#include "kernel/base/sync_wait.h"
#include "kernel/resource/bootstrap.h"
#include "kernel/resource/subresources.h"
#include "kernel/resource/verbs.h"
#include "kernel/store/lmdb.h"

namespace keelson::daemon {
namespace {

// Everything that serves requests, in the order in which it is built; torn down the other way round.
struct Rooms {
    std::unique_ptr<store::Store> store;
    std::unique_ptr<resource::Verbs> verbs;
    std::unique_ptr<resource::Subresources> subresources;
    std::unique_ptr<api::KubernetesHandler> handler;
};

// The first address of this host that others may reach; empty when it has loopback only.
std::string host_address() {
    ifaddrs* interfaces = nullptr;
    if (getifaddrs(&interfaces) != 0) return {};
    std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(interfaces, freeifaddrs);
    for (const ifaddrs* at = interfaces; at != nullptr; at = at->ifa_next) {
        if (at->ifa_addr == nullptr || at->ifa_addr->sa_family != AF_INET) continue;
        if ((at->ifa_flags & IFF_LOOPBACK) != 0 || (at->ifa_flags & IFF_UP) == 0) continue;
        char text[INET_ADDRSTRLEN];
        const auto* address = reinterpret_cast<const sockaddr_in*>(at->ifa_addr);
        if (inet_ntop(AF_INET, &address->sin_addr, text, sizeof text) != nullptr) return text;
    }
    return {};
}

// For benchmarks: KEELSON_TEST_SYNC_DELAY_MS makes every sync of the store take that much longer.
store::LmdbOptions store_options_for_test_environment() {
    store::LmdbOptions options;
    if (const char* delay_ms = std::getenv("KEELSON_TEST_SYNC_DELAY_MS"))
        options.faults.sync_delay = std::chrono::milliseconds(std::clamp(std::atoi(delay_ms), 0, 10'000));
    return options;
}

// Answers name the flow schema and priority level by the uids of their objects.
base::Result<void> name_flow_control(const resource::Lookup& lookup, access::FlowControl& flow_control) {
    constexpr std::string_view kGroup = "flowcontrol.apiserver.k8s.io";
    object::Arena arena;
    auto name_of = [](object::Value object) { return object["metadata"]["name"].to_string(); };
    auto uid_of = [](object::Value object) { return object["metadata"]["uid"].to_string(); };
    KEELSON_TRY_VOID(lookup.each(kGroup, "flowschemas", "", arena, [&](object::Value schema) {
        flow_control.set_schema_uid(name_of(schema), uid_of(schema));
    }));
    return lookup.each(kGroup, "prioritylevelconfigurations", "", arena, [&](object::Value level) {
        flow_control.set_level_uid(name_of(level), uid_of(level));
    });
}

}  // namespace

base::Result<Wiring> wire(const WireParts& parts) {
    auto rooms = std::make_shared<Rooms>();
    KEELSON_TRY(rooms->store, store::open_lmdb_store(parts.data_directory + "/store",
                                                     store_options_for_test_environment()));
    rooms->verbs = std::make_unique<resource::Verbs>(*rooms->store, parts.executor.clock(), parts.random,
                                                     resource::NetworkSettings());
    rooms->subresources =
        std::make_unique<resource::Subresources>(*rooms->verbs, &parts.authorization, &parts.authentication);
    resource::BootstrapSettings bootstrap;
    bootstrap.advertise_address = host_address();
    bootstrap.api_port = parts.api_port;
    KEELSON_TRY_VOID(base::sync_wait(parts.executor, resource::bootstrap(*rooms->verbs, bootstrap)));
    KEELSON_TRY_VOID(name_flow_control(rooms->verbs->lookup(), parts.flow_control));
    rooms->handler = std::make_unique<api::KubernetesHandler>(*rooms->verbs, *rooms->subresources);
    parts.health.add("store", [store = rooms->store.get()]() -> base::Result<void> {
        if (!store->statistics().read_only) return base::ok();
        return base::Status(base::Reason::service_unavailable,
                            "the disk is full: only deletions are accepted");
    });
    Wiring wiring;
    wiring.kubernetes = rooms->handler->handler();
    wiring.stop = [rooms] { rooms->store->close(); };
    return wiring;
}

}  // namespace keelson::daemon
