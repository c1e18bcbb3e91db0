// One TLS connection and its requests, one after the other. Internal to the room; lives on its worker's
// thread.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "kernel/api/request_parser.h"
#include "kernel/api/worker.h"

namespace keelson::api {

class HttpExchange;

class Connection : public std::enable_shared_from_this<Connection> {
  public:
    // `refuse`: there is no room; the first request is answered with 429 and the connection closed.
    Connection(Worker& worker, int fd, std::string remote_address, bool refuse);
    ~Connection();

    void start();
    void check_deadline(base::MonotonicTime now);
    // The server is stopping: idle connections close now, others after their answer.
    void begin_shutdown();
    // Cuts the connection off; its coroutine ends by itself.
    void abort();

    // The rest serves HttpExchange.
    [[nodiscard]] Worker& worker() { return worker_; }
    // Writes now what the socket takes; the number of bytes, or -1 when the client is gone.
    std::ptrdiff_t write_now(std::string_view data);
    // Writes all; false when the client is gone. The data must stay where it is until then.
    base::Task<bool> write_all(std::string_view data);
    // Writes worker().output, which is free again when this returns without suspending, or has been moved
    // away.
    base::Task<bool> write_output();
    [[nodiscard]] bool peer_gone() const { return peer_gone_; }
    [[nodiscard]] bool closing() const { return closing_ || peer_gone_; }
    void close_after_answer() { keep_alive_ = false; }
    [[nodiscard]] bool keep_alive() const { return keep_alive_ && !closing(); }
    // The exchange that runs now goes on without HTTP: no time is limited any more, and what the client sends
    // is read by read_upgraded() only, as read_some() does.
    void begin_upgrade();
    base::Task<std::string_view> read_upgraded();
    void end_upgraded_reading();
    // Reads ahead while a handler runs, to notice that the client has gone.
    void watch_for_close();
    // Tells the exchange that runs now, if any, that the client has gone.
    void notify_exchange();

  private:
    enum class Phase : std::uint8_t { handshake, idle, headers, body, answer, linger };

    base::Task<void> run();
    base::Task<bool> handshake();
    base::Task<bool> serve_one();
    base::Task<bool> read_headers(RequestParser& parser);
    base::Task<bool> read_body(RequestParser& parser);
    base::Task<void> refuse_request(base::Status status);
    base::Task<void> linger();
    // Bytes that have arrived, waiting for the first; empty when the client is gone or the time is up. The
    // view is good until the next suspension.
    base::Task<std::string_view> read_some();
    base::Task<bool> wait(Descriptor::Readiness readiness);
    // Feeds the parser with the bytes kept from before and the new ones, and keeps what it leaves.
    ParseError feed(RequestParser& parser, std::string_view data);
    bool account_body();
    void release_body_account();
    void enter(Phase phase, base::Duration timeout);
    void enter_idle();
    void leave_idle();
    void on_readable_while_answering();
    [[nodiscard]] bool peer_has_left(base::MonotonicTime now) const;

    Worker& worker_;
    Descriptor descriptor_;
    ssl_st* session_ = nullptr;
    std::shared_ptr<const TlsContext> tls_;
    std::shared_ptr<const PeerCertificate> peer_;
    std::string remote_address_;
    std::string pending_;         // received, not yet parsed
    std::string before_upgrade_;  // what pending_ was, given out by read_upgraded()
    base::MonotonicTime read_at_ = base::MonotonicTime::max();  // by the upgraded stream, which reads no more
    HttpExchange* exchange_ = nullptr;                          // while a handler runs
    std::unique_ptr<HttpExchange> current_;
    base::MonotonicTime deadline_ = base::MonotonicTime::max();
    std::size_t accounted_body_bytes_ = 0;
    std::list<Connection*>::iterator idle_position_;
    Phase phase_ = Phase::handshake;
    bool in_idle_list_ = false;
    bool refuse_ = false;
    bool keep_alive_ = true;
    bool peer_gone_ = false;
    bool closing_ = false;
    bool timed_out_ = false;
    bool upgraded_ = false;
    bool reading_ended_ = false;
    bool watching_for_close_ = false;
    bool close_wait_outstanding_ = false;

    friend struct Worker;
    std::list<std::shared_ptr<Connection>>::iterator position_;
};

}  // namespace keelson::api
