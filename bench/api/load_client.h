// A small HTTP/1.1 client over TLS for measuring: many connections on one thread, one request at a time on
// each.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/ssl.h>

namespace keelson::bench {

using Clock = std::chrono::steady_clock;

struct Target {
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;
    std::string token;  // bearer token; empty: none
};

// A whole request; `body` empty: none.
[[nodiscard]] std::string make_request(const Target& target, std::string_view method, std::string_view path,
                                       std::string_view body = {}, std::string_view accept = {});

struct SslFree {
    void operator()(SSL* session) const { SSL_free(session); }
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

// Reads one answer after the other out of a stream of bytes. Bodies are counted, and kept only when asked
// for.
class AnswerReader {
  public:
    explicit AnswerReader(bool keep_body) : keep_body_(keep_body) {}

    // Takes bytes; true when an answer is complete (nothing of the next one may follow: requests wait for
    // it).
    bool take(std::string_view data);
    void reset();

    [[nodiscard]] int status() const { return status_; }
    [[nodiscard]] std::uint64_t body_bytes() const { return body_bytes_; }
    // The decoded body so far; a reader of endless answers takes it away piece by piece.
    [[nodiscard]] std::string& body() { return body_; }

  private:
    enum class State { head, counted, chunk_size, chunk, chunk_end, trailer, done };
    bool parse_head();
    bool parse_chunk_size(std::string_view line);

    bool keep_body_;
    State state_ = State::head;
    int status_ = 0;
    std::string line_;  // the head or a chunk's size, as far as it has come
    std::uint64_t left_ = 0;
    std::uint64_t body_bytes_ = 0;
    std::string body_;
};

// One connection. Failures end the program: a benchmark that loses requests measures nothing.
class Connection {
  public:
    Connection(SSL_CTX* context, const Target& target, bool keep_body);
    Connection(Connection&&) = default;
    ~Connection();

    void send(std::string_view request);  // blocks; requests are small
    // Takes what is there, waiting for the first bytes; true when an answer is complete.
    bool receive();

    [[nodiscard]] int descriptor() const { return descriptor_; }
    [[nodiscard]] AnswerReader& answer() { return answer_; }
    Clock::time_point sent{};

  private:
    int descriptor_ = -1;
    std::unique_ptr<SSL, SslFree> session_;
    AnswerReader answer_;
};

[[nodiscard]] std::unique_ptr<SSL_CTX, SslFree> make_client_context();

// One request, its answer's body; ends the program unless the status is 2xx.
[[nodiscard]] std::string fetch(SSL_CTX* context, const Target& target, std::string_view request);

struct LoadResult {
    std::uint64_t answers = 0;
    std::uint64_t failures = 0;  // answers that are not 2xx
    std::uint64_t bytes = 0;
    double seconds = 0;
    std::vector<float> latencies_ms;
};

// Keeps `connections` requests under way for that long; `next` makes each request.
[[nodiscard]] LoadResult run_load(const Target& target, int connections, double seconds,
                                  const std::function<std::string()>& next);

// Waits for connections to become readable.
class Poller {
  public:
    Poller();
    ~Poller();
    void add(Connection& connection);
    // Calls visit for each readable connection; waits at most that long.
    void poll(int timeout_ms, const std::function<void(Connection&)>& visit);

  private:
    int descriptor_;
};

[[noreturn]] void die(const std::string& message);

// The value below which that part (0 to 1) of the values lies; sorts them.
[[nodiscard]] double percentile(std::vector<float>& values, double part);

}  // namespace keelson::bench
