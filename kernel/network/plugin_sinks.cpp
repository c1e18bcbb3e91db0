#include "kernel/network/plugin_sinks.h"

#include "keelson/network.hpp"
#include "kernel/plugin/capability.h"

namespace keelson::network {
namespace {

using base::Result;
using base::Task;
using plugin::ask;
using plugin::ask_text;
using plugin::Capability;
using plugin::tell;

// Entries in one call: well below the 16 MiB that a message may have, whatever they hold.
constexpr std::size_t kMostBackendsACall = 50'000;
constexpr std::size_t kMostRecordsACall = 20'000;
constexpr auto kApplyTime = std::chrono::seconds(60);
constexpr auto kStateTime = std::chrono::seconds(10);

plugin::CallOptions within(std::chrono::milliseconds timeout) {
    plugin::CallOptions options;
    options.timeout = timeout;
    return options;
}

std::vector<proxy::Backend> backends_of(const std::vector<Backend>& backends) {
    std::vector<proxy::Backend> result;
    result.reserve(backends.size());
    for (const Backend& backend : backends)
        result.push_back({backend.address, backend.port, backend.is_local, backend.is_terminating});
    return result;
}

proxy::Service service_of(const ServiceEntry& entry) {
    proxy::Service service;
    service.id = entry.id;
    service.name = entry.name;
    service.address = entry.address;
    service.port = entry.port;
    service.protocol = entry.protocol;
    service.kind = kind_text(entry.kind);
    service.affinity_seconds = static_cast<std::int32_t>(entry.affinity.count());
    service.source_ranges = entry.source_ranges;
    service.local = entry.is_local;
    service.backends = backends_of(entry.backends);
    service.external_backends = backends_of(entry.external_backends);
    service.none = entry.drops_when_empty ? "drop" : "reject";
    return service;
}

class PluginProxy final : public ServiceProxy {
  public:
    PluginProxy(plugin::PluginHost& plugins, std::string name)
        : calls_(plugins, std::move(name), KEELSON_SERVICE_PROXY) {}

    Answer<void> configure(ProxySettings settings) override {
        proxy::Configure request;
        request.node = {settings.node_name, settings.node_addresses, settings.pod_cidrs};
        request.cluster_cidrs = settings.cluster_cidrs;
        request.node_port_addresses = settings.node_port_addresses;
        return tell(calls_, "configure", request, within(kApplyTime));
    }

    Answer<std::vector<ServiceProblem>> apply(std::int64_t generation, bool full,
                                              TableChange change) override {
        std::vector<ServiceProblem> problems;
        proxy::Apply request;
        request.generation = generation;
        request.full = full;
        std::size_t count = 0;
        for (const ServiceEntry& entry : change.set) {
            const std::size_t more = 1 + entry.backends.size() + entry.external_backends.size();
            if (count + more > kMostBackendsACall && !request.set.empty()) {
                request.more = true;
                auto sending = send(request, problems);
                KEELSON_CO_TRY_VOID(co_await sending);
                request.set.clear();
                count = 0;
            }
            count += more;
            request.set.push_back(service_of(entry));
        }
        request.more = false;
        request.removed = std::move(change.removed);
        auto sending = send(request, problems);
        KEELSON_CO_TRY_VOID(co_await sending);
        co_return problems;
    }

    Answer<PluginState> state() override {
        auto asking = ask_text<proxy::State>(calls_, "state", "{}", within(kStateTime));
        KEELSON_CO_TRY(const proxy::State state, co_await asking);
        co_return PluginState{state.generation, state.intact};
    }

    Answer<void> clear() override { return tell(calls_, "clear", proxy::Clear(), within(kApplyTime)); }

  private:
    Task<Result<void>> send(const proxy::Apply& request, std::vector<ServiceProblem>& problems) {
        auto asking = ask<proxy::Applied>(calls_, "apply", request, within(kApplyTime));
        KEELSON_CO_TRY(const proxy::Applied applied, co_await asking);
        for (const proxy::Problem& problem : applied.problems)
            problems.push_back({problem.id, problem.message});
        co_return base::ok();
    }

    Capability calls_;
};

class PluginDns final : public Dns {
  public:
    PluginDns(plugin::PluginHost& plugins, std::string name)
        : calls_(plugins, std::move(name), KEELSON_DNS) {}

    Answer<void> configure(DnsSettings settings) override {
        dns::Configure request;
        request.listen = settings.listen;
        request.zone = settings.zone;
        request.upstreams = settings.upstreams;
        request.pod_names = true;
        return tell(calls_, "configure", request, within(kApplyTime));
    }

    Answer<void> apply(std::int64_t generation, bool full, DnsChange change) override {
        dns::Apply request;
        request.generation = generation;
        request.full = full;
        for (const DnsRecord& record : change.set) {
            if (request.set.size() == kMostRecordsACall) {
                request.more = true;
                auto sending = tell(calls_, "apply", request, within(kApplyTime));
                KEELSON_CO_TRY_VOID(co_await sending);
                request.set.clear();
            }
            request.set.push_back({record.key.name, record.key.type, record.ttl_seconds, record.values});
        }
        request.more = false;
        for (const DnsKey& key : change.removed) request.removed.push_back({key.name, key.type});
        auto sending = tell(calls_, "apply", request, within(kApplyTime));
        co_return co_await sending;
    }

    Answer<PluginState> state() override {
        auto asking = ask_text<dns::State>(calls_, "state", "{}", within(kStateTime));
        KEELSON_CO_TRY(const dns::State state, co_await asking);
        co_return PluginState{state.generation, true};
    }

  private:
    Capability calls_;
};

}  // namespace

std::unique_ptr<ServiceProxy> make_plugin_proxy(plugin::PluginHost& plugins, std::string name) {
    return std::make_unique<PluginProxy>(plugins, std::move(name));
}
std::unique_ptr<Dns> make_plugin_dns(plugin::PluginHost& plugins, std::string name) {
    return std::make_unique<PluginDns>(plugins, std::move(name));
}

}  // namespace keelson::network
