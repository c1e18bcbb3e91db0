// From Services and EndpointSlices to the records of the cluster's DNS, by the Kubernetes DNS specification
// (https://github.com/kubernetes/dns/blob/master/docs/specification.md, 1.1.0). Pure, like service_table.h.
//
// Used by one thread.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernel/client/informer.h"

namespace keelson::network {

struct DnsKey {
    std::string name;  // in lower case, without the last dot: "web.default.svc.cluster.local"
    std::string type;  // "A", "AAAA", "SRV", "PTR", "CNAME", "TXT"
    auto operator<=>(const DnsKey&) const = default;  // NOLINT: clang-tidy 14 takes it for a null pointer
};

// All values of one name and type, in the form of zone files, names in them without the last dot.
struct DnsRecord {
    DnsKey key;
    std::int32_t ttl_seconds = 0;
    std::vector<std::string> values;  // sorted
    bool operator==(const DnsRecord&) const = default;
};

struct DnsChange {
    std::vector<DnsRecord> set;   // by key
    std::vector<DnsKey> removed;  // sorted
    [[nodiscard]] bool empty() const { return set.empty() && removed.empty(); }
};

class DnsRecords {
  public:
    [[nodiscard]] static std::unique_ptr<DnsRecords> make(const std::string& zone);
    virtual ~DnsRecords() = default;

    virtual void service_changed(const client::ObjectKey& key, client::ObjectPointer now) = 0;
    virtual void slice_changed(const client::ObjectKey& key, client::ObjectPointer now) = 0;

    [[nodiscard]] virtual DnsChange take_change() = 0;
    [[nodiscard]] virtual std::vector<DnsRecord> all() const = 0;
};

}  // namespace keelson::network
