#include "stack/rule_proxy.h"

#include <exception>

namespace keelson::stack {

void RuleProxy::configure(const proxy::Configure& request, const Call& call) {
    const Surroundings surroundings = read_surroundings(request, mark_);
    const std::lock_guard<std::mutex> lock(mutex_);
    on_configure(surroundings);
    firewall_.set_surroundings(surroundings);
    is_configured_ = true;
    if (is_known_) write(call, true);
}

proxy::Applied RuleProxy::apply(const proxy::Apply& request, const Call& call) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!is_configured_) throw Error(Code::unavailable, "the proxy is not configured yet; try again");
    proxy::Applied answer{request.generation, {}};
    const auto change = parts_.add(request);
    if (change) carry_out(*change, answer, call);
    return answer;
}

proxy::State RuleProxy::state() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return {generation_, !is_known_ || firewall_.is_intact()};
}

void RuleProxy::clear(const Call& call) {
    const std::lock_guard<std::mutex> lock(mutex_);
    parts_.forget();
    firewall_.clear();
    write(call, true);
    is_known_ = false;
    generation_ = 0;
    on_full({});
    before_write();
}

void RuleProxy::carry_out(const proxy::Apply& change, proxy::Applied& answer, const Call& call) {
    if (!change.full && !is_known_)
        throw Error(Code::conflict, "this instance does not know the whole table: send it in full");
    call.check(host_.monotonic());
    is_known_ = false;
    StaleFlows flows;
    if (change.full) {
        on_full(change);
        for (const auto& [id, service] : firewall_.services()) flows.forget(service);
        firewall_.clear();
    }
    for (const std::string& id : change.removed) remove(id, flows);
    for (const proxy::Service& service : change.set) set(service, flows, answer);
    before_write();
    write(call, change.full);
    generation_ = change.generation;
    remove_stale(flows);
}

void RuleProxy::remove(const std::string& id, StaleFlows& flows) {
    if (const Service* service = firewall_.find(id)) flows.forget(*service);
    firewall_.remove(id);
    on_remove(id);
}

void RuleProxy::set(const proxy::Service& wanted, StaleFlows& flows, proxy::Applied& answer) {
    std::string problem;
    auto service = read_service(wanted, problem);
    if (service) service = place(std::move(*service), problem);
    if (!problem.empty()) answer.problems.push_back({wanted.id, problem});
    if (!service) return remove(wanted.id, flows);
    if (const Service* former = firewall_.find(wanted.id)) flows.forget(*former);
    flows.expect(firewall_.set(std::move(*service)));
}

// Until it has succeeded nobody knows what the system holds.
void RuleProxy::write(const Call& call, bool is_full) {
    is_known_ = false;
    firewall_.write(host_, call, is_full);
    is_known_ = true;
}

// A failure is one reason more for clients to try again, none for the table to be refused.
void RuleProxy::remove_stale(StaleFlows& flows) {
    try {
        const std::size_t removed = flows.remove();
        if (removed != 0) host_.count("stale_flows_removed_total", double(removed));
    } catch (const std::exception& error) {
        host_.warn(std::string("UDP clients may stay with backends that are gone: ") + error.what());
    }
}

}  // namespace keelson::stack
