#include "stack/stale_flows.h"

#include <netinet/in.h>

#include <algorithm>
#include <vector>

#include "stack/conntrack.h"
#include "stack/netlink.h"

namespace keelson::stack {

void StaleFlows::forget(const Service& service) {
    if (service.protocol != "UDP") return;
    if (service.kind == Kind::node_port)
        ports_[{service.family(), service.port}];
    else
        addresses_[{service.address, service.port}];
}

void StaleFlows::expect(const Service& service) {
    if (service.protocol != "UDP") return;
    Expected& expected = service.kind == Kind::node_port ? ports_[{service.family(), service.port}]
                                                         : addresses_[{service.address, service.port}];
    expected.is_there = true;
    for (const auto* backends : {&service.backends, &service.external_backends})
        for (const Backend& backend : *backends) expected.backends.insert({backend.address, backend.port});
}

std::size_t StaleFlows::remove() {
    std::size_t removed = 0;
    for (const int family : {AF_INET, AF_INET6}) {
        const bool is_used =
            std::ranges::any_of(addresses_,
                                [&](const auto& entry) { return entry.first.first.family == family; }) ||
            std::ranges::any_of(ports_, [&](const auto& entry) { return entry.first.first == family; });
        if (is_used) removed += remove(family);
    }
    return removed;
}

std::size_t StaleFlows::remove(int family) {
    std::set<Address> own;
    if (!ports_.empty())
        for (const Prefix& prefix : Netlink().addresses()) own.insert(prefix.address);
    const auto expected_of = [&](const Flow& flow) -> const Expected* {
        const auto address = addresses_.find({flow.destination, flow.destination_port});
        if (address != addresses_.end()) return &address->second;
        const auto port = ports_.find({family, flow.destination_port});
        return port != ports_.end() && own.contains(flow.destination) ? &port->second : nullptr;
    };
    return Conntrack().remove_if(family, [&](const Flow& flow) {
        if (flow.protocol != IPPROTO_UDP) return false;
        const Expected* expected = expected_of(flow);
        if (expected == nullptr) return false;
        // Flows that this node itself answers are nobody's business once the service is gone.
        if (!expected->is_there) return flow.is_translated();
        const Address here{.family = family};
        return !expected->backends.contains({flow.reply_source, flow.reply_source_port}) &&
               !expected->backends.contains({here, flow.reply_source_port});
    });
}

}  // namespace keelson::stack
