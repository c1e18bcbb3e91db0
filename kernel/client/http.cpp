#include "kernel/client/http.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <deque>
#include <limits>
#include <mutex>
#include <thread>

#include "kernel/client/line_splitter.h"
#include "kernel/client/rest.h"
#include "kernel/object/json.h"

namespace keelson::client {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using base::Completion;
using base::Reason;
using base::Result;
using base::Status;
using base::Task;
using object::Value;
using Clock = std::chrono::steady_clock;
using Stream = beast::ssl_stream<beast::tcp_stream>;
using Request = http::request<http::string_body>;

constexpr std::uint64_t kBodyLimitBytes = 256 << 20;
constexpr std::uint32_t kHeaderLimitBytes = 64 << 10;
// An idle connection that is older may have been closed by the server already.
constexpr auto kIdleLimit = std::chrono::seconds(20);
constexpr std::size_t kIdleConnections = 8;
// What a watch reads ahead before its reader takes it.
constexpr std::size_t kWatchBufferBytes = 4 << 20;
constexpr std::size_t kEventLimitBytes = 16 << 20;

Status unreachable(std::string_view doing, const beast::error_code& error) {
    return Status(Reason::service_unavailable, std::string(doing) + ": " + error.message());
}

struct Answer {
    int code = 0;
    std::string body;
};

struct Connection {
    explicit Connection(asio::io_context& io, asio::ssl::context& tls) : stream(io, tls) {}
    Stream stream;
    beast::flat_buffer buffer;
    Clock::time_point idle_since;
    bool used_before = false;
};
using ConnectionPointer = std::unique_ptr<Connection>;

Status closed() {
    return Status(Reason::service_unavailable, "the client has been closed");
}

// Nobody waits for ever: completes when the coroutine that it was given to is destroyed before its end, or
// before its start.
template <typename T>
class Promise {
  public:
    explicit Promise(Completion<Result<T>> done)
        : done_(new Completion<Result<T>>(std::move(done)), [](Completion<Result<T>>* last) {
              last->complete(closed());
              delete last;
          }) {}
    void complete(Result<T> result) const { done_->complete(std::move(result)); }

  private:
    std::shared_ptr<Completion<Result<T>>> done_;
};

// Lines that the socket side adds and the reader takes.
class Lines {
  public:
    // Called by the reader's thread when a full buffer has room again, or has ended.
    explicit Lines(std::function<void()> room) : room_(std::move(room)) {}

    void add(std::string line) {
        std::lock_guard lock(mutex_);
        bytes_ += line.size();
        lines_.push_back(std::move(line));
        if (waiter_) waiter_->complete(true);
    }
    void end(std::optional<Status> failure) {
        std::lock_guard lock(mutex_);
        if (ended_) return;
        ended_ = true;
        failure_ = std::move(failure);
        if (waiter_) waiter_->complete(true);
        room_();
    }
    [[nodiscard]] bool is_full() const {
        std::lock_guard lock(mutex_);
        return bytes_ > kWatchBufferBytes && !ended_;
    }
    [[nodiscard]] bool has_ended() const {
        std::lock_guard lock(mutex_);
        return ended_;
    }
    // All there are; false when the reader has to wait for `waiter`.
    bool take(std::deque<std::string>& lines, std::optional<Status>& failure,
              const Completion<bool>& waiter) {
        std::lock_guard lock(mutex_);
        lines = std::exchange(lines_, {});
        if (std::exchange(bytes_, 0) > kWatchBufferBytes) room_();
        if (lines.empty() && ended_) failure = failure_;
        if (!lines.empty() || ended_) return true;
        waiter_ = waiter;
        return false;
    }

  private:
    mutable std::mutex mutex_;
    std::deque<std::string> lines_;
    std::size_t bytes_ = 0;
    bool ended_ = false;
    std::optional<Status> failure_;
    std::optional<Completion<bool>> waiter_;
    std::function<void()> room_;
};

class HttpWatch final : public Watch {
  public:
    HttpWatch(std::shared_ptr<Lines> lines, std::function<void()> close)
        : lines_(std::move(lines)), close_(std::move(close)) {}
    ~HttpWatch() override { stop(); }

    Task<Result<std::vector<WatchEvent>>> next() override {
        std::deque<std::string> lines;
        std::optional<Status> failure;
        while (true) {
            Completion<bool> waiter;
            if (lines_->take(lines, failure, waiter)) break;
            co_await waiter;
        }
        if (failure) co_return std::move(*failure);
        std::vector<WatchEvent> events;
        for (const std::string& line : lines) {
            auto event = event_of(line);
            if (event) {
                events.push_back(std::move(*event));
                continue;
            }
            // What came before is delivered first.
            if (events.empty()) co_return std::move(event).error();
            lines_->end(std::move(event).error());
            break;
        }
        co_return events;
    }

    void stop() override {
        lines_->end(std::nullopt);
        close_();
    }

  private:
    std::shared_ptr<Lines> lines_;
    std::function<void()> close_;
};

class HttpClient final : public Client {
  public:
    explicit HttpClient(HttpSettings settings)
        : settings_(std::move(settings)), tls_(asio::ssl::context::tls_client) {}

    ~HttpClient() override {
        work_.reset();
        io_.stop();
        if (thread_.joinable()) thread_.join();
    }

    Result<void> start() {
        beast::error_code error;
        tls_.set_verify_mode(settings_.checks_server ? asio::ssl::verify_peer : asio::ssl::verify_none);
        if (settings_.checks_server)
            tls_.add_certificate_authority(asio::buffer(settings_.ca_certificates), error);
        if (error)
            return Status(Reason::bad_request, "the CA certificates cannot be read: " + error.message());
        if (!settings_.certificate.empty()) {
            tls_.use_certificate_chain(asio::buffer(settings_.certificate), error);
            if (!error)
                tls_.use_private_key(asio::buffer(settings_.private_key), asio::ssl::context::pem, error);
            if (error)
                return Status(Reason::bad_request,
                              "the client certificate cannot be used: " + error.message());
        }
        thread_ = std::thread([this] { io_.run(); });
        return base::ok();
    }

    Task<Object> get(Address address) override {
        Request request = request_for(http::verb::get, path_of(address), {}, {});
        KEELSON_CO_TRY(Answer answer, co_await send(std::move(request)));
        co_return object_answer(answer.code, answer.body);
    }

    Task<Result<Page>> list(Address address, ListOptions options) override {
        Request request = request_for(http::verb::get, path_of(address) + query_of(options, false), {}, {});
        KEELSON_CO_TRY(Answer answer, co_await send(std::move(request)));
        co_return page_answer(answer.code, answer.body);
    }

    Task<Object> create(Address address, Value object, WriteOptions options) override {
        std::string target = path_of(address) + query_of(options);
        Request request = request_for(http::verb::post, target, "application/json", object::to_json(object));
        KEELSON_CO_TRY(Answer answer, co_await send(std::move(request)));
        co_return object_answer(answer.code, answer.body);
    }

    Task<Object> update(Address address, Value object, WriteOptions options) override {
        std::string target = path_of(address) + query_of(options);
        Request request = request_for(http::verb::put, target, "application/json", object::to_json(object));
        KEELSON_CO_TRY(Answer answer, co_await send(std::move(request)));
        co_return object_answer(answer.code, answer.body);
    }

    Task<Object> patch(Address address, PatchType type, Value patch, WriteOptions options) override {
        std::string target = path_of(address) + query_of(options, type == PatchType::apply);
        Request request =
            request_for(http::verb::patch, target, content_type_of(type), object::to_json(patch));
        KEELSON_CO_TRY(Answer answer, co_await send(std::move(request)));
        co_return object_answer(answer.code, answer.body);
    }

    Task<Object> remove(Address address, DeleteOptions options) override {
        Request request =
            request_for(http::verb::delete_, path_of(address), "application/json", body_of(options));
        KEELSON_CO_TRY(Answer answer, co_await send(std::move(request)));
        co_return object_answer(answer.code, answer.body);
    }

    Task<Result<std::unique_ptr<Watch>>> watch(Address address, ListOptions options) override {
        Request request = request_for(http::verb::get, path_of(address) + query_of(options, true), {}, {});
        // Sockets and timers are touched by their own thread only.
        auto room = std::make_shared<asio::steady_timer>(io_, Clock::time_point::max());
        auto lines = std::make_shared<Lines>([this, room] { asio::post(io_, [room] { room->cancel(); }); });
        auto connection = std::make_shared<Connection>(io_, tls_);
        Completion<Result<void>> started;
        asio::co_spawn(io_, run_watch(std::move(request), connection, lines, room, Promise<void>(started)),
                       asio::detached);
        KEELSON_CO_TRY_VOID(co_await started);
        auto close = [this, connection] {
            asio::post(io_, [connection] { beast::get_lowest_layer(connection->stream).close(); });
        };
        std::unique_ptr<Watch> watch = std::make_unique<HttpWatch>(lines, close);
        co_return watch;
    }

  private:
    Request request_for(http::verb method, const std::string& target, std::string_view content_type,
                        std::string body) const {
        Request request(method, target, 11);
        request.set(http::field::host, settings_.host + ":" + std::to_string(settings_.port));
        request.set(http::field::user_agent, "keelson");
        request.set(http::field::accept, "application/json");
        if (!settings_.token.empty()) request.set(http::field::authorization, "Bearer " + settings_.token);
        if (!content_type.empty()) {
            request.set(http::field::content_type,
                        beast::string_view(content_type.data(), content_type.size()));
            request.body() = std::move(body);
        }
        request.prepare_payload();
        return request;
    }

    Task<Result<Answer>> send(Request request) {
        Completion<Result<Answer>> done;
        asio::co_spawn(io_, run_request(std::move(request), Promise<Answer>(done)), asio::detached);
        co_return co_await done;
    }

    // --- everything below runs on the thread of the sockets ---

    asio::awaitable<void> run_request(Request request, Promise<Answer> done) {
        while (in_use_ >= settings_.most_connections) {
            asio::steady_timer free(io_, Clock::time_point::max());
            waiting_.push_back(&free);
            beast::error_code ignored;
            auto token = asio::redirect_error(asio::use_awaitable, ignored);
            co_await free.async_wait(token);
        }
        ++in_use_;
        Result<Answer> answer = Status(Reason::internal_error, "no answer");
        for (int attempt = 0; attempt < 2; ++attempt) {
            bool repeat = false;
            answer = co_await try_request(request, repeat);
            if (!repeat) break;
        }
        --in_use_;
        if (!waiting_.empty()) {
            waiting_.front()->cancel();
            waiting_.pop_front();
        }
        done.complete(std::move(answer));
    }

    // `repeat`: a kept connection turned out to be closed before the server can have seen the request.
    asio::awaitable<Result<Answer>> try_request(const Request& request, bool& repeat) {
        ConnectionPointer connection = take_idle();
        if (!connection) {
            connection = std::make_unique<Connection>(io_, tls_);
            Result<void> connected = co_await connect(*connection);
            if (!connected) co_return std::move(connected).error();
        }
        auto& socket = beast::get_lowest_layer(connection->stream);
        socket.expires_after(settings_.timeout);
        beast::error_code error;
        auto token = asio::redirect_error(asio::use_awaitable, error);
        co_await http::async_write(connection->stream, request, token);
        http::response_parser<http::string_body> parser;
        parser.body_limit(kBodyLimitBytes);
        parser.header_limit(kHeaderLimitBytes);
        if (!error) co_await http::async_read(connection->stream, connection->buffer, parser, token);
        if (error) {
            bool safe = request.method() == http::verb::get;
            bool nothing_came = !parser.got_some();
            repeat = connection->used_before && nothing_came && safe && error != beast::error::timeout;
            if (error == beast::error::timeout)
                co_return Status(Reason::timeout, "the server did not answer in time");
            co_return unreachable("talking to the server", error);
        }
        Answer answer{static_cast<int>(parser.get().result_int()), std::move(parser.get().body())};
        if (parser.get().keep_alive()) keep(std::move(connection));
        co_return answer;
    }

    asio::awaitable<Result<void>> connect(Connection& connection) {
        beast::error_code error;
        auto token = asio::redirect_error(asio::use_awaitable, error);
        tcp::resolver resolver(io_);
        std::string port = std::to_string(settings_.port);
        auto found = co_await resolver.async_resolve(settings_.host, port, token);
        if (error) co_return unreachable("finding " + settings_.host, error);
        auto& socket = beast::get_lowest_layer(connection.stream);
        socket.expires_after(settings_.timeout);
        co_await socket.async_connect(found, token);
        if (error) co_return unreachable("connecting to " + settings_.host + ":" + port, error);
        socket.socket().set_option(tcp::no_delay(true), error);
        if (settings_.checks_server)
            connection.stream.set_verify_callback(asio::ssl::host_name_verification(settings_.host));
        SSL_set_tlsext_host_name(connection.stream.native_handle(), settings_.host.c_str());
        error = {};
        co_await connection.stream.async_handshake(asio::ssl::stream_base::client, token);
        if (error) co_return unreachable("securing the connection to " + settings_.host + ":" + port, error);
        co_return base::ok();
    }

    ConnectionPointer take_idle() {
        while (!idle_.empty()) {
            ConnectionPointer connection = std::move(idle_.back());
            idle_.pop_back();
            if (Clock::now() - connection->idle_since < kIdleLimit) return connection;
        }
        return nullptr;
    }

    void keep(ConnectionPointer connection) {
        if (idle_.size() >= kIdleConnections) idle_.pop_front();
        connection->idle_since = Clock::now();
        connection->used_before = true;
        beast::get_lowest_layer(connection->stream).expires_never();
        idle_.push_back(std::move(connection));
    }

    asio::awaitable<void> run_watch(Request request, std::shared_ptr<Connection> connection,
                                    std::shared_ptr<Lines> lines, std::shared_ptr<asio::steady_timer> room,
                                    Promise<void> started) {
        struct EndAtLast {
            std::shared_ptr<Lines> lines;
            ~EndAtLast() { lines->end(closed()); }
        } end_at_last{lines};
        Result<void> connected = co_await connect(*connection);
        if (!connected) {
            started.complete(std::move(connected));
            co_return;
        }
        auto& socket = beast::get_lowest_layer(connection->stream);
        beast::error_code error;
        auto token = asio::redirect_error(asio::use_awaitable, error);
        co_await http::async_write(connection->stream, request, token);
        http::response_parser<http::buffer_body> parser;
        parser.body_limit(std::numeric_limits<std::uint64_t>::max());
        parser.header_limit(kHeaderLimitBytes);
        if (!error) co_await http::async_read_header(connection->stream, connection->buffer, parser, token);
        if (error) {
            started.complete(unreachable("starting a watch", error));
            co_return;
        }
        socket.expires_never();
        const int code = static_cast<int>(parser.get().result_int());
        if (code == 200) started.complete(base::ok());
        LineSplitter events;
        std::string refusal;
        auto add_line = [&lines](std::string line) { lines->add(std::move(line)); };
        std::vector<char> piece(32 << 10);
        while (!parser.is_done()) {
            // A wake-up that is posted between the check and the wait runs after the wait has begun.
            while (lines->is_full()) co_await room->async_wait(token);
            error = {};
            if (lines->has_ended()) break;
            parser.get().body().data = piece.data();
            parser.get().body().size = piece.size();
            co_await http::async_read_some(connection->stream, connection->buffer, parser, token);
            if (error == http::error::need_buffer) error = {};
            if (error) break;
            std::string_view got(piece.data(), piece.size() - parser.get().body().size);
            if (code == 200)
                events.add(got, add_line);
            else
                refusal += got;
            if (events.begun_bytes() + refusal.size() > kEventLimitBytes) break;
        }
        if (code != 200) {
            auto refused = object_answer(code < 400 ? 500 : code, refusal);
            started.complete(refused ? Status(Reason::internal_error, "no watch") : refused.error());
            co_return;
        }
        bool clean = !error || error == http::error::end_of_stream ||
                     error == asio::ssl::error::stream_truncated || error == asio::error::eof ||
                     error == asio::error::operation_aborted || error == asio::error::connection_reset;
        if (clean)
            lines->end(std::nullopt);
        else
            lines->end(unreachable("watching", error));
        socket.close();
    }

    HttpSettings settings_;
    asio::io_context io_{1};
    asio::ssl::context tls_;
    std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_{
        asio::make_work_guard(io_)};
    std::deque<ConnectionPointer> idle_;
    std::deque<asio::steady_timer*> waiting_;
    std::size_t in_use_ = 0;
    std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<Client>> make_http_client(HttpSettings settings) {
    auto client = std::make_unique<HttpClient>(std::move(settings));
    KEELSON_TRY_VOID(client->start());
    return std::unique_ptr<Client>(std::move(client));
}

}  // namespace keelson::client
