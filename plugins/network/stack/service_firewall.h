// The services of a node in the kernel's legacy tables, of both families, and whether they are still there.
#ifndef KEELSON_STACK_SERVICE_FIREWALL_H
#define KEELSON_STACK_SERVICE_FIREWALL_H

#include <array>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "keelson/call.hpp"
#include "keelson/host.hpp"
#include "keelson/network.hpp"
#include "stack/firewall.h"
#include "stack/service.h"
#include "stack/service_tables.h"

namespace keelson::stack {

// Throws Code::invalid.
Surroundings read_surroundings(const proxy::Configure& request, std::uint32_t mark);

// Puts the parts of a change together that come in several.
class ChangeParts {
  public:
    // The whole change with its last part; none before.
    std::optional<proxy::Apply> add(const proxy::Apply& part);
    void forget() { pending_.reset(); }

  private:
    std::optional<proxy::Apply> pending_;
};

// Used by one thread at a time. Changes are in the system with the next write().
class ServiceFirewall {
  public:
    // `chain_prefix`: of the names of its chains, at most 8 bytes.
    explicit ServiceFirewall(std::string chain_prefix) : chain_prefix_(std::move(chain_prefix)) {
        set_surroundings({});
    }

    // The services stay.
    void set_surroundings(const Surroundings& surroundings);
    void clear();
    [[nodiscard]] const Service* find(const std::string& id) const;
    [[nodiscard]] const std::unordered_map<std::string, Service>& services() const { return services_; }
    // One of that id is replaced. Gives where it is kept until it is removed or replaced.
    const Service& set(Service service);
    void remove(const std::string& id);

    // In the network namespace of the calling thread. is_full: whatever is there is compared, and what is not
    // wanted is taken out; otherwise only what the changes since the last time have touched.
    void write(const Host& host, const Call& call, bool is_full);
    // Reads a table only when it is not as large as it was.
    bool is_intact();

  private:
    struct Half {
        std::unique_ptr<ServiceTables> tables;
        bool is_changed = false;
        std::map<std::string, Fingerprints> written;  // by table
        std::map<std::string, std::string> sizes;     // by table
    };

    Half& half_of(const Service& service) { return halves_[service.family() == AF_INET ? 0 : 1]; }
    void rebuild();
    void write_table(std::size_t half, const std::string& table, const std::vector<Chain>& chains,
                     bool is_full);

    const std::string chain_prefix_;
    Surroundings surroundings_;
    std::unordered_map<std::string, Service> services_;  // by id; each stays where it is
    std::array<Half, 2> halves_;
};

}  // namespace keelson::stack

#endif
