// The pods' network of one node: a bridge, a veth pair for each sandbox, addresses from the node's pod CIDRs,
// plain routes to other nodes, and the kernel's own packet filter for what leaves. Nothing is taken out of
// the system when the plugin stops: pods go on.
#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "attachments.h"
#include "host_rules.h"
#include "keelson/network.hpp"
#include "node_link.h"
#include "plan.h"
#include "pod_link.h"
#include "stack/firewall.h"
#include "stack/netlink.h"

namespace {

namespace pods = keelson::pod_network;
using namespace keelson::bridge;
using keelson::Call;
using keelson::Code;
using keelson::Error;

// An alias of a link holds it, and addresses.
constexpr std::size_t maximum_id_bytes = 128;

struct Config {
    std::string bridge = "keelson0";
    std::optional<std::int32_t> mtu;
    KEELSON_FIELDS(field.optional("bridge", self.bridge).optional("mtu", self.mtu))
};

// The name stands in paths below /proc/sys.
Config read_config(const keelson::Json& document) {
    auto config = keelson::read_as<Config>(document);
    const bool is_name = !config.bridge.empty() && config.bridge.size() < 16 &&
                         std::ranges::all_of(config.bridge, [](unsigned char c) {
                             return std::isalnum(c) != 0 || c == '-' || c == '_';
                         });
    if (!is_name)
        throw Error(Code::invalid, "the bridge's name has 1 to 15 letters, digits, - and _", "bridge");
    return config;
}

void check_id(const std::string& id) {
    const bool is_plain = !id.empty() && id.size() <= maximum_id_bytes &&
                          std::ranges::all_of(id, [](unsigned char c) { return c > ' ' && c < 0x7f; });
    if (!is_plain)
        throw Error(Code::invalid, "a sandboxId has 1 to 128 printable characters without spaces",
                    "sandboxId");
}

class Bridge : public keelson::PodNetworkPlugin {
  public:
    Bridge(keelson::Host host, const keelson::Json& config)
        : host_(host), config_(read_config(config)), attachments_(load(host)) {
        Netlink node;
        for (const Link& link : node.links())
            if (const auto owner = owner_of(link)) attachments_.adopt(owner->sandbox_id, owner->addresses);
    }

    void configure(const pods::Configure& request, const Call& call) {
        pods::Configure wanted = request;
        if (!wanted.mtu || *wanted.mtu == 0) wanted.mtu = config_.mtu;
        Plan plan = read_plan(wanted);
        const std::lock_guard<std::mutex> lock(mutex_);
        attachments_.set_prefixes(plan.pod_prefixes);
        Netlink node;
        mtu_ = plan.mtu ? *plan.mtu : uplink_mtu(node);
        bridge_ = ensure_bridge(node, config_.bridge, gateways(), mtu_);
        for (const std::string& missing : set_peer_routes(node, plan.peers))
            plan.remarks.push_back("pods in " + missing +
                                   " are not reached: no address of that node is on a link of this one");
        inputs_ = {config_.bridge, plan.pod_prefixes, plan.inside};
        write_rules(call, plan.remarks);
        if (plan.remarks != remarks_)
            for (const std::string& remark : plan.remarks) host_.warn(remark);
        remarks_ = std::move(plan.remarks);
    }

    pods::Attached attach(const pods::Attach& request, const Call& call) {
        check_id(request.sandbox_id);
        for (const pods::HostPort& port : request.host_ports) check_host_port(port);
        const int network_namespace = call.descriptor(0);
        std::unique_lock<std::mutex> lock(mutex_);
        const Turn turn(*this, lock, request.sandbox_id);
        call.check(host_.monotonic());
        if (inputs_.pod_prefixes.empty())
            throw Error(Code::unavailable, "the network is not configured yet; try again");
        attachments_.check_free(request.sandbox_id, request.host_ports);
        const bool is_new = attachments_.find(request.sandbox_id) == nullptr;
        if (is_new) attachments_.add(request.sandbox_id, request.host_ports);
        try {
            connect(request, network_namespace, call, is_new);
        } catch (...) {
            if (is_new) undo(request.sandbox_id, call, lock);
            throw;
        }
        pods::Attached answer;
        answer.addresses = attachments_.find(request.sandbox_id)->addresses;
        answer.gateway = attachments_.pools().front().gateway().text();
        answer.mtu = std::int32_t(mtu_);
        return answer;
    }

    void detach(const pods::Detach& request, const Call& call) {
        check_id(request.sandbox_id);
        std::unique_lock<std::mutex> lock(mutex_);
        const Turn turn(*this, lock, request.sandbox_id);
        disconnect(request.sandbox_id, call, lock);
    }

    pods::Listed list() {
        const std::lock_guard<std::mutex> lock(mutex_);
        pods::Listed listed;
        for (const auto& [id, attachment] : attachments_.sandboxes())
            listed.sandboxes.push_back({id, attachment.addresses});
        return listed;
    }

  private:
    // A sandbox is attached or detached by one call at a time, also while that call does not hold the lock.
    class Turn {
      public:
        Turn(Bridge& bridge, std::unique_lock<std::mutex>& lock, const std::string& id)
            : bridge_(bridge), id_(id) {
            bridge_.turn_ended_.wait(lock, [this] { return bridge_.busy_.insert(id_).second; });
        }
        Turn(const Turn&) = delete;
        Turn& operator=(const Turn&) = delete;
        // With the lock held.
        ~Turn() {
            bridge_.busy_.erase(id_);
            bridge_.turn_ended_.notify_all();
        }

      private:
        Bridge& bridge_;
        const std::string& id_;
    };

    static Attachments load(const keelson::Host& host) {
        std::string problem;
        Attachments attachments(RecordFile(host.state_directory()), problem);
        if (!problem.empty())
            host.error(
                "what is attached is taken from the links of this node; host ports come back when "
                "their pods are attached again: " +
                problem);
        return attachments;
    }

    [[nodiscard]] std::vector<Gateway> gateways() const {
        std::vector<Gateway> result;
        for (const AddressPool& pool : attachments_.pools())
            result.push_back({pool.gateway(), pool.prefix().length});
        return result;
    }

    void connect(const pods::Attach& request, int network_namespace, const Call& call, bool is_new) {
        PodLink link;
        link.sandbox_id = request.sandbox_id;
        link.bridge = bridge_;
        link.mtu = mtu_;
        if (request.bandwidth) link.bandwidth = *request.bandwidth;
        const Attachment& attachment = *attachments_.find(request.sandbox_id);
        for (std::size_t at = 0; at < attachment.addresses.size(); ++at) {
            const Prefix own = address_with_length(attachment.addresses[at]);
            link.addresses.push_back({own.address, own.length, attachments_.pools()[at].gateway()});
        }
        const bool had_ports = !is_new && !attachment.host_ports.empty();
        Netlink node;
        connect_pod(node, network_namespace, link);
        if (!is_new) attachments_.set_host_ports(request.sandbox_id, request.host_ports);
        if (had_ports || !request.host_ports.empty()) write_nat(call);
    }

    void disconnect(const std::string& id, const Call& call, std::unique_lock<std::mutex>& lock) {
        const Attachment* attachment = attachments_.find(id);
        if (attachment != nullptr && !attachment->host_ports.empty()) {
            attachments_.set_host_ports(id, {});
            write_nat(call);
        }
        // The system waits for its other processors with each link, some 20 ms: for those of several
        // sandboxes at once.
        lock.unlock();
        try {
            Netlink node;
            disconnect_pod(node, id);
        } catch (...) {
            lock.lock();
            throw;
        }
        lock.lock();
        attachments_.remove(id);
    }

    // The failure that has led here is what the caller is told.
    void undo(const std::string& id, const Call& call, std::unique_lock<std::mutex>& lock) {
        try {
            disconnect(id, call, lock);
        } catch (const std::exception& error) {
            host_.warn("sandbox " + id + " stays listed until it is detached: " + error.what());
        }
    }

    // Before it is configured nothing is known of what leaves; the first configure takes out what is stale,
    // and until then no address is given again.
    void write_nat(const Call& call) const {
        if (inputs_.pod_prefixes.empty()) return;
        const FirewallLock lock(host_, call);
        for (const int family : {AF_INET, AF_INET6})
            write_chains(family, "nat", nat_chains(family, inputs_, attachments_.sandboxes()));
    }

    void write_filter(const Call& call) const {
        const FirewallLock lock(host_, call);
        for (const Prefix& prefix : inputs_.pod_prefixes) {
            const int family = prefix.address.family;
            const bool drops = drops_by_default(family, "filter", "FORWARD");
            write_chains(family, "filter", filter_chains(family, inputs_, drops));
        }
    }

    // Pods have their network also on a node whose kernel lacks the tables; what is missing is said.
    void write_rules(const Call& call, std::vector<std::string>& remarks) const {
        try {
            write_nat(call);
            write_filter(call);
        } catch (const Error& error) {
            if (error.code() != Code::unsupported) throw;
            remarks.push_back(std::string("pods have no host ports and reach nothing outside the cluster: ") +
                              error.what());
        }
    }

    const keelson::Host host_;
    const Config config_;

    std::mutex mutex_;
    std::condition_variable turn_ended_;
    std::set<std::string> busy_;  // sandboxes that a call is at
    Attachments attachments_;
    RuleInputs inputs_;  // without prefixes until it is configured
    std::vector<std::string> remarks_;
    std::uint32_t mtu_ = 0;
    int bridge_ = 0;  // index of the link
};

}  // namespace

KEELSON_PLUGIN(Bridge, "dev.keelson.bridge", "0.1.0")
