#include "kernel/api/http_proxy.h"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <memory>

#include "kernel/api/loop_file.h"
#include "kernel/api/response_parser.h"

namespace keelson::api {
namespace {

using base::FileDescriptor;
using base::Reason;
using base::Result;
using base::Status;
using base::Task;
using FilePointer = std::shared_ptr<LoopFile>;

constexpr auto kDialTime = std::chrono::seconds(30);
constexpr std::size_t kPiece = 32 << 10;
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

std::string endpoint_of(const ProxyTarget& target) {
    const bool is_v6 = target.address.find(':') != std::string::npos;
    return (is_v6 ? "[" + target.address + "]" : target.address) + ":" + std::to_string(target.port);
}

std::string request_text(const Request& request, const ProxyTarget& target) {
    std::string text =
        request.method + " " + target.path + " HTTP/1.1\r\nHost: " + endpoint_of(target) + "\r\n";
    for (const Header& header : request.headers)
        if (is_passed_on(header)) text += header.name + ": " + header.value + "\r\n";
    const std::string& from = request.remote_address;
    text += "X-Forwarded-For: " + from.substr(0, from.rfind(':')) + "\r\n";
    text += "X-Forwarded-Proto: https\r\nX-Forwarded-Host: " + std::string(request.header("Host")) + "\r\n";
    text += "X-Forwarded-Uri: " + request.raw_target.substr(0, request.raw_target.find('?')) + "\r\n";
    if (!request.body.empty() || request.method == "POST" || request.method == "PUT")
        text += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
    return text + "Connection: close\r\n\r\n" + request.body;
}

Status unreachable(const ProxyTarget& target, std::string_view why) {
    return {Reason::service_unavailable,
            "error trying to reach service: dial tcp " + endpoint_of(target) + ": " + std::string(why)};
}

Task<Result<FilePointer>> dial(IoLoop& loop, const ProxyTarget& target) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    if (::getaddrinfo(target.address.c_str(), std::to_string(target.port).c_str(), &hints, &found) != 0)
        co_return unreachable(target, "address is not valid");
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> address(found, &::freeaddrinfo);
    FileDescriptor socket(::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket) co_return base::system_error("making a socket", errno);
    KEELSON_CO_TRY(const FilePointer file, LoopFile::open(loop, std::move(socket)));
    const auto timer = loop.post_after(kDialTime, [file] { file->close(); });
    auto connecting = file->connect(found->ai_addr, found->ai_addrlen);
    const int failure = co_await connecting;
    timer->cancel();
    if (failure == ECONNREFUSED) co_return unreachable(target, "connect: connection refused");
    if (failure == EHOSTUNREACH) co_return unreachable(target, "connect: no route to host");
    if (failure == ECANCELED) co_return unreachable(target, "i/o timeout");
    if (failure != 0) co_return unreachable(target, "connect: " + std::generic_category().message(failure));
    co_return file;
}

// False: what came is no answer, or ended too early.
Task<bool> read_more(LoopFile& file, ResponseParser& parser) {
    std::string bytes;
    auto reading = file.read(bytes, kPiece);
    const bool has_read = co_await reading;
    co_return has_read ? parser.put(bytes) : parser.put_end();
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

Task<void> pass_answer(Exchange& exchange, FilePointer file) {
    ResponseParser parser(exchange.request().method == "HEAD");
    bool is_good = true;
    while (is_good && !parser.header_done()) {
        auto reading = read_more(*file, parser);
        is_good = co_await reading;
    }
    if (!is_good || parser.status() < 200) {
        exchange.respond(status_response(
            {Reason::service_unavailable, "error trying to reach service: the answer cannot be understood"}));
        co_return;
    }
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
    while (sent && is_good) {
        BodyPiece piece = std::make_shared<const std::string>(parser.take_body());
        auto writing = exchange.write(piece);
        sent = co_await writing;
        if (parser.done()) break;
        auto reading = read_more(*file, parser);
        is_good = co_await reading;
    }
    if (sent) co_await exchange.end_stream();
}

}  // namespace

Task<void> proxy_http(Exchange& exchange, ProxyTarget target) {
    // Everything that has an Exchange runs on an I/O loop.
    auto* loop = dynamic_cast<IoLoop*>(&exchange.executor());
    if (loop == nullptr) co_return;
    auto dialling = dial(*loop, target);
    Result<FilePointer> file = co_await dialling;
    if (!file) {
        exchange.respond(status_response(file.error()));
        co_return;
    }
    exchange.on_close([file = *file] { file->close(); });
    const std::string request = request_text(exchange.request(), target);
    auto writing = (*file)->write(request);
    // A server may answer before it has read everything.
    (void)co_await writing;
    auto passing = pass_answer(exchange, *file);
    co_await passing;
    (*file)->close();
}

}  // namespace keelson::api
