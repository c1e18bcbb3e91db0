// From a message to its answer: the zone, what is remembered, and other servers. In the thread of the loop
// only.
#ifndef KEELSON_DNS_RESPONDER_H
#define KEELSON_DNS_RESPONDER_H

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "answer.h"
#include "forwarder.h"
#include "wire.h"
#include "zone.h"

namespace keelson::name_server {

// Takes an answer that comes later.
using Deliver = std::function<void(std::string message)>;

class Responder {
  public:
    enum class Step {
        answered,  // it is in `out`
        ignored,   // nothing is said
        later,     // the deliverer that was asked for gets it
    };

    explicit Responder(Forwarder& forwarder) : forwarder_(forwarder) {}

    // maximum: how long a message the way back takes, 0: what the question says. `out` is appended to.
    Step respond(Bytes message, std::size_t maximum, std::string& out, const std::function<Deliver()>& later);

    void set_authority(Authority authority) { authority_ = std::move(authority); }
    [[nodiscard]] Authority& authority() { return authority_; }
    // May be swapped against another one.
    [[nodiscard]] std::unique_ptr<Zone>& zone() { return zone_; }

  private:
    bool refuse(Reading reading);
    Step ask_others(Bytes name, std::size_t limit, std::string& out, const std::function<Deliver()>& later);

    Forwarder& forwarder_;
    Authority authority_;
    std::unique_ptr<Zone> zone_ = std::make_unique<Zone>();
    Query query_;
    Reply reply_;
    std::uint32_t turn_ = 0;
};

}  // namespace keelson::name_server

#endif
