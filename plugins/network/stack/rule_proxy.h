// A service proxy by rules of the packet filter, but for what a plugin does with a service of its own.
#ifndef KEELSON_STACK_RULE_PROXY_H
#define KEELSON_STACK_RULE_PROXY_H

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "keelson/network.hpp"
#include "stack/service_firewall.h"
#include "stack/stale_flows.h"

namespace keelson::stack {

// Any thread; calls wait for each other.
class RuleProxy : public ServiceProxyPlugin {
  public:
    // mark: the bit of packets' marks that is this plugin's. chain_prefix: see ServiceFirewall.
    RuleProxy(Host host, std::uint32_t mark, std::string chain_prefix)
        : host_(host), mark_(mark), firewall_(std::move(chain_prefix)) {}
    virtual ~RuleProxy() = default;
    RuleProxy(const RuleProxy&) = delete;
    RuleProxy& operator=(const RuleProxy&) = delete;

    void configure(const proxy::Configure& request, const Call& call);
    proxy::Applied apply(const proxy::Apply& request, const Call& call);
    proxy::State state();
    void clear(const Call& call);

  protected:
    // All with the lock held. Before the services are written for these surroundings.
    virtual void on_configure(const Surroundings& /*surroundings*/) {}
    // Before a whole table is taken.
    virtual void on_full(const proxy::Apply& /*change*/) {}
    // What the kernel shall do for the service; none: nothing, and the problem says why.
    virtual std::optional<Service> place(Service service, std::string& /*problem*/) { return service; }
    virtual void on_remove(const std::string& /*id*/) {}
    // All services of a change are known; their rules are written next.
    virtual void before_write() {}

    const Host host_;
    std::mutex mutex_;

  private:
    void carry_out(const proxy::Apply& change, proxy::Applied& answer, const Call& call);
    void remove(const std::string& id, StaleFlows& flows);
    void set(const proxy::Service& wanted, StaleFlows& flows, proxy::Applied& answer);
    void write(const Call& call, bool is_full);
    void remove_stale(StaleFlows& flows);

    const std::uint32_t mark_;
    ServiceFirewall firewall_;
    ChangeParts parts_;
    bool is_configured_ = false;
    bool is_known_ = false;  // the system holds what this instance thinks
    std::int64_t generation_ = 0;
};

}  // namespace keelson::stack

#endif
