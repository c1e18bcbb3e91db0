// What the zone says about a question, and whether others have to be asked.
#ifndef KEELSON_DNS_ANSWER_H
#define KEELSON_DNS_ANSWER_H

#include <cstdint>
#include <string>
#include <vector>

#include "wire.h"
#include "zone.h"

namespace keelson::name_server {

// How long clients may remember that there is no such name or record.
constexpr std::uint32_t negative_ttl = 5;

class Authority {
  public:
    Authority() = default;
    // zone: as text, "cluster.local". server_addresses: of this server, in network order (4 or 16 bytes).
    // Throws Code::invalid when the zone is no name.
    Authority(const std::string& zone, bool pod_names, std::vector<std::string> server_addresses);

    void set_serial(std::uint32_t serial);
    // Fills the reply. Gives the name that others have to be asked about for the rest of it, in wire format;
    // empty: the reply is complete. The query is one of class IN. turn: which of several addresses comes
    // first.
    [[nodiscard]] Bytes answer(const Zone& records, const Query& query, std::uint32_t turn, Reply& reply);

  private:
    enum class Found { name_and_data, name, nothing };
    Found look_up(const Zone& records, Bytes name, std::uint16_t type, std::uint32_t turn, Reply& reply,
                  Bytes& alias);
    Found special(Bytes name, std::uint16_t type, Reply& reply);
    Found pod_name(Bytes name, std::uint16_t type, Reply& reply);
    void add_targets(const Zone& records, Reply& reply) const;
    void deny(Found found, Bytes name, Reply& reply) const;

    std::string zone_;  // empty until there is one
    bool pod_names_ = false;
    std::string pods_;          // pod.ZONE
    std::string name_servers_;  // dns.ZONE
    std::string name_server_;   // ns.dns.ZONE
    std::vector<std::string> server_addresses_;
    std::string soa_;
    std::string pod_address_;  // of the name that was asked last
};

}  // namespace keelson::name_server

#endif
