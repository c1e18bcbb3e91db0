// Which backends a client's connection may go to. Shared by the threads that carry connections; replaced as a
// whole whenever services change.
#ifndef KEELSON_USERSPACE_ROUTES_H
#define KEELSON_USERSPACE_ROUTES_H

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "stack/service.h"

namespace keelson::userspace {

using namespace stack;
using Clock = std::chrono::steady_clock;

struct End {
    Address address;
    std::uint16_t port = 0;
    bool operator==(const End&) const = default;
    bool operator<(const End& other) const {
        return std::tie(address, port) < std::tie(other.address, other.port);
    }
};

// One service: its backends, whose turn it is, and who has been where.
class ServiceRoute {
  public:
    explicit ServiceRoute(Service service) : service_(std::move(service)) {}

    // Keeps whose turn it is and who has been where.
    void take_over(ServiceRoute& former);
    // In the order in which they are to be tried; at most `limit`. is_inside: the client is a pod of the
    // cluster or this node.
    std::vector<End> candidates(const Address& client, bool is_inside, std::size_t limit);
    // The client has been connected to that one.
    void remember(const Address& client, const End& backend);
    [[nodiscard]] bool has(const End& backend) const;
    [[nodiscard]] const Service& service() const { return service_; }

  private:
    struct Memory {
        End backend;
        Clock::time_point until;
    };
    [[nodiscard]] const std::vector<Backend>& backends_for(bool is_inside) const {
        return service_.is_local && !is_inside ? service_.external_backends : service_.backends;
    }

    const Service service_;
    std::atomic<std::size_t> turn_ = 0;
    std::mutex mutex_;
    std::map<Address, Memory> memories_;
};

using RoutePointer = std::shared_ptr<ServiceRoute>;

class Routes {
  public:
    Routes() = default;
    Routes(std::vector<Prefix> cluster, std::set<Address> own)
        : cluster_(std::move(cluster)), own_(std::move(own)) {}

    void add(const RoutePointer& route);
    // By where the client has wanted to go.
    [[nodiscard]] RoutePointer find(const End& destination) const;
    [[nodiscard]] bool is_inside(const Address& client) const;

  private:
    std::vector<Prefix> cluster_;
    std::set<Address> own_;
    std::map<End, RoutePointer> addresses_;
    std::map<std::pair<int, std::uint16_t>, RoutePointer> ports_;
};

using RoutesPointer = std::shared_ptr<const Routes>;

// The routes of now, for whoever asks.
class CurrentRoutes {
  public:
    [[nodiscard]] RoutesPointer get() const {
        const std::lock_guard<std::mutex> lock(mutex_);
        return routes_;
    }
    void set(RoutesPointer routes) {
        const std::lock_guard<std::mutex> lock(mutex_);
        routes_ = std::move(routes);
    }

  private:
    mutable std::mutex mutex_;
    RoutesPointer routes_ = std::make_shared<const Routes>();
};

}  // namespace keelson::userspace

#endif
