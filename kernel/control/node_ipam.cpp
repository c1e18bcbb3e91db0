#include "kernel/control/node_ipam.h"

#include <algorithm>
#include <map>
#include <optional>

#include "kernel/object/accessors/core_v1.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/addresses.h"

namespace keelson::control {
namespace {

using api_types::core_v1::Node;
using base::Result;
using base::Task;
using object::IpNetwork;

constexpr int kNodeBitsIpv4 = 24;
constexpr int kNodeBitsIpv6 = 64;
constexpr std::uint64_t kMostNodes = 1u << 16;
constexpr base::Duration kRetry = std::chrono::seconds(30);

// One range of the cluster, cut into parts of the same size.
class Range {
  public:
    explicit Range(const IpNetwork& network)
        : network_(network),
          node_bits_(std::max(network.prefix_length, network.bits() == 32 ? kNodeBitsIpv4 : kNodeBitsIpv6)) {}

    [[nodiscard]] std::uint64_t count() const {
        const int bits = node_bits_ - network_.prefix_length;
        return bits >= 16 ? kMostNodes : std::uint64_t{1} << bits;
    }
    [[nodiscard]] bool has(std::string_view cidr) const {
        const auto part = IpNetwork::parse(cidr);
        return part && part->bits() == network_.bits() && network_.contains(part->address);
    }
    // The part of that number: "10.244.3.0/24".
    [[nodiscard]] std::string part(std::uint64_t number) const {
        object::IpAddress address = network_.masked();
        // The last bit of the number is the last of the node's prefix.
        int bit = (network_.bits() == 32 ? 96 : 0) + node_bits_ - 1;
        for (; number != 0; number >>= 1, --bit)
            if ((number & 1) != 0)
                address.bytes.at(static_cast<std::size_t>(bit) / 8) |=
                    static_cast<std::uint8_t>(0x80 >> (bit % 8));
        return address.to_string() + "/" + std::to_string(node_bits_);
    }

  private:
    IpNetwork network_;
    int node_bits_;
};

class NodeIpamController final : public Controller {
  public:
    NodeIpamController(const Surroundings& surroundings, const std::vector<std::string>& cidrs)
        : nodes_(surroundings.informers.of(client::collections::nodes)),
          recorder_(surroundings.recorder("cidrAllocator")) {
        for (const std::string& cidr : cidrs)
            if (const auto network = IpNetwork::parse(cidr)) ranges_.emplace_back(*network);
        owners_.resize(ranges_.size());
    }

    [[nodiscard]] std::string_view name() const override { return "node-ipam"; }

    void watch(Queue& queue) override {
        nodes_.add_handler([this, &queue](const ObjectPointer& before, const ObjectPointer& now) {
            if (before && !now) release(before->key().name);
            if (!now) return;
            for (const std::string_view cidr : Node(now->root()).spec().pod_cidrs())

                take(std::string(cidr), now->key().name);
            if (Node(now->root()).spec().pod_cidrs().empty()) queue.add(now->key());
        });
    }

    Task<Result<Again>> reconcile(ObjectKey key, Writer& writer) override {
        const ObjectPointer node = nodes_.get(key);
        if (!node || ranges_.empty() || !Node(node->root()).spec().pod_cidrs().empty()) co_return done();
        std::vector<std::string> parts;
        for (std::size_t range = 0; range < ranges_.size(); ++range) {
            const auto part = choose(range, key.name);
            if (!part) {
                recorder_->record(node->root(), client::EventType::normal, "CIDRNotAvailable",
                                  "Node " + key.name + " status is now: CIDRNotAvailable");
                co_return again_after(kRetry);
            }
            parts.push_back(*part);
        }
        object::Document patch;
        patch.root = object::Value::map(patch.arena);
        const auto spec = Node(patch.root).make_spec(patch.arena);
        spec.set_pod_cidr(patch.arena, parts.front());
        const auto list = spec.make_pod_cidrs(patch.arena);
        for (const std::string& part : parts) list.add(patch.arena, std::string_view(part));
        auto writing = writer.patch(nodes_.collection(), key, client::PatchType::merge, patch.root);
        const Writer::Object written = co_await writing;
        if (!written && written.error().code() != 404) co_return written.error();
        co_return done();
    }

  private:
    // Which node has which part, from the moment it was chosen.
    using Owners = std::map<std::string, std::string>;

    void take(const std::string& cidr, const std::string& node) {
        for (std::size_t range = 0; range < ranges_.size(); ++range)
            if (ranges_.at(range).has(cidr)) owners_.at(range).emplace(cidr, node);
    }
    void release(const std::string& node) {
        for (Owners& owners : owners_)
            std::erase_if(owners, [&](const auto& entry) { return entry.second == node; });
    }
    std::optional<std::string> choose(std::size_t range, const std::string& node) {
        Owners& owners = owners_.at(range);
        for (const auto& [cidr, owner] : owners)
            if (owner == node) return cidr;
        for (std::uint64_t number = 0; number < ranges_.at(range).count(); ++number) {
            std::string part = ranges_.at(range).part(number);
            if (owners.emplace(part, node).second) return part;
        }
        return std::nullopt;
    }

    Informer& nodes_;
    std::unique_ptr<client::EventRecorder> recorder_;
    std::vector<Range> ranges_;
    std::vector<Owners> owners_;  // of each range
};

}  // namespace

std::unique_ptr<Controller> make_node_ipam_controller(const Surroundings& surroundings,
                                                      const std::vector<std::string>& cluster_cidrs) {
    return std::make_unique<NodeIpamController>(surroundings, cluster_cidrs);
}

}  // namespace keelson::control
