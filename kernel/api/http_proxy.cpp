#include "kernel/api/http_proxy.h"

#include <algorithm>
#include <array>
#include <memory>

#include "kernel/api/byte_stream.h"
#include "kernel/api/response_parser.h"
#include "kernel/api/websocket.h"

namespace keelson::api {
namespace {

using base::Reason;
using base::Result;
using base::Status;
using base::Task;
using ConnectionPointer = std::shared_ptr<OutgoingConnection>;

constexpr std::size_t kPiece = 32 << 10;
constexpr auto kUpgradeTime = std::chrono::seconds(60);
constexpr std::string_view kHeadEnd = "\r\n\r\n";
// Of one connection, or what this server's clients prove themselves with.
constexpr std::array<std::string_view, 12> kNotPassedOn = {
    "Connection",     "Keep-Alive", "Proxy-Connection", "Transfer-Encoding",  "TE",   "Trailer",
    "Content-Length", "Upgrade",    "Authorization",    "Proxy-Authenticate", "Host", "Expect"};

bool is_passed_on(const Header& header) {
    constexpr std::string_view kImpersonate = "Impersonate-";
    const bool impersonates =
        header.name.size() >= kImpersonate.size() &&
        same_header_name(std::string_view(header.name).substr(0, kImpersonate.size()), kImpersonate);
    return !impersonates && std::ranges::none_of(kNotPassedOn, [&](std::string_view name) {
        return same_header_name(name, header.name);
    });
}

// The protocol that the client wants to go on with; empty: none.
std::string_view wanted_upgrade(const Request& request) {
    const std::vector<std::string> options = listed_values(request, "Connection");
    const bool asks = std::ranges::any_of(
        options, [](const std::string& option) { return same_header_name(option, "Upgrade"); });
    return asks ? request.header("Upgrade") : std::string_view();
}

std::string request_text(const Request& request, const ProxyTarget& target) {
    std::string text =
        request.method + " " + target.path + " HTTP/1.1\r\nHost: " + target.server.text() + "\r\n";
    for (const Header& header : request.headers)
        if (is_passed_on(header)) text += header.name + ": " + header.value + "\r\n";
    const std::string& from = request.remote_address;
    text += "X-Forwarded-For: " + from.substr(0, from.rfind(':')) + "\r\n";
    text += "X-Forwarded-Proto: https\r\nX-Forwarded-Host: " + std::string(request.header("Host")) + "\r\n";
    text += "X-Forwarded-Uri: " + request.raw_target.substr(0, request.raw_target.find('?')) + "\r\n";
    if (!request.body.empty() || request.method == "POST" || request.method == "PUT")
        text += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
    const std::string_view upgrade = wanted_upgrade(request);
    if (upgrade.empty()) return text + "Connection: close\r\n\r\n" + request.body;
    return text + "Connection: Upgrade\r\nUpgrade: " + std::string(upgrade) + "\r\n\r\n" + request.body;
}

// False: what came is no answer, or ended too early.
Task<bool> read_more(OutgoingConnection& server, ResponseParser& parser) {
    std::string bytes;
    auto reading = server.read(bytes, kPiece);
    const bool has_read = co_await reading;
    co_return has_read ? parser.put(bytes) : parser.put_end();
}

// Reads until the end of the header; what has come after it is left in `rest`, unparsed. False: there is no
// such answer.
Task<bool> read_head(OutgoingConnection& server, ResponseParser& parser, std::string& rest) {
    std::size_t end = std::string::npos;
    while (end == std::string::npos) {
        const std::size_t seen = rest.size() < kHeadEnd.size() ? 0 : rest.size() - kHeadEnd.size();
        auto reading = server.read(rest, kPiece);
        const bool has_read = co_await reading;
        if (!has_read) co_return false;
        end = rest.find(kHeadEnd, seen);
        if (end == std::string::npos && rest.size() > ResponseParser::header_limit_bytes) co_return false;
    }
    const std::string head = rest.substr(0, end + kHeadEnd.size());
    rest.erase(0, head.size());
    co_return parser.put(head) && parser.header_done();
}

std::vector<Header> answer_headers(const ResponseParser& parser, std::string& content_type) {
    std::vector<Header> headers;
    for (const Header& header : parser.headers()) {
        if (same_header_name(header.name, "Content-Type"))
            content_type = header.value;
        else if (is_passed_on(header) && !same_header_name(header.name, "Date"))
            headers.push_back(header);
    }
    return headers;
}

// An upgraded connection: bytes both ways. Lives as long as the task that runs it.
class PassedStream {
  public:
    PassedStream(ByteStream& client, ConnectionPointer server)
        : client_(client), server_(std::move(server)) {}

    Task<void> run(std::string first) {
        client_.on_lost([server = server_] { server->close(); });
        base::spawn(client_.loop(), pass_to_client(std::move(first)));
        while (true) {
            auto reading = client_.read();
            const std::string_view read = co_await reading;
            if (read.empty()) break;
            const std::string data(read);
            auto writing = server_->write(data);
            const bool written = co_await writing;
            if (!written) break;
        }
        server_->close();
        co_await server_ended_;
        client_.on_lost({});
    }

  private:
    Task<void> pass_to_client(std::string data) {
        bool goes_on = true;
        while (goes_on) {
            if (!data.empty()) {
                auto writing = client_.write(data);
                goes_on = co_await writing;
            }
            data.clear();
            if (!goes_on) break;
            auto reading = server_->read(data, kPiece);
            goes_on = co_await reading;
        }
        client_.end_reading();
        server_ended_.complete(true);
    }

    ByteStream& client_;
    ConnectionPointer server_;
    base::Completion<bool> server_ended_;
};

Task<void> pass_stream(Exchange& exchange, ConnectionPointer server, const ResponseParser& parser,
                       std::string rest) {
    std::string content_type;
    std::vector<Header> headers = answer_headers(parser, content_type);
    for (const Header& header : parser.headers())
        if (same_header_name(header.name, "Upgrade")) headers.push_back(header);
    headers.push_back({"Connection", "Upgrade"});
    auto upgrading = exchange.upgrade(std::move(headers));
    Result<ByteStream*> client = co_await upgrading;
    if (!client) {
        if (exchange.status() == 0) exchange.respond(status_response(client.error()));
        co_return;
    }
    PassedStream stream(**client, std::move(server));
    auto running = stream.run(std::move(rest));
    co_await running;
}

Task<void> pass_body(Exchange& exchange, OutgoingConnection& server, ResponseParser& parser) {
    std::string content_type;
    std::vector<Header> headers = answer_headers(parser, content_type);
    if (parser.done() && (parser.status() == 204 || parser.status() == 304)) {
        Response response(parser.status(), content_type, "");
        response.headers = std::move(headers);
        exchange.respond(std::move(response));
        co_return;
    }
    auto beginning = exchange.begin_stream(parser.status(), content_type, std::move(headers));
    Result<void> sent = co_await beginning;
    bool is_good = true;
    while (sent && is_good) {
        BodyPiece piece = std::make_shared<const std::string>(parser.take_body());
        auto writing = exchange.write(piece);
        sent = co_await writing;
        if (parser.done()) break;
        auto reading = read_more(server, parser);
        is_good = co_await reading;
    }
    if (sent) co_await exchange.end_stream();
}

Task<void> pass_answer(Exchange& exchange, ConnectionPointer server, const ProxyTarget& target) {
    ResponseParser parser(exchange.request().method == "HEAD");
    std::string rest;
    const bool is_upgrade = !wanted_upgrade(exchange.request()).empty();
    std::shared_ptr<base::Timer> timer;
    if (is_upgrade) timer = exchange.executor().post_after(kUpgradeTime, [server] { server->close(); });
    auto reading = read_head(*server, parser, rest);
    bool is_good = co_await reading;
    if (timer) timer->cancel();
    if (is_good && parser.status() == 101 && is_upgrade) {
        auto passing = pass_stream(exchange, std::move(server), parser, std::move(rest));
        co_await passing;
        co_return;
    }
    if (is_good && !rest.empty()) is_good = parser.put(rest);
    if (!is_good || parser.status() < 200) {
        target.refuse(exchange, "the answer cannot be understood");
        co_return;
    }
    auto passing = pass_body(exchange, *server, parser);
    co_await passing;
}

}  // namespace

Task<Result<std::string>> fetch_http(IoLoop& loop, OutgoingTarget target, std::string path,
                                     std::size_t limit_bytes, base::Duration patience) {
    const std::string host = target.text();
    auto dialling = OutgoingConnection::dial(loop, std::move(target));
    KEELSON_CO_TRY(const ConnectionPointer server, co_await dialling);
    const auto timer = loop.post_after(patience, [server] { server->close(); });
    const std::string request =
        "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n";
    auto writing = server->write(request);
    bool is_good = co_await writing;
    ResponseParser parser(false);
    std::string body;
    while (is_good && !parser.done() && body.size() <= limit_bytes) {
        auto reading = read_more(*server, parser);
        is_good = co_await reading;
        body += parser.take_body();
    }
    timer->cancel();
    server->close();
    if (!parser.done() || parser.status() != 200)
        co_return Status(Reason::service_unavailable, host + " gives no good answer to " + path);
    co_return body;
}

void ProxyTarget::refuse_service(Exchange& exchange, const std::string& why) {
    exchange.respond(
        status_response(Status(Reason::service_unavailable, "error trying to reach service: " + why)));
}

Task<void> proxy_http(Exchange& exchange, ProxyTarget target) {
    // Everything that has an Exchange runs on an I/O loop.
    auto* loop = dynamic_cast<IoLoop*>(&exchange.executor());
    if (loop == nullptr) co_return;
    auto dialling = OutgoingConnection::dial(*loop, target.server);
    Result<ConnectionPointer> server = co_await dialling;
    if (!server) {
        target.refuse(exchange, server.error().message());
        co_return;
    }
    // One that is to be upgraded must not be watched before; so the wait for its answer is bounded.
    const bool is_upgrade = !wanted_upgrade(exchange.request()).empty();
    if (!is_upgrade) exchange.on_close([server = *server] { server->close(); });
    const std::string request = request_text(exchange.request(), target);
    auto writing = (*server)->write(request);
    // A server may answer before it has read everything.
    (void)co_await writing;
    auto passing = pass_answer(exchange, *server, target);
    co_await passing;
    (*server)->close();
}

}  // namespace keelson::api
