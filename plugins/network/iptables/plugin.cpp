// Service addresses by the kernel's packet filter: chains in the legacy nat and filter tables, written
// without the iptables programs. They go on carrying traffic when the plugin stops.
#include <mutex>
#include <optional>
#include <string>

#include "keelson/network.hpp"
#include "stack/rivals.h"
#include "stack/service_firewall.h"
#include "stack/stale_flows.h"

namespace {

namespace proxy = keelson::proxy;
using namespace keelson::stack;
using keelson::Call;
using keelson::Code;
using keelson::Error;

struct Config {
    std::int32_t mark_bit = 14;
    KEELSON_FIELDS(field.optional("markBit", self.mark_bit))
};

std::uint32_t read_mark(const keelson::Json& document) {
    const auto config = keelson::read_as<Config>(document);
    if (config.mark_bit < 0 || config.mark_bit > 31)
        throw Error(Code::invalid, "a bit of the mark lies between 0 and 31", "markBit");
    return std::uint32_t(1) << config.mark_bit;
}

class Iptables : public keelson::ServiceProxyPlugin {
  public:
    Iptables(keelson::Host host, const keelson::Json& config) : host_(host), mark_(read_mark(config)) {}

    void configure(const proxy::Configure& request, const Call& call) {
        const Surroundings surroundings = read_surroundings(request, mark_);
        const std::lock_guard<std::mutex> lock(mutex_);
        firewall_.set_surroundings(surroundings);
        is_configured_ = true;
        look_for_rivals();
        if (is_known_) write(call, true);
    }

    proxy::Applied apply(const proxy::Apply& request, const Call& call) {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (!is_configured_) throw Error(Code::unavailable, "the proxy is not configured yet; try again");
        proxy::Applied answer{request.generation, {}};
        const auto change = parts_.add(request);
        if (change) carry_out(*change, answer, call);
        return answer;
    }

    proxy::State state() {
        const std::lock_guard<std::mutex> lock(mutex_);
        return {generation_, !is_known_ || firewall_.is_intact()};
    }

    void clear(const Call& call) {
        const std::lock_guard<std::mutex> lock(mutex_);
        parts_.forget();
        firewall_.clear();
        write(call, true);
        is_known_ = false;
        generation_ = 0;
    }

    keelson::Health health() {
        const std::lock_guard<std::mutex> lock(mutex_);
        return {true, rivals_};
    }

  private:
    void carry_out(const proxy::Apply& change, proxy::Applied& answer, const Call& call) {
        if (!change.full && !is_known_)
            throw Error(Code::conflict, "this instance does not know the whole table: send it in full");
        call.check(host_.monotonic());
        is_known_ = false;
        StaleFlows flows;
        if (change.full) {
            look_for_rivals();
            firewall_.clear();
        }
        for (const std::string& id : change.removed) remove(id, flows);
        for (const proxy::Service& service : change.set) set(service, flows, answer);
        write(call, change.full);
        generation_ = change.generation;
        remove_stale(flows);
    }

    void remove(const std::string& id, StaleFlows& flows) {
        const Service* service = firewall_.find(id);
        if (service == nullptr) return;
        flows.forget(*service);
        firewall_.remove(id);
    }

    void set(const proxy::Service& wanted, StaleFlows& flows, proxy::Applied& answer) {
        remove(wanted.id, flows);
        std::string problem;
        auto service = read_service(wanted, problem);
        if (!problem.empty()) answer.problems.push_back({wanted.id, problem});
        if (service) flows.expect(firewall_.set(std::move(*service)));
    }

    // Until it has succeeded nobody knows what the system holds.
    void write(const Call& call, bool is_full) {
        is_known_ = false;
        firewall_.write(host_, call, is_full);
        is_known_ = true;
    }

    // A failure is one reason more for clients to try again, none for the table to be refused.
    void remove_stale(StaleFlows& flows) {
        try {
            const std::size_t removed = flows.remove();
            if (removed != 0) host_.count("stale_flows_removed_total", double(removed));
        } catch (const std::exception& error) {
            host_.warn(std::string("UDP clients may stay with backends that are gone: ") + error.what());
        }
    }

    void look_for_rivals() {
        std::string rivals = find_rivals();
        if (!rivals.empty() && rivals != rivals_) host_.warn(rivals);
        rivals_ = std::move(rivals);
    }

    const keelson::Host host_;
    const std::uint32_t mark_;

    std::mutex mutex_;
    ServiceFirewall firewall_{"KEELSON-"};
    ChangeParts parts_;
    bool is_configured_ = false;
    bool is_known_ = false;  // the system holds what this instance thinks
    std::int64_t generation_ = 0;
    std::string rivals_;
};

}  // namespace

KEELSON_PLUGIN(Iptables, "dev.keelson.iptables", "0.1.0")
