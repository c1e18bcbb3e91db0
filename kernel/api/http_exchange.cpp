#include "kernel/api/http_exchange.h"

#include <algorithm>
#include <charconv>

#include "kernel/api/accept.h"
#include "kernel/api/connection.h"
#include "kernel/api/gzip.h"
#include "kernel/api/upgraded_stream.h"

namespace keelson::api {
namespace {

// An answer up to this size is copied behind its head and goes out in one write.
constexpr std::size_t gather_limit_bytes = 64 << 10;
// Compressed bytes of a stream are sent when this much has come together.
constexpr std::size_t compressed_chunk_bytes = 16 << 10;
constexpr std::size_t warnings_total_bytes = 4096;
constexpr std::size_t warning_cut_bytes = 256;

std::string_view reason_phrase(int status) {
    switch (status) {
        case 101:
            return "Switching Protocols";
        case 200:
            return "OK";
        case 201:
            return "Created";
        case 202:
            return "Accepted";
        case 204:
            return "No Content";
        case 301:
            return "Moved Permanently";
        case 302:
            return "Found";
        case 304:
            return "Not Modified";
        case 307:
            return "Temporary Redirect";
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 406:
            return "Not Acceptable";
        case 408:
            return "Request Timeout";
        case 409:
            return "Conflict";
        case 410:
            return "Gone";
        case 413:
            return "Request Entity Too Large";
        case 415:
            return "Unsupported Media Type";
        case 422:
            return "Unprocessable Entity";
        case 429:
            return "Too Many Requests";
        case 431:
            return "Request Header Fields Too Large";
        case 500:
            return "Internal Server Error";
        case 501:
            return "Not Implemented";
        case 503:
            return "Service Unavailable";
        case 504:
            return "Gateway Timeout";
        case 505:
            return "HTTP Version Not Supported";
        default:
            return "Status";
    }
}

template <typename Number>
void append_number(std::string& out, Number number, int base = 10) {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, number, base).ptr;
    out.append(digits, end);
}

// A line break in a value would end the header: whatever is not printable becomes a space.
void append_header(std::string& out, std::string_view name, std::string_view value) {
    out += name;
    out += ": ";
    const std::size_t start = out.size();
    out += value;
    std::replace_if(
        out.begin() + static_cast<std::ptrdiff_t>(start), out.end(),
        [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; }, ' ');
    out += "\r\n";
}

bool has_body(int status) {
    return status >= 200 && status != 204 && status != 304;
}

std::size_t total_size(const std::vector<BodyPiece>& pieces) {
    std::size_t size = 0;
    for (const BodyPiece& piece : pieces) size += piece->size();
    return size;
}

base::Status gone() {
    return {base::Reason::timeout, "the client has closed the connection"};
}

}  // namespace

HttpExchange::HttpExchange(Connection& connection) : connection_(connection) {}
HttpExchange::~HttpExchange() = default;

base::Executor& HttpExchange::executor() {
    return connection_.worker().loop;
}

bool HttpExchange::closed() const {
    return connection_.closing();
}

void HttpExchange::add_header(std::string name, std::string value) {
    headers_.push_back({std::move(name), std::move(value)});
}

void HttpExchange::add_warning(std::string_view text) {
    if (text.empty()) return;
    std::string header = warning_header(text);
    if (warning_bytes_ + text.size() > warnings_total_bytes) {
        // Too much already: keep the beginnings, as long as they fit.
        std::size_t cut = std::min(text.size(), warning_cut_bytes);
        while (cut > 0 && cut < text.size() && (static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80) --cut;
        if (warning_bytes_ >= 2 * warnings_total_bytes) return;
        header = warning_header(text.substr(0, cut));
        text = text.substr(0, cut);
    }
    if (header.empty() || std::ranges::find(warnings_, header) != warnings_.end()) return;
    warning_bytes_ += text.size();
    warnings_.push_back(std::move(header));
}

void HttpExchange::started(bool streaming) {
    status_ = response_.status;
    if (on_started_) on_started_(status_, streaming);
}

void HttpExchange::respond(Response response) {
    if (state_ != State::open) return;
    response_ = std::move(response);
    state_ = State::whole;
    started(false);
}

void HttpExchange::on_close(std::function<void()> callback) {
    on_close_ = std::move(callback);
    if (!on_close_ || close_notified_) return;
    if (closed()) {
        connection_.worker().loop.post(
            [connection = connection_.shared_from_this()] { connection->notify_exchange(); });
    } else {
        connection_.watch_for_close();
    }
}

void HttpExchange::notify_closed() {
    if (close_notified_ || !on_close_) return;
    close_notified_ = true;
    const auto callback = std::move(on_close_);
    callback();
}

void HttpExchange::append_head(std::string& out, std::optional<std::uint64_t> length, bool compressed) {
    out += http_1_0_ ? "HTTP/1.0 " : "HTTP/1.1 ";
    append_number(out, response_.status);
    out += ' ';
    out += reason_phrase(response_.status);
    out += "\r\n";
    // What the answer itself says replaces what was added on its way (Cache-Control).
    for (const Header& header : headers_) {
        const auto same = [&](const Header& other) { return same_header_name(other.name, header.name); };
        if (std::ranges::none_of(response_.headers, same)) append_header(out, header.name, header.value);
    }
    for (const std::string& warning : warnings_) append_header(out, "Warning", warning);
    for (const Header& header : response_.headers) append_header(out, header.name, header.value);
    if (!response_.content_type.empty()) append_header(out, "Content-Type", response_.content_type);
    if (compressed) out += "Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n";
    out += "Date: ";
    out += connection_.worker().http_date();
    out += "\r\n";
    if (response_.status == 101) {
        out += "\r\n";
        return;
    }
    if (length) {
        if (has_body(response_.status)) {
            out += "Content-Length: ";
            append_number(out, *length);
            out += "\r\n";
        }
    } else if (http_1_0_) {
        connection_.close_after_answer();  // the end of the connection is the end of the body
    } else {
        out += "Transfer-Encoding: chunked\r\n";
    }
    if (!connection_.keep_alive()) {
        out += "Connection: close\r\n";
    } else if (http_1_0_) {
        out += "Connection: keep-alive\r\n";
    }
    out += "\r\n";
}

base::Task<bool> HttpExchange::finish() {
    on_close_ = {};
    switch (state_) {
        case State::open:
            respond(status_response({base::Reason::internal_error, "the request was not answered"}));
            co_return co_await send_whole();
        case State::whole:
            co_return co_await send_whole();
        case State::held:
        case State::streaming:
            co_await end_stream();
            co_return state_ == State::ended;
        case State::ended:
            co_return true;
        case State::failed:
        case State::upgraded:
            co_return false;
    }
    co_return false;
}

// Large answers are compressed on the pool for blocking work: it takes a while, and other connections wait
// here.
base::Task<bool> HttpExchange::compress_whole() {
    std::vector<BodyPiece> pieces = std::move(response_.body);
    // Named on purpose: g++ 12 destroys a lambda twice that is a temporary in an awaited expression.
    auto compress = [pieces = std::move(pieces)] {
        std::string out;
        GzipStream stream;
        for (const BodyPiece& piece : pieces) stream.add(*piece, out);
        stream.finish(out);
        return std::make_shared<const std::string>(std::move(out));
    };
    auto compressed = co_await base::blocking(std::move(compress));
    response_.body.clear();
    response_.body.push_back(std::move(compressed));
    co_return !connection_.peer_gone();
}

base::Task<bool> HttpExchange::send_whole() {
    state_ = State::ended;
    std::size_t size = total_size(response_.body);
    bytes_sent_ = size;
    bool compressed = false;
    // A handler may have encoded the body itself.
    const auto encoded = [](const Header& header) {
        return same_header_name(header.name, "Content-Encoding");
    };
    if (size >= connection_.worker().shared.limits.gzip_from_bytes && has_body(response_.status) &&
        std::ranges::none_of(response_.headers, encoded) &&
        accepts_gzip(request_.header("Accept-Encoding"))) {
        const bool still_there = co_await compress_whole();
        if (!still_there) co_return false;
        compressed = true;
        size = total_size(response_.body);
    }
    std::string& out = connection_.worker().output;
    out.clear();
    append_head(out, size, compressed);

    const bool without_body = request_.method == "HEAD" || !has_body(response_.status);
    std::size_t next = without_body ? response_.body.size() : 0;
    for (; next < response_.body.size(); ++next) {
        const std::string& piece = *response_.body[next];
        if (out.size() + piece.size() > gather_limit_bytes) break;
        out += piece;
    }
    bool good = co_await connection_.write_output();
    for (; good && next < response_.body.size(); ++next)
        good = co_await connection_.write_all(*response_.body[next]);
    co_return good;
}

base::Task<base::Result<ByteStream*>> HttpExchange::upgrade(std::vector<Header> headers) {
    if (state_ != State::open)
        co_return base::Status(base::Reason::internal_error, "the answer has already begun");
    if (http_1_0_) co_return base::Status(base::Reason::bad_request, "an upgrade needs HTTP/1.1");
    response_.status = 101;
    response_.headers = std::move(headers);
    state_ = State::upgraded;
    connection_.begin_upgrade();
    started(true);
    std::string& out = connection_.worker().output;
    out.clear();
    append_head(out, std::nullopt, false);
    const bool good = co_await connection_.write_output();
    if (!good) co_return gone();
    upgraded_ = std::make_unique<UpgradedStream>(connection_, *this);
    co_return upgraded_.get();
}

base::Task<base::Result<void>> HttpExchange::begin_stream(int status, std::string content_type,
                                                          std::vector<Header> headers, StreamKind kind) {
    if (state_ != State::open) return already_begun();
    response_.status = status;
    response_.content_type = std::move(content_type);
    response_.headers = std::move(headers);
    kind_ = kind;
    started(true);
    state_ = State::held;
    return begin_held();
}

base::Task<base::Result<void>> HttpExchange::already_begun() {
    co_return base::Status(base::Reason::internal_error, "the answer has already begun");
}

base::Task<base::Result<void>> HttpExchange::begin_held() {
    bool good = true;
    if (kind_ == StreamKind::live) good = co_await begin_chunks();
    if (!good) co_return gone();
    co_return base::ok();
}

base::Task<bool> HttpExchange::begin_chunks() {
    const bool compress = kind_ == StreamKind::bulk && accepts_gzip(request_.header("Accept-Encoding"));
    if (compress) gzip_ = std::make_unique<GzipStream>();
    state_ = State::streaming;
    std::string& out = connection_.worker().output;
    out.clear();
    append_head(out, std::nullopt, compress);
    const bool good = co_await connection_.write_output();
    if (!good) state_ = State::failed;
    co_return good;
}

base::Task<base::Result<void>> HttpExchange::write(BodyPiece piece) {
    if (state_ != State::held && state_ != State::streaming) co_return gone();
    bytes_sent_ += piece->size();
    if (request_.method == "HEAD" || piece->empty()) co_return base::ok();
    if (state_ == State::held) {
        if (held_.size() + piece->size() < connection_.worker().shared.limits.gzip_from_bytes) {
            held_ += *piece;
            co_return base::ok();
        }
        const bool begun = co_await begin_chunks();
        if (!begun) co_return gone();
    }
    if (gzip_) {
        if (!held_.empty()) gzip_->add(std::exchange(held_, {}), compressed_);
        gzip_->add(*piece, compressed_);
        if (compressed_.size() < compressed_chunk_bytes) co_return base::ok();
        const std::string chunk = std::exchange(compressed_, {});
        const bool sent = co_await send_chunk(chunk);
        if (!sent) co_return gone();
        co_return base::ok();
    }
    if (!held_.empty()) {
        const std::string first = std::exchange(held_, {});
        const bool sent = co_await send_chunk(first);
        if (!sent) co_return gone();
    }
    const bool sent = co_await send_chunk(*piece);
    if (!sent) co_return gone();
    co_return base::ok();
}

base::Task<bool> HttpExchange::send_chunk(std::string_view data) {
    std::string& out = connection_.worker().output;
    out.clear();
    bool good = false;
    if (!http_1_0_) {
        append_number(out, data.size(), 16);
        out += "\r\n";
    }
    if (data.size() <= gather_limit_bytes) {
        out += data;
        if (!http_1_0_) out += "\r\n";
        good = co_await connection_.write_output();
    } else {
        good = co_await connection_.write_output();
        if (good) good = co_await connection_.write_all(data);
        if (good && !http_1_0_) good = co_await connection_.write_all("\r\n");
    }
    if (!good) state_ = State::failed;
    co_return good;
}

base::Task<void> HttpExchange::end_stream() {
    if (state_ == State::held) {
        response_.body.push_back(std::make_shared<const std::string>(std::exchange(held_, {})));
        const bool sent = co_await send_whole();
        if (!sent) state_ = State::failed;
        co_return;
    }
    if (state_ != State::streaming) co_return;
    if (gzip_) {
        gzip_->finish(compressed_);
        const std::string chunk = std::exchange(compressed_, {});
        const bool sent = co_await send_chunk(chunk);
        if (!sent) co_return;
    }
    state_ = State::ended;
    if (http_1_0_ || request_.method == "HEAD") co_return;
    connection_.worker().output = "0\r\n\r\n";
    const bool good = co_await connection_.write_output();
    if (!good) state_ = State::failed;
}

}  // namespace keelson::api
