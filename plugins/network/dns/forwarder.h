// Asks other servers, by UDP and then by TCP when the answer is too long for that, one after the other until
// one has answered. Everything under way is bounded. In the thread of the loop only.
#ifndef KEELSON_DNS_FORWARDER_H
#define KEELSON_DNS_FORWARDER_H

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "cache.h"
#include "endpoint.h"
#include "loop.h"

namespace keelson::name_server {

struct ForwarderLimits {
    std::chrono::milliseconds attempt_timeout{1000};
    std::size_t maximum_exchanges = 1024;
    std::size_t maximum_waiting = 8192;  // questions of clients
    std::size_t cache_bytes = std::size_t(16) << 20;
};

class Forwarder {
  public:
    // Without an answer: none of the servers has given one.
    using Done = std::function<void(const std::shared_ptr<const Answer>& answer)>;

    Forwarder(Loop& loop, const ForwarderLimits& limits);
    ~Forwarder();
    Forwarder(const Forwarder&) = delete;
    Forwarder& operator=(const Forwarder&) = delete;

    // What is remembered of other servers is forgotten. Questions under way go on with the old ones.
    void set_upstreams(std::vector<Endpoint> upstreams);
    [[nodiscard]] bool has_upstreams() const { return !upstreams_.empty(); }
    [[nodiscard]] Cache::Hit cached(Bytes name, std::uint16_t type);
    // One who asks what is asked already waits for the same answer. Never calls back before it returns; false
    // when too many questions are under way.
    bool ask(Bytes name, std::uint16_t type, Done done);

  private:
    struct Exchange;
    using Key = std::pair<std::string, std::uint16_t>;

    [[nodiscard]] static Cache::Seconds now();
    void attempt(Exchange& exchange);
    bool try_attempt(Exchange& exchange);
    void read_datagram(Exchange& exchange);
    void start_stream(Exchange& exchange);
    void serve_stream(Exchange& exchange, std::uint32_t events);
    bool exchange_bytes(Exchange& exchange, std::uint32_t events);
    // True when the exchange is over and gone.
    void take(Exchange& exchange, std::unique_ptr<Answer> answer);
    void finish(Exchange& exchange, const std::shared_ptr<const Answer>& answer);
    bool tick(Loop::Clock::time_point time);

    Loop& loop_;
    ForwarderLimits limits_;
    std::vector<Endpoint> upstreams_;
    Cache cache_;
    std::random_device random_;
    std::map<Key, std::unique_ptr<Exchange>> exchanges_;
    std::size_t waiting_ = 0;
};

}  // namespace keelson::name_server

#endif
