#include "kernel/network/node_network.h"

#include <algorithm>
#include <map>

#include "kernel/base/log.h"
#include "kernel/client/collections.h"
#include "kernel/client/event_recorder.h"
#include "kernel/client/informer.h"
#include "kernel/network/follower.h"
#include "kernel/object/accessors/core_v1.h"

namespace keelson::network {
namespace {

namespace collections = client::collections;
namespace core_v1 = api_types::core_v1;
using base::Result;
using base::Task;
using client::EventType;
using client::ObjectKey;
using client::ObjectPointer;

constexpr std::string_view kZoneLabel = "topology.kubernetes.io/zone";

// A proxy and what it was told. Only the present one takes the differences of the table.
struct Carrier {
    std::string name;
    std::unique_ptr<ServiceProxy> proxy;
    std::unique_ptr<Follower> follower;
    base::Completion<bool> ended;
};
using CarrierPointer = std::shared_ptr<Carrier>;

// "default/web" of "default/web:http".
ObjectKey service_key(std::string_view name) {
    const std::size_t slash = name.find('/');
    if (slash == std::string_view::npos) return {};
    return {std::string(name.substr(0, slash)),
            std::string(name.substr(slash + 1, name.rfind(':') - slash - 1))};
}

class Network final : public NodeNetwork {
  public:
    Network(NodeNetworkSettings settings, const NodeNetworkParts& parts, std::unique_ptr<Dns> dns)
        : settings_(std::move(settings)),
          parts_(parts),
          recorder_(client::EventRecorder::make(parts_.client, parts_.executor, parts_.random, "kube-proxy",
                                                settings_.node_name)),
          informers_(client::Informers::make(parts_.client, parts_.executor, parts_.random)),
          services_(informers_->of(collections::services)),
          slices_(informers_->of(collections::endpoint_slices)),
          nodes_(informers_->of(collections::nodes)),
          table_(ServiceTable::make({settings_.node_name, ""})),
          records_(DnsRecords::make(settings_.cluster_domain)),
          dns_(std::move(dns)) {}

    Task<void> run() override {
        informers_->start();
        auto waiting = informers_->wait_for_sync();
        co_await waiting;
        if (!is_stopped_) {
            has_begun_ = true;
            watch();
            if (dns_) begin_dns();
            if (present_) begin(present_);
            hand_over(std::move(handed_over_));
            co_await stopped_;
        }
        if (running_ > 0) co_await quiet_;
        auto quieting = informers_->stop();
        co_await quieting;
        parts_.health_checks.set({});
    }

    void stop() override {
        is_stopped_ = true;
        if (dns_follower_) dns_follower_->stop();
        for (const CarrierPointer& carrier : {present_, former_})
            if (carrier && carrier->follower) carrier->follower->stop();
        stopped_.complete(true);
        if (!has_begun_) base::spawn(parts_.executor, informers_->stop(), [] {});
    }

    void use_proxy(std::string name, std::unique_ptr<ServiceProxy> proxy, base::Callback done) override {
        auto next = std::make_shared<Carrier>();
        next->name = std::move(name);
        next->proxy = std::move(proxy);
        former_ = std::exchange(present_, next);
        if (!next->proxy) present_.reset();
        if (former_ && former_->follower) former_->follower->stop();
        if (!has_begun_) {
            handed_over_ = std::move(done);
            return;
        }
        if (present_) begin(present_);
        hand_over(std::move(done));
    }

    void plugin_changed() override {
        parts_.executor.post([this] {
            if (dns_follower_) dns_follower_->settings_changed();
            if (present_ && present_->follower) present_->follower->settings_changed();
        });
    }

  private:
    // run() ends when the last of these has.
    void go_on(
        Task<void> task, base::Callback done = [] {}) {
        ++running_;
        base::spawn(parts_.executor, std::move(task), [this, done = std::move(done)]() mutable {
            done();
            if (--running_ == 0 && is_stopped_) quiet_.complete(true);
        });
    }

    // --- what is watched ---

    void watch() {
        services_.add_handler([this](const ObjectPointer& before, const ObjectPointer& now) {
            const ObjectKey& key = (now ? now : before)->key();
            table_->service_changed(key, now);
            records_->service_changed(key, now);
            changed();
        });
        slices_.add_handler([this](const ObjectPointer& before, const ObjectPointer& now) {
            const ObjectKey& key = (now ? now : before)->key();
            table_->slice_changed(key, now);
            records_->slice_changed(key, now);
            changed();
        });
        nodes_.add_handler([this](const ObjectPointer&, const ObjectPointer& now) {
            if (now && now->key().name == settings_.node_name) take_node(*now);
        });
    }

    void changed() {
        if (dns_follower_) dns_follower_->table_changed();
        if (present_ && present_->follower) present_->follower->table_changed();
    }

    void take_node(const client::CachedObject& object) {
        const core_v1::Node node(object.root());
        table_->node_changed({settings_.node_name, std::string(node.metadata().labels()[kZoneLabel])});
        std::vector<std::string> pod_cidrs;
        for (const std::string_view cidr : node.spec().pod_cidrs()) pod_cidrs.emplace_back(cidr);
        const bool is_news = pod_cidrs_ != pod_cidrs;
        pod_cidrs_ = std::move(pod_cidrs);
        if (!present_ || !present_->follower) return;
        if (is_news)
            present_->follower->settings_changed();
        else
            present_->follower->table_changed();
    }

    // --- the proxy ---

    void begin(const CarrierPointer& carrier) {
        carrier->follower = std::make_unique<Follower>(
            Follower::Parts{"the proxy " + carrier->name, parts_.executor, parts_.metrics, "service_proxy",
                            [this, raw = carrier.get()] { return raw->proxy->configure(proxy_settings()); },
                            [this, raw = carrier.get()](std::int64_t generation, bool full) {
                                return apply(*raw, generation, full);
                            },
                            [raw = carrier.get()] { return raw->proxy->state(); }});
        go_on(carrier->follower->run(), [carrier] { carrier->ended.complete(true); });
    }

    [[nodiscard]] ProxySettings proxy_settings() const {
        return {settings_.node_name, settings_.node_addresses, pod_cidrs_, settings_.cluster_cidrs,
                settings_.node_port_addresses};
    }

    Task<Result<bool>> apply(Carrier& carrier, std::int64_t generation, bool full) {
        TableChange change = table_->take_change();
        tell_conflicts();
        parts_.health_checks.set(table_->health_check_ports());
        if (full) change = {table_->all(), {}};
        if (!full && change.empty()) co_return false;
        std::map<std::string, std::string> names;  // of services by entry, for problems
        for (const ServiceEntry& entry : change.set) names.emplace(entry.id, entry.name);
        auto applying = carrier.proxy->apply(generation, full, std::move(change));
        const Result<std::vector<ServiceProblem>> problems = co_await applying;
        if (!problems) co_return problems.error();
        for (const ServiceProblem& problem : *problems) tell_problem(names[problem.id], problem);
        co_return true;
    }

    // The present proxy carries everything before the former one is cleared; nobody waits for a proxy that is
    // not there any more.
    void hand_over(base::Callback done) {
        if (!done) done = [] {};
        auto clear = [this, former = former_, done = std::move(done)]() mutable {
            go_on(clear_former(former), std::move(done));
        };
        if (present_ && present_->follower)
            present_->follower->when_in_step(std::move(clear));
        else
            clear();
    }

    Task<void> clear_former(CarrierPointer former) {
        if (!former) co_return;
        if (former->follower) co_await former->ended;
        auto clearing = former->proxy->clear();
        const Result<void> cleared = co_await clearing;
        if (!cleared)
            base::log_warning("the former proxy was not cleared: what it left has to be removed by hand",
                              {{"proxy", former->name}, {"reason", cleared.error()}});
        if (former_ == former) former_.reset();
    }

    // --- what people are told ---

    void tell(const ObjectKey& key, std::string_view reason, std::string message) {
        if (const ObjectPointer service = services_.get(key))
            recorder_->record(service->root(), EventType::warning, reason, std::move(message));
    }

    void tell_problem(const std::string& name, const ServiceProblem& problem) {
        base::log_warning("a service is not carried", {{"service", problem.id}, {"reason", problem.message}});
        tell(service_key(name), "ServiceNotCarried", problem.message);
    }

    void tell_conflicts() {
        std::vector<AddressConflict> conflicts = table_->conflicts();
        for (const AddressConflict& conflict : conflicts) {
            if (std::ranges::find(conflicts_, conflict) != conflicts_.end()) continue;
            tell(conflict.loser, "AddressConflict",
                 conflict.address + " belongs to the service " + conflict.owner.text() + " already");
        }
        conflicts_ = std::move(conflicts);
    }

    // --- DNS ---

    void begin_dns() {
        DnsSettings settings;
        for (const std::string& address : settings_.node_addresses) {
            const bool is_v6 = address.find(':') != std::string::npos;
            settings.listen.push_back((is_v6 ? "[" + address + "]" : address) + ":" +
                                      std::to_string(settings_.dns_port));
        }
        settings.zone = settings_.cluster_domain;
        settings.upstreams = settings_.dns_upstreams;
        dns_follower_ = std::make_unique<Follower>(Follower::Parts{
            "the DNS server", parts_.executor, parts_.metrics, "dns",
            [this, settings] { return dns_->configure(settings); },
            [this](std::int64_t generation, bool full) { return apply_dns(generation, full); },
            [this] { return dns_->state(); }});
        go_on(dns_follower_->run());
    }

    Task<Result<bool>> apply_dns(std::int64_t generation, bool full) {
        DnsChange change = records_->take_change();
        if (full) change = {records_->all(), {}};
        if (!full && change.empty()) co_return false;
        auto applying = dns_->apply(generation, full, std::move(change));
        const Result<void> applied = co_await applying;
        if (!applied) co_return applied.error();
        co_return true;
    }

    const NodeNetworkSettings settings_;
    const NodeNetworkParts parts_;
    std::unique_ptr<client::EventRecorder> recorder_;
    std::unique_ptr<client::Informers> informers_;
    client::Informer& services_;
    client::Informer& slices_;
    client::Informer& nodes_;
    std::unique_ptr<ServiceTable> table_;
    std::unique_ptr<DnsRecords> records_;
    std::unique_ptr<Dns> dns_;
    std::unique_ptr<Follower> dns_follower_;
    CarrierPointer present_;
    CarrierPointer former_;
    std::vector<std::string> pod_cidrs_;
    std::vector<AddressConflict> conflicts_;
    base::Callback handed_over_;
    base::Completion<bool> stopped_;
    base::Completion<bool> quiet_;
    int running_ = 0;
    bool has_begun_ = false;
    bool is_stopped_ = false;
};

}  // namespace

std::unique_ptr<NodeNetwork> NodeNetwork::make(NodeNetworkSettings settings, const NodeNetworkParts& parts,
                                               std::unique_ptr<Dns> dns) {
    return std::make_unique<Network>(std::move(settings), parts, std::move(dns));
}

}  // namespace keelson::network
