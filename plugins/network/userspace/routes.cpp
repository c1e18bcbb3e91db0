#include "routes.h"

#include <algorithm>
#include <tuple>

namespace keelson::userspace {
namespace {

// Of a service; the ones whose time is nearest go first when there are more.
constexpr std::size_t most_memories = 65'536;

}  // namespace

void ServiceRoute::take_over(ServiceRoute& former) {
    turn_ = former.turn_.load();
    const std::lock_guard<std::mutex> lock(former.mutex_);
    if (service_.affinity_seconds != 0) memories_ = former.memories_;
}

std::vector<End> ServiceRoute::candidates(const Address& client, bool is_inside, std::size_t limit) {
    const std::vector<Backend>& backends = backends_for(is_inside);
    std::vector<End> result;
    if (backends.empty()) return result;
    if (service_.affinity_seconds != 0) {
        const std::lock_guard<std::mutex> lock(mutex_);
        const auto found = memories_.find(client);
        const bool is_valid = found != memories_.end() && Clock::now() < found->second.until;
        const auto is_it = [&](const Backend& backend) {
            return End{backend.address, backend.port} == found->second.backend;
        };
        if (is_valid && std::ranges::any_of(backends, is_it)) result.push_back(found->second.backend);
    }
    const std::size_t first = turn_.fetch_add(1, std::memory_order_relaxed);
    for (std::size_t at = 0; at < backends.size() && result.size() < limit; ++at) {
        const Backend& backend = backends[(first + at) % backends.size()];
        const End end{backend.address, backend.port};
        if (result.empty() || result.front() != end) result.push_back(end);
    }
    return result;
}

void ServiceRoute::remember(const Address& client, const End& backend) {
    if (service_.affinity_seconds == 0) return;
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto now = Clock::now();
    if (memories_.size() >= most_memories)
        std::erase_if(memories_, [&](const auto& memory) { return memory.second.until <= now; });
    if (memories_.size() >= most_memories) memories_.erase(memories_.begin());
    memories_[client] = {backend, now + std::chrono::seconds(service_.affinity_seconds)};
}

bool ServiceRoute::has(const End& backend) const {
    const auto is_it = [&](const Backend& one) { return End{one.address, one.port} == backend; };
    return std::ranges::any_of(service_.backends, is_it) ||
           std::ranges::any_of(service_.external_backends, is_it);
}

void Routes::add(const RoutePointer& route) {
    const Service& service = route->service();
    if (service.kind == Kind::node_port)
        ports_.emplace(std::pair(service.family(), service.port), route);
    else
        addresses_.emplace(End{service.address, service.port}, route);
}

RoutePointer Routes::find(const End& destination) const {
    const auto address = addresses_.find(destination);
    if (address != addresses_.end()) return address->second;
    const auto port = ports_.find({destination.address.family, destination.port});
    return port == ports_.end() ? nullptr : port->second;
}

bool Routes::is_inside(const Address& client) const {
    const bool is_loopback =
        client.family == AF_INET ? client.bytes[0] == 127 : client == *parse_address("::1");
    return is_loopback || own_.contains(client) ||
           std::ranges::any_of(cluster_, [&](const Prefix& prefix) { return prefix.contains(client); });
}

}  // namespace keelson::userspace
