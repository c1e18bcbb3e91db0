#include "kernel/node/node_agent.h"

#include <algorithm>
#include <map>
#include <set>

#include "kernel/base/gather.h"
#include "kernel/base/log.h"
#include "kernel/client/collections.h"
#include "kernel/client/work_queue.h"
#include "kernel/node/evictor.h"
#include "kernel/node/log_keeper.h"
#include "kernel/node/node_object.h"
#include "kernel/node/node_reports.h"
#include "kernel/node/pod_plan.h"
#include "kernel/node/pod_sync.h"
#include "kernel/node/static_pods.h"
#include "kernel/node/usage_reports.h"
#include "kernel/node/usage_sampler.h"
#include "kernel/object/json.h"

namespace keelson::node {
namespace {

namespace core_v1 = api_types::core_v1;
namespace collections = client::collections;
using base::Result;
using base::Task;
using client::ObjectPointer;

constexpr std::size_t kWorkers = 64;
constexpr std::string_view kPodKey = "pod/";
constexpr base::Duration kRetry = std::chrono::seconds(1);

class Agent final : public NodeAgent {
  public:
    Agent(NodeSettings settings, const NodeParts& parts)
        : settings_(std::move(settings)),
          parts_(parts),
          recorder_(client::EventRecorder::make(parts_.client, parts_.executor, parts_.random, "kubelet",
                                                settings_.name)),
          informers_(client::Informers::make(
              parts_.client, parts_.executor, parts_.random,
              {{collections::pods, "spec.nodeName=" + settings_.name}, {collections::nodes, ""}})),
          pods_(informers_->of(collections::pods)),
          nodes_(informers_->of(collections::nodes)),
          services_(informers_->of(collections::services)),
          objects_(ObjectCache::make(parts_.client, parts_.executor, parts_.random,
                                     [this](const std::string& uid) { refresh_volumes(uid); })),
          volumes_(Volumes::make({settings_.root_directory, settings_.name}, parts_.client, *objects_,
                                 parts_.drivers, parts_.executor)),
          puller_(parts_.images, *objects_, *recorder_, parts_.executor,
                  [this](const std::string& uid) { queue_.add(uid); }),
          prober_(parts_.runtime, *recorder_, parts_.executor, parts_.random,
                  [this](const std::string& uid, const std::string& container, const std::string& id,
                         ProbeKind kind, bool is_success) { probed(uid, container, id, kind, is_success); }),
          queue_(parts_.executor, parts_.random,
                 {.initial = std::chrono::milliseconds(100),
                  .longest = std::chrono::seconds(30),
                  .jitter = 0.1}),
          agent_parts_{settings_,  parts_,    *objects_,
                       *recorder_, nodes_,    services_,
                       puller_,    pressure_, [this](const std::string& uid) { queue_.add(uid); }},
          node_object_(settings_, parts_, *recorder_, pressure_),
          log_keeper_(settings_, parts_),
          sampler_(settings_, parts_),
          static_pods_(settings_, parts_, pods_, nodes_),
          evictor_({settings_, parts_, *recorder_, sampler_, pressure_, [this] { return records_copy(); },
                    [this](const std::string& uid) { queue_.add(uid); }}) {}

    Task<void> run() override {
        informers_->start();
        auto registering = node_object_.register_node();
        co_await registering;
        auto waiting = informers_->wait_for_sync();
        co_await waiting;
        if (!is_stopped_) {
            auto adopting = adopt();
            co_await adopting;
        }
        if (!is_stopped_) {
            begin();
            std::vector<Task<bool>> loops;
            for (std::size_t worker = 0; worker < kWorkers; ++worker) loops.push_back(work());
            loops.push_back(keep_alive());
            loops.push_back(keep_logs());
            loops.push_back(keep_usage());
            loops.push_back(keep_static_pods());
            loops.push_back(keep_place());
            auto working = base::gather(std::move(loops));
            (void)co_await working;
        }
        auto quieting = informers_->stop();
        co_await quieting;
        auto forgetting = objects_->stop();
        co_await forgetting;
    }

    void stop() override {
        is_stopped_ = true;
        adopt_pause_.stop();
        network_pause_.stop();
        node_object_.stop();
        log_keeper_.stop();
        sampler_.stop();
        static_pods_.stop();
        evictor_.stop();
        prober_.stop();
        queue_.shut_down();
        // Whoever waits for the first list waits no longer.
        if (!has_begun_) base::spawn(parts_.executor, informers_->stop(), [] {});
    }

    void reconcile(const std::string& key) override {
        if (!key.starts_with(kPodKey)) return;
        parts_.executor.post([this, uid = key.substr(kPodKey.size())] { queue_.add(uid); });
    }

    void network_changed() override {
        parts_.executor.post([this] {
            ++network_instance_;
            told_network_.reset();
            if (has_begun_ && !is_stopped_) base::spawn(parts_.executor, configure_network(), [] {});
        });
    }

    Task<Result<ContainerView>> find(ContainerQuery query) override {
        base::Completion<Result<ContainerView>> found;
        parts_.executor.post([this, query, found] { found.complete(view_of(query)); });
        co_return co_await found;
    }
    Task<Result<std::string>> find_sandbox(ContainerQuery query) override {
        base::Completion<Result<std::string>> found;
        parts_.executor.post([this, query, found] { found.complete(sandbox_of(query)); });
        co_return co_await found;
    }
    void when_ended(std::string container_id, base::Callback callback) override {
        for (const auto& [uid, record] : records_)
            for (const ContainerRecord& container : record->containers)
                if (container.current && container.current->id == container_id && !container.has_exited()) {
                    waiting_for_end_.emplace(std::move(container_id), std::move(callback));
                    return;
                }
        callback();
    }
    Task<std::string> summary() override {
        return report([this](const UsageReading& reading) {
            return summary_text(settings_.name, reading, records_copy());
        });
    }
    Task<std::string> resource_metrics() override {
        return report(
            [this](const UsageReading& reading) { return resource_metrics_text(reading, records_copy()); });
    }
    std::string metrics() override { return parts_.metrics.text(); }
    Task<std::string> pods() override {
        base::Completion<std::string> made;
        parts_.executor.post([this, made] { made.complete(list_pods(records_copy())); });
        co_return co_await made;
    }

  private:
    using Record = std::shared_ptr<PodRecord>;

    [[nodiscard]] std::vector<Record> records_copy() const {
        std::vector<Record> result;
        for (const auto& [uid, record] : records_) result.push_back(record);
        return result;
    }

    // Made on the node's executor, of what is used now.
    Task<std::string> report(std::function<std::string(const UsageReading&)> write) {
        base::Completion<std::string> made;
        parts_.executor.post([this, made, write = std::move(write)] {
            base::spawn(parts_.executor, sampler_.read(),
                        [made, write](const UsageReading& reading) { made.complete(write(reading)); });
        });
        co_return co_await made;
    }

    // What runs already becomes known before anything is decided: containers are adopted, never started
    // twice.
    Task<void> adopt() {
        auto asking = parts_.runtime.info();
        Result<RuntimeInfo> info = co_await asking;
        while (!info && !is_stopped_) {
            base::log_warning("the container runtime does not answer", {{"reason", info.error()}});
            auto waiting = adopt_pause_.sleep(kRetry);
            (void)co_await waiting;
            auto again = parts_.runtime.info();
            info = co_await again;
        }
        if (!info) co_return;
        sync_ = std::make_unique<PodSync>(agent_parts_, *volumes_, prober_, info->name,
                                          [this](const std::string& uid) { return others(uid); });
        // Pods that run are looked after whether it goes well or not.
        if (auto plan = untold_network(); plan && parts_.network.is_there()) {
            auto telling = tell_network(std::move(*plan));
            (void)co_await telling;
        }
        auto listing = parts_.runtime.list_sandboxes();
        Result<std::vector<Sandbox>> sandboxes = co_await listing;
        if (!sandboxes) {
            base::log_warning("the sandboxes are not known", {{"reason", sandboxes.error()}});
            co_return;
        }
        auto asking_network = network_list();
        const std::map<std::string, std::vector<std::string>> addresses = co_await asking_network;
        std::set<std::string> known;
        for (const Sandbox& sandbox : *sandboxes) {
            known.insert(sandbox.id);
            adopt_sandbox(sandbox, addresses);
        }
        for (const auto& [id, list] : addresses)
            if (!known.contains(id)) {
                auto detaching = parts_.network.detach(id);
                (void)co_await detaching;
            }
        auto finding = volumes_->known_pods();
        for (const std::string& uid : co_await finding) forgotten_.insert(uid);
    }

    Task<std::map<std::string, std::vector<std::string>>> network_list() {
        std::map<std::string, std::vector<std::string>> result;
        if (!parts_.network.is_there()) co_return result;
        auto listing = parts_.network.list();
        auto listed = co_await listing;
        if (listed) result = std::move(*listed);
        co_return result;
    }

    void adopt_sandbox(const Sandbox& sandbox,
                       const std::map<std::string, std::vector<std::string>>& addresses) {
        Record& record = records_[sandbox.pod.uid];
        if (!record) {
            record = std::make_shared<PodRecord>();
            record->uid = sandbox.pod.uid;
            record->is_admitted = true;
        }
        const auto attempt = attempt_of(sandbox);
        if (!record->sandbox_id.empty() && record->sandbox_attempt > attempt) return;
        record->sandbox_id = sandbox.id;
        record->sandbox_attempt = attempt;
        record->is_sandbox_ready = sandbox.is_ready;
        record->has_network = sandbox.is_ready;
        if (const auto found = addresses.find(sandbox.id); found != addresses.end())
            record->addresses = found->second;
        record->identity = sandbox.pod;
    }

    // Ids follow from the attempt, so the attempt follows from the id.
    static std::int32_t attempt_of(const Sandbox& sandbox) {
        constexpr std::int32_t kMostAttempts = 1000;
        for (std::int32_t attempt = 0; attempt < kMostAttempts; ++attempt)
            if (make_sandbox_id(sandbox.pod.uid, attempt) == sandbox.id) return attempt;
        return kMostAttempts;
    }

    void begin() {
        has_begun_ = true;
        pods_.add_handler(
            [this](const ObjectPointer& before, const ObjectPointer& now) { changed(before, now); });
        nodes_.add_handler([this](const ObjectPointer&, const ObjectPointer&) {
            base::spawn(parts_.executor, configure_network(), [] {});
        });
        base::spawn(parts_.executor, configure_network(), [] {});
        // What nobody has asked for any more.
        for (const auto& [uid, record] : records_)
            if (!record->pod) make_orphan(*record);
        for (const std::string& uid : forgotten_)
            if (!records_.contains(uid)) base::spawn(parts_.executor, clear_forgotten(uid), [] {});
        for (const auto& [uid, record] : records_) queue_.add(uid);
    }

    Task<void> clear_forgotten(std::string uid) {
        auto taking_down = volumes_->take_down(uid);
        const Result<void> done = co_await taking_down;
        if (!done)
            base::log_warning("volumes of a pod that is gone were left",
                              {{"pod", uid}, {"reason", done.error()}});
    }

    // A pod that the API does not know: made up from what its sandbox says, to be ended.
    static void make_orphan(PodRecord& record) {
        object::Document document;
        document.root = object::Value::map(document.arena);
        const auto metadata = core_v1::Pod(document.root).make_metadata(document.arena);
        metadata.set_name(document.arena, record.identity.name);
        metadata.set_namespace(document.arena, record.identity.namespace_name);
        metadata.set_uid(document.arena, record.uid);
        record.pod = std::make_shared<const client::CachedObject>(document.root, "Pod", "v1");
        record.is_orphan = true;
    }

    void changed(const ObjectPointer& before, const ObjectPointer& now) {
        if (now) {
            Record& record = records_[std::string(now->uid())];
            if (!record) {
                record = std::make_shared<PodRecord>();
                record->uid = now->uid();
            }
            if (!record->pod || record->pod->revision() < now->revision()) {
                const bool is_other_spec =
                    !record->pod ||
                    core_v1::Pod(record->pod->root()).metadata().generation() !=
                        core_v1::Pod(now->root()).metadata().generation() ||
                    before == nullptr || before->root()["metadata"].equals(now->root()["metadata"]) == false;
                record->pod = now;
                if (is_other_spec) PodSync::look_at_volumes(*record);
            }
            queue_.add(record->uid);
        }
        // Removed by force, or replaced by another of its name.
        if (before && (!now || before->uid() != now->uid())) {
            const auto found = records_.find(std::string(before->uid()));
            if (found == records_.end()) return;
            found->second->is_orphan = true;
            queue_.add(found->first);
        }
    }

    std::vector<core_v1::Pod> others(const std::string& uid) const {
        std::vector<core_v1::Pod> result;
        for (const auto& [other, record] : records_)
            if (other != uid && record->is_admitted && record->stage == PodStage::living && record->pod)
                result.emplace_back((record->agreed_pod ? record->agreed_pod : record->pod)->root());
        return result;
    }

    Task<bool> work() {
        while (true) {
            auto getting = queue_.get();
            const std::optional<std::string> uid = co_await getting;
            if (!uid) co_return true;
            const auto found = records_.find(*uid);
            if (found != records_.end() && found->second->pod) {
                const Record record = found->second;
                auto syncing = sync_->sync(record);
                const Result<PodSync::Outcome> outcome = co_await syncing;
                settle(record, outcome);
            }
            queue_.done(*uid);
        }
    }

    void settle(const Record& record, const Result<PodSync::Outcome>& outcome) {
        tell_of_ends(*record);
        if (!outcome) {
            const bool is_race = outcome.error().code() == 409;
            if (!is_race)
                base::log_info("a pod could not be brought up to date",
                               {{"pod", record->pod->key().text()}, {"reason", outcome.error()}});
            queue_.add_rate_limited(record->uid);
            return;
        }
        queue_.forget(record->uid);
        if (outcome->is_gone) {
            prober_.forget(record->uid);
            objects_->release(record->uid);
            records_.erase(record->uid);
        } else if (outcome->look_again) {
            queue_.add_after(record->uid, *outcome->look_again);
        }
    }

    void tell_of_ends(const PodRecord& record) {
        for (const ContainerRecord& container : record.containers) {
            for (const auto* one : {&container.current, &container.previous}) {
                if (!*one || (*one)->phase != ContainerPhase::exited) continue;
                auto range = waiting_for_end_.equal_range((*one)->id);
                for (auto at = range.first; at != range.second; ++at) at->second();
                waiting_for_end_.erase(range.first, range.second);
            }
        }
    }

    void refresh_volumes(const std::string& uid) {
        const auto found = records_.find(uid);
        if (found == records_.end()) return;
        PodSync::look_at_volumes(*found->second);
        queue_.add(uid);
    }

    void probed(const std::string& uid, const std::string& container, const std::string& id, ProbeKind kind,
                bool is_success) {
        const auto found = records_.find(uid);
        if (found != records_.end() && sync_) sync_->probed(found->second, container, id, kind, is_success);
    }

    Task<bool> keep_alive() {
        auto keeping = node_object_.keep_alive();
        co_await keeping;
        co_return true;
    }
    Task<bool> keep_static_pods() {
        auto keeping = static_pods_.run();
        co_await keeping;
        co_return true;
    }
    Task<bool> keep_logs() {
        auto keeping = log_keeper_.run([this] { return records_copy(); });
        co_await keeping;
        co_return true;
    }

    Task<bool> keep_place() {
        auto keeping = evictor_.run();
        co_await keeping;
        co_return true;
    }
    Task<bool> keep_usage() {
        auto keeping = sampler_.run();
        co_await keeping;
        co_return true;
    }

    static NodeNetwork network_of(const client::CachedObject& object) {
        const core_v1::Node node(object.root());
        NodeNetwork network{object.key().name, {}, {}};
        for (const core_v1::NodeAddress address : node.status().addresses())
            if (address.type() == "InternalIP") network.addresses.emplace_back(address.address());
        for (const std::string_view cidr : node.spec().pod_cidrs()) network.pod_cidrs.emplace_back(cidr);
        return network;
    }

    struct NetworkPlan {
        NodeNetwork own;
        std::vector<NodeNetwork> peers;
        bool operator==(const NetworkPlan&) const = default;
    };

    // What the network's plugin shall know and was not told; none: it knows all, or this node has no pod CIDR
    // yet.
    [[nodiscard]] std::optional<NetworkPlan> untold_network() const {
        const ObjectPointer own = nodes_.get({"", settings_.name});
        if (!own) return std::nullopt;
        NetworkPlan plan{network_of(*own), {}};
        if (plan.own.pod_cidrs.empty()) return std::nullopt;
        for (const ObjectPointer& node : nodes_.list())
            if (node->key().name != settings_.name) plan.peers.push_back(network_of(*node));
        if (told_network_ == plan) return std::nullopt;
        return plan;
    }

    // False when the plugin refused it.
    Task<bool> tell_network(NetworkPlan plan) {
        const std::uint64_t instance = network_instance_;
        auto configuring = parts_.network.configure(plan.own, plan.peers, settings_.cluster_cidrs);
        const Result<void> done = co_await configuring;
        if (!done) {
            told_network_.reset();
            base::log_warning("the pods' network was not set up; it is tried again",
                              {{"reason", done.error()}});
            co_return false;
        }
        // Who was told may be gone by now.
        if (instance == network_instance_) told_network_ = std::move(plan);
        co_return true;
    }

    // One call at a time: the plugin may take several up in any order, and the last one it takes up stays.
    Task<void> configure_network() {
        if (std::exchange(is_configuring_network_, true)) co_return;
        while (!is_stopped_ && parts_.network.is_there()) {
            auto plan = untold_network();
            if (!plan) break;
            auto telling = tell_network(std::move(*plan));
            const bool is_told = co_await telling;
            if (is_told) continue;
            auto waiting = network_pause_.sleep(kRetry);
            (void)co_await waiting;
        }
        is_configuring_network_ = false;
    }

    [[nodiscard]] const PodRecord* record_of(const ContainerQuery& query) const {
        for (const auto& [uid, record] : records_)
            if (record->pod && record->pod->key().namespace_name == query.namespace_name &&
                record->pod->key().name == query.pod && (query.uid.empty() || query.uid == uid))
                return record.get();
        return nullptr;
    }
    static base::Status unknown(const ContainerQuery& query) {
        return {base::Reason::not_found, "pod \"" + query.pod + "\" not found"};
    }
    [[nodiscard]] Result<ContainerView> view_of(const ContainerQuery& query) const {
        const PodRecord* record = record_of(query);
        if (record == nullptr) return unknown(query);
        return container_view(*record, query, settings_);
    }
    [[nodiscard]] Result<std::string> sandbox_of(const ContainerQuery& query) const {
        const PodRecord* record = record_of(query);
        if (record == nullptr) return unknown(query);
        if (!record->is_sandbox_ready)
            return base::Status(base::Reason::bad_request,
                                "unable to forward port because pod is not running. Current status=" +
                                    std::string(phase_of(*record)));
        return record->sandbox_id;
    }

    NodeSettings settings_;
    NodeParts parts_;
    std::unique_ptr<client::EventRecorder> recorder_;
    std::unique_ptr<client::Informers> informers_;
    client::Informer& pods_;
    client::Informer& nodes_;
    client::Informer& services_;
    std::unique_ptr<ObjectCache> objects_;
    std::unique_ptr<Volumes> volumes_;
    ImagePuller puller_;
    NodePressure pressure_{settings_.eviction};
    Prober prober_;
    client::WorkQueue<std::string> queue_;
    AgentParts agent_parts_;
    NodeObject node_object_;
    LogKeeper log_keeper_;
    UsageSampler sampler_;
    StaticPods static_pods_;
    Evictor evictor_;
    std::unique_ptr<PodSync> sync_;
    base::Pause adopt_pause_;
    base::Pause network_pause_;
    std::map<std::string, Record> records_;  // by uid
    std::set<std::string> forgotten_;        // uids with directories and nothing else
    std::multimap<std::string, base::Callback> waiting_for_end_;
    std::optional<NetworkPlan> told_network_;
    std::uint64_t network_instance_ = 0;  // counts what may have been told nothing yet
    bool is_configuring_network_ = false;
    bool has_begun_ = false;
    bool is_stopped_ = false;
};

}  // namespace

std::unique_ptr<NodeAgent> NodeAgent::make(NodeSettings settings, const NodeParts& parts) {
    if (settings.seccomp_directory.empty()) settings.seccomp_directory = settings.root_directory + "/seccomp";
    return std::make_unique<Agent>(std::move(settings), parts);
}

}  // namespace keelson::node
