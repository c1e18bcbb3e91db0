#include "kernel/network/dns_records.h"

#include <algorithm>
#include <map>
#include <set>

#include "kernel/network/service_objects.h"
#include "kernel/object/addresses.h"

namespace keelson::network {
namespace {

namespace core_v1 = api_types::core_v1;
namespace discovery_v1 = api_types::discovery_v1;
using client::ObjectKey;
using client::ObjectPointer;
using core_v1::Service;
using discovery_v1::EndpointSlice;
using object::IpAddress;

constexpr std::int32_t kTtlSeconds = 5;
constexpr std::string_view kVersion = "\"1.1.0\"";
constexpr std::size_t kWholeWeight = 100;
constexpr char kDigits[] = "0123456789abcdef";

using Values = std::map<DnsKey, std::set<std::string>>;

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), [](char letter) {
        return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
    });
    return result;
}

bool is_v4(const IpAddress& address) {
    return address.is_ipv4() && !address.written_as_ipv6;
}

std::string_view type_of(const IpAddress& address) {
    return is_v4(address) ? "A" : "AAAA";
}

// "1.0.96.10.in-addr.arpa", or the nibbles of an IPv6 address.
std::string reverse_name(const IpAddress& address) {
    std::string name;
    if (is_v4(address)) {
        for (std::size_t i = 16; i > 12; --i) name += std::to_string(address.bytes.at(i - 1)) + ".";
        return name + "in-addr.arpa";
    }
    for (std::size_t i = 16; i > 0; --i) {
        const std::uint8_t byte = address.bytes.at(i - 1);
        for (const int nibble : {byte & 15, byte >> 4}) (name += kDigits[nibble]) += '.';
    }
    return name + "ip6.arpa";
}

// "10-0-0-5": how an endpoint without a name of its own is called.
std::string dashed(const IpAddress& address) {
    std::string text = address.to_string();
    std::ranges::replace_if(
        text, [](char letter) { return letter == '.' || letter == ':'; }, '-');
    // A name does not begin or end with a dash.
    if (text.starts_with('-')) text.insert(0, "0");
    if (text.ends_with('-')) text += "0";
    return text;
}

// As names are written here: in lower case, without the last dot.
std::string zone_name(std::string_view zone) {
    if (zone.ends_with('.')) zone.remove_suffix(1);
    return lower(zone);
}

// The records of one service.
class Maker {
  public:
    Maker(const ObjectPointer& object, const ServiceObjects::Slices& slices, const std::string& zone)
        : service_(object->root()),
          slices_(slices),
          base_(lower(object->key().name) + "." + lower(object->key().namespace_name) + ".svc." + zone) {}

    Values make() {
        const core_v1::ServiceSpec spec = service_.spec();
        if (spec.type() == "ExternalName") {
            std::string target = lower(spec.external_name());
            while (target.ends_with('.')) target.pop_back();
            if (!target.empty()) put(base_, "CNAME", std::move(target));
        } else if (spec.cluster_ip() == "None") {
            for (const auto& [key, slice] : slices_) add_slice(EndpointSlice(slice->root()));
            add_targets();
        } else {
            add_cluster_addresses(spec);
        }
        return std::move(values_);
    }

  private:
    void put(const std::string& name, std::string_view type, std::string value) {
        values_[{name, std::string(type)}].insert(std::move(value));
    }

    void add_cluster_addresses(core_v1::ServiceSpec spec) {
        std::vector<std::string_view> addresses;
        for (const std::string_view address : spec.cluster_ips()) addresses.push_back(address);
        if (addresses.empty()) addresses.push_back(spec.cluster_ip());
        for (const std::string_view text : addresses) {
            const auto address = IpAddress::parse(text);
            if (!address) continue;
            put(base_, type_of(*address), address->to_string());
            put(reverse_name(*address), "PTR", base_);
        }
        if (!values_.contains({base_, "A"}) && !values_.contains({base_, "AAAA"})) return;
        for (const core_v1::ServicePort port : spec.ports())
            put_service_record(port.name(), port.protocol(), kWholeWeight, port.port(), base_);
    }

    void put_service_record(std::string_view name, std::string_view protocol, std::size_t weight,
                            std::int64_t port, const std::string& target) {
        if (name.empty()) return;
        const std::string owner =
            "_" + lower(name) + "._" + lower(protocol.empty() ? "TCP" : protocol) + "." + base_;
        put(owner, "SRV", "0 " + std::to_string(weight) + " " + std::to_string(port) + " " + target);
    }

    void add_slice(EndpointSlice slice) {
        for (const discovery_v1::Endpoint endpoint : slice.endpoints()) {
            const bool is_ready = !endpoint.conditions().has_ready() || endpoint.conditions().ready();
            if (!is_ready) continue;
            for (const std::string_view text : endpoint.addresses()) {
                const auto address = IpAddress::parse(text);
                if (!address) continue;
                const std::string host =
                    endpoint.hostname().empty() ? dashed(*address) : lower(endpoint.hostname());
                const std::string name = host + "." + base_;
                put(base_, type_of(*address), address->to_string());
                put(name, type_of(*address), address->to_string());
                put(reverse_name(*address), "PTR", name);
                for (const discovery_v1::EndpointPort port : slice.ports())
                    if (!port.name().empty() && port.port() > 0)
                        targets_[{std::string(port.name()),
                                  std::string(port.protocol().empty() ? "TCP" : port.protocol())}]
                            .emplace(name, port.port());
            }
        }
    }

    // Each target of a port has the same share.
    void add_targets() {
        for (const auto& [port, targets] : targets_)
            for (const auto& [name, number] : targets)
                put_service_record(port.first, port.second,
                                   std::max<std::size_t>(kWholeWeight / targets.size(), 1), number, name);
    }

    const Service service_;
    const ServiceObjects::Slices& slices_;
    const std::string base_;
    Values values_;
    // By port name and protocol: endpoints' names with their port.
    std::map<std::pair<std::string, std::string>, std::set<std::pair<std::string, std::int64_t>>> targets_;
};

class Records final : public DnsRecords {
  public:
    explicit Records(const std::string& zone) : zone_(zone_name(zone)) {
        const DnsKey version{"dns-version." + zone_, "TXT"};
        contributions_[version][{}].emplace(kVersion);
        changed_.insert(version);
    }

    void service_changed(const ObjectKey& key, ObjectPointer now) override {
        objects_.service_changed(key, std::move(now));
    }
    void slice_changed(const ObjectKey& key, ObjectPointer now) override {
        objects_.slice_changed(key, std::move(now));
    }

    DnsChange take_change() override {
        for (const ObjectKey& key : objects_.take_changed()) renew(key);
        DnsChange change;
        for (const DnsKey& key : std::exchange(changed_, {})) settle(key, change);
        return change;
    }

    [[nodiscard]] std::vector<DnsRecord> all() const override {
        std::vector<DnsRecord> records;
        records.reserve(records_.size());
        for (const auto& [key, values] : records_) records.push_back({key, kTtlSeconds, values});
        return records;
    }

  private:
    void renew(const ObjectKey& key) {
        if (const auto before = keys_.find(key); before != keys_.end()) {
            for (const DnsKey& name : before->second) {
                contributions_[name].erase(key);
                changed_.insert(name);
            }
            keys_.erase(before);
        }
        const ObjectPointer service = objects_.service(key);
        if (!service) return;
        for (auto& [name, values] : Maker(service, objects_.slices_of(key), zone_).make()) {
            changed_.insert(name);
            keys_[key].push_back(name);
            contributions_[name][key] = std::move(values);
        }
    }

    // Several services may say something about one name: the addresses of endpoints have all of their names.
    void settle(const DnsKey& key, DnsChange& change) {
        std::set<std::string> values;
        const auto contributed = contributions_.find(key);
        if (contributed != contributions_.end()) {
            for (const auto& [service, some] : contributed->second) values.insert(some.begin(), some.end());
            if (contributed->second.empty()) contributions_.erase(contributed);
        }
        const auto present = records_.find(key);
        if (values.empty()) {
            if (present == records_.end()) return;
            records_.erase(present);
            change.removed.push_back(key);
            return;
        }
        std::vector<std::string> sorted(values.begin(), values.end());
        if (present != records_.end() && present->second == sorted) return;
        change.set.push_back({key, kTtlSeconds, sorted});
        records_.insert_or_assign(key, std::move(sorted));
    }

    const std::string zone_;
    ServiceObjects objects_;
    std::map<DnsKey, std::map<ObjectKey, std::set<std::string>>> contributions_;
    std::map<ObjectKey, std::vector<DnsKey>> keys_;  // of the names that a service contributes to
    std::map<DnsKey, std::vector<std::string>> records_;
    std::set<DnsKey> changed_;
};

}  // namespace

std::unique_ptr<DnsRecords> DnsRecords::make(const std::string& zone) {
    return std::make_unique<Records>(zone);
}

}  // namespace keelson::network
