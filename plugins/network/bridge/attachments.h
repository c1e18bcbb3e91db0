// Which sandbox has which addresses and host ports, in memory and on disk alike: a change that cannot be
// written is not made. Used by one thread at a time.
#ifndef KEELSON_BRIDGE_ATTACHMENTS_H
#define KEELSON_BRIDGE_ATTACHMENTS_H

#include <map>
#include <string>
#include <vector>

#include "address_pool.h"
#include "records.h"

namespace keelson::bridge {

class Attachments {
  public:
    // What is in the file. When it is damaged it begins with nothing and says so in `problem`; throws when it
    // cannot be read at all.
    Attachments(RecordFile file, std::string& problem);

    // Takes in what the file does not know but a link tells.
    void adopt(const std::string& sandbox_id, const std::vector<std::string>& addresses);

    // Addresses come from these, one from each. Throws Code::conflict when something is attached that has
    // others, Code::invalid when one is too small; then nothing has changed.
    void set_prefixes(const std::vector<Prefix>& prefixes);
    [[nodiscard]] const std::vector<AddressPool>& pools() const { return pools_; }

    [[nodiscard]] const std::map<std::string, Attachment>& sandboxes() const { return records_.sandboxes; }
    [[nodiscard]] const Attachment* find(const std::string& sandbox_id) const;
    // Throws Code::conflict when another sandbox has one of the ports.
    void check_free(const std::string& sandbox_id, const std::vector<pod_network::HostPort>& ports) const;
    // Gives a new one addresses. Throws Code::exhausted.
    void add(const std::string& sandbox_id, const std::vector<pod_network::HostPort>& ports);
    void set_host_ports(const std::string& sandbox_id, const std::vector<pod_network::HostPort>& ports);
    void remove(const std::string& sandbox_id);

  private:
    void save(Records records, std::vector<AddressPool> pools);

    RecordFile file_;
    Records records_;
    std::vector<AddressPool> pools_;
};

// An address, not its network, with the prefix length of it. Throws Code::invalid.
Prefix address_with_length(const std::string& text);

}  // namespace keelson::bridge

#endif
