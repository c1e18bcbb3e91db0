#include "http.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <functional>
#include <limits>

#include "keelson/error.hpp"

namespace keelson::oci {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using Tcp = asio::ip::tcp;

constexpr auto look_again_after = std::chrono::milliseconds(20);
constexpr std::uint32_t maximum_head_bytes = 65536;
constexpr std::size_t maximum_idle = 16;

std::string server_of(const HttpRequest& request) {
    return request.url.text().substr(0, request.url.text().size() - request.url.target.size()) + " " +
           request.tls.ca_file + (request.tls.skip_verification ? " unverified" : "");
}

asio::ssl::context make_context(const TlsSettings& settings) {
    asio::ssl::context context(asio::ssl::context::tls_client);
    context.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_sslv3 |
                        asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1);
    if (settings.skip_verification) {
        context.set_verify_mode(asio::ssl::verify_none);
        return context;
    }
    context.set_verify_mode(asio::ssl::verify_peer);
    context.set_default_verify_paths();
    error_code failed;
    if (!settings.ca_file.empty()) context.load_verify_file(settings.ca_file, failed);
    if (failed)
        throw Error(Code::invalid, "the certificate authorities in " + settings.ca_file +
                                       " cannot be read: " + failed.message());
    return context;
}

}  // namespace

// Everything on it is asynchronous inside and waited for here, so that it can be given up at any time.
class Connection {
  public:
    Connection(const HttpRequest& request, const HttpTimeouts& timeouts, const Interrupt& interrupt)
        : timeouts_(timeouts), interrupt_(interrupt), name_(request.url.authority()) {
        if (request.url.uses_tls) {
            context_.emplace(make_context(request.tls));
            tls_.emplace(io_, *context_);
        } else {
            plain_.emplace(io_);
        }
        connect(request.url);
        if (tls_) handshake(request);
    }

    void send(const HttpRequest& request) {
        parser_.emplace();
        parser_->body_limit(std::numeric_limits<std::uint64_t>::max());  // whoever reads it counts
        parser_->header_limit(maximum_head_bytes);
        http::request<http::string_body> message(request.form.empty() ? http::verb::get : http::verb::post,
                                                 request.url.target, 11);
        message.set(http::field::host, request.url.authority());
        message.set(http::field::user_agent, "keelson");
        for (const auto& [name, value] : request.headers) message.insert(name, value);
        if (!request.form.empty()) {
            message.set(http::field::content_type, "application/x-www-form-urlencoded");
            message.body() = request.form;
        }
        message.prepare_payload();
        on_stream([&](auto& stream) {
            wait("send to", timeouts_.idle, [&](auto done) { http::async_write(stream, message, done); });
            wait("read from", timeouts_.idle,
                 [&](auto done) { http::async_read_header(stream, buffer_, *parser_, done); });
        });
    }

    std::size_t read(char* data, std::size_t size) {
        if (parser_->is_done()) return 0;
        auto& body = parser_->get().body();
        body.data = data;
        body.size = size;
        body.more = true;
        while (body.size == size && !parser_->is_done())
            on_stream([&](auto& stream) {
                wait("read from", timeouts_.idle,
                     [&](auto done) { http::async_read_some(stream, buffer_, *parser_, done); });
            });
        return size - body.size;
    }

    [[nodiscard]] const http::response<http::buffer_body>& head() const { return parser_->get(); }
    [[nodiscard]] bool is_reusable() const {
        return parser_ && parser_->is_done() && parser_->get().keep_alive();
    }
    [[nodiscard]] std::optional<std::uint64_t> length() const {
        const auto length = parser_->content_length();
        return length ? std::optional<std::uint64_t>(*length) : std::nullopt;
    }

  private:
    template <class Action>
    void on_stream(const Action& action) {
        if (tls_) {
            action(*tls_);
        } else {
            action(*plain_);
        }
    }
    beast::tcp_stream& socket() { return tls_ ? beast::get_lowest_layer(*tls_) : *plain_; }

    // Starts it with a handler, runs it, and answers its failures as TransportError.
    template <class Start>
    void wait(const char* doing, std::chrono::milliseconds timeout, const Start& start) {
        std::optional<error_code> result;
        start([&result](error_code failed, const auto&...) { result = failed; });
        const auto deadline = std::chrono::steady_clock::now() + timeout;
        io_.restart();
        try {
            while (!result) {
                io_.run_one_for(look_again_after);
                if (result) break;
                interrupt_.check();
                if (std::chrono::steady_clock::now() > deadline) fail(doing, "no answer in time");
            }
        } catch (...) {
            give_up(result);
            throw;
        }
        if (*result && *result != http::error::need_buffer) fail(doing, result->message());
    }

    // The handler refers to what is on the stack: it must have run.
    void give_up(const std::optional<error_code>& result) {
        if (resolver_) resolver_->cancel();
        socket().close();
        io_.restart();
        while (!result && io_.run_one() > 0) {
        }
    }

    [[noreturn]] void fail(const std::string& doing, const std::string& reason) const {
        throw TransportError("cannot " + doing + " " + name_ + ": " + reason);
    }

    void connect(const Url& url) {
        error_code is_name;
        const auto address = asio::ip::make_address(url.host, is_name);
        std::vector<Tcp::endpoint> endpoints;
        if (!is_name) {
            endpoints.emplace_back(address, std::uint16_t(std::stoul(url.port)));
        } else {
            resolver_.emplace(io_);
            wait("find", timeouts_.connect, [&](auto done) {
                resolver_->async_resolve(url.host, url.port,
                                         [&endpoints, done](error_code failed, auto found) mutable {
                                             for (const auto& entry : found)
                                                 endpoints.push_back(entry.endpoint());
                                             done(failed);
                                         });
            });
            resolver_.reset();
        }
        wait("connect to", timeouts_.connect, [&](auto done) { socket().async_connect(endpoints, done); });
        error_code ignored;
        socket().socket().set_option(Tcp::no_delay(true), ignored);
    }

    void handshake(const HttpRequest& request) {
        error_code is_name;
        static_cast<void>(asio::ip::make_address(request.url.host, is_name));
        if (is_name) SSL_set_tlsext_host_name(tls_->native_handle(), request.url.host.c_str());
        if (!request.tls.skip_verification)
            tls_->set_verify_callback(asio::ssl::host_name_verification(request.url.host));
        wait("speak TLS with", timeouts_.connect,
             [&](auto done) { tls_->async_handshake(asio::ssl::stream_base::client, done); });
    }

    HttpTimeouts timeouts_;
    const Interrupt& interrupt_;
    std::string name_;
    asio::io_context io_{1};
    std::optional<asio::ssl::context> context_;
    std::optional<beast::ssl_stream<beast::tcp_stream>> tls_;
    std::optional<beast::tcp_stream> plain_;
    std::optional<Tcp::resolver> resolver_;
    beast::flat_buffer buffer_;
    std::optional<http::response_parser<http::buffer_body>> parser_;
};

HttpResponse::HttpResponse(HttpClient& client, std::string server, std::unique_ptr<Connection> connection)
    : client_(client), server_(std::move(server)), connection_(std::move(connection)) {}

HttpResponse::~HttpResponse() {
    if (connection_ && connection_->is_reusable()) client_.give_back(server_, std::move(connection_));
}

unsigned HttpResponse::status() const {
    return connection_->head().result_int();
}

std::vector<std::string> HttpResponse::headers(const std::string& name) const {
    std::vector<std::string> values;
    const auto [first, last] = connection_->head().equal_range(name);
    for (auto field = first; field != last; ++field) values.emplace_back(field->value());
    return values;
}

std::string HttpResponse::header(const std::string& name) const {
    const auto values = headers(name);
    return values.empty() ? std::string() : values.front();
}

std::optional<std::uint64_t> HttpResponse::length() const {
    return connection_->length();
}

std::size_t HttpResponse::read(char* buffer, std::size_t size) {
    return connection_->read(buffer, size);
}

std::optional<std::string> HttpResponse::body(std::size_t maximum_bytes) {
    constexpr std::size_t piece_bytes = 65536;
    std::string bytes;
    std::vector<char> piece(piece_bytes);
    while (const std::size_t size = read(piece.data(), piece.size())) {
        if (bytes.size() + size > maximum_bytes) return std::nullopt;
        bytes.append(piece.data(), size);
    }
    return bytes;
}

HttpClient::HttpClient(HttpTimeouts timeouts, const Interrupt& interrupt)
    : timeouts_(timeouts), interrupt_(interrupt) {}
HttpClient::~HttpClient() = default;

std::unique_ptr<Connection> HttpClient::take_idle(const std::string& server) {
    const std::lock_guard lock(mutex_);
    const auto found = idle_.find(server);
    if (found == idle_.end()) return nullptr;
    auto connection = std::move(found->second);
    idle_.erase(found);
    return connection;
}

void HttpClient::give_back(const std::string& server, std::unique_ptr<Connection> connection) {
    const std::lock_guard lock(mutex_);
    if (idle_.size() < maximum_idle) idle_.emplace(server, std::move(connection));
}

std::unique_ptr<HttpResponse> HttpClient::send(const HttpRequest& request) {
    const std::string server = server_of(request);
    if (auto connection = take_idle(server)) {
        try {
            connection->send(request);
            return std::make_unique<HttpResponse>(*this, server, std::move(connection));
        } catch (const TransportError&) {
            // The server may have closed it meanwhile: a new one tells.
        }
    }
    auto connection = std::make_unique<Connection>(request, timeouts_, interrupt_);
    connection->send(request);
    return std::make_unique<HttpResponse>(*this, server, std::move(connection));
}

}  // namespace keelson::oci
