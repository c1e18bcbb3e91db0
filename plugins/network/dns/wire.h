// DNS messages of the hot path: questions read, answers written (RFC 1035, 6891). A name is held as messages
// have it: each label after its length, the root's zero at the end, at most 255 bytes.
#ifndef KEELSON_DNS_WIRE_H
#define KEELSON_DNS_WIRE_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace keelson::name_server {

using Bytes = std::string_view;

enum Type : std::uint16_t {
    type_a = 1,
    type_ns = 2,
    type_cname = 5,
    type_soa = 6,
    type_ptr = 12,
    type_txt = 16,
    type_aaaa = 28,
    type_srv = 33,
    type_opt = 41,
    type_ixfr = 251,
    type_axfr = 252,
    type_any = 255,
};
enum ResponseCode : std::uint8_t {
    no_error = 0,
    format_error = 1,
    server_failure = 2,
    name_error = 3,
    not_implemented = 4,
    refused = 5,
    bad_version = 16,
};
constexpr std::uint16_t class_internet = 1;
constexpr std::size_t header_bytes = 12;
constexpr std::size_t minimum_payload = 512;
constexpr std::size_t maximum_payload = 1232;  // what passes every path without fragments
constexpr std::size_t maximum_message = 65535;

// In lower case. None when it is no name: an empty or long label.
std::optional<std::string> wire_name(std::string_view text);
std::string text_of(Bytes name);
// The name without its first label; the root has no parent and stays.
Bytes parent_of(Bytes name);
bool is_within(Bytes name, Bytes zone);

inline std::uint16_t read_16(const char* at) {
    return std::uint16_t(std::uint8_t(at[0]) << 8 | std::uint8_t(at[1]));
}

struct Query {
    std::uint16_t id = 0;
    std::uint16_t flags = 0;
    std::string question;  // as it was sent, for the echo; empty when it could not be read
    std::string name;      // in lower case
    std::uint16_t type = 0;
    std::uint16_t question_class = 0;
    bool has_edns = false;
    std::uint8_t edns_version = 0;
    bool wants_dnssec = false;
    std::size_t payload = minimum_payload;

    [[nodiscard]] bool wants_recursion() const { return (flags & 0x0100) != 0; }
    [[nodiscard]] int opcode() const { return flags >> 11 & 15; }
};

enum class Reading { fine, malformed, ignored };
// Ignored: not even an answer that says what is wrong would be right (an answer, less than a header).
Reading read_query(Bytes message, Query& query);

struct Item {
    Bytes owner;
    std::uint16_t type = 0;
    std::uint32_t ttl = 0;
    Bytes data;
};

// What is said about a question. The views live as long as what they were taken from.
struct Reply {
    int code = no_error;
    bool is_authoritative = false;
    bool recursion_available = false;
    std::vector<Item> answers;
    std::vector<Item> authority;
    std::vector<Item> additional;

    void clear();
};

// Appends the message to `out`. What does not fit into `limit` is left out; if that is of the answer or of
// the authority the message says so (TC).
void write_reply(const Query& query, const Reply& reply, std::size_t limit, std::string& out);

// A question to another server, with EDNS or without.
std::string write_question(std::uint16_t id, Bytes name, std::uint16_t type, bool with_edns);

}  // namespace keelson::name_server

#endif
