// The Exchange of an HTTP/1.1 connection: formats answers, chunks streams, compresses. Internal to the room.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/api/exchange.h"

namespace keelson::api {

class Connection;
class GzipStream;
class UpgradedStream;

class HttpExchange : public Exchange {
  public:
    explicit HttpExchange(Connection& connection);
    ~HttpExchange() override;

    [[nodiscard]] Request& mutable_request() { return request_; }
    void set_http_1_0(bool value) { http_1_0_ = value; }
    // After the handler: sends the answer that it gave. False when the connection cannot go on.
    base::Task<bool> finish();
    // The client has gone or the server stops.
    void notify_closed();

    [[nodiscard]] const Request& request() const override { return request_; }
    [[nodiscard]] std::string take_body() override { return std::move(request_.body); }
    [[nodiscard]] base::Executor& executor() override;
    void add_header(std::string name, std::string value) override;
    void add_warning(std::string_view text) override;
    void respond(Response response) override;
    base::Task<base::Result<void>> begin_stream(int status, std::string content_type,
                                                std::vector<Header> headers, StreamKind kind) override;
    base::Task<base::Result<void>> write(BodyPiece piece) override;
    base::Task<void> end_stream() override;
    base::Task<base::Result<ByteStream*>> upgrade(std::vector<Header> headers) override;
    [[nodiscard]] bool closed() const override;
    void on_close(std::function<void()> callback) override;
    [[nodiscard]] int status() const override { return status_; }
    void on_response_started(std::function<void(int, bool)> callback) override {
        on_started_ = std::move(callback);
    }
    [[nodiscard]] std::uint64_t bytes_sent() const override { return bytes_sent_; }

  private:
    enum class State : std::uint8_t { open, whole, held, streaming, ended, failed, upgraded };

    base::Task<base::Result<void>> already_begun();
    base::Task<base::Result<void>> begin_held();
    base::Task<bool> send_whole();
    base::Task<bool> compress_whole();
    void append_head(std::string& out, std::optional<std::uint64_t> length, bool compressed);
    base::Task<bool> begin_chunks();
    base::Task<bool> send_chunk(std::string_view data);
    void started(bool streaming);

    Connection& connection_;
    Request request_;
    std::vector<Header> headers_;
    std::vector<std::string> warnings_;
    std::size_t warning_bytes_ = 0;
    Response response_;  // of a stream: status, type and headers
    std::unique_ptr<GzipStream> gzip_;
    std::unique_ptr<UpgradedStream> upgraded_;
    std::string held_;        // the beginning of a bulk stream that may turn out short
    std::string compressed_;  // bytes of a compressed stream that wait for more
    std::function<void()> on_close_;
    std::function<void(int, bool)> on_started_;
    std::uint64_t bytes_sent_ = 0;
    int status_ = 0;
    State state_ = State::open;
    StreamKind kind_ = StreamKind::live;
    bool http_1_0_ = false;
    bool close_notified_ = false;
};

}  // namespace keelson::api
