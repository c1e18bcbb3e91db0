// The plugin's side of the packets of shim/protocol.h, and the birth of shims.
#ifndef KEELSON_OCI_SHIM_CLIENT_H
#define KEELSON_OCI_SHIM_CLIENT_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "keelson/call.hpp"
#include "shim/protocol.h"

namespace keelson::oci {

class Packet {
  public:
    explicit Packet(shim::Kind kind);
    // Throws Code::invalid for text with a zero byte, Code::exhausted when the packet has become too large.
    Packet& add(char letter, std::string_view text);
    Packet& add(char letter, std::int64_t number) { return add(letter, std::to_string(number)); }
    Packet& flag(char letter) { return add(letter, ""); }
    [[nodiscard]] const std::string& bytes() const { return bytes_; }

  private:
    std::string bytes_;
};

struct Answer {
    shim::Kind kind{};
    std::vector<std::string> fields;
    Descriptors descriptors;

    [[nodiscard]] bool is_done() const { return kind == shim::Kind::done; }
    [[nodiscard]] bool has(char letter) const;
    [[nodiscard]] std::string get(char letter) const;  // or ""
    // What a failure says.
    [[nodiscard]] std::string message() const { return get(shim::field::message); }
};

// Throws Code::unavailable when the other side is gone.
void send_packet(int connection, const Packet& packet, const std::vector<int>& descriptors = {});
// Code::deadline_exceeded when nothing comes in time.
[[nodiscard]] Answer receive_packet(int connection, int timeout_ms);

// The shim of a sandbox, by the directory of its socket.
[[nodiscard]] Descriptor connect_shim(const std::string& directory);
[[nodiscard]] Answer ask_shim(const std::string& directory, const Packet& packet,
                              const std::vector<int>& descriptors = {}, int timeout_ms = 120'000);

// The shim's program, in memory: there is no file that could be missing or another version.
class ShimProgram {
  public:
    ShimProgram();

    // In the directory, with the lock, which lasts as long as it lives; answers the connection on which it
    // waits for its setup. It ends by itself when the connection does before that has come. It is no child.
    [[nodiscard]] Descriptor spawn(const std::string& directory, int lock) const;

  private:
    Descriptor image_;
};

}  // namespace keelson::oci

#endif
