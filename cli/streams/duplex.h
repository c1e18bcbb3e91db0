// Connections that were upgraded: bytes both ways at once, on one thread. Nothing blocks but poll().
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/kube/api.h"
#include "cli/result.h"

namespace Poco::Net {
class StreamSocket;
}

namespace keelson::cli::streams {

class Duplex {
  public:
    virtual ~Duplex() = default;
    [[nodiscard]] virtual int descriptor() const = 0;
    // What has come, appended. False when the peer has ended.
    virtual Result<bool> receive(std::string& in) = 0;
    // Takes the bytes; they leave with send().
    virtual void queue(std::string_view bytes) = 0;
    // As much as the peer takes now.
    virtual Result<void> send() = 0;
    // What is queued and has not left.
    [[nodiscard]] virtual std::size_t unsent() const = 0;
};

// `first` is what has been read of the connection already.
std::unique_ptr<Duplex> make_duplex(const Poco::Net::StreamSocket& socket, std::string first);

// What comes from one goes to the other, until both have ended or one breaks.
Result<void> relay(Duplex& one, Duplex& other);

struct Upgraded {
    std::unique_ptr<Duplex> duplex;
    std::string protocol;  // that the server has chosen
};

// Asks for a WebSocket. A server that refuses is a failure in its words.
Result<Upgraded> open_websocket(kube::Api& api, const kube::ApiCall& call,
                                const std::vector<std::string>& protocols);

}  // namespace keelson::cli::streams
