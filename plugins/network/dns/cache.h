// Answers of other servers, until they are too old (RFC 2308) or the room is needed. One thread at a time.
#ifndef KEELSON_DNS_CACHE_H
#define KEELSON_DNS_CACHE_H

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "wire.h"

namespace keelson::name_server {

struct OwnedRecord {
    std::string owner;
    std::uint16_t type = 0;
    std::uint32_t ttl = 0;
    std::string data;
};

struct Answer {
    int code = no_error;
    std::vector<OwnedRecord> answers;
    std::vector<OwnedRecord> authority;

    // How long it may be used: the shortest TTL of the answer, or what the SOA says when there is none; 0
    // when that is not said. Bounded.
    [[nodiscard]] std::uint32_t lifetime_seconds() const;
};

// Reads what another server has said about the question; none when it is no answer to it. is_truncated: the
// rest comes by TCP. Any bytes may be given.
std::unique_ptr<Answer> read_answer(Bytes message, std::uint16_t id, Bytes name, std::uint16_t type,
                                    bool& is_truncated);

class Cache {
  public:
    using Seconds = std::chrono::seconds;
    explicit Cache(std::size_t maximum_bytes) : maximum_bytes_(maximum_bytes) {}

    struct Hit {
        std::shared_ptr<const Answer> answer;
        std::uint32_t age_seconds = 0;
    };
    // Without an answer when there is none that is young enough.
    [[nodiscard]] Hit find(Bytes name, std::uint16_t type, Seconds now);
    void put(Bytes name, std::uint16_t type, std::shared_ptr<const Answer> answer, Seconds now);
    void clear();
    [[nodiscard]] std::size_t bytes() const { return bytes_; }

  private:
    struct Entry {
        std::string key;
        std::shared_ptr<const Answer> answer;
        Seconds stored{};
        std::uint32_t lifetime = 0;
        std::size_t bytes = 0;
    };
    using Entries = std::list<Entry>;  // used last first
    void remove(Entries::iterator entry);

    std::size_t maximum_bytes_;
    std::size_t bytes_ = 0;
    Entries entries_;
    std::unordered_map<std::string, Entries::iterator> index_;
};

}  // namespace keelson::name_server

#endif
